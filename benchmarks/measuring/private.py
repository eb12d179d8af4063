"""Private memory while something runs: what a process holds beyond the page cache.

Knows what Linux says of a process. Does not know what runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

EVERY = 0.002
"""Seconds between two looks."""


@dataclass(slots=True)
class Held:
    """Bytes held before, and the most while it ran."""

    before: int
    most: int

    @property
    def more(self) -> int:
        """How much was held besides what was there before."""
        return self.most - self.before


def private() -> int:
    """Count the bytes of this process that lie in no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    said = dict(line.split(":", 1) for line in lines)
    return sum(int(said[key].split()[0]) * 1024 for key in ("RssAnon", "RssShmem"))


@contextmanager
def watched() -> Iterator[Held]:
    """Look at the private memory again and again until the block ends."""
    before = private()
    held, over = Held(before, before), Event()

    def look() -> None:
        while not over.wait(EVERY):
            held.most = max(held.most, private())

    thread = Thread(target=look)
    thread.start()
    try:
        yield held
    finally:
        over.set()
        thread.join()
        held.most = max(held.most, private())
