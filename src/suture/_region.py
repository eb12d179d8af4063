"""Masks as products of positions: where on a tensor something lies, in few numbers.

Knows masks. Does not know what they mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from suture._fill import runs
from suture._plan import Runs

Mask = NDArray[np.bool_]
Positions = tuple[NDArray[np.int64], ...]
"""Positions per dim; their product is the entries that are meant."""

Region = tuple[Runs, ...]
"""The same as runs."""


def positions(mask: Mask) -> Positions | None:
    """Write the entries that a mask marks as one product; None if they are none.

    Example:
        >>> positions(np.array([[True, False, True], [False, False, False]]))
        (array([0]), array([0, 2]))
        >>> positions(np.eye(2, dtype=bool)) is None
        True
    """
    others = [
        tuple(other for other in range(mask.ndim) if other != dim) for dim in range(mask.ndim)
    ]
    found = tuple(np.flatnonzero(mask.any(axis=along)) for along in others)
    return found if prod(map(len, found)) == np.count_nonzero(mask) else None


def boxes(mask: Mask) -> Iterator[Positions]:
    """Cover the entries that a mask marks with products, each entry once.

    Args:
        mask: at least one entry is marked.

    Example:
        >>> [[p.tolist() for p in box] for box in boxes(np.array([[1, 0], [0, 1], [1, 0]]) > 0)]
        [[[0, 2], [0]], [[1], [1]]]
    """
    whole = positions(mask)
    if whole is not None:
        yield whole
        return
    alike: dict[bytes, list[int]] = {}
    for at in np.flatnonzero(mask.any(axis=tuple(range(1, mask.ndim)))).tolist():
        alike.setdefault(mask[at].tobytes(), []).append(at)
    for places in alike.values():
        yield from ((np.array(places), *box) for box in boxes(mask[places[0]]))


def region(mask: Mask, shape: Sequence[int]) -> Region | None:
    """Write the entries of a tensor that a mask marks as runs per dim; None if no product has them.

    Args:
        mask: broadcastable to the shape.
        shape: of the tensor.

    Example:
        >>> region(np.array([[True, False, True]]), (4, 3))
        (((0, 4),), ((0, 1), (2, 3)))
    """
    return _runs(positions(mask), mask.shape, shape)


def regions(values: NDArray[np.int64], shape: Sequence[int]) -> list[Region | None]:
    """Write where each distinct value lies, in order of first entries, as `region` does.

    Example:
        >>> regions(np.array([[7, 5, 7]]), (4, 3))
        [(((0, 4),), ((0, 1), (2, 3))), (((0, 4),), ((1, 2),))]
    """
    # A mask per value would take values times entries: a vocabulary squared.
    _, first, back = np.unique(values, return_index=True, return_inverse=True)
    entries = np.argsort(back.ravel(), kind="stable")
    each = np.split(entries, np.flatnonzero(np.diff(back.ravel()[entries])) + 1)
    # One dim more: numpy knows no index into an array without dims.
    shaped = (1, *values.shape)
    found = [_product(np.unravel_index(each[at], shaped)[1:]) for at in np.argsort(first)]
    return [_runs(dims, values.shape, shape) for dims in found]


def _product(coordinates: Sequence[NDArray[np.int64]]) -> Positions | None:
    found = tuple(map(np.unique, coordinates))
    return found if not found or prod(map(len, found)) == len(coordinates[0]) else None


def _runs(found: Positions | None, kept: Sequence[int], shape: Sequence[int]) -> Region | None:
    """Write positions as runs, and dims that were kept in size one as a whole."""
    if found is None:
        return None
    dims = zip(found, kept, shape, strict=True)
    return tuple(runs(np.arange(size) if one < size else at) for at, one, size in dims)
