"""Cases of the audit of algebra: one operand of one sample, and its op run with others.

Knows how an operand is changed, and which operands are added to it. Does not know words.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit_experiment import Experiment, real
from suture._bind import Bound


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One floating operand of one sample, of which an algebra is stated."""

    run: Experiment
    bound: Bound
    operand: int


def cases(run: Experiment, bound: Bound) -> list[Case]:
    """List the operands that words are about: floating, and seen in the first result."""
    start, stop = run.cuts[0] if run.cuts else (0, 0)
    return [
        Case(run, bound, k) for k in run.floats() if run.influence(k).moved[:, start:stop].any()
    ]


def mixed_axes(case: Case) -> set[str]:
    dims = case.bound.inputs[case.operand].dims
    return {axis.name for dim in dims for part in dim for axis in part if axis.mixed}


def first_result(case: Case, changed: dict[int, Tensor]) -> Tensor:
    """Compute the first result with some operands replaced, in float64."""
    operands = [changed.get(k, operand) for k, operand in enumerate(case.run.operands)]
    return real(case.run.outputs(operands)[0])


def equal(left: Tensor, right: Tensor, to: float = 1e-9) -> bool:
    """Say whether two results are equal to rounding; NaN equals nothing."""
    return left.shape == right.shape and torch.allclose(left, right, rtol=to, atol=to)


def zeroed(case: Case, *places: int) -> dict[int, Tensor]:
    return {k: torch.zeros_like(case.run.operands[k]) for k in places}


def another(case: Case) -> Tensor:
    return drawn(case, case.operand)


def drawn(case: Case, k: int) -> Tensor:
    """Draw another generic value of an operand."""
    operand = case.run.operands[k]
    draw = torch.randn(operand.shape, generator=torch.Generator().manual_seed(5 + k))
    return 2 * draw.to(operand.dtype)


def emptied(case: Case, k: int) -> Tensor:
    return torch.zeros_like(case.run.operands[k])


def varied(case: Case, k: int) -> Tensor:
    """Stretch every entry of an operand by another factor: it stays where the op is defined."""
    operand = case.run.operands[k]
    draw = torch.rand(operand.shape, generator=torch.Generator().manual_seed(k))
    return operand * (0.6 + 0.8 * draw.to(operand.dtype))


def others_of(case: Case, x: int) -> list[int]:
    """List the other floating operands that the first result depends on."""
    start, stop = case.run.cuts[0]
    floats = (y for y in case.run.floats() if y != x)
    return [y for y in floats if case.run.influence(y).moved[:, start:stop].any()]


def partners(case: Case, x: int) -> list[int]:
    """List the operands that operand x is added to."""
    return [y for y in others_of(case, x) if are_added(case, x, y)]


def are_added(case: Case, x: int, y: int) -> bool:
    """Compare second differences: small ones, where any op is defined, and past every kink."""
    tried = ({k: draw(case, k) for k in (x, y)} for draw in (varied, drawn, emptied))
    sums = [
        (
            first_result(case, {}) + first_result(case, new),
            first_result(case, {x: new[x]}) + first_result(case, {y: new[y]}),
        )
        for new in tried
    ]
    return all(equal(one, other) for one, other in sums if (one + other).isfinite().all())


def at_rest(case: Case) -> dict[int, Tensor]:
    """Zeros for the operands that this one is added to, those left out that cannot be 0."""
    zeros = [zeroed(case, y) for y in partners(case, case.operand)]
    possible = [zero for zero in zeros if first_result(case, zero).isfinite().all()]
    return {y: zero for held in possible for y, zero in held.items()}


def without(tensor: Tensor, dim: int, at: int) -> Tensor:
    return torch.cat(
        [tensor.narrow(dim, 0, at), tensor.narrow(dim, at + 1, tensor.shape[dim] - at - 1)], dim
    )


def filled_in(tensor: Tensor, dim: int, at: int, word: str) -> Tensor:
    """Put a candidate in place of one entry along a dim."""
    filled = tensor.clone()
    entry = filled.select(dim, at)
    mean = without(tensor, dim, at).mean(dim)
    entry.copy_(mean if word == "mean" else torch.full_like(entry, float(word)))
    return filled
