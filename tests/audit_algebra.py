"""The audit of algebra: every word by its own equation, both ways.

Knows the equations of `suture._algebra`. Does not know axes beyond which of them are reduced or
mixed.

A stated word must hold wherever its equation can be evaluated, and somewhere it must be possible; a
word that holds in every sample must be stated. Words are about floating operands and the first
result. Two operands are *partners* if they are added: f(x, y) + f(0, 0) = f(x, 0) + f(0, y), the
rest left alone; partners are held at 0 while the others' words are evaluated. `add` is said of
operands with a partner that no operand multiplies (`mul` says more).

Not checked: what is said of results of integers may be less than what holds; `neutral` on axes that
are factors or parts of a dim, that are picked or looked up, of size one, or whose removal the op
refuses because an argument tells their size; words of ops known by torch's pointwise tag alone
(none is stated).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from audit_case import (
    Case,
    another,
    at_rest,
    equal,
    filled_in,
    first_result,
    mixed_axes,
    others_of,
    partners,
    without,
    zeroed,
)
from audit_claims import names
from audit_experiment import REFUSALS, real
from audit_scales import has_degree, is_normed, is_thinned, is_times, repeats
from audit_symmetry import is_symmetric
from suture._algebra import Algebra
from suture._bind import Bound, BoundOperand
from suture._spec import Axis

NEUTRAL = ("neutral=0", "neutral=1", "neutral=-inf", "neutral=inf", "neutral=mean")
WORDS = ("linear", "zero", "idempotent", "add", "mul", "moves", *NEUTRAL)
SAID = ("degree", "factor", "times", "shift", "thinned", "normed", "repeats")
"""Words that need not be said where they hold; what is said must hold."""


def algebra_findings(group: Sequence[Case], stated: Algebra) -> list[str]:
    """List the words that contradict the samples of one operand of one op."""
    said = words(stated)
    said_too = sorted(word for word in said if word.partition("=")[0] in SAID)
    found = [(word, [verdict(case, word) for case in group]) for word in (*WORDS, *said_too)]
    unsaid = asked(group, said)
    findings = []
    for word, verdicts in found:
        known = [holds for holds in verdicts if holds is not None]
        if word in said and not known and not _is_beyond(group, word):
            findings.append(f"`{word}` is stated, but no sample lets it be evaluated.")
        elif word in said and not all(known):
            findings.append(
                f"`{word}` is stated, but {group[verdicts.index(False)].run} refutes it."
            )
        elif word in unsaid and known and all(known):
            findings.append(f"`{word}` holds in every sample, but is not stated.")
    return findings


def holds(group: Sequence[Case], word: str) -> bool:
    """Say whether a word holds wherever it can be evaluated, or is believed."""
    known = [seen for seen in (verdict(case, word) for case in group) if seen is not None]
    return all(known) if known else _is_beyond(group, word)


def _is_beyond(group: Sequence[Case], word: str) -> bool:
    """Say whether a word is one that is believed: `neutral` of ops that know positions."""
    sizes = [(case.bound, axis) for case in group for axis in mixed_axes(case)]
    lost = any(
        bound.sizes[axis] > 1 and axis not in names(bound.outputs[0]) for bound, axis in sizes
    )
    return word in NEUTRAL and lost


def asked(group: Sequence[Case], said: set[str]) -> set[str]:
    """Name the words that must be said if they hold: none of integers, one neutral element.

    Idempotence only where something is done at all, and no word that is believed.
    """
    if not all(case.run.results[0].is_floating_point() for case in group):
        return set()
    identity = all(_is_identity(case) for case in group)
    spared = {*(NEUTRAL if said & {*NEUTRAL} else ()), *(("idempotent",) if identity else ())}
    beyond = {word for word in WORDS if _is_beyond(group, word)}
    return set(WORDS) - said - spared - beyond


def _is_identity(case: Case) -> bool:
    """Say whether f(x) = x wherever both have one shape: idempotence says nothing then."""
    operand = real(case.run.operands[case.operand])
    result = first_result(case, {})
    return result.shape != operand.shape or equal(result, operand)


def words(stated: Algebra) -> set[str]:
    """Spell an algebra as words."""
    flags = {
        "linear": stated.linear,
        "zero": stated.zero,
        "idempotent": stated.idempotent,
        "add": stated.meeting == "add",
        "mul": stated.meeting == "mul",
        "moves": stated.moves,
        "repeats": stated.repeats,
    }
    valued = {
        "neutral": stated.neutral,
        "degree": None if stated.linear else stated.degree,
        "factor": stated.factor,
        "times": stated.times,
        "shift": stated.shift,
        "thinned": stated.thinned,
        "normed": stated.normed,
    }
    said_with = {_spelled(word, value) for word, value in valued.items() if value is not None}
    return {word for word, said in flags.items() if said} | said_with


def _spelled(word: str, value: float | str) -> str:
    if isinstance(value, str):
        return f"{word}={value}"
    return f"{word}={value:g}" if word in ("neutral", "normed") else f"{word}={value!r}"


def verdict(case: Case, word: str) -> bool | None:
    """Say whether a word holds; None where its equation cannot be evaluated."""
    key = ("word", case.operand, word)
    seen = case.run._seen
    if key not in seen:
        try:
            seen[key] = _equation(case, word)
        except REFUSALS:
            seen[key] = None
    answer: bool | None = seen[key]
    return answer


def _equation(case: Case, word: str) -> bool | None:
    match word:
        case "linear":
            return _is_linear(case)
        case "zero":
            return _keeps_zero(case)
        case "idempotent":
            return _is_idempotent(case)
        case "mul":
            return _is_multiplied(case)
        case "add":
            others = others_of(case, case.operand)
            return bool(others) and partners(case, case.operand) == others
        case "moves":
            return _moves(case)
        case "repeats":
            return repeats(case)
        case _:
            return _valued(case, *word.split("=", 1))


def _valued(case: Case, name: str, value: str) -> bool | None:
    match name:
        case "degree":
            return has_degree(case, float(value))
        case "factor":
            result = first_result(case, at_rest(case))
            expected = float(value) * real(case.run.operands[case.operand])
            return equal(result, expected.expand_as(result))
        case "shift":
            return equal(
                first_result(case, {}), real(case.run.operands[case.operand]) + float(value)
            )
        case "thinned":
            return is_thinned(case, float(value))
        case "times":
            return is_times(case, float(value))
        case "normed":
            return is_normed(case, value)
        case _:
            return _is_neutral(case, value)


def _is_linear(case: Case) -> bool:
    held, x, y = at_rest(case), case.run.operands[case.operand], another(case)
    whole, left, right = (
        first_result(case, held | {case.operand: value}) for value in (0.7 * x - 1.3 * y, x, y)
    )
    rounding = 1e-9 if case.run.results[0].dtype == torch.float64 else 1e-6
    return equal(whole, 0.7 * left - 1.3 * right, rounding)


def _keeps_zero(case: Case) -> bool:
    result = first_result(case, at_rest(case) | zeroed(case, case.operand))
    return equal(result, torch.zeros_like(result))


def _is_idempotent(case: Case) -> bool | None:
    operand = case.run.operands[case.operand]
    once = [first_result(case, {case.operand: value}) for value in (operand, 4 * another(case))]
    if once[0].shape != operand.shape:
        return None
    finite = [value for value in once if value.isfinite().all()]
    return all(equal(first_result(case, {case.operand: value}), value) for value in finite)


def _is_multiplied(case: Case) -> bool:
    """Look for an operand whose zero makes the result zero, as this one's does."""
    held = at_rest(case)
    if not _keeps_zero(case):
        return False
    others = [y for y in others_of(case, case.operand) if y not in held]
    results = [first_result(case, held | zeroed(case, y, *_without_x(case, y))) for y in others]
    return any(equal(result, torch.zeros_like(result)) for result in results)


