"""Pointwise ops: every operand broadcasts, entry i meets entry i.

Knows the algebra of those ops where it says something. Does not list the others: torch tags them
`pointwise`, and no tag promises any algebra.
"""

from __future__ import annotations

from math import nan
from typing import Any

import numpy as np

from suture._bind import Pick, Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, broadcast, spec

ONE = "... -> ..."
TWO = "..., ... -> ..."
THREE = "..., ..., ... -> ..."
SAME = "linear idempotent moves"

# Homogeneous of degree one on all reals.
rule("aten.neg aten.deg2rad aten.rad2deg", ONE, "linear")

# Projections that keep zero: applied twice they do no more than once. Those of the first line are
# homogeneous on either side of zero.
rule("aten.relu aten.abs", ONE, "zero idempotent degree=1")
rule("aten.sign aten.sgn", ONE, "zero idempotent degree=0")
rule(
    "aten.floor aten.ceil aten.round aten.trunc aten.frac aten.hardshrink aten.relu6",
    ONE,
    "zero idempotent",
)

# Powers of one degree.
rule("aten.leaky_relu", ONE, "zero degree=1")
rule("aten.sqrt", ONE, "zero degree=0.5")
rule("aten.square", ONE, "zero degree=2")
rule("aten.rsqrt", ONE, "degree=-0.5")
rule("aten.reciprocal", ONE, "degree=-1")

# Keep zero, and nothing more.
rule(
    "aten.tanh aten.gelu aten.silu aten.mish aten.elu aten.selu aten.celu "
    "aten.hardswish aten.softshrink aten.sin aten.tan aten.asin aten.atan aten.sinh "
    "aten.asinh aten.atanh aten.erf aten.erfinv aten.expm1 aten.log1p",
    ONE,
    "zero",
)

# On finite numbers nothing happens.
rule("aten.positive aten.nan_to_num", ONE, SAME)

# exp(0) = 1, sigmoid(0) = 1/2, softplus(0) = log 2, 1/0, log 0: zero is no fixed value of these.
rule(
    "aten.exp aten.exp2 aten.log aten.log2 aten.log10 aten.sigmoid "
    "aten.hardsigmoid aten.softplus aten.cos aten.cosh aten.acos aten.acosh aten.erfc aten.logit "
    "aten.lgamma aten.digamma",
    ONE,
)


@rule("aten.log_sigmoid_forward")
def log_sigmoid(self: TensorArgument, *, out: list[Shape]) -> str:
    """log(sigmoid(x)), and torch's scratch, which may be empty."""
    own = axes(self.ndim)
    return spec([own], [own, own if out[1] == self.shape else axes(len(out[1]), "e")])


@rule("aten.hardtanh")
def hardtanh(self: TensorArgument, min_val: float, max_val: float, *, out: Any) -> Described:
    """Clip to an interval, a projection; it keeps zero if zero lies inside."""
    return Described(ONE, _keeping_zero(min_val <= 0 <= max_val))


@rule("aten.clamp.default aten.clamp_min.default aten.clamp_max.default")
def clamp(
    self: TensorArgument, min: float | None = None, max: float | None = None, *, out: Any
) -> Described:
    """Clip to an interval that may be open on a side."""
    inside = (min is None or min <= 0) and (max is None or max >= 0)
    return Described(ONE, _keeping_zero(inside))


@rule("aten.threshold")
def threshold(self: TensorArgument, threshold: float, value: float, *, out: Any) -> Described:
    """Replace what is not above the threshold; the value itself stays as it is either way."""
    return Described(ONE, _keeping_zero(threshold < 0 or value == 0))


def _keeping_zero(kept: bool) -> str:
    return "zero idempotent" if kept else "idempotent"


@rule("aten.pow.Tensor_Scalar")
def power(self: TensorArgument, exponent: float, *, out: Any) -> Described:
    """Raise to a constant: 0 ** p = 0 for positive p alone."""
    if exponent == 1:
        return Described(ONE, SAME)
    return Described(ONE, f"degree={float(exponent)!r}" + " zero" * (exponent > 0))


# Sums: linear in each operand. A number added to one operand leaves nothing linear.
@rule("aten.add")
def add(self: TensorArgument, other: Any, alpha: float = 1, *, out: Any) -> Described:
    """Add two tensors, or a number to one."""
    return _sum(self, other, 1, alpha, _term(other, alpha))


@rule("aten.sub")
def subtract(self: TensorArgument, other: Any, alpha: float = 1, *, out: Any) -> Described:
    """Subtract a tensor, or a number, from one."""
    return _sum(self, other, 1, -alpha, _term(other, -alpha))


