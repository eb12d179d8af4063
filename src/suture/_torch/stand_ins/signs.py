"""Signs: with positive weights, differences would cancel and what falls would turn signs around."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from suture._torch.stand_ins._table import instead, same
from suture._torch.stand_ins.constants import add
from suture._torch.stand_ins.slopes import div


@instead("aten.sub aten.rsub", "positive")
def difference(self: Tensor, other: Any, alpha: float = 1) -> Tensor:
    """Add what is subtracted."""
    return add(self, other, abs(alpha))


@instead("aten.mul", "positive")
def mul(self: Tensor, other: Any) -> Tensor:
    """Multiply by the size of a number."""
    product: Tensor = self * (other if isinstance(other, Tensor) else abs(other))
    return product


@instead("aten.div", "positive")
def quotient(self: Tensor, other: Any, rounding_mode: str | None = None) -> Tensor:
    """Divide by the size of a number."""
    return div(self, other if isinstance(other, Tensor) else abs(other))


# Falling, and so rising instead.
instead("aten.neg aten.cos aten.acos aten.erfc", "positive")(same)


@instead("aten._prelu_kernel", "positive")
def prelu(self: Tensor, weight: Tensor) -> Tensor:
    """Show the slope, which is for negative numbers alone."""
    return self + self * weight


@instead("aten.lerp.Tensor aten.lerp.Scalar", "positive")
def lerp(self: Tensor, end: Tensor, weight: Any) -> Tensor:
    """Add the end, weighted: of `(1 - w) a + w b`, `a + w b` stays."""
    return self + end * (weight if isinstance(weight, Tensor) else abs(weight))
