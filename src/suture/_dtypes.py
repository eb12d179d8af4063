"""Dtypes: a plan's names of them, and numpy's, with those that `ml_dtypes` adds.

Knows names, widths and how far each reaches. Does not know files, nor torch's dtypes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import ml_dtypes
import numpy as np

DTYPES: dict[str, np.dtype[Any]] = {
    "bool": np.dtype(np.bool_),
    **{f"u{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"i{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"f{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    **{f"c{bits}": np.dtype(f"<c{bits // 8}") for bits in (64, 128)},
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "f8_e4m3fnuz": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "f8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "f8_e5m2fnuz": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "f8_e8m0fnu": np.dtype(ml_dtypes.float8_e8m0fnu),
}
"""A plan's name of a dtype -> numpy's, little-endian as files are."""

ADDED = frozenset(dtype for dtype in DTYPES.values() if dtype.type.__module__ == "ml_dtypes")
"""Those that are not numpy's own; what numpy says of their kind differs from one to the other."""

BITS: dict[int, np.dtype[Any]] = {size: np.dtype(f"<u{size}") for size in (1, 2, 4, 8)}
"""Bytes of an entry -> a dtype that every loop of numpy knows, to copy it as it is."""


@lru_cache(4096)
def reaches(dtype: str, value: float) -> bool:
    """Say whether a float or complex dtype holds a number, rounded; infinity where it has one.

    Example:
        >>> reaches("f16", 65519.0), reaches("f16", 65520.0), reaches("f16", float("-inf"))
        (True, False, True)
        >>> reaches("f8_e4m3fn", 448.0), reaches("f8_e4m3fn", float("inf"))
        (True, False)
    """
    if dtype not in DTYPES:
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        # On its way as arrays go, to the same bit.
        wide = np.float32(value) if dtype == "f16" else np.float64(value)
        found = np.asarray(wide).astype(DTYPES[dtype])
        return bool(np.isfinite(found)) or bool(found == wide)


RANK = 64
"""The most dims that an array has."""


def is_shape(shape: Sequence[int], itemsize: int) -> bool:
    """Say whether an array can have a shape, of entries of so many bytes.

    Bytes are counted as if no size were 0: so does numpy, before it makes an array of none.

    Example:
        >>> is_shape((0, 2**40), 4), is_shape((0, 2**40, 2**40), 4), is_shape((-1,), 4)
        (True, False, False)
    """
    sizes = len(shape) <= RANK and all(0 <= size < 2**63 for size in shape)
    return sizes and prod(max(size, 1) for size in shape) * itemsize < 2**63
