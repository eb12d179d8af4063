"""Bending: ops that are flat for large inputs, so that floats show no slope there.

On inputs of order one they are not. What is flat beyond a number of its own is straight instead.
"""

from __future__ import annotations

from torch import Tensor

from suture._torch.stand_ins._table import instead, same, scale

scale(
    "aten.tanh aten.sigmoid aten.hardsigmoid aten.log_sigmoid_forward aten.softplus aten.glu "
    "aten.silu aten.gelu aten.mish aten.elu aten.selu aten.celu aten.hardswish aten.erf "
    "aten.erfinv aten.sin aten.tan aten.asin aten.atan aten.asinh aten.atanh",
    "normalised",
)

# Floats have no room for these of large inputs, so theirs are of order one under every option.
scale("aten.exp aten.exp2 aten.expm1 aten.sinh aten.cosh aten.logsumexp", "always")

instead(
    "aten.relu6 aten.hardtanh aten.hardshrink aten.softshrink aten.threshold aten.clamp.default "
    "aten.clamp_min.default aten.clamp_max.default",
    "normalised",
)(same)


@instead("aten.clamp.Tensor aten.clamp_min.Tensor aten.clamp_max.Tensor", "normalised")
def clamp(self: Tensor, min: Tensor | None = None, max: Tensor | None = None) -> Tensor:
    """Add the limits, so that they are seen."""
    limits = [limit for limit in (min, max) if limit is not None]
    return sum(limits, start=self)
