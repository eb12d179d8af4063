"""Members of zip archives: where those lie that are stored as they are, and others unpacked.

Knows that what an archive says of its members is a claim. Does not know what members mean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from suture._errors import FileError
from suture._files._zips import BROKEN, begin_of, told

READ = (ZIP_STORED, ZIP_DEFLATED)
"""How members may be packed: what writes checkpoints knows no other way, and unpacks in steps."""

ENCRYPTED = 1
MAPPED = re.compile(r"(^|/)(data\.pkl|data/[^/]+)$")
"""What holds weights in a file of torch."""

STEP = 1 << 20
"""Bytes that are unpacked at a time."""

TIMES = 100
"""How many times its own size an archive of trained weights may have when it is unpacked.

Weights hardly get shorter by packing, texts and zeros beside them do; whoever packs a bomb packs a
thousand times as much.
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A member whose bytes lie in the archive as they are.

    Attributes:
        name: what it is called.
        begin: where its bytes begin, counted from the beginning of the file.
        size: how many they are.
        checksum: their CRC-32; None where whoever wrote the archive left it out, as torch does
            where it is told to, and where the bytes come later (`skip_data`).
    """

    name: str
    begin: int
    size: int
    checksum: int | None


def stored(path: Path) -> tuple[Stored, ...]:
    """List the members that are stored as they are, in the order in which they lie.

    Raises:
        FileError: members share bytes, so that a small archive holds much, or leave the archive.
    """
    try:
        with ZipFile(path) as archive, path.open("rb") as file:
            spans = sorted(
                ((begin_of(info, file), info) for info in archive.infolist()),
                key=lambda span: (span[0], span[1].compress_size),
            )
    except BROKEN as error:
        raise FileError(f"{path} is a broken archive.", [("because", told(error))]) from None
    ends = [*(begin for begin, _ in spans[1:]), path.stat().st_size]
    facts = [
        ("member", info.filename[:80])
        for (begin, info), end in zip(spans, ends, strict=True)
        if begin + info.compress_size > end
    ]
    if facts:
        raise FileError(f"{path} is a broken archive: members share bytes.", facts[:20])
    return tuple(
        # A checksum of 0 is one that nobody computed, but for one in four billion.
        Stored(info.filename, begin, info.compress_size, info.CRC or None)
        for begin, info in spans
        if info.compress_type == ZIP_STORED
    )


def refuse_packed(path: Path, archive: IO[bytes]) -> None:
    """Refuse members that are not stored as they are, where bytes are mapped.

    Raises:
        FileError: naming them.
    """
    with ZipFile(archive) as opened:
        facts = [("member", info.filename[:80]) for info in opened.infolist() if _is_packed(info)]
    if facts:
        hint = "save it again with torch.save"
        raise FileError(f"{path} is packed, which no file of torch is.", facts[:20], hint)


def _is_packed(info: ZipInfo) -> bool:
    """Whether a member that holds weights is packed; what programs hold beside them may be."""
    is_stored = info.compress_type == ZIP_STORED and info.file_size == info.compress_size
    return MAPPED.search(info.filename) is not None and not is_stored


def refuse_bomb(path: Path, infos: Sequence[ZipInfo]) -> None:
    """Refuse an archive that is much larger unpacked than weights can be.

    Raises:
        FileError: with both sizes.
    """
    size, unpacked = path.stat().st_size, sum(info.file_size for info in infos)
    if unpacked > TIMES * size:
        facts = [("packed", f"{size:,} bytes"), ("unpacked", f"{unpacked:,} bytes")]
        raise FileError(f"{path} is packed more than weights can be.", facts)


def refuse_unread(info: ZipInfo) -> None:
    """Refuse a member that is packed in a way that is not read.

    Raises:
        ValueError: it is.
    """
    if info.flag_bits & ENCRYPTED:
        raise ValueError("is encrypted")
    if info.compress_type not in READ:
        raise ValueError(f"is packed in a way that is not read (number {info.compress_type})")
    if info.compress_type == ZIP_STORED and info.file_size != info.compress_size:
        raise ValueError(
            f"is stored in {info.compress_size} bytes, and said to be {info.file_size}"
        )


def unpacked(member: IO[bytes], size: int, begin: bytes = b"") -> bytearray:
    """Read a member in steps, so that one that lies of its size is not unpacked whole.

    Args:
        member: an opened member.
        size: how many bytes there should be.
        begin: those that were read already.

    Raises:
        ValueError: it has fewer.
    """
    room = bytearray(begin)
    while len(room) < size and (some := member.read(min(STEP, size - len(room)))):
        room += some
    if len(room) < size:
        raise ValueError(f"ends {size - len(room)} bytes before its end")
    return room


def read(archive: ZipFile, name: str) -> bytearray:
    """Read a whole member."""
    info = archive.getinfo(name)
    refuse_unread(info)
    with archive.open(info) as member:
        return unpacked(member, info.file_size)
