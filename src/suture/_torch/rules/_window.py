"""Windows: which entries of a dim each place reads, as an index i64[place, tap], -1 for none.

Knows strides, paddings and dilations, and how windows stand beside a spec. Does not know any op.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from suture._bind import Shape, Window
from suture._rule import Described
from suture._torch.rules._text import Dims, axes, spec

Index = NDArray[np.int64]

READ, PLACES = ("d", "h", "w"), ("z", "y", "x")


def windowed(lead: Dims, out: Sequence[Shape], indices: Sequence[Index | None]) -> Described:
    """Let places of the last dims read the entries of an index each: `... h! w! -> ... y x`.

    The tap axes, which no tensor has, are `k0`, `k1`, ...; None leaves open what is read.
    """
    count = len(indices)
    read, places, taps = READ[-count:], PLACES[-count:], axes(count, "k")
    text = spec([[*lead, *(f"{dim}!" for dim in read)]], [[*lead, *places]] * len(out))
    windows = tied(read, places, taps, indices)
    sizes = {window.axes[1]: window.index.shape[1] for window in windows}
    return Described(text, sizes=sizes, windows=windows)


def tied(
    sources: Iterable[str],
    places: Iterable[str],
    taps: Iterable[str],
    indices: Iterable[Index | None],
) -> tuple[Window, ...]:
    """Tie one dim after another, `(place tap) = source[index]`, but for those that stay."""
    dims = zip(sources, places, taps, indices, strict=True)
    return tuple(Window((y, k), h, at) for h, y, k, at in dims if h != y and at is not None)


def per_dim(values: Sequence[int], count: int) -> list[int]:
    """Give one value per spatial dim; a single one stands for all."""
    return list(values) if len(values) == count else [*values[:1]] * count


def slide(
    size: int, places: int, taps: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Index:
    """Slide a window of some taps over a dim of `size` entries.

    Example:
        >>> slide(size=5, places=3, taps=2, stride=2, padding=1).tolist()
        [[-1, 0], [1, 2], [3, 4]]
    """
    at = stride * np.arange(places)[:, None] - padding + dilation * np.arange(taps)
    return np.where((at >= 0) & (at < size), at, -1)


def fitting(size: int, taps: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Count the windows that lie wholly in a padded dim.

    Example:
        >>> fitting(size=5, taps=2, stride=2, padding=1)
        3
    """
    return (size + 2 * padding - dilation * (taps - 1) - 1) // stride + 1


def listed(read: NDArray[np.bool_]) -> Index:
    """List the entries that each place reads, in order.

    Example:
        >>> listed(np.array([[True, True, False], [False, False, True]])).tolist()
        [[0, 1], [2, -1]]
    """
    order = np.argsort(~read, axis=1, kind="stable")[:, : int(read.sum(axis=1).max(initial=0))]
    return np.where(np.take_along_axis(read, order, axis=1), order, -1)


def shared_out(size: int, places: int) -> Index:
    """Cover a dim with windows of nearly equal length, as adaptive pools do.

    Example:
        >>> shared_out(size=5, places=3).tolist()
        [[0, 1, -1], [1, 2, 3], [3, 4, -1]]
    """
    place, entry = np.arange(places)[:, None], np.arange(size)
    starts, stops = place * size // places, -(-(place + 1) * size // places)
    return listed((entry >= starts) & (entry < stops))
