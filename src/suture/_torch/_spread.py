"""Spreading: an operand laid along the axes of a result, where an op has no gradient to show it.

Knows specs. Lookups by data and results that count are the only ops that need it.
"""

from __future__ import annotations

from torch import Tensor

from suture._bind import BoundOperand

Dim = tuple[tuple[str, ...], ...]
"""The axes of a dim, part by part."""


def dims_of(operand: BoundOperand) -> tuple[Dim, ...]:
    """Name the axes of each dim."""
    return tuple(tuple(tuple(axis.name for axis in part) for part in dim) for dim in operand.dims)


def spread(
    x: Tensor, operand: BoundOperand, result: BoundOperand, shape: tuple[int, ...]
) -> Tensor:
    """Average over the axes that a result lacks, or that are mixed, and repeat along the others.

    Args:
        x: [K, ...], a batch of the operand.
        operand: its dims.
        result: the result's dims.
        shape: the result's shape.

    Returns:
        [K, *shape].
    """
    mixed = [any(axis.mixed for part in dim for axis in part) for dim in operand.dims]
    return laid(x, dims_of(operand), mixed, dims_of(result), shape)


def laid(
    x: Tensor,
    dims: tuple[Dim, ...],
    mixed: list[bool],
    wanted: tuple[Dim, ...],
    shape: tuple[int, ...],
) -> Tensor:
    """Lay dims along others, as `spread` does."""
    stays = [
        dim in wanted and not mix and size != 1
        for dim, mix, size in zip(dims, mixed, x.shape[1:], strict=True)
    ]
    gone = [at for at, stay in enumerate(stays, 1) if not stay]
    x = x.mean(gone) if gone else x
    kept = [dim for dim, stay in zip(dims, stays, strict=True) if stay]
    order = [dim for dim in dict.fromkeys(wanted) if dim in kept]
    x = x.permute(0, *(1 + kept.index(dim) for dim in order))
    sizes = [size if dim in kept else 1 for dim, size in zip(wanted, shape, strict=True)]
    return x.reshape(-1, *sizes).expand(-1, *shape)
