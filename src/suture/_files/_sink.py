"""Where the bytes of a new file go: written, counted, and looked at for what is no number.

Knows bytes and their dtype. Does not know formats.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import FileIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suture._errors import FileError
from suture._files._made import Made

Progress = Callable[[int, int], None]
"""Is told how many bytes are written, and how many there will be."""

BEHIND = 16 << 20
"""Bytes that are written before the disk is asked to take them."""

INFINITE = {"f16": 0x7C00, "bf16": 0x7F80, "f32": 0x7F800000, "f64": 0x7FF0000000000000}
"""A dtype -> the bits of its infinity: above lies what is no number."""


@dataclass(slots=True, eq=False)
class Sink:
    """What was written yet.

    Attributes:
        total: bytes that will have been written in the end.
        progress: is told how far it is.
        written: bytes that are.
        behind: bytes that the disk was not asked to take yet.
        not_numbers: tensors that hold an entry that is no number.
    """

    total: int
    progress: Progress | None
    written: int = 0
    behind: int = 0
    not_numbers: list[str] = field(default_factory=list)

    def stretches(self, made: Made) -> Iterator[NDArray[Any]]:
        """Give a tensor's entries as `Made.stretches` does, each of which is written then."""
        whole = True
        for stretch in made.stretches():
            whole = whole and not holds_nan(made.tensor.dtype, stretch)
            yield stretch
            self.written += stretch.nbytes
            if self.progress is not None:
                self.progress(self.written, self.total)
        if not whole:
            self.not_numbers.append(made.tensor.name)

    def write(self, file: FileIO, made: Made) -> None:
        """Write a tensor's entries to a file, which the disk begins to take at once."""
        for stretch in self.stretches(made):
            write_all(file, stretch)
            self.behind += stretch.nbytes
            if self.behind >= BEHIND:
                _to_disk_soon(file, self.behind)
                self.behind = 0

    def demand_numbers(self) -> None:
        """Refuse to keep what was written if entries of it are no numbers.

        Raises:
            FileError: naming the tensors.
        """
        if self.not_numbers:
            facts = [("tensor", name) for name in self.not_numbers]
            hint = "say that this is meant: --allow-nan, or allow_nan=True"
            raise FileError("The new weights would hold entries that are not numbers.", facts, hint)


def _to_disk_soon(file: FileIO, size: int) -> None:
    """Let the disk begin with the last bytes written: else all of them wait for the end.

    To say that pages are not needed starts to write those that are not on the disk, and forgets
    none of them.
    """
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        advise(file.fileno(), max(0, file.tell() - size), size, os.POSIX_FADV_DONTNEED)


def write_all(file: FileIO, entries: NDArray[Any]) -> None:
    """Write flat entries: one call takes two gigabytes at most, and less on a full disk."""
    rest = entries.view(np.uint8).data
    while rest:
        rest = rest[file.write(rest) :]


def holds_nan(dtype: str, entries: NDArray[Any]) -> bool:
    """Say whether any entry is not a number, by bits where that is much quicker.

    Example:
        >>> holds_nan("f32", np.array([0, np.inf], "f4"))
        False
        >>> holds_nan("f32", np.array([0, -np.nan], "f4"))
        True
    """
    if not entries.size or dtype[0] not in "fbc" or dtype == "bool":
        return False
    if dtype not in INFINITE:
        return bool(np.isnan(entries).any())
    # As signed integers, positive ones lie above infinity; as unsigned, so do negative ones.
    size, infinity = entries.itemsize, INFINITE[dtype]
    signed, unsigned = entries.view(f"<i{size}"), entries.view(f"<u{size}")
    return bool(signed.max() > infinity or unsigned.max() > infinity | 1 << 8 * size - 1)
