"""Outputs: what they are called while they are written, who may read them, which are refused.

Knows files and folders that are there. Does not know how an output is written (`_atomic`).
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import and_
from pathlib import Path

from suture._errors import FileError
from suture._files._paths import refuse_unreachable

PART, OLD = ".suture-part", ".suture-old"
"""The ends of the names of what is not yet whole, and of a folder that another one replaces."""

ELSEWHERE = "write to another place"


def part_of(path: Path) -> Path:
    """Name what an output is while it is written: hidden, beside it, the same every time."""
    return path.with_name(f".{path.name}{PART}")


def old_of(path: Path) -> Path:
    """Name what a folder is while another one takes its place."""
    return path.with_name(f".{path.name}{OLD}")


# --- refusing ------------------------------------------------------------------


def refuse_file(path: Path, sources: Sequence[Path], force: bool) -> None:
    """Refuse a file that cannot or must not be written, before any work is done.

    Raises:
        FileError: it is there already, is one of the sources, or has no folder to lie in.
    """
    _refuse_unreachable(path, sources)
    if path.is_dir():
        raise FileError(f"{path} is a folder, and a file would be written.", hint=ELSEWHERE)
    _refuse_sources(path, sources)
    _refuse_place(path, force)


def refuse_folder(path: Path, sources: Sequence[Path], force: bool) -> None:
    """Refuse a folder that cannot or must not be written, before any work is done.

    Raises:
        FileError: it is there already, is one of the sources, holds one of them or other folders,
            or has no folder to lie in.
    """
    _refuse_unreachable(path, sources)
    if path.name in ("", ".."):
        raise FileError(f"{path} does not name a new folder.", hint=ELSEWHERE)
    if path.is_file():
        raise FileError(f"{path} is a file, and a folder would be written.", hint=ELSEWHERE)
    _refuse_sources(path, sources)
    if any(path.resolve() in one.resolve().parents for one in sources):
        raise FileError(f"{path} holds what would be read.", hint=ELSEWHERE)
    _refuse_place(path, force)
    if path.is_dir() and any(each.is_dir() for each in path.iterdir()):
        hint = f"{ELSEWHERE}, or take them away"
        raise FileError(f"{path} holds folders, which no checkpoint does.", hint=hint)


def _refuse_unreachable(path: Path, sources: Iterable[Path]) -> None:
    refuse_unreachable(path, "written")
    if path.name:  # what is not yet whole has a longer one
        refuse_unreachable(part_of(path), "written")
    for one in sources:
        refuse_unreachable(one, "read")


def _refuse_sources(path: Path, sources: Iterable[Path]) -> None:
    """Refuse to write over what is read, under any of the names that writing takes."""
    given = [one for one in sources if one.exists()]
    there = [*given, *(file for one in given if one.is_dir() for file in one.iterdir())]
    for each in (path, part_of(path), old_of(path)):
        if each.exists() and any(each.samefile(one) for one in there):
            raise FileError(f"{each} is what would be read.", hint=ELSEWHERE)


def _refuse_place(path: Path, force: bool) -> None:
    """Refuse what is there already, and a place that is not."""
    if not force:
        refuse_lost(path)
        if path.exists():
            raise FileError(f"{path} exists already.", hint="give --force to overwrite it")
    if not path.parent.is_dir():
        raise FileError(f"There is no folder {str(path.parent)!r} to write {path.name} into.")


def refuse_lost(path: Path) -> None:
    """Refuse a folder that is not there since a run was killed that overwrote it.

    Raises:
        FileError: saying where it is.
    """
    if path.name in ("", "..") or path.exists() or not old_of(path).exists():
        return
    facts = [("it is", str(old_of(path)))]
    hint = f"give it its name again: {shlex.join(['mv', str(old_of(path)), str(path)])}"
    raise FileError(f"{path} was being overwritten when a run was killed.", facts, hint)


def refuse_too_large(path: Path, size: int) -> None:
    """Refuse an output of `size` bytes that the disk has no room for.

    What a killed run left of it makes room when it is taken away.

    Raises:
        FileError: with both sizes.
    """
    part = part_of(path)
    left = [each for each in (part, *part.rglob("*")) if each.is_file()]
    room = free(path.parent) + sum(each.stat().st_size for each in left)
    if size > room:
        facts = [("needed", f"{size:,} bytes"), ("free", f"{room:,} bytes")]
        raise FileError(f"The disk has no room for {path.name}.", facts)


def free(folder: Path) -> int:
    """Count the bytes that the disk of a folder has left."""
    return shutil.disk_usage(folder).free


# --- who may read it -----------------------------------------------------------


def mode_of(files: Iterable[Path]) -> int:
    """Say who may read and write what is made of files: those who may so with all of them.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     private = Path(folder, "private")
        ...     private.touch(0o600)
        ...     oct(mode_of([private, Path("/dev/null")]))
        '0o600'
    """
    return reduce(and_, (file.stat().st_mode for file in files), 0o666) | 0o600


def folder_mode_of(folder: Path) -> int:
    """Say who may look into what is made of a folder."""
    return folder.stat().st_mode & 0o777 | 0o700


def empty_file(path: Path, mode: int) -> None:
    """Make an empty file for as many as a mode says, and as the user's own mask lets."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
