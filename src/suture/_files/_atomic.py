"""Outputs that are there whole or not at all: written beside, then renamed.

Knows what may go wrong with files and folders. Does not know what is written, nor whether it may be
(`_outputs`).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from suture._errors import FileError, unusable
from suture._files._outputs import old_of, part_of

if sys.platform != "win32":
    import fcntl


@contextmanager
def whole_file(path: Path, mode: int = 0o666) -> Iterator[Path]:
    """Give an empty file beside to write to, which takes the place of `path` if all goes well.

    Raises:
        FileError: the disk says no, or another run is writing the same. Nothing is left then.
    """
    with _part(path, _file, mode) as part:
        yield part
        _to_disk(part)
        part.replace(path)
        _to_disk(path.parent)


@contextmanager
def whole_folder(path: Path, mode: int = 0o777) -> Iterator[Path]:
    """Give an empty folder beside, which takes the place of `path` if all goes well.

    Raises:
        FileError: the disk says no, or another run is writing the same. Nothing is left then.
    """
    with _part(path, _folder, mode) as part:
        yield part
        for file in (*(each for each in part.rglob("*") if each.is_file()), part):
            _to_disk(file)
        _take_place(part, path)


def _take_place(part: Path, path: Path) -> None:
    """Let a whole folder take the place of what is there.

    No call of Python's exchanges two folders: for an instant neither is there by its name. What is
    killed then leaves the old one beside, which is taken away only when the new one is there.
    """
    old = old_of(path)
    if path.exists():
        _remove(old)
        path.replace(old)
    try:
        part.replace(path)
    finally:
        if old.exists() and not path.exists():
            old.replace(path)
    _to_disk(path.parent)
    _remove(old)


@contextmanager
def _part(path: Path, create: Callable[[Path, int], int], mode: int) -> Iterator[Path]:
    """Give what is new beside, which nobody else writes, and which is gone if all does not go well.

    What a killed run left there is taken away first, whatever it is.
    """
    part = part_of(path)
    with _explained(path):
        with suppress(FileNotFoundError), _alone(part, os.open(part, os.O_RDONLY)):
            _remove(part)
        try:
            number = create(part, mode)
        except FileExistsError:
            raise _busy(part) from None
        with _alone(part, number), _left_clean(part):
            yield part


def _file(part: Path, mode: int) -> int:
    return os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)


def _folder(part: Path, mode: int) -> int:
    part.mkdir(mode)
    return os.open(part, os.O_RDONLY)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unusable(path, "written", error) from None


@contextmanager
def _alone(part: Path, number: int) -> Iterator[None]:
    """Keep other runs from writing what is open by a number, and close it.

    Raises:
        FileError: another run writes it, or did and has given it its name.
    """
    try:
        if not (_locked(number) and _is(part, number)):
            raise _busy(part)
        yield
    finally:
        os.close(number)


def _busy(part: Path) -> FileError:
    return FileError(f"Another run is writing {part.name} now.", hint="wait until it ends")


def _is(part: Path, number: int) -> bool:
    """Whether what is open still has its name: who took it away writes another."""
    try:
        return os.path.samestat(os.fstat(number), part.stat())
    except FileNotFoundError:
        return False


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
