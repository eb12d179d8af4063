"""Headers of safetensors: what the format's library refuses is refused, with every reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors import deserialize as _deserialize
from safetensors.numpy import save

from suture._dtypes import DTYPES
from suture._errors import FileError
from suture._files import open_checkpoint
from suture._files._headers import NAMES, header_bytes, laid
from suture._plan import Tensor

Entry = dict[str, Any]


deserialize: Callable[[bytes], list[tuple[str, Any]]] = _deserialize


def written(header: object, data: bytes = b"") -> bytes:
    """Write a file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def opened(content: bytes) -> str | None:
    """Open a file of these bytes; give the error, if it is one."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(content)
        try:
            open_checkpoint(path)
        except FileError as error:
            return str(error).replace(f"{folder}/", "")
    return None


def read_by_library(content: bytes) -> bool:
    """Say whether the format's library reads a file, and an array has each of its shapes."""
    try:
        for _, found in deserialize(content):
            np.empty(found["shape"] if 0 in found["shape"] else 0, DTYPES[NAMES[found["dtype"]]])
    except (SafetensorError, ValueError, OverflowError):
        return False
    return True


def entry(dtype: str = "F32", shape: object = (2,), offsets: object = (0, 8)) -> Entry:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


large = st.sampled_from([2**31, 2**61, 2**62, 2**63, 2**64, 2**70, 10**30])
sizes = st.integers(-1, 4) | large
dtypes = st.sampled_from(["F32", "BF16", "U8", "BOOL", "F8_E4M3", "f32"])
ends = st.lists(sizes | st.integers(0, 24), min_size=2, max_size=2)
of_nothing = st.lists(st.just(0) | large, max_size=4).map(lambda shape: [*shape, 0])
entries = st.builds(entry, dtypes, st.lists(sizes, max_size=3), ends) | st.builds(
    entry, dtypes, of_nothing.flatmap(st.permutations), st.just([0, 0])
)
texts = st.text(st.characters(exclude_categories=()), max_size=4)
"""Texts that JSON can spell, halves of characters among them."""

wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner),
    max_leaves=6,
)
described = st.just("__metadata__"), st.dictionaries(texts, texts, max_size=2)
headers = st.dictionaries(texts | described[0], entries | wild, max_size=4) | st.builds(
    lambda name, said, rest: {**rest, name: said},
    *described,
    st.dictionaries(texts, entries, max_size=2),
)


@st.composite
def tiled(draw: st.DrawFn) -> bytes:
    """Draw a file that is whole, or off by a byte somewhere."""
    header, at = dict[str, Entry](), 0
    for name in draw(st.lists(st.text(max_size=3), max_size=3, unique=True)):
        dtype = draw(st.sampled_from(["F32", "BF16", "U8"]))
        shape = draw(st.lists(st.integers(0, 3), max_size=3))
        size = int(np.prod(shape)) * DTYPES[NAMES[dtype]].itemsize
        begin = at + draw(st.sampled_from([0] * 9 + [1, -1]))
        header[name] = entry(dtype, shape, [begin, begin + size])
        at += size
    return written(header, bytes(at + draw(st.sampled_from([0] * 9 + [1, -1])) if at else 0))


@given(st.builds(written, headers, st.binary(max_size=24)) | tiled())
@example(written({"a": entry(offsets=[0, 8])}, bytes(8)))
@example(written({"__metadata__": {"format": "pt"}}, b""))
@example(written({"a": entry(shape=[0, 2**62, 2**62], offsets=[0, 0])}))
@example(written({"a": entry("U8", shape=[2**62, 0], offsets=[0, 0])}))
@example(written({"a\ud800": entry(shape=[0], offsets=[0, 0])}))
@example(written({"__metadata__": {"format": "\udc00"}}))
@example(written({"__metadata__": {"format": "\ud83d\ude00"}}))
def test_any_header(content: bytes) -> None:
    """It is read if the format's library reads it, and refused with a reason if not."""
    assert (opened(content) is None) == read_by_library(content)


