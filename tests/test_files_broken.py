"""Archives with bytes that are not theirs: opened or refused, and nothing else is raised."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from suture._errors import FileError
from suture._files import open_checkpoint
from widened import layers


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


@pytest.mark.parametrize("whole", WHOLE, ids=lambda whole: whole.__name__)
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