def _without_x(case: Case, y: int) -> list[int]:
    return [k for k in partners(case, y) if k != case.operand]


def _moves(case: Case) -> bool:
    """Say whether what changes with the operand is always the same entry of it."""
    places = [_movement(case, seed) for seed in range(4)]
    return None not in places[0] and all(place == places[0] for place in places)


def _movement(case: Case, seed: int) -> list[int | None]:
    """Find each entry of the result in a random operand; -1 where it never changes."""
    operand = case.run.operands[case.operand]
    draw = torch.randn(operand.shape, generator=torch.Generator().manual_seed(seed)).to(
        operand.dtype
    )
    start, now = (
        first_result(case, {case.operand: value}).reshape(-1) for value in (another(case), draw)
    )
    seen = draw.to(case.run.results[0].dtype)
    places = {value: place for place, value in enumerate(real(seen).reshape(-1).tolist())}
    pairs = zip(start.tolist(), now.tolist(), strict=True)
    return [-1 if old == new else places.get(new) for old, new in pairs]


@dataclass(frozen=True, slots=True, eq=False)
class _Removal:
    """An axis of operand k by the dims it is, per operand, and in the first result."""

    dims: dict[int, int]
    result: int | None


def _is_neutral(case: Case, word: str) -> bool | None:
    verdicts = [
        _entry_is_neutral(case, removal, at, word, value)
        for value in (case.run.operands[case.operand], another(case))
        for removal in _removals(case)
        for at in range(case.run.operands[case.operand].shape[removal.dims[case.operand]])
    ]
    known = [holds for holds in verdicts if holds is not None]
    return all(known) if known else None


