"""Numpy's archives: opened without pickles, written a stretch at a time.

Knows the format. Does not know plans.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from suture._arrays import dtype_name
from suture._dtypes import ADDED, DTYPES, is_shape
from suture._errors import FileError
from suture._files._checkpoint import Checkpoint, described
from suture._files._made import Made
from suture._files._members import refuse_unread, stored, unpacked
from suture._files._record import Sign
from suture._files._sink import Sink
from suture._files._zips import BROKEN, begin_of, comment, members, told

END = ".npy"
LONGEST_HEADER = 12 + 10_000
"""Bytes of the longest header, for which numpy has a limit of its own."""

LONGEST_NAME = 0xFFFF - len(END)
"""Bytes of the longest name: an archive counts those of its members' in two bytes."""

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@dataclass(frozen=True, slots=True)
class Compression:
    """How an archive stores its members: a number of `zipfile`."""

    kind: int


def open_npz(path: Path) -> Checkpoint:
    """Open an archive of arrays. What is compressed in it is unpacked into memory.

    Raises:
        FileError: with everything that is wrong with its members.
    """
    _, metadata = members(path)
    lying = stored(path)
    arrays, problems = dict[str, NDArray[Any]](), list[tuple[str, str]]()
    with ZipFile(path) as archive, path.open("rb") as file:
        whole: Any = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        for info in archive.infolist():
            name = info.filename.removesuffix(END)
            try:
                arrays[name] = _array(archive, info, file, whole)
            except BROKEN as error:
                problems.append((name[:80], told(error)))
        kinds = [info.compress_type for info in archive.infolist()]
    if problems:
        raise FileError(f"{path} is not a whole archive of arrays.", problems[:20])
    kind = Compression(ZIP_DEFLATED if ZIP_DEFLATED in kinds else ZIP_STORED)
    tensors = described(arrays)
    return Checkpoint(
        path, "npz", tensors, arrays, metadata, (path,), content=kind, stored={path: lying}
    )


def _array(archive: ZipFile, info: ZipInfo, file: BinaryIO, whole: Any) -> NDArray[Any]:
    refuse_unread(info)
    with archive.open(info) as member:
        begin = member.read(LONGEST_HEADER)
        text = BytesIO(begin)
        shape, fortran, dtype = _header(text)
        length, size = text.tell(), prod(shape) * dtype.itemsize
        left = info.file_size - length
        is_stored = info.compress_type == ZIP_STORED
        at = begin_of(info, file) + length if is_stored else 0
        if left != size or (is_stored and at + size > len(whole)):
            raise ValueError(f"holds {left} bytes; its header describes {size}")
        data = whole if is_stored else unpacked(member, size, begin[length:])
    entries = np.frombuffer(data, dtype, size // dtype.itemsize, at) if size else np.empty(0, dtype)
    return entries.reshape(shape[::-1]).T if fortran else entries.reshape(shape)


def _header(text: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read what an array is; numpy reads it as data, never as code."""
    version = npy.read_magic(text)
    if version not in HEADERS:
        raise ValueError(f"has version {version} of numpy's format")
    shape, fortran, dtype = HEADERS[version](text)
    if dtype.hasobject or dtype_name(dtype.name) not in DTYPES:
        raise ValueError(f"holds {dtype}, which are no plain numbers")
    if not is_shape(shape, dtype.itemsize):
        raise ValueError(f"{shape} is no shape")
    return shape, fortran, dtype


def refuse_dtypes(path: Path, made: Sequence[Made]) -> None:
    """Refuse to write dtypes that numpy's format has no name for.

    Raises:
        FileError: naming the tensors.
    """
    facts = [(m.tensor.name, m.tensor.dtype) for m in made if DTYPES[m.tensor.dtype] in ADDED]
    if facts:
        raise FileError(f"{path} cannot be written: no .npz holds such entries.", facts[:20])


def write_npz(
    path: Path, made: Sequence[Made], kind: int, sign: Sign, sink: Sink
) -> tuple[str, ...]:
    """Write an archive of arrays, under all of their names; say which texts have no room in it."""
    with ZipFile(path, "w", kind) as archive:
        for each in made:
            info = ZipInfo(each.tensor.name + END)
            info.compress_type = kind
            with archive.open(info, "w", force_zip64=True) as member:
                member.write(_preamble(each))
                for stretch in sink.stretches(each):
                    member.write(stretch.view(np.uint8).data)
        archive.comment, left = comment(sign.signed())
    return left


def _preamble(made: Made) -> bytes:
    descr = npy.dtype_to_descr(DTYPES[made.tensor.dtype])
    said: dict[str, Any] = {
        "descr": descr,
        "fortran_order": False,
        "shape": made.tensor.shape,
    }
    text = BytesIO()
    npy.write_array_header_1_0(text, said)
    return text.getvalue()
