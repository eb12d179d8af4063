"""Verification: run both models on the same world states and measure how far they are apart.

Knows what is compared and how. Does not know where outputs part (`_parting`), nor why: that is the
plan's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from suture._adapter import adapter, trace
from suture._apply import apply
from suture._errors import PlanError, TraceError
from suture._parting import Ran, parting
from suture._plan import Placement, Plan
from suture._promise import lost_names
from suture._report import Difference, Report
from suture._subject import Subject
from suture._world import Array, Inputs, draw, spread

STATES = 8
"""World states drawn where none are given."""

GENERIC = 2
"""World states with generic weights."""

LARGE = 1 << 31
"""Bytes of weights, of both models together, above which no generic ones are drawn unasked."""

ROUNDING = 512
"""Rounding errors, in units of the dtype's epsilon, that still count as equal outputs."""

_EPS = {"f64": 2.0**-52, "f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}


def verify(
    plan: Plan,
    source: Subject,
    target: Subject,
    states: int | Iterable[Inputs] | None = None,
    generic: int | None = None,
) -> Report:
    """Measure whether the target computes what the source computes.

    Both run on world states with the weights that they hold, and on a few with *generic* ones:
    matrices N(0, 1/fan_in), vectors N(0, 1), drawn for the source and carried over by the plan.
    Small activations, as of a model that was not trained for long, hide faults under the tolerance.
    The models' own weights are not touched.

    Where outputs are apart, both are run once more op by op, and the report names the first one
    behind which they stay apart.

    Args:
        plan: the plan that was applied.
        source: the old model with its weights.
        target: the new model with the weights carried over.
        states: how many world states to draw (8 if None), or real batches: the target's inputs by
            keypath.
        generic: how many of them to run with generic weights, which take as much memory again as
            both models. If None, 2, or none where the models' weights take more than 2 GiB or a
            model does not run on others.

    Returns:
        The differences per output, over the entries that both models have. Features that only the
        source sees are held at 0, or where the plan says; rescaled ones are set back for it.

    Raises:
        PlanError: the plan was made for other inputs or outputs, or a batch does not give every
            input of the target, in the shape of its example.
        TraceError: a model does not run on the generic weights that were asked for.

    Example:
        >>> import torch
        >>> from suture import transfer
        >>> def subject(width):
        ...     layers = torch.nn.Linear(3, width), torch.nn.Tanh(), torch.nn.Linear(width, 2)
        ...     return Subject(torch.nn.Sequential(*layers), (torch.zeros(5, 3),))
        >>> source, target = subject(4), subject(6)
        >>> verify(transfer(source, target), source, target).equal
        True
    """
    return located(measure(plan, source, target, states, generic))


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured, and by what: `misses` are the runs whose outputs are apart."""

    report: Report
    worlds: Sequence[Inputs]
    misses: tuple[tuple[Ran, tuple[Difference, ...]], ...]


def located(measured: Measured) -> Report:
    """Say where the values part, of runs whose outputs are apart."""
    for ran, differences in measured.misses[:1]:
        return replace(measured.report, parted=parting(ran, measured.worlds, differences))
    return measured.report


def measure(
    plan: Plan,
    source: Subject,
    target: Subject,
    states: int | Iterable[Inputs] | None = None,
    generic: int | None = None,
) -> Measured:
    """Run both models and compare them; see `verify`."""
    ours, theirs = adapter(target.model), adapter(source.model)
    old, new = theirs.examples(source), ours.examples(target)
    _check_sides("inputs", plan.inputs, old, new)
    _same_models(plan, source, target)
    concrete = {name for name in new if source.keeps(name) or target.keeps(name)}
    worlds = _worlds(plan, states, old, new, concrete)
    runs = [(own := Ran(plan, source, target), _measured(own, worlds))]
    some, left_out = worlds[: GENERIC if generic is None else generic], ""
    if generic is None and _bytes(source, target) > LARGE:
        some, left_out = [], "the models are large"
    if some:
        try:
            runs.append((drawn := _drawn(plan, source, target), _measured(drawn, some)))
        except TraceError as error:
            if generic is not None:
                raise
            some, left_out = [], error.sentence.rstrip(".")
    at = {each.name: each.value for placement in plan.inputs for each in placement.held}
    others = runs[1][1] if some else ()
    report = Report(
        runs[0][1], len(worlds), held(plan), others, len(some), held_at=at, left_out=left_out
    )
    apart = [(ran, tuple(one for one in found if not one.equal)) for ran, found in runs]
    return Measured(report, worlds, tuple((ran, found) for ran, found in apart if found))


def _bytes(source: Subject, target: Subject) -> int:
    return sum(adapter(each.model).size(each.model) for each in (source, target))


def _drawn(plan: Plan, source: Subject, target: Subject) -> Ran:
    """Draw generic weights and carry them over."""
    weights = adapter(source.model).generic(source, 1)
    initial = adapter(target.model).generic(target, 2)
    return Ran(plan, source, target, weights, apply(plan, weights, initial))


def _measured(ran: Ran, worlds: Sequence[Inputs]) -> tuple[Difference, ...]:
    """Run both models on world states and compare what both give."""
    plan = ran.plan
    shared = [placement for placement in plan.outputs if placement.source and placement.target]
    pairs: dict[str, list[tuple[Array, Array]]] = {placement.name: [] for placement in shared}
    for world in worlds:
        before, after = ran.outputs(world)
        _check_sides("outputs", plan.outputs, before, after)
        for placement in shared:
            pairs[placement.name].append(_shared(placement, before, after))
    return tuple(_difference(placement, pairs[placement.name]) for placement in shared)


def _same_models(plan: Plan, source: Subject, target: Subject) -> None:
    """Refuse models, or names, that the plan was not made for."""
    sides = (("source", plan.source, source), ("target", plan.target, target))
    facts = [
        (side, f"is {found[:12]}; the plan was made for {wanted[:12]}")
        for side, wanted, subject in sides
        for found in [trace(subject).fingerprint]
        if found != wanted
    ]
    if facts:
        raise PlanError(
            "The plan was made for other models.", facts, "make a plan for these two models"
        )


def held(plan: Plan) -> tuple[str, ...]:
    """List what the source alone sees, by name."""
    return tuple(
        name
        for placement in plan.inputs
        if placement.source is not None
        for name in lost_names(placement)
    )


def _worlds(
    plan: Plan,
    states: int | Iterable[Inputs] | None,
    old: Inputs,
    examples: Inputs,
    concrete: Set[str],
) -> list[Inputs]:
    if states in (0, []) or (isinstance(states, int) and states < 0):
        raise PlanError("Verification needs at least one world state.", [("states", f"{states!r}")])
    if states is None or isinstance(states, int):
        if any(p.source and p.target and p.values == () for p in plan.inputs):
            return []  # no state is known to both: every value that the old table knew is gone
        rng = np.random.default_rng(0)
        count = STATES if states is None else states
        return [draw(plan, old, examples, rng, concrete) for _ in range(count)]
    worlds: list[Inputs] = [
        {name: np.asarray(given) for name, given in world.items()} for world in states
    ]
    facts = [
        (f"batch {number}", text)
        for number, world in enumerate(worlds)
        for name in [placement.name for placement in plan.inputs if placement.target]
        for text in _unlike(name, world.get(name), examples[name])
    ]
    if facts:
        sentence = "A batch gives every input of the target, in the shape of its example."
        raise PlanError(sentence, facts)
    return worlds


def _unlike(name: str, given: Array | None, example: Array) -> Iterator[str]:
    if given is None:
        yield f"has no {name!r}"
    elif given.shape != example.shape:
        yield f"{name!r} is {_sizes(given.shape)}, the example {_sizes(example.shape)}"


def _sizes(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _check_sides(what: str, placements: Sequence[Placement], old: Inputs, new: Inputs) -> None:
    """Refuse models that take or give something else than those that a plan was made for."""
    sides = (
        ("source", old, {p.name: p.source for p in placements if p.source}),
        ("target", new, {p.name: p.target for p in placements if p.target}),
    )
    facts = [
        (side, f"{name} is {shape}; the plan was made for {wanted}")
        for side, arrays, tensors in sides
        for name in {**tensors, **arrays}
        for shape in [_sizes(arrays[name].shape) if name in arrays else "missing"]
        for wanted in [_sizes(tensors[name].shape) if name in tensors else "none"]
        if shape != wanted
    ]
    if facts:
        hint = "make a plan for these two models"
        raise PlanError(f"The plan was made for other {what}.", facts, hint)


def _shared(
    placement: Placement, before: Mapping[str, Array], after: Mapping[str, Array]
) -> tuple[Array, Array]:
    """Take the entries of one output that both models have."""
    theirs, ours = zip(*map(spread, placement.dims), strict=True) if placement.dims else ((), ())
    return before[placement.name][np.ix_(*theirs)], after[placement.name][np.ix_(*ours)]


def _difference(placement: Placement, pairs: list[tuple[Array, Array]]) -> Difference:
    old = np.concatenate([before.ravel() for before, _ in pairs] or [np.empty(0)]).astype(float)
    new = np.concatenate([after.ravel() for _, after in pairs] or [np.empty(0)]).astype(float)
    same = (old == new) | (np.isnan(old) & np.isnan(new))
    apart = np.where(same, 0.0, np.abs(np.where(same, 0.0, old) - np.where(same, 0.0, new)))
    apart = np.where(np.isnan(apart), np.inf, apart)
    size = np.abs(old[np.isfinite(old)]).max(initial=0.0)
    largest = float(apart.max(initial=0.0))
    relative = largest / size if size else (0.0 if largest == 0 else float("inf"))
    numbers = int(np.count_nonzero(~np.isnan(old)))
    return Difference(placement.name, largest, float(relative), _tolerance(placement), numbers)


def _tolerance(placement: Placement) -> float:
    dtypes = [tensor.dtype for tensor in (placement.source, placement.target) if tensor]
    return min(max(ROUNDING * _EPS.get(dtype, 0.0) for dtype in dtypes), 0.1)