def _removals(case: Case) -> Iterator[_Removal]:
    """Find the reduced or mixed axes of an operand that are whole dims wherever they stand."""
    bound = case.bound
    bad = {name for pick in bound.picks for name in (pick.axis, pick.source)}
    bad |= {operand.values for operand in bound.inputs if operand.values is not None}
    bad |= _split(bound)
    for dim in bound.inputs[case.operand].dims:
        for axis in (a for part in dim for a in part if a.name not in bad):
            stays = _dim_of(bound.outputs[0], axis.name)
            if bound.sizes[axis.name] > 1 and _is_lost(case, axis, stays):
                places = {k: _dim_of(operand, axis.name) for k, operand in enumerate(bound.inputs)}
                yield _Removal({k: at for k, at in places.items() if at is not None}, stays)


def _is_lost(case: Case, axis: Axis, stays: int | None) -> bool:
    """Say whether an axis is mixed, or reduced by an op that does not know positions along it."""
    if stays is not None:
        return axis.mixed
    return is_symmetric(case.run, case.bound, {axis.name}, results=1)


def _split(bound: Bound) -> set[str]:
    """Name the axes that are somewhere less than one whole dim, or stand twice in a tensor."""
    names: set[str] = set()
    for operand in (*bound.inputs, bound.outputs[0]):
        whole = [dim[0][0].name for dim in operand.dims if len(dim) == 1 == len(dim[0])]
        every = [axis.name for dim in operand.dims for part in dim for axis in part]
        names |= {name for name in every if every.count(name) != whole.count(name)}
        names |= {name for name in every if every.count(name) > 1}
    return names


def _dim_of(operand: BoundOperand, name: str) -> int | None:
    names = [[axis.name for part in dim for axis in part] for dim in operand.dims]
    return next((place for place, dim in enumerate(names) if name in dim), None)


def _entry_is_neutral(
    case: Case, removal: _Removal, at: int, word: str, value: Tensor
) -> bool | None:
    """Compare a candidate with the removal of its entry; None where any value would do."""
    k = case.operand
    operands = {y: case.run.operands[y] for y in removal.dims} | {k: value}
    try:
        removed = {y: without(operands[y], dim, at) for y, dim in removal.dims.items()}
        expected = first_result(case, removed)
        filled = filled_in(value, removal.dims[k], at, word)
        seen = [first_result(case, {k: filled}), first_result(case, {k: value})]
    except REFUSALS:
        return None
    if removal.result is not None:
        seen = [without(result, removal.result, at) for result in seen]
    if seen[0].shape != expected.shape or equal(seen[1], expected):
        return None
    return equal(seen[0], expected)
