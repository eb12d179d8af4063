"""Zip archives that hold checkpoints: what is in them, and texts in their comment.

Knows archives. Does not know what their members mean. A comment is what no reader of such a file
looks at, so that texts there disturb none.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

from suture._errors import FileError
from suture._files._record import RECORD
from suture._json_text import parsed

BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    BadZipFile,
    struct.error,
    zlib.error,
)
"""What is raised by those who read a broken archive, or what is broken in one."""


def told(error: Exception) -> str:
    """Say in a line what such an error said, or what it is called if it said nothing."""
    return str(error).partition("\n")[0][:200] or type(error).__name__


DESCRIPTOR = b"PK\x07\x08"


def members(path: Path) -> tuple[list[str], dict[str, str]]:
    """List the names in an archive, and the texts in its comment.

    Raises:
        FileError: it is broken, or holds a name twice.
    """
    try:
        with ZipFile(path) as archive:
            names, comment = archive.namelist(), archive.comment
    except BROKEN as error:
        raise FileError(f"{path} is a broken archive.", [("because", told(error))]) from None
    facts = [("member", name[:80]) for name, count in Counter(names).items() if count > 1]
    if facts:
        raise FileError(f"{path} holds several members of one name.", facts[:20])
    return names, _texts(comment)


def _texts(comment: bytes) -> dict[str, str]:
    try:
        said = parsed(comment.decode())
    except (ValueError, RecursionError):
        return {}
    texts = isinstance(said, dict) and all(isinstance(value, str) for value in said.values())
    return dict(said) if texts else {}


LONGEST = 0xFFFF
"""Bytes of the longest comment: an archive counts them in two bytes."""

LONGEST_OF_TORCH = 4096 - 22
"""The same where torch reads: in an archive that is small without it, it finds no end farther off.

Measured with torch 2.13: of archives below 4.1 kB, of which most longer comments break some.
"""


def comment(metadata: Mapping[str, str], longest: int = LONGEST) -> tuple[bytes, tuple[str, ...]]:
    """Write texts as a comment: the record whatever else there is, the others as far as they fit.

    Returns:
        The comment, and what is left out of it.

    Example:
        >>> comment({"epoch": "7", "notes": "x" * 70_000, "suture": "{}"})
        (b'{"epoch": "7", "suture": "{}"}', ('text notes',))
    """
    sizes = {name: len(json.dumps({name: text})) for name, text in metadata.items()}
    room, kept = longest - sizes.get(RECORD, 0), {RECORD}
    for name, size in sizes.items():
        if name not in kept and size <= room:
            room -= size
            kept.add(name)
    said = {name: text for name, text in metadata.items() if name in kept}
    return json.dumps(said).encode(), tuple(f"text {name}" for name in metadata if name not in kept)


def numbered(path: Path, folder: str) -> list[tuple[str, int, int]]:
    """List the stored members of a folder that numbers name, in order of those.

    Each is its name, where its bytes begin in the archive, and how many they are.
    """
    with ZipFile(path) as archive, path.open("rb") as file:
        found = {
            int(info.filename.rpartition("/")[2]): (
                info.filename,
                begin_of(info, file),
                info.file_size,
            )
            for info in archive.infolist()
            if re.search(rf"(^|/){folder}/\d+$", info.filename)
        }
    return [found[number] for number in sorted(found)]


def sealed(
    path: Path, signed: Callable[[], Mapping[str, str]], filled: Collection[str]
) -> tuple[str, ...]:
    """Give an archive of torch its comment, and the members that were filled in place checksums.

    Args:
        path: the archive.
        signed: gives the texts; it may wait for the source to be hashed, and is called last.
        filled: the members' names.

    Returns:
        The texts that are left out.
    """
    is_small = path.stat().st_size < 2 * LONGEST_OF_TORCH
    with ZipFile(path, "a") as archive, path.open("r+b") as file:
        for name in filled:
            info = archive.getinfo(name)
            info.CRC = _checksum(info, file)
        longest = LONGEST_OF_TORCH if is_small else LONGEST
        archive.comment, left = comment(signed(), longest)
    return left


def _checksum(info: ZipInfo, file: BinaryIO) -> int:
    """Compute the checksum of a stored member, and write it behind its bytes."""
    file.seek(begin_of(info, file))
    checksum, left = 0, info.file_size
    while left:
        some = file.read(min(left, 1 << 20))
        checksum, left = zlib.crc32(some, checksum), left - len(some)
    if file.read(4) == DESCRIPTOR:
        file.seek(file.tell())  # from reading to writing
        file.write(checksum.to_bytes(4, "little"))
    return checksum


def begin_of(info: ZipInfo, file: BinaryIO) -> int:
    """Find where the bytes of a stored member begin: behind its local header."""
    file.seek(info.header_offset + 26)
    name, extra = file.read(2), file.read(2)
    sizes = int.from_bytes(name, "little") + int.from_bytes(extra, "little")
    return info.header_offset + 30 + sizes
