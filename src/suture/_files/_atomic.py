"""Outputs that are there whole or not at all: written beside, then renamed.

Knows files, folders and what may go wrong with them. Does not know what is written.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from suture._errors import FileError

if sys.platform != "win32":
    import fcntl

PART = ".suture-part"
"""The end of the name of what is not yet whole. What a killed run leaves, the next one takes."""


def part_of(path: Path) -> Path:
    """Name what an output is while it is written: hidden, beside it, the same every time."""
    return path.with_name(f".{path.name}{PART}")


def refuse_output(path: Path, sources: Iterable[Path], force: bool) -> None:
    """Refuse an output that cannot or must not be written, before any work is done.

    Raises:
        FileError: it is there already, is one of the sources, or has no folder to lie in.
    """
    if path.exists() and any(one.exists() and path.samefile(one) for one in sources):
        raise FileError(f"{path} is what would be read.", hint="write to another place")
    if any(path.resolve() in one.resolve().parents for one in sources):
        raise FileError(f"{path} holds what would be read.", hint="write to another place")
    if path.exists() and not force:
        raise FileError(f"{path} exists already.", hint="give --force to overwrite it")
    if path.is_dir() and any(each.is_dir() for each in path.iterdir()):
        hint = "write to another place, or take them away"
        raise FileError(f"{path} holds folders, which no checkpoint does.", hint=hint)
    if not path.parent.is_dir():
        raise FileError(f"There is no folder {str(path.parent)!r} to write {path.name} into.")


def refuse_too_large(path: Path, size: int) -> None:
    """Refuse an output of `size` bytes that the disk has no room for.

    Raises:
        FileError: with both sizes.
    """
    room = free(path.parent)
    if size > room:
        facts = [("needed", f"{size:,} bytes"), ("free", f"{room:,} bytes")]
        raise FileError(f"The disk has no room for {path.name}.", facts)


def free(folder: Path) -> int:
    """Count the bytes that the disk of a folder has left."""
    return shutil.disk_usage(folder).free


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give an empty file beside to write to, which takes the place of `path` if all goes well.

    Raises:
        FileError: the disk says no, or another run is writing the same. Nothing is left then.
    """
    part = part_of(path)
    with _explained(path), _alone(part, os.O_RDWR | os.O_CREAT), _left_clean(part):
        os.truncate(part, 0)
        yield part
        _to_disk(part)
        part.replace(path)
        _to_disk(path.parent)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside, which takes the place of `path` if all goes well.

    Raises:
        FileError: the disk says no, or another run is writing the same. Nothing is left then.
    """
    part = part_of(path)
    with _explained(path):
        part.mkdir(exist_ok=True)
    with _explained(path), _alone(part, os.O_RDONLY), _left_clean(part):
        for left in part.iterdir():
            _remove(left)
        yield part
        for file in (*(each for each in part.rglob("*") if each.is_file()), part):
            _to_disk(file)
        # No call exchanges two folders everywhere: for an instant neither is there by its name.
        old = path.with_name(f".{path.name}.suture-old")
        _remove(old)
        if path.exists():
            path.replace(old)
        part.replace(path)
        _to_disk(path.parent)
        _remove(old)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        because = [("because", error.strerror or str(error))]
        raise FileError(f"{path} cannot be written.", because) from None


@contextmanager
def _alone(part: Path, flags: int) -> Iterator[None]:
    """Open what is not yet whole, and keep other runs from writing it.

    Raises:
        FileError: another run does.
    """
    number = os.open(part, flags, 0o666)
    try:
        if not _locked(number) or not os.path.samestat(os.fstat(number), part.stat()):
            raise FileError(f"Another run is writing {part.name} now.", hint="wait until it ends")
        yield
    finally:
        os.close(number)


def _locked(number: int) -> bool:
    """Lock an open file or folder until it is closed, if nobody else has and the system can."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a disk without locks
        return True
    return True


@contextmanager
def _left_clean(part: Path) -> Iterator[None]:
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            with suppress(OSError):
                _remove(part)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk: a rename must not be first."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
