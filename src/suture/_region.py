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


def region(mask: Mask, shape: Sequence[int]) -> tuple[Runs, ...] | None:
    """Write the entries of a tensor that a mask marks as runs per dim; None if no product has them.

    Args:
        mask: broadcastable to the shape.
        shape: of the tensor.

    Example:
        >>> region(np.array([[True, False, True]]), (4, 3))
        (((0, 4),), ((0, 1), (2, 3)))
    """
    found = positions(mask)
    if found is None:
        return None
    sizes = zip(found, mask.shape, shape, strict=True)
    return tuple(runs(np.arange(size) if kept < size else at) for at, kept, size in sizes)
