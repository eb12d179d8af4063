"""Folders of checkpoints: past opponents, snapshots, members of a population, one plan for all.

Knows that all of them go or none. Does not know a file's format: reading and writing are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from suture._apply import State, apply
from suture._errors import SutureError, TransferError
from suture._laid_out import Fact
from suture._plan import Plan

Read = Callable[[Path], State]
Write = Callable[[Mapping[str, Any], Path], object]


def transfer_checkpoints(
    plan: Plan,
    folder: str | PathLike[str],
    into: str | PathLike[str],
    target_state: State,
    *,
    pattern: str = "*.pt",
    read: Read | None = None,
    write: Write | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Carry every checkpoint of a folder over by one plan, all of them or none.

    Frozen opponents that a league plays against must see the new observation as well. Entries that
    have no source begin in all of them as in `target_state`.

    Args:
        plan: the plan from the model that all of them are of.
        folder: where they are; nothing in it is changed.
        into: where the new ones go, under the same names; it is made if it is not there.
        target_state: the changed model's arrays by name, as they were initialised.
        pattern: which files of the folder are meant; `"**/*.pt"` for those in folders within, too.
        read: gives a file's state dict; without, torch's `weights_only` reading of a file that
            holds nothing else.
        write: writes a state dict to a path; without, `torch.save`.
        overwrite: whether files that are there already may be replaced.

    Returns:
        The new files, sorted by name.

    Raises:
        TransferError: listing every file that does not fit or is in the way. Nothing is written
            then: new files are moved to their place when all of them are whole.

    Example:
        >>> import torch
        >>> new = torch.nn.Linear(6, 2).state_dict()
        >>> transfer_checkpoints(plan, "league", "league-wide", new)  # doctest: +SKIP
    """
    old, new = Path(folder), Path(into)
    if old.resolve() == new.resolve():
        raise TransferError(f"{new} is what would be read.", hint="write to another folder")
    names = sorted(path.relative_to(old) for path in old.glob(pattern) if path.is_file())
    if not names:
        raise TransferError(f"There is no file {pattern} in {old}.")
    blocked = [(str(name), "is there") for name in names if (new / name).exists()]
    if blocked and not overwrite:
        raise TransferError(f"Files in {new} would be replaced.", blocked, "give overwrite=True")
    new.mkdir(parents=True, exist_ok=True)
    reading, writing = read or _read, write or _write
    # Beside their place, so that to move them there is one step of the file system.
    with TemporaryDirectory(dir=new, prefix=".suture-") as aside:
        facts: list[Fact] = []
        for name in names:
            try:
                writing(apply(plan, reading(old / name), target_state), _room(Path(aside, name)))
            except (SutureError, OSError) as error:
                facts += _told(name, error)
        if facts:
            raise TransferError(f"Not every file in {old} can be carried over.", facts)
        return [Path(aside, name).replace(_room(new / name)) for name in names]


def _room(path: Path) -> Path:
    """Make the folder of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _told(name: Path, error: SutureError | OSError) -> Iterator[Fact]:
    """Say what is wrong with a file, all of it under its name."""
    if isinstance(error, SutureError):
        yield str(name), error.sentence
        yield from ((str(name), f"  {label} {text}") for label, text in error.facts)
    else:
        yield str(name), str(error)


def _read(path: Path) -> State:
    from suture._torch._files import read

    return read(path)


def _write(state: Mapping[str, Any], path: Path) -> None:
    from suture._torch._files import write

    write(state, path)