@rule("aten.rsub")
def subtract_from(self: TensorArgument, other: Any, alpha: float = 1, *, out: Any) -> Described:
    """Subtract a tensor from another, or from a number."""
    return _sum(self, other, -alpha, 1, "")


def _sum(one: Any, other: Any, first: float, second: float, alone: str) -> Described:
    if not isinstance(one, TensorArgument) or not isinstance(other, TensorArgument):
        return Described(ONE, alone)
    return Described(TWO, f"linear add{_factor(first)}, linear add{_factor(second)}")


def _term(number: Any, times: float) -> str:
    """Say what an op adds, if it is a real number."""
    return f"shift={float(times * number)!r}" if isinstance(number, (int, float)) else ""


# Products: linear in each operand, zero where one is.
@rule("aten.mul")
def multiply(self: TensorArgument, other: Any, *, out: Any) -> Described:
    """Multiply two tensors, or one by a number."""
    if isinstance(other, TensorArgument):
        return Described(TWO, "linear mul, linear mul")
    return Described(ONE, f"linear{_factor(other)}")


@rule("aten.div.Tensor aten.div.Scalar aten.true_divide")
def divide(self: TensorArgument, other: Any, *, out: Any) -> Described:
    """Divide one tensor by another, or by a number."""
    if isinstance(other, TensorArgument):
        return Described(TWO, "linear, degree=-1")
    return Described(ONE, f"linear{_factor(1 / other if other else nan)}")


def _factor(number: Any) -> str:
    """Say what an op multiplies by, if it is a real number."""
    return f" factor={float(number)!r}" if isinstance(number, (int, float)) else ""


rule("aten.addcmul", THREE, "linear add, linear mul, linear mul")
rule("aten.addcdiv", THREE, "linear add, linear, degree=-1")

# (1 - w) a + w b: a weight of zero leaves a, and takes nothing of b.
rule("aten.lerp.Tensor", THREE, "linear, linear mul, ")
rule("aten.lerp.Scalar", TWO, "linear add")

# An order's best of two: choosing again changes nothing.
rule("aten.maximum aten.minimum aten.fmax aten.fmin", TWO, "idempotent")
rule("aten.clamp.Tensor aten.clamp_min.Tensor aten.clamp_max.Tensor", THREE, "idempotent")

# Chosen entry by entry: with the condition fixed, a sum of two masked operands.
CHOSEN = "linear add idempotent moves"
rule("aten.where.self", THREE, f", {CHOSEN}, {CHOSEN}")
rule("aten.masked_fill.Tensor", THREE, f"{CHOSEN}, , linear add moves")


@rule("aten.masked_fill.Scalar")
def masked_fill(self: TensorArgument, mask: TensorArgument, value: float, *, out: Any) -> Described:
    """Write a number where the mask says so."""
    return Described(TWO, f"{SAME}, " if value == 0 else "idempotent moves, ")


# x where x > 0, else w x. The weight arrives with the input's rank.
rule("aten._prelu_kernel", TWO, "zero degree=1, ")


@rule("aten.copy", algebra=", linear moves")
def copy(
    self: TensorArgument, src: TensorArgument, *, out: list[Shape], **settings: Any
) -> Described:
    """Write over a tensor: only the second operand is seen, broadcast to the first one's shape."""
    own, lost = axes(self.ndim), axes(self.ndim, "x")
    dims = zip(lost, own, self.shape, strict=True)
    picks = tuple(Pick(x, dim, np.full(size, -1)) for x, dim, size in dims)
    return Described(spec([lost, broadcast(src.shape, own, self.shape)], [own]), picks=picks)


# One number per entry kept or dropped; the mask is the second result.
rule("aten.native_dropout", "... -> ..., ...", "linear")

# Kept as it is, entry by entry.
rule("aten.tril aten.triu", ONE, SAME)
rule(
    "aten.clone aten.detach aten.alias aten.lift_fresh aten.lift_fresh_copy aten.alias_copy "
    "aten.detach_copy",
    ONE,
    SAME,
)


@rule("aten._to_copy")
def to_copy(self: TensorArgument, dtype: Any = None, *, out: Any, **others: Any) -> Described:
    """Convert to another dtype: the same numbers, unless fractions are cut off."""
    fractions = self.dtype.startswith(("f", "bf"))
    cut = dtype is not None and not dtype.is_floating_point and fractions
    return Described(ONE, "zero idempotent" if cut else SAME)
