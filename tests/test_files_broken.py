"""Archives with bytes that are not theirs: opened or refused, and nothing else is raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from measuring.private import watched
from suture._errors import FileError, PlanError
from suture._files import carry_file, open_checkpoint
from widened import ZEROS, layers, widened

PLAN = widened(layers(), fill=ZEROS)
WHERE_MEMORY_IS_SAID = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux says what a process holds"
)


@cache
def of_torch() -> bytes:
    room = BytesIO()
    weights = {name: torch.from_numpy(array) for name, array in layers().items()}
    torch.save({"model": weights, "step": 3}, room)
    return room.getvalue()


@cache
def of_an_old_torch() -> bytes:
    room = BytesIO()
    torch.save(torch.nn.Linear(3, 2).state_dict(), room, _use_new_zipfile_serialization=False)
    return room.getvalue()


@cache
def of_numpy() -> bytes:
    room = BytesIO()
    np.savez(room, allow_pickle=False, **layers())
    return room.getvalue()


@cache
def compressed() -> bytes:
    room = BytesIO()
    np.savez_compressed(room, allow_pickle=False, **layers())
    return room.getvalue()


def packed_by(kind: int) -> bytes:
    room = BytesIO()
    with ZipFile(BytesIO(of_numpy())) as whole, ZipFile(room, "w", kind) as archive:
        for name in whole.namelist():
            archive.writestr(name, whole.read(name))
    return room.getvalue()


@cache
def by_bzip2() -> bytes:
    return packed_by(ZIP_BZIP2)


@cache
def by_lzma() -> bytes:
    return packed_by(ZIP_LZMA)


@cache
def agent() -> bytes:
    room = BytesIO()
    with ZipFile(room, "w") as archive:
        archive.writestr("data", '{"gamma": 0.99}')
        weights = BytesIO()
        torch.save({name: torch.from_numpy(a) for name, a in layers().items()}, weights)
        archive.writestr("policy.pth", weights.getvalue())
    return room.getvalue()


WHOLE = (of_torch, of_an_old_torch, of_numpy, compressed, agent)


def opened(content: bytes) -> bool:
    with TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(content)
        try:
            open_checkpoint(path)
        except FileError:
            return False
        return True


@pytest.mark.parametrize("whole", WHOLE, ids=lambda whole: whole.__name__)
def test_a_whole_file(whole: Callable[[], bytes]) -> None:
    """It is opened."""
    assert opened(whole())


@pytest.mark.parametrize("whole", [*WHOLE, by_bzip2, by_lzma], ids=lambda whole: whole.__name__)
@given(st.data())
@settings(max_examples=60)
def test_a_file_with_other_bytes(whole: Callable[[], bytes], data: st.DataObject) -> None:
    """Bytes anywhere in it are others, or it is cut off."""
    content = bytearray(whole())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        some = data.draw(st.binary(min_size=1, max_size=6))
        content[at : at + len(some)] = some
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    opened(bytes(content))


def carried(content: bytes) -> Mapping[str, np.ndarray[Any, Any]] | None:
    """Carry the weights out of a file of these bytes; None if it is refused, with nothing left."""
    with TemporaryDirectory() as folder:
        path, new = Path(folder, "old"), Path(folder, "new")
        path.write_bytes(content)
        try:
            carry_file(PLAN, open_checkpoint(path), new, format="safetensors", allow_nan=True)
        except (FileError, PlanError):
            assert [*Path(folder).iterdir()] == [path]
            return None
        return load_file(new)


@pytest.mark.parametrize("whole", [of_torch, of_numpy, compressed, agent])
@given(st.data())
@settings(max_examples=60)
def test_a_file_with_other_bytes_that_is_carried(
    whole: Callable[[], bytes], data: st.DataObject
) -> None:
    """Where a format has checksums, the weights are those that were written, or it is refused."""
    content = bytearray(whole())
    at = data.draw(st.integers(0, len(content) - 1))
    some = data.draw(st.binary(min_size=1, max_size=6))
    content[at : at + len(some)] = some
    found = carried(bytes(content))
    expected = carried(whole())
    assert expected is not None
    assert found is None or all(np.array_equal(found[name], expected[name]) for name in expected)


def test_an_array_that_is_a_pickle(tmp_path: Path) -> None:
    """It is refused by name, and not opened."""
    with (tmp_path / "old").open("wb") as file:
        np.savez(file, allow_pickle=True, w=np.ones(2), spy=np.array([{}, None], object))
    with pytest.raises(FileError) as caught:
        open_checkpoint(tmp_path / "old")
    assert str(caught.value) == (
        f"{tmp_path}/old is not a whole archive of arrays.\n"
        "  spy      holds object, which are no plain numbers"
    )


def test_a_member_that_stands_twice(tmp_path: Path) -> None:
    """Readers would not agree on which counts."""
    with ZipFile(tmp_path / "old", "w") as archive:
        archive.writestr("w.npy", b"")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("w.npy", b"")
    with pytest.raises(FileError, match=r"holds several members of one name\.\n  member   w\.npy"):
        open_checkpoint(tmp_path / "old")


def test_a_comment_that_is_no_texts(tmp_path: Path) -> None:
    """It is somebody else's, and so is one that holds half a character."""
    for comment in (b"[1]", rb'{"a": 1}', rb'{"a": "\ud800"}', b'{"a": "\xed\xa0\x80"}', b"\xff"):
        with ZipFile(BytesIO(of_numpy()), "r") as whole, ZipFile(tmp_path / "old", "w") as archive:
            for name in whole.namelist():
                archive.writestr(name, whole.read(name))
            archive.comment = comment
        assert open_checkpoint(tmp_path / "old").metadata == {}


