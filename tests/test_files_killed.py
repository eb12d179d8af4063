"""Processes that are killed: the old weights are as they were, the new ones whole or absent."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from suture._errors import FileError
from suture._files import Format, carry_file, open_checkpoint
from suture._plan import Plan
from widened import ZEROS, State, some, widened

NEVER = 99
"""More steps than any run takes: a step renames something, or removes a folder."""

PROGRAM = """
import os, shutil, signal, sys
from pathlib import Path
from suture._files import carry_file, open_checkpoint
from suture._plan import Plan

folder, kind, left = Path(sys.argv[1]), sys.argv[2] or None, int(sys.argv[3])

def counted(step):
    def take(*given):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return step(*given)
    return take

Path.replace, shutil.rmtree = counted(Path.replace), counted(shutil.rmtree)
plan, old = Plan.from_json((folder / "plan.json").read_text()), open_checkpoint(folder / "old")
if kind == "torch":
    import suture._torch._file  # which takes longer than all that follows
print("ready", flush=True)
carry_file(plan, old, folder / "new", format=kind, force=True)
"""


@dataclass(frozen=True)
class Run:
    """What is carried, in a folder of its own.

    Attributes:
        folder: holds `old` and `plan.json`.
        weights: what `old` holds.
        kind: the format to write, where it is another.
    """

    folder: Path
    weights: State
    kind: Format | None = None

    @property
    def plan(self) -> Plan:
        return widened(self.weights, fill=ZEROS)

    def killed(self, after: float = 9.0, steps: int = NEVER) -> None:
        """Carry in another process that ends after some seconds, or steps."""
        words = [sys.executable, "-c", PROGRAM, str(self.folder), self.kind or "", str(steps)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            if steps == NEVER:
                sleep(after)
                process.send_signal(signal.SIGKILL)
            else:
                assert process.wait() == -signal.SIGKILL

    def again(self) -> None:
        """Carry in this process, over whatever was left."""
        old = open_checkpoint(self.folder / "old")
        carry_file(self.plan, old, self.folder / "new", format=self.kind, force=True)
        assert self.names() == ["new", "old", "plan.json"]
        assert self.is_new("new")

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def is_new(self, name: str) -> bool:
        """Say whether a checkpoint is the new one, and whole."""
        arrays = open_checkpoint(self.folder / name).arrays
        return arrays.keys() == self.weights.keys() and all(
            np.array_equal(arrays[name], np.pad(array, ((0, 1), (0, 0))))
            for name, array in self.weights.items()
        )


def begun(folder: Path, weights: State, kind: Format | None = None) -> Run:
    run = Run(folder, weights, kind)
    (folder / "plan.json").write_text(run.plan.to_json())
    return run


def contents(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else path.iterdir()
    return {file.name: file.read_bytes() for file in files}


# --- files ---------------------------------------------------------------------


def look_at_files(tmp_path: Path, kind: Format, moments: Sequence[float]) -> None:
    large = {"w": some((4000, 1500))}
    save_file(large, tmp_path / "old")
    run, before = begun(tmp_path, large, kind), contents(tmp_path / "old")
    for moment in moments:
        run.killed(moment)
        assert contents(tmp_path / "old") == before
        assert {*run.names()} <= {"old", "new", "plan.json", ".new.suture-part"}
        if (tmp_path / "new").exists():
            assert run.is_new("new")
            (tmp_path / "new").unlink()
    run.again()


def test_a_file(tmp_path: Path) -> None:
    """The old file is as it was; the new one is whole or absent; the next run cleans up."""
    look_at_files(tmp_path, "safetensors", [0.0, 0.02])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["safetensors", "torch", "npz"])
def test_a_file_at_any_moment(tmp_path: Path, kind: Format) -> None:
    """The same, at moments all over the time that it takes, in every format."""
    look_at_files(tmp_path, kind, [*moments(20)])


def test_a_file_before_it_has_its_name(tmp_path: Path) -> None:
    """It is whole then, but nobody says so: the next run writes it again."""
    save_file({"w": some((3, 5))}, tmp_path / "old")
    run = begun(tmp_path, {"w": some((3, 5))})
    run.killed(steps=0)
    assert run.names() == [".new.suture-part", "old", "plan.json"]
    run.again()


def moments(count: int) -> Iterator[float]:
    yield from map(float, 0.3 * np.random.default_rng(3).uniform(0, 1, count) ** 2)


# --- folders -------------------------------------------------------------------

ENDS = {".safetensors": "model", ".bin": "pytorch_model"}


def shards(folder: Path, end: str, weights: State) -> Path:
    """Write a folder with a tensor in each file."""
    folder.mkdir()
    places = {}
    for at, (name, array) in enumerate(weights.items()):
        places[name] = f"{ENDS[end]}-{at + 1:05}-of-{len(weights):05}{end}"
        if end == ".bin":
            torch.save({name: torch.from_numpy(array)}, folder / places[name])
        else:
            save_file({name: array}, folder / places[name])
    index = folder / f"{ENDS[end]}{end}.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    return folder


def state(rows: int, seed: int) -> State:
    return {name: some((rows, 500), seed=seed + at) for at, name in enumerate("abc")}


def folders(tmp_path: Path, end: str, rows: int) -> Run:
    """Write a folder to carry, and one that is there by the name of the new one."""
    shards(tmp_path / "new", end, state(5, 7))
    shards(tmp_path / "old", end, state(rows, 0))
    return begun(tmp_path, state(rows, 0))


def look_at_folders(tmp_path: Path, end: str, moments: Sequence[float]) -> None:
    run = folders(tmp_path, end, 4000)
    old, new = (contents(tmp_path / name) for name in ("old", "new"))
    for moment in moments:
        run.killed(moment)
        assert contents(tmp_path / "old") == old
        beside = {".new.suture-part", ".new.suture-old"}
        assert {*run.names()} <= {"old", "new", "plan.json", *beside}
        if not (tmp_path / "new").exists():
            assert contents(tmp_path / ".new.suture-old") == new
        else:
            assert contents(tmp_path / "new") == new or run.is_new("new")
    run.again()


def test_a_folder(tmp_path: Path) -> None:
    """The new one is whole, or the one that was there is; the next run cleans up."""
    look_at_folders(tmp_path, ".safetensors", [0.02])


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
def test_a_folder_at_any_moment(tmp_path: Path, end: str) -> None:
    """The same, at moments all over the time that it takes."""
    look_at_folders(tmp_path, end, [*moments(20)])


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_folder_before_each_step(tmp_path: Path, steps: int) -> None:
    """Only between its two renames is none there by its name, and then it is said where one is."""
    run = folders(tmp_path, ".safetensors", 3)
    before = contents(tmp_path / "new")
    run.killed(steps=steps)
    match steps:
        case 0:
            assert contents(tmp_path / "new") == before
        case 1:
            assert not (tmp_path / "new").exists()
            with pytest.raises(FileError, match=r"it is    \S+/\.new\.suture-old"):
                open_checkpoint(tmp_path / "new")
        case _:
            assert run.is_new("new")
    if steps:
        assert contents(tmp_path / ".new.suture-old") == before
    run.again()
