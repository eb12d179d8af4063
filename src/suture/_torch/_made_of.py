"""What an op is made of: the ops that a trace records in its place.

Knows torch's own decompositions, and ours where torch has none or its own forgets which entry is
which. Does not know any op's axes (`rules`).

A dim that is dropped or added has no axis by which a spec could say which of its entries is meant:
`select` is a slice whose dim then goes, `stack` joins what has the dim already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch._decomp import decomposition_table
from torch._ops import OpOverload

from suture._torch._grouped import grouped_mm
from suture._torch._strided import as_strided, view

aten = torch.ops.aten


def _select(self: Tensor, dim: int, index: int) -> Any:
    place = index % self.shape[dim]
    return aten.squeeze.dim(aten.slice.Tensor(self, dim, place, place + 1), dim)


def _stack(tensors: Sequence[Tensor], dim: int = 0) -> Any:
    return aten.cat.default([aten.unsqueeze.default(tensor, dim) for tensor in tensors], dim)


def _select_scatter(self: Tensor, src: Tensor, dim: int, index: int) -> Any:
    place, raised = index % self.shape[dim], aten.unsqueeze.default(src, dim)
    return aten.slice_scatter.default(self, raised, dim, place, place + 1)


def _rrelu(
    self: Tensor,
    noise: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,  # noqa: FBT002 (torch's own)
    generator: Any = None,
) -> Any:
    """Leak at a slope that is drawn per entry in training; the noise is scratch for gradients."""
    if not training:
        return aten.leaky_relu.default(self, (lower + upper) / 2)
    slope = aten.add.Scalar(aten.mul.Scalar(aten.rand_like.default(self), upper - lower), lower)
    return aten.where.self(aten.ge.Scalar(self, 0), self, aten.mul.Tensor(self, slope))


def _masked_select(self: Tensor, mask: Tensor) -> Any:
    shape = torch.broadcast_shapes(self.shape, mask.shape)
    return self.expand(shape)[mask.expand(shape)]


def _masked_scatter(self: Tensor, mask: Tensor, source: Tensor) -> Any:
    """Write rows, in their order, where a mask that is the same along whole rows says."""
    spread = mask.expand(self.shape)
    rows = self.ndim
    while rows and (spread.stride(rows - 1) == 0 or self.shape[rows - 1] == 1):
        spread, rows = spread.select(-1, 0), rows - 1
    if source.numel() % max(1, prod(self.shape[rows:])):
        return NotImplemented
    written = source.reshape(-1, *self.shape[rows:])[: int(spread.sum())]
    return aten.index_put.default(self, [spread], written)


def _histc(self: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """Count integers, a bin for each: the integers choose a bin. Bins of real numbers mean none."""
    if self.is_floating_point() or (min, max) != (0, bins - 1):
        return NotImplemented
    codes = aten.one_hot.default(self.flatten().long(), bins)
    return aten.sum.dim_IntList(codes, [0]).to(self.dtype)


def _sort(
    self: Tensor,
    dim: int = -1,
    descending: bool = False,  # noqa: FBT002 (torch's own)
    stable: bool | None = None,
) -> Any:
    """Look integers up where they are by rank: they are moved, and what they choose with them.

    Ranks are those of f64, in which integers are apart up to 2**53.
    """
    if self.is_floating_point() or self.is_complex() or not self.ndim:
        return NotImplemented
    ranks = torch.sort(self.double(), stable=bool(stable), dim=dim, descending=descending).indices
    return self.gather(dim, ranks), ranks


def _sort_stable(
    self: Tensor,
    dim: int = -1,
    descending: bool = False,  # noqa: FBT002 (torch's own)
    *,
    stable: bool | None,
) -> Any:
    return _sort(self, dim, descending, stable)


MADE_OF: dict[OpOverload, Callable[..., Any]] = {
    aten.select.int: _select,
    aten.select_scatter.default: _select_scatter,
    aten.stack.default: _stack,
    aten.rrelu_with_noise.default: _rrelu,
    aten.masked_select.default: _masked_select,
    aten.masked_scatter.default: _masked_scatter,
    aten.histc.default: _histc,
    aten._is_all_true.default: aten.all.default,
    aten._is_any_true.default: aten.any.default,
    aten.sort.default: _sort,
    aten.sort.stable: _sort_stable,
    aten._grouped_mm.default: grouped_mm,
    aten.as_strided.default: as_strided,
    aten.view.default: view,
    aten._unsafe_view.default: view,
}
"""Our own decompositions, before any rule; they take an op's arguments as the op does, and return
`NotImplemented` for arguments that they do not fit."""


def decomposition(op: OpOverload) -> Callable[..., Any] | None:
    """Find what torch computes an op out of; None if it says nothing."""
    made = decomposition_table.get(op)
    if made is None and op._can_decompose():
        return op.decompose
    return made