@pytest.mark.parametrize("content", [b"", b"\0", b"text", b"\x89HDF\r\n", b"GGUF\3", b"PK\5\6" * 9])
def test_a_file_that_is_no_checkpoint(content: bytes, tmp_path: Path) -> None:
    """It is told what would be one."""
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(FileError, match=r"is no checkpoint that can be read\.\n  known    "):
        open_checkpoint(tmp_path / "model.safetensors")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The system's reason is told."""
    with pytest.raises(FileError, match=r"gone cannot be read\.\n  because  No such file"):
        open_checkpoint(tmp_path / "gone")


def packed(path: Path, kind: int, **arrays: np.ndarray[Any, Any]) -> list[ZipInfo]:
    """Write an archive of arrays packed in some way; say what is in it."""
    with ZipFile(BytesIO(of_numpy())) as whole, ZipFile(path, "w", kind) as archive:
        for name in whole.namelist():
            archive.writestr(name, whole.read(name))
        for name, array in arrays.items():
            room = BytesIO()
            np.save(room, array)
            archive.writestr(f"{name}.npy", room.getvalue())
        return archive.infolist()


def said_of(path: Path) -> str:
    """Open a file that is none; give the error without its folder."""
    with pytest.raises(FileError) as caught:
        open_checkpoint(path)
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize("kind", [ZIP_BZIP2, ZIP_LZMA])
def test_members_that_are_packed_otherwise(tmp_path: Path, kind: int) -> None:
    """Numpy packs in one way; others unpack to any size at once, and fail in their own ways."""
    [first, second] = packed(tmp_path / "old", kind)
    expected = "old is not a whole archive of arrays.\n" + "\n".join(
        f"  {info.filename[:-4]:<8} is packed in a way that is not read (number {kind})"
        for info in (first, second)
    )
    assert said_of(tmp_path / "old") == expected
    content = bytearray((tmp_path / "old").read_bytes())
    for at in range(first.header_offset + 40, second.header_offset):
        content[at] ^= 0xFF
    (tmp_path / "old").write_bytes(content)
    assert said_of(tmp_path / "old") == expected


def rewritten(path: Path, changed: Mapping[int, int], before: bytes = b"PK\1\2") -> None:
    """Change bytes of what an archive says of its first member: their places -> what they are."""
    content = bytearray(path.read_bytes())
    begin = content.index(before)
    for at, byte in changed.items():
        content[begin + at] = byte
    path.write_bytes(content)


def test_a_member_that_is_encrypted(tmp_path: Path) -> None:
    """Nobody is asked for a password."""
    packed(tmp_path / "old", ZIP_STORED)
    rewritten(tmp_path / "old", {8: 1})
    rewritten(tmp_path / "old", {6: 1}, before=b"PK\3\4")
    assert said_of(tmp_path / "old") == (
        "old is not a whole archive of arrays.\n  fc.weight is encrypted"
    )


LIES = {
    1000: "Bad CRC-32 for file 'large.npy'",
    20_000_000: "holds 19999872 bytes; its header describes 40000000",
}


