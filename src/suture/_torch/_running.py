"""Running: an op's stand-in as a function of its operands, zero where data is zero.

Operands come without their batch of features: `vmap` adds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from suture._repairs import Repairs
from suture._torch._drawn import filled
from suture._torch._recording import Made
from suture._torch.stand_ins import stand_in

Run = Callable[[Sequence[Tensor | None]], list[Tensor]]
"""Gives the results that are floats."""


def running(made: Made, repairs: Repairs) -> Run:
    """Run an op's stand-in."""
    function = stand_in(made.op, repairs)

    def run(operands: Sequence[Tensor | None]) -> list[Tensor]:
        result = function(**filled(made.arguments, operands))
        leaves = (leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor))
        return [leaf for leaf in leaves if leaf.is_floating_point()]

    return run


def stands_in(made: Made, repairs: Repairs) -> bool:
    """Whether an op is not run as it is."""
    return stand_in(made.op, repairs) is not made.op


def difference(run: Run, constant: list[Tensor]) -> Run:
    """Take away what an op gives for zeros."""
    finite = [c.nan_to_num(nan=0, posinf=0, neginf=0) for c in constant]
    if not any(bool(c.any()) for c in finite):
        return run
    return lambda operands: [y - c for y, c in zip(run(operands), finite, strict=True)]


def two_parts(run: Run, added: Sequence[bool]) -> Run:
    """Of `x + w v` keep `x`, and the gradient of `w v` without its value."""

    def zeroed(operands: Sequence[Tensor | None], kept: Sequence[bool]) -> list[Tensor | None]:
        return [
            operand if keep or operand is None or not operand.is_floating_point()
            else torch.zeros_like(operand)
            for operand, keep in zip(operands, kept, strict=True)
        ]  # fmt: skip

    def parts(operands: Sequence[Tensor | None]) -> list[Tensor]:
        first = run(zeroed(operands, added))
        second = run(zeroed(operands, [not is_added for is_added in added]))
        return [x + (y - y.detach()) for x, y in zip(first, second, strict=True)]

    return parts
