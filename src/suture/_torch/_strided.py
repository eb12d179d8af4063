"""Memory read in another shape or order: as views that say which entry is which.

Knows dense memory, and windows that overlap along one dim of it. Does not know memory with gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import prod
from operator import mul
from typing import Any

from torch import Tensor


def as_strided(
    self: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Any:
    """Restate memory that both fill without gaps: in its own order, reshaped, and permuted."""
    own = _order(self.shape, self.stride())
    if own is None or storage_offset not in (None, self.storage_offset()):
        return NotImplemented
    flat = self if own == sorted(own) else self.permute(own)
    new = _order(size, stride)
    if new is None:
        return _windows(flat, size, stride)
    if self.numel() != prod(size):
        return NotImplemented
    laid = [size[dim] for dim in new]
    return _back(flat if list(flat.shape) == laid else flat.reshape(laid), new)


def _back(tensor: Tensor, order: Sequence[int]) -> Tensor:
    """Permute dims that stand in an order back."""
    return tensor.permute(sorted(range(len(order)), key=order.__getitem__))


def _windows(flat: Tensor, size: Sequence[int], stride: Sequence[int]) -> Any:
    """Read windows that overlap along one dim of dense memory."""
    order = sorted(range(len(size)), key=lambda dim: (-stride[dim], dim))
    sizes, strides = [size[dim] for dim in order], [stride[dim] for dim in order]
    for at in range(len(order) - 1):
        count, window, row = sizes[at], sizes[at + 1], strides[at + 1]
        step, uneven = divmod(strides[at], max(row, 1))
        rows = (count - 1) * step + window
        laid = [*sizes[:at], rows, *sizes[at + 2 :]]
        dense = _order(laid, [*strides[:at], row, *strides[at + 2 :]])
        if step and not uneven and dense == sorted(dense or ()) and prod(laid) == flat.numel():
            found = flat.reshape(laid).unfold(at, window, step)
            return _back(found.movedim(-1, at + 1), order)
    return NotImplemented


def _order(size: Sequence[int], stride: Sequence[int]) -> list[int] | None:
    """Order dims from the outermost in memory to the innermost; None if they leave gaps.

    A dim of one entry may have any stride: it stays in front of the dim that it was in front of.
    """
    long = [dim for dim, entries in enumerate(size) if entries != 1]
    inner = 1
    for dim in sorted(long, key=lambda dim: stride[dim]):
        if stride[dim] != inner:
            return None
        inner *= size[dim]
    order = sorted(long, key=lambda dim: -stride[dim])
    for dim in reversed(range(len(size))):
        if size[dim] == 1:
            behind = next((order.index(other) for other in order if other > dim), len(order))
            order.insert(behind, dim)
    return order


def view(self: Tensor, size: Sequence[int]) -> Any:
    """Go through merged dims where two shapes cut them at places without a common factor."""
    new = [*size]
    if -1 in new and self.numel():
        new[new.index(-1)] = -self.numel() // prod(new)
    middle = merged(self.shape, new)
    return NotImplemented if middle == [*self.shape] else self.view(middle).view(new)


def merged(old: Sequence[int], new: Sequence[int]) -> list[int]:
    """Merge the dims of a shape that another cuts elsewhere; the other dims stay as they are.

    Example:
        >>> merged((2, 3, 11, 6), (2, 3, 6, 11)), merged((4, 6), (8, 3))
        ([2, 3, 66], [4, 6])
    """
    if not all(old):
        return [*old]
    ends = [[*accumulate(shape, mul)] for shape in (old, new)]
    found: list[int] = []
    start = 0
    for dim, end in enumerate(ends[0]):
        if end not in ends[1] and dim + 1 < len(old):
            continue
        cuts = sorted({cut for side in ends for cut in side if prod(old[:start]) < cut <= end})
        uneven = any(larger % smaller for smaller, larger in pairwise(cuts))
        found += [prod(old[start : dim + 1])] if uneven else old[start : dim + 1]
        start = dim + 1
    return found