@WHERE_MEMORY_IS_SAID
@pytest.mark.parametrize("claim", LIES)
def test_a_member_that_inflates_beyond_what_it_says(tmp_path: Path, claim: int) -> None:
    """It is not unpacked further than that, and refused."""
    infos = packed(tmp_path / "old", ZIP_DEFLATED, large=np.zeros(40_000_000, "u1"))
    content = bytearray((tmp_path / "old").read_bytes())
    begin = content.rindex(b"PK\1\2") + 24
    assert content[begin : begin + 4] == infos[-1].file_size.to_bytes(4, "little")
    content[begin : begin + 4] = claim.to_bytes(4, "little")
    (tmp_path / "old").write_bytes(content)
    with watched() as held:
        found = said_of(tmp_path / "old")
    assert found == f"old is not a whole archive of arrays.\n  large    {LIES[claim]}"
    assert held.more < 20e6


@WHERE_MEMORY_IS_SAID
def test_a_header_that_is_a_bomb(tmp_path: Path) -> None:
    """Its length is what it says, and a thousandth of that is in the file: it is not unpacked."""
    begin = b"\x93NUMPY\2\0" + (40_000_000).to_bytes(4, "little")
    with ZipFile(tmp_path / "old", "w", ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", begin + b" " * 40_000_000)
    with watched() as held:
        assert "  w        EOF: reading array header" in said_of(tmp_path / "old")
    assert held.more < 20e6


def test_a_packed_member_that_is_damaged(tmp_path: Path) -> None:
    """What does not unpack to what was packed is refused when it is opened."""
    [first, second] = packed(tmp_path / "old", ZIP_DEFLATED)
    whole = (tmp_path / "old").read_bytes()
    for at in range(second.header_offset - 40, second.header_offset - 3):  # then it ends
        content = bytearray(whole)
        content[at] ^= 0x10
        (tmp_path / "old").write_bytes(content)
        assert said_of(tmp_path / "old").startswith(
            "old is not a whole archive of arrays.\n  fc.weight "
        )
    assert first.filename == "fc.weight.npy"


def test_members_that_share_bytes(tmp_path: Path) -> None:
    """A small archive would hold more than anybody can unpack."""
    packed(tmp_path / "old", ZIP_STORED)
    content = bytearray((tmp_path / "old").read_bytes())
    first, second = content.index(b"PK\1\2"), content.rindex(b"PK\1\2")
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    (tmp_path / "old").write_bytes(content)
    assert said_of(tmp_path / "old") == (
        "old is a broken archive: members share bytes.\n  member   fc.bias.npy"
    )


def repacked(content: bytes, path: Path, kind: int) -> Path:
    with ZipFile(BytesIO(content)) as whole, ZipFile(path, "w", kind) as archive:
        for name in whole.namelist():
            archive.writestr(name, whole.read(name))
    return path


def test_a_file_of_torch_that_is_packed(tmp_path: Path) -> None:
    """Its bytes are mapped, and would be taken for weights."""
    assert said_of(repacked(of_torch(), tmp_path / "old", ZIP_DEFLATED)) == (
        "old is packed, which no file of torch is.\n"
        "  member   archive/data.pkl\n  member   archive/data/0\n  member   archive/data/1\n\n"
        "hint: save it again with torch.save"
    )


@WHERE_MEMORY_IS_SAID
def test_an_agent_that_is_packed(tmp_path: Path) -> None:
    """Who zipped it again has an agent still; what no weights can unpack to is refused."""
    path = repacked(agent(), tmp_path / "old", ZIP_DEFLATED)
    assert open_checkpoint(path).format == "stable-baselines3"
    with ZipFile(path, "a", ZIP_DEFLATED) as archive:
        archive.writestr("pytorch_variables.pth", bytes(40_000_000))
    size = path.stat().st_size
    with watched() as held:
        assert said_of(path) == (
            "old is packed more than weights can be.\n"
            f"  packed   {size:,} bytes\n  unpacked 40,001,844 bytes"
        )
    assert held.more < 20e6


def test_an_agent_whose_weights_are_packed_again(tmp_path: Path) -> None:
    """An archive in the archive is no bomb either."""
    with ZipFile(BytesIO(agent())) as whole:
        inner = repacked(whole.read("policy.pth"), tmp_path / "policy.pth", ZIP_DEFLATED)
    with ZipFile(tmp_path / "old", "w") as archive:
        archive.writestr("data", "{}")
        archive.write(inner, "policy.pth")
    assert said_of(tmp_path / "old").startswith("old is packed, which no file of torch is.")
