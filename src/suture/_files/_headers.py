"""Headers of safetensors files: read as strictly as the format's own library does.

Knows the format's first bytes. Does not know plans, nor how weights are written.

Source: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, BinaryIO

from suture._dtypes import DTYPES, is_shape
from suture._json_text import parsed
from suture._plan import Tensor

LONGEST = 100_000_000
"""Bytes of the longest header that is read; the format's library has the same limit."""

METADATA = "__metadata__"
NAMES = {
    "BOOL": "bool",
    "U8": "u8", "U16": "u16", "U32": "u32", "U64": "u64",
    "I8": "i8", "I16": "i16", "I32": "i32", "I64": "i64",
    "F16": "f16", "F32": "f32", "F64": "f64", "BF16": "bf16", "C64": "c64",
    "F8_E4M3": "f8_e4m3fn", "F8_E4M3FNUZ": "f8_e4m3fnuz", "F8_E8M0": "f8_e8m0fnu",
    "F8_E5M2": "f8_e5m2", "F8_E5M2FNUZ": "f8_e5m2fnuz",
}  # fmt: skip
"""The format's name of a dtype -> a plan's."""

WRITTEN = {ours: theirs for theirs, ours in NAMES.items()}
PARTS = {"F4", "F6_E2M3", "F6_E3M2"}
"""Dtypes of which several entries share a byte."""


class HeaderError(ValueError):
    """A header that is not what the format says; each text is one problem."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself.

    Attributes:
        tensors: name -> shape and dtype.
        offsets: name -> where its bytes begin, counted from the beginning of the file.
        metadata: texts by name.
    """

    tensors: Mapping[str, Tensor]
    offsets: Mapping[str, int]
    metadata: Mapping[str, str]


def read_header(file: BinaryIO, size: int) -> Header:
    """Read the header of a file of `size` bytes.

    Raises:
        HeaderError: with every problem.
    """
    if size < 8:
        raise HeaderError(f"is {size} bytes long, shorter than any header")
    length = int.from_bytes(file.read(8), "little")
    if length > LONGEST:
        raise HeaderError(f"its header would be {length} bytes long; {LONGEST} are read at most")
    if length > size - 8:
        raise HeaderError(f"its header would be {length} bytes long; the file has {size - 8} left")
    document = _document(file.read(length))
    metadata = document.pop(METADATA, None)
    metadata = {} if metadata is None else metadata
    problems = [*_metadata(metadata), *_entries(document)]
    if not problems:
        problems += _ranges(document, size - 8 - length)
    if problems:
        raise HeaderError(*problems)
    tensors = {
        name: Tensor(name, tuple(said["shape"]), NAMES[said["dtype"]])
        for name, said in document.items()
    }
    offsets = {name: 8 + length + said["data_offsets"][0] for name, said in document.items()}
    return Header(tensors, offsets, metadata)


def _document(text: bytes) -> dict[str, Any]:
    if not text.startswith(b"{"):
        raise HeaderError("its header does not begin with {")
    try:
        found = parsed(text.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise HeaderError(f"its header cannot be read: {str(error)[:200]}") from None
    assert isinstance(found, dict), "JSON that begins with { is an object"
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse names that stand twice: readers would not agree on which counts."""
    found = dict(pairs)
    if len(pairs) != len(found):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{twice[:80]!r} stands twice")
    return found


def _metadata(metadata: object) -> Iterator[str]:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        yield f"{METADATA} is not texts by name"


def _entries(document: Mapping[str, Any]) -> Iterator[str]:
    for name, said in document.items():
        for problem in _entry(said):
            yield f"{name[:80]}: {problem}"


def _entry(said: Any) -> Iterator[str]:
    if not isinstance(said, dict) or said.keys() != {"dtype", "shape", "data_offsets"}:
        yield "has not exactly dtype, shape and data_offsets"
        return
    dtype, shape, offsets = said["dtype"], said["shape"], said["data_offsets"]
    if not isinstance(dtype, str) or dtype not in NAMES:
        packed = isinstance(dtype, str) and dtype in PARTS
        yield f"{str(dtype)[:40]!r} is no dtype" + (" of whole bytes" if packed else "")
    elif not _sizes(shape) or not is_shape(shape, DTYPES[NAMES[dtype]].itemsize):
        yield f"{str(shape)[:80]} is no shape"
    elif not _sizes(offsets) or len(offsets) != 2:
        yield f"{str(offsets)[:80]} are no offsets"
    elif offsets[1] - offsets[0] != prod(shape) * DTYPES[NAMES[dtype]].itemsize:
        yield f"{dtype}{shape} does not fill bytes {offsets[0]}..{offsets[1]}"


def _sizes(given: Any) -> bool:
    return isinstance(given, list) and all(
        type(size) is int and 0 <= size < 2**63 for size in given
    )


def _ranges(document: Mapping[str, Any], size: int) -> Iterator[str]:
    """Check that the tensors' bytes lie one behind the other and fill the rest of the file."""
    spans = sorted((*said["data_offsets"], name) for name, said in document.items())
    ends: Sequence[tuple[int, int, str]] = [(0, 0, ""), *spans, (size, size, "")]
    for (_, stop, _), (start, _, after) in pairwise(ends):
        if start != stop and after:
            yield f"{after[:80]}: begins at byte {start}; what is before it ends at {stop}"
        elif start != stop:
            yield f"holds {start} bytes of data; its header describes {stop}"


def header_bytes(tensors: Sequence[Tensor], metadata: Mapping[str, str]) -> bytes:
    """Write the header of a file whose tensors lie in this order.

    Example:
        >>> header_bytes([Tensor("b", (3,), "bf16")], {"format": "pt"})[8:48]
        b'{"__metadata__":{"format":"pt"},"b":{"dt'
    """
    document: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    start = 0
    for tensor in tensors:
        stop = start + byte_size(tensor)
        said = {"dtype": WRITTEN[tensor.dtype], "shape": tensor.shape}
        document[tensor.name] = {**said, "data_offsets": (start, stop)}
        start = stop
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def byte_size(tensor: Tensor) -> int:
    """Count the bytes of a tensor."""
    return tensor.size * DTYPES[tensor.dtype].itemsize


def laid(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Put tensors in an order in which each begins at a multiple of its entries' bytes."""
    return sorted(tensors, key=lambda tensor: (-DTYPES[tensor.dtype].itemsize, tensor.name))
