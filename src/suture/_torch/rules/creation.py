"""Creation: constants and random numbers, of given shapes or shaped like an operand."""

from __future__ import annotations

from typing import Any

from suture._bind import Shape
from suture._rule import rule
from suture._torch.rules._text import axes


@rule(
    "aten.empty aten.empty_strided aten.empty_permuted aten.zeros aten.ones aten.full "
    "aten.scalar_tensor aten.arange aten.linspace.default aten.logspace.default aten.rand "
    "aten.randn aten.randint aten.randperm aten.tril_indices aten.triu_indices "
    "aten.normal.float_float"
)
def made(*, out: list[Shape], **settings: Any) -> str:
    """Make a tensor of nothing."""
    return f" -> {' '.join(axes(len(out[0])))}"


@rule("aten.eye")
def eye(*, out: list[Shape], **settings: Any) -> str:
    """Make an identity: of a square, both dims are one axis."""
    return " -> a a" if out[0][0] == out[0][1] else " -> a b"


# Shaped like an operand, of which no entry is read: what stands at one place, stands there still.
# (`zeros_like`, `new_zeros` and the like are made of `full_like` and `full` by torch itself.)
LIKE = "... -> ..."
rule(
    "aten.full_like aten.rand_like aten.randn_like aten.randint_like aten.bernoulli.p aten.uniform "
    "aten.exponential aten.normal_functional aten.random aten.geometric aten.cauchy "
    "aten.log_normal",
    LIKE,
)

# Drawn from a distribution per entry: a chance of zero gives zeros.
rule("aten.bernoulli.default", LIKE, "zero")
rule("aten.normal.Tensor_float aten.normal.float_Tensor", LIKE)
rule("aten.normal.Tensor_Tensor", "..., ... -> ...")
