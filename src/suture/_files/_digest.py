"""Digests: files hashed beside other work, and their members' checksums looked at on the way.

Knows bytes that pass by, and where members lie in them. Does not know formats.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from suture._errors import FileError
from suture._files._members import Stored


@contextmanager
def digesting(
    files: Sequence[Path], members: Mapping[Path, Sequence[Stored]]
) -> Iterator[Future[str]]:
    """Hash files beside other work: SHA-256 of one, or of the digests of several.

    The future raises a `FileError` if a member's bytes are not those that its checksum is of.

    Args:
        files: what to hash.
        members: file -> its members that have checksums, in the order in which they lie.
    """
    enough = Event()
    with ThreadPoolExecutor(1, "suture-digest") as pool:
        try:
            yield pool.submit(_digest, files, members, enough)
        finally:
            enough.set()


def _digest(files: Sequence[Path], members: Mapping[Path, Sequence[Stored]], enough: Event) -> str:
    found = [_digest_of(path, members.get(path, ()), enough) for path in files]
    return found[0] if len(found) == 1 else hashlib.sha256("\n".join(found).encode()).hexdigest()


def _digest_of(path: Path, members: Sequence[Stored], enough: Event) -> str:
    digest, room = hashlib.sha256(), bytearray(1 << 20)
    checksums = Checksums(deque(one for one in members if one.checksum is not None))
    with path.open("rb", buffering=0) as file:
        while not enough.is_set() and (count := file.readinto(room)):
            digest.update(memoryview(room)[:count])
            checksums.update(memoryview(room)[:count])
    if checksums.damaged:
        facts = [("member", name[:80]) for name in checksums.damaged[:20]]
        hint = "fetch it again"
        raise FileError(f"{path} is damaged: bytes are not those that were written.", facts, hint)
    return digest.hexdigest()


@dataclass(slots=True, eq=False)
class Checksums:
    """Compares members' checksums with their bytes while those pass by.

    Attributes:
        ahead: the members that have not wholly passed yet.
        damaged: the names of those whose bytes are others.
        at: how many bytes have passed.
        checksum: that of what has passed of the first member ahead.
    """

    ahead: deque[Stored]
    damaged: list[str] = field(default_factory=list)
    at: int = 0
    checksum: int = 0

    def update(self, some: memoryview) -> None:
        """Look at the next bytes of the file."""
        end = self.at + len(some)
        while self.ahead and self.ahead[0].begin < end:
            first = self.ahead[0]
            stop = first.begin + first.size
            part = some[max(first.begin - self.at, 0) : stop - self.at]
            self.checksum = zlib.crc32(part, self.checksum)
            if stop > end:
                break
            if self.checksum != first.checksum:
                self.damaged.append(first.name)
            self.ahead.popleft()
            self.checksum = 0
        self.at = end
