"""Slopes that tell nothing of what is computed: under every option.

A detached value computes the same. Roots, logarithms and quotients have no slope at zero, or one
without end, and at zero lies all that does not carry the probed feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from suture._torch.stand_ins._table import instead, same

instead(
    "aten.detach aten.clone aten.alias aten.lift_fresh aten._to_copy aten.native_dropout "
    "aten.nan_to_num"
)(same)
instead(
    "aten.sqrt aten.rsqrt aten.reciprocal aten.log aten.log2 aten.log10 aten.logit aten.acosh "
    "aten.lgamma aten.digamma"
)(same)


@instead("aten.pow.Tensor_Scalar")
def power(self: Tensor, exponent: float) -> Tensor:
    """Raise to a power of one or more alone."""
    return self if exponent < 1 else self**exponent


@instead("aten.div")
def div(self: Tensor, other: Any, rounding_mode: str | None = None) -> Tensor:
    """Multiply by what divides: a quotient meets as a product does."""
    return self * other if isinstance(other, Tensor) else self / other


@instead("aten.addcdiv")
def addcdiv(self: Tensor, tensor1: Tensor, tensor2: Tensor, value: float = 1) -> Tensor:
    """Multiply by what divides."""
    return self + value * tensor1 * tensor2


# The strides of a batch of probes are not those of the model.


@instead("aten.view.default aten._unsafe_view aten._reshape_copy")
def view(self: Tensor, size: Sequence[int]) -> Tensor:
    """Read in another shape, in new memory if need be."""
    return self.reshape(tuple(size))


@instead("aten._reshape_alias")
def reshape_alias(self: Tensor, size: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Read in another shape, in new memory if need be."""
    return self.reshape(tuple(size))


# What torch's `vmap` has no rule for, or a wrong one.


@instead("aten.copy")
def copy(self: Tensor, src: Tensor, **settings: Any) -> Tensor:
    """Write over a tensor."""
    return src.expand_as(self)


@instead("aten.slice_scatter")
def slice_scatter(
    self: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    """Write over a part of a dim: take its entries from behind all others."""
    places = torch.arange(self.shape[dim])
    places[slice(start, end, step)] = self.shape[dim] + torch.arange(src.shape[dim])
    return torch.cat([self, src], dim).index_select(dim, places)


@instead("aten.max_unpool2d aten.max_unpool3d")
def max_unpool(self: Tensor, output_size: Sequence[int], **settings: Any) -> Tensor:
    """Write everywhere: the places are data."""
    space = len(output_size)
    average = self.flatten(-space).mean(-1)
    return average.reshape(*average.shape, *(1,) * space).expand(*average.shape, *output_size)


@instead("aten._trilinear")
def trilinear(
    i1: Tensor,
    i2: Tensor,
    i3: Tensor,
    expand1: Sequence[int],
    expand2: Sequence[int],
    expand3: Sequence[int],
    sumdim: Sequence[int],
    unroll_dim: int = 1,
) -> Tensor:
    """Multiply three tensors that are expanded to one rank, and sum over dims."""
    for dim in expand1:
        i1 = i1.unsqueeze(dim)
    for dim in expand2:
        i2 = i2.unsqueeze(dim)
    for dim in expand3:
        i3 = i3.unsqueeze(dim)
    return (i1 * i2 * i3).sum(tuple(sumdim))
