"""The audit of what an algebra says of scales: degrees, factors, norms over more entries.

Knows the equations. Does not know which words are stated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

from torch import Tensor

from audit_case import Case, at_rest, equal, filled_in, first_result, mixed_axes, without
from audit_experiment import real
from suture._bind import BoundOperand


def has_degree(case: Case, degree: float) -> bool | None:
    """Compare f(s x) with s^p f(x) where both are finite numbers."""
    held, x = at_rest(case), case.run.operands[case.operand]
    seen = first_result(case, held | {case.operand: 2.5 * x})
    expected = 2.5**degree * first_result(case, held)
    both = seen.isfinite() & expected.isfinite()
    return equal(seen[both], expected[both]) if both.any() else None


def is_times(case: Case, times: float) -> bool:
    """Compare with a call that multiplies by 1."""
    held = at_rest(case)
    operands = [held.get(k, operand) for k, operand in enumerate(case.run.operands)]
    alone = replace(case.run, named={**case.run.named, "alpha": 1})
    return equal(first_result(case, held), times * real(alone.outputs(operands)[0]))


def is_thinned(case: Case, power: float) -> bool | None:
    """Let one entry along the reduced axis be the mean of the others, and compare without it."""
    operand, named = case.run.operands[case.operand], case.run.named
    given = named.get("correction", named.get("unbiased", True))
    less = 1.0 if given is None else float(given)
    gone = {axis.name for dim in case.bound.outputs[0].dims for part in dim for axis in part}
    dims = enumerate(case.bound.inputs[case.operand].dims)
    (dim,) = [at for at, each in dims if each[0] and each[0][0].name not in gone]
    size = operand.shape[dim]
    if size - 1 - less <= 0:
        return None
    filled = first_result(case, {case.operand: filled_in(operand, dim, 0, "mean")})
    fewer = first_result(case, {case.operand: without(operand, dim, 0)})
    return equal(filled, ((size - 1 - less) / (size - less)) ** power * fewer)


def is_normed(case: Case, value: str) -> bool | None:
    """Let one entry along a mixed axis be what is new, and compare with its removal."""
    held = at_rest(case)
    operands = [held.get(k, operand) for k, operand in enumerate(case.run.operands)]
    case = replace(case, run=replace(case.run, operands=tuple(operands)))
    verdicts = []
    for axis in mixed_axes(case):
        (dim,) = _dims_of(case.bound.inputs[case.operand], axis)
        size = case.bound.sizes[axis]
        if size > 2:
            grown = (size / (size - 1)) ** 0.5
            filled = grown * filled_in(operands[case.operand], dim, 0, value)
            seen = first_result(case, {case.operand: filled})
            fewer = _resized(case, axis, lambda tensor, at: without(tensor, at, 0))
            (at,) = _dims_of(case.bound.outputs[0], axis)
            verdicts.append(equal(without(seen, at, 0), grown * fewer))
    return all(verdicts) if verdicts else None


def repeats(case: Case) -> bool | None:
    """Repeat every entry along a mixed axis, wherever it stands."""
    verdicts = []
    for axis in mixed_axes(case):
        more = _resized(case, axis, _twice)
        (at,) = _dims_of(case.bound.outputs[0], axis)
        verdicts.append(equal(more, _twice(first_result(case, {}), at)))
    return all(verdicts) if verdicts else None


def _twice(tensor: Tensor, dim: int) -> Tensor:
    return tensor.repeat_interleave(2, dim)


def _resized(case: Case, axis: str, change: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Run the op with an axis of another size, told to arguments that are sizes."""
    operands = list(case.run.operands)
    for k, operand in enumerate(case.bound.inputs):
        for dim in _dims_of(operand, axis):
            operands[k] = change(operands[k], dim)
    shape = operands[case.operand].shape
    sizes = {"normalized_shape": shape, "C": shape[1:2], "HxW": [prod(shape[2:])], "N": shape[:1]}
    named = dict(case.run.named)
    for name in named.keys() & sizes.keys():
        given = named[name]
        known = list(sizes[name])
        named[name] = known[len(known) - len(given) :] if isinstance(given, list) else known[0]
    return real(replace(case.run, named=named).outputs(operands)[0])


def _dims_of(operand: BoundOperand, name: str) -> list[int]:
    dims = ([axis.name for part in dim for axis in part] for dim in operand.dims)
    return [place for place, dim in enumerate(dims) if name in dim]
