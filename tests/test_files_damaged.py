"""Archives whose bytes are not those that were written: their checksums say so, before the end."""

from __future__ import annotations

import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents import agent, planned
from suture._errors import FileError
from suture._files import Format, carry_file, open_checkpoint
from suture._files._digest import Checksums
from suture._files._members import Stored, stored
from widened import ZEROS, State, some, widened

OLD: State = {"w": some((600, 1000)), "v": some((4000, 1), seed=1)}
"""Weights whose bytes go on from one step of hashing to the next, and none wholly a header."""

PLAN = widened(OLD, fill=ZEROS)
WRITTEN = """\
{old} is damaged: bytes are not those that were written.
  member   {member}

hint: fetch it again"""


def of_torch(path: Path) -> None:
    torch.save({name: torch.from_numpy(array) for name, array in OLD.items()}, path)


def of_numpy(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **OLD)


def flipped(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x01]))


SAVES = pytest.mark.parametrize("save", [of_torch, of_numpy])


@SAVES
@pytest.mark.parametrize("kind", [None, "safetensors", "torch", "npz"])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_bit_of_a_member(
    tmp_path: Path, save: Callable[[Path], None], kind: Format | None, share: float
) -> None:
    """One that is another anywhere in any of them is found; no new file is left."""
    save(tmp_path / "old")
    for member in stored(tmp_path / "old"):
        if not member.name.endswith(("data/0", "data/1", "version", ".npy")):
            continue  # without those in between nothing is opened
        at = member.begin + (128 if member.name.endswith(".npy") else 0)
        at += int(share * (member.begin + member.size - 1 - at))
        flipped(tmp_path / "old", at)
        with pytest.raises(FileError) as caught:
            carry_file(PLAN, open_checkpoint(tmp_path / "old"), tmp_path / "new", format=kind)
        assert str(caught.value) == WRITTEN.format(old=tmp_path / "old", member=member.name)
        assert [path.name for path in tmp_path.iterdir()] == ["old"]
        flipped(tmp_path / "old", at)
    carry_file(PLAN, open_checkpoint(tmp_path / "old"), tmp_path / "new", format=kind)


@contextmanager
def without_checksums() -> Iterator[None]:
    torch.serialization.set_crc32_options(False)
    try:
        yield
    finally:
        torch.serialization.set_crc32_options(True)


def test_a_file_without_checksums(tmp_path: Path) -> None:
    """Torch writes none where it is told to: there is nothing to look at, and nothing is wrong."""
    with without_checksums():
        of_torch(tmp_path / "old")
    assert {member.checksum for member in stored(tmp_path / "old")} == {None}
    carry_file(PLAN, open_checkpoint(tmp_path / "old"), tmp_path / "new")
    found = torch.load(tmp_path / "new", weights_only=True)
    np.testing.assert_array_equal(found["w"][:600], OLD["w"])


def test_a_file_whose_bytes_came_later(tmp_path: Path) -> None:
    """Where `skip_data` left room for them, nobody wrote their checksums."""
    with torch.serialization.skip_data():
        of_torch(tmp_path / "old")
    for member in stored(tmp_path / "old"):
        assert (member.checksum is None) == ("/data/" in member.name), member
        if member.name.endswith("data/0"):
            with (tmp_path / "old").open("r+b") as file:
                file.seek(member.begin)
                file.write(OLD["w"].tobytes())
    carry_file(PLAN, open_checkpoint(tmp_path / "old"), tmp_path / "new")
    found = torch.load(tmp_path / "new", weights_only=True)
    np.testing.assert_array_equal(found["w"][:600], OLD["w"])


@SAVES
def test_the_new_file(tmp_path: Path, save: Callable[[Path], None]) -> None:
    """It has a checksum of every member: what carries it on looks at them."""
    save(tmp_path / "old")
    carry_file(PLAN, open_checkpoint(tmp_path / "old"), tmp_path / "new")
    assert all(member.checksum is not None for member in stored(tmp_path / "new"))
    with zipfile.ZipFile(tmp_path / "new") as archive:
        assert archive.testzip() is None


def test_an_agent(tmp_path: Path) -> None:
    """Members that are read are looked at when it is opened, others when they are carried along."""
    from stable_baselines3 import PPO

    old = agent(PPO, 2, 6)
    old.save(tmp_path / "old.zip")
    settings = {"observation_space": old.observation_space, "action_space": old.action_space}
    plan = planned(old, old)
    how: dict[str, Any] = {"settings": settings, "optimizer": "reset"}
    names = {member.name: member for member in stored(tmp_path / "old.zip")}
    for name in ("data", "policy.pth", "policy.optimizer.pth", "system_info.txt"):
        flipped(tmp_path / "old.zip", names[name].begin + names[name].size // 2)
        with pytest.raises(FileError) as caught:
            carry_file(plan, open_checkpoint(tmp_path / "old.zip"), tmp_path / "new", **how)
        assert str(caught.value) == (
            f"{tmp_path}/old.zip is no whole agent of Stable-Baselines3.\n"
            f"  {name:<8} Bad CRC-32 for file {name!r}"
        )
        assert [path.name for path in tmp_path.iterdir()] == ["old.zip"]
        flipped(tmp_path / "old.zip", names[name].begin + names[name].size // 2)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=8), st.data())
def test_checksums_of_what_passes_by(content: bytes, cuts: list[int], data: st.DataObject) -> None:
    """Whatever pieces it comes in, a member is found damaged exactly if its bytes are others."""
    edges = sorted(min(cut, len(content)) for cut in cuts)
    spans = [span for span in pairwise(edges) if data.draw(st.booleans())]
    wrong = {span for span in spans if data.draw(st.booleans())}
    members = [
        Stored(str((a, b)), a, b - a, zlib.crc32(content[a:b]) ^ ((a, b) in wrong))
        for a, b in spans
    ]
    passing, at = Checksums(deque(members)), 0
    while at < len(content):
        size = data.draw(st.integers(1, 20))
        passing.update(memoryview(content[at : at + size]))
        at += size
    assert {*passing.damaged} == {str(span) for span in wrong if span[0] < len(content)}
