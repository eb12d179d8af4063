"""What an op is made of: the ops that a trace records in its place.

Knows torch's own decompositions, and ours where torch has none or its own forgets which entry is
which. Does not know any op's axes (`rules`).

A dim that is dropped or added has no axis by which a spec could say which of its entries is meant:
`select` is a slice whose dim then goes, `stack` joins what has the dim already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._decomp import decomposition_table
from torch._ops import OpOverload

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


MADE_OF: dict[OpOverload, Callable[..., Any]] = {
    aten.select.int: _select,
    aten.select_scatter.default: _select_scatter,
    aten.stack.default: _stack,
    aten.rrelu_with_noise.default: _rrelu,
}
"""Our own decompositions; they take an op's arguments as the op does."""


def decomposition(op: OpOverload) -> Callable[..., Any] | None:
    """Find what computes an op out of others: ours, else torch's, else None."""
    made = MADE_OF.get(op) or decomposition_table.get(op)
    if made is None and op._can_decompose():
        return op.decompose
    return made