@given(st.binary(max_size=60), st.integers(0, 7))
def test_any_bytes(content: bytes, where: int) -> None:
    """Bytes, and a whole file with bytes changed, are opened or refused: nothing else is raised."""
    whole = save({"a": np.ones((2, 3), "f4"), "b": np.ones(3, "i8")}, {"k": "v"})
    opened(content)
    opened(content[:8] + whole[len(content[:8]) :])
    at = where * len(whole) // 8
    opened(whole[:at] + content[:9] + whole[at + len(content[:9]) :])


def test_any_length_of_a_file() -> None:
    """A file that is cut off anywhere is refused, and so is one that goes on."""
    whole = save({"a": np.ones((2, 3), "f4"), "b": np.ones(3, "i8")})
    assert opened(whole) is None
    for end in range(len(whole)):
        assert opened(whole[:end]) is not None
    assert opened(whole + b"\0") is not None


LIES = {
    "a length that no header has": (
        (2**40).to_bytes(8, "little") + b"{}",
        "header   its header would be 1099511627776 bytes long; 100000000 are read at most",
    ),
    "a length beyond the file": (
        (500).to_bytes(8, "little") + b"{}",
        "header   its header would be 500 bytes long; the file has 2 left",
    ),
    "a header within headers": (
        written(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
        "header   its header cannot be read: maximum recursion depth exceeded",
    ),
    "a name that stands twice": (
        written(
            b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
            b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
            b"\0",
        ),
        "header   its header cannot be read: 'a' stands twice",
    ),
    "tensors that share bytes": (
        written({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12)),
        "header   b: begins at byte 4; what is before it ends at 8",
    ),
    "bytes that are nobody's": (
        written({"a": entry(), "b": entry(offsets=[9, 17])}, bytes(17)),
        "header   b: begins at byte 9; what is before it ends at 8",
    ),
    "a shape of less than nothing": (
        written({"a": entry(shape=[-2, -1])}, bytes(8)),
        "header   a: [-2, -1] is no shape",
    ),
    "a shape of nothing that is too large": (
        written({"a": entry(shape=[0, 2**62, 2**62], offsets=[0, 0])}),
        "header   a: [0, 4611686018427387904, 4611686018427387904] is no shape",
    ),
    "half a character in a name": (
        written({"a\ud800": entry(), "b": entry(offsets=[8, 16])}, bytes(16)),
        r"header   its header cannot be read: '\ud800' stands in it, which is half a character",
    ),
    "half a character in a text": (
        written({"__metadata__": {"format": "\udcff"}, "a": entry()}, bytes(8)),
        r"header   its header cannot be read: '\udcff' stands in it, which is half a character",
    ),
    "several at once": (
        written({"a": entry("F7"), "b": {"dtype": "F32"}, "c": entry("F4"), "d": entry(shape=[3])}),
        """header   a: 'F7' is no dtype
  header   b: has not exactly dtype, shape and data_offsets
  header   c: 'F4' is no dtype of whole bytes
  header   d: F32[3] does not fill bytes 0..8""",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies(lie: str) -> None:
    """Every problem is told, in as few words as it takes."""
    content, problems = LIES[lie]
    found = opened(content)
    assert found is not None
    assert found.startswith(f"file is not a whole safetensors file.\n  {problems}")
    assert found.endswith("\n\nhint: fetch it again")
    assert len(found) < 600


@given(st.lists(st.tuples(st.text(max_size=5), st.sampled_from([*NAMES.values()])), max_size=5))
def test_a_header_that_is_written(named: list[tuple[str, str]]) -> None:
    """The format's library reads it; each tensor begins at a multiple of its entries' bytes."""
    tensors = laid([Tensor(name, (3, 1), dtype) for name, dtype in dict(named).items()])
    header = header_bytes(tensors, {"k": "v"})
    assert len(header) % 8 == 0
    data = bytes(3 * sum(DTYPES[tensor.dtype].itemsize for tensor in tensors))
    found = dict(deserialize(header + data))
    assert found.keys() == {tensor.name for tensor in tensors}
    offsets = json.loads(header[8:])
    for tensor in tensors:
        assert offsets[tensor.name]["data_offsets"][0] % DTYPES[tensor.dtype].itemsize == 0
