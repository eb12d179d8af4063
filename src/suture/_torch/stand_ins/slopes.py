"""Slopes that tell nothing of what is computed: under every option.

A detached value computes the same. Roots, logarithms and quotients have no slope at zero, or one
without end, and at zero lies all that does not carry the probed feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from suture._torch.stand_ins._table import instead, same

instead("aten.detach aten.detach_copy aten.clone aten._to_copy aten.native_dropout")(same)
instead("aten.nan_to_num")(same)
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


@instead("aten.view.default aten._unsafe_view aten.view_copy.default aten._reshape_copy")
def view(self: Tensor, size: Sequence[int]) -> Tensor:
    """Read in another shape, in new memory if need be."""
    return self.reshape(tuple(size))


@instead("aten._reshape_alias")
def reshape_alias(self: Tensor, size: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Read in another shape, in new memory if need be."""
    return self.reshape(tuple(size))
