"""Verification: run both models on the same world states and measure how far their outputs are apart.

Knows what is compared and how. Does not know why outputs part: that is the plan's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from suture._adapter import adapter
from suture._errors import PlanError
from suture._plan import Placement, Plan
from suture._promise import lost_names
from suture._subject import Subject
from suture._world import Array, Inputs, as_source, draw, spread

STATES = 8
"""World states drawn where none are given."""

ROUNDING = 512
"""Rounding errors, in units of the dtype's epsilon, that still count as equal outputs."""

_EPS = {"f64": 2.0**-52, "f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one output is apart: largest absolute difference, and that over the largest old entry."""

    name: str
    max_abs: float
    max_rel: float
    tolerance: float


@dataclass(frozen=True, slots=True)
class Report:
    """What verification measured.

    Attributes:
        outputs: one difference per output that both models have.
        states: the number of world states.
        held: what the source alone sees, held at 0.
    """

    outputs: tuple[Difference, ...]
    states: int
    held: tuple[str, ...] = ()

    @property
    def max_abs_diff(self) -> float:
        """The largest absolute difference over all outputs."""
        return max((output.max_abs for output in self.outputs), default=0.0)

    @property
    def max_rel_diff(self) -> float:
        """The largest difference relative to the largest old entry of its output."""
        return max((output.max_rel for output in self.outputs), default=0.0)

    @property
    def equal(self) -> bool:
        """Whether all outputs are equal to rounding."""
        return all(output.max_rel <= output.tolerance for output in self.outputs)

    def __str__(self) -> str:
        width = max((len(output.name) for output in self.outputs), default=0)
        lines = [f"{self.states} world states" + (f", {', '.join(self.held)} held at 0" if self.held else "")]
        lines += [
            f"  {output.name:<{width}}  max |difference| {output.max_abs:.2e}  relative {output.max_rel:.2e}"
            for output in self.outputs
        ]
        return "\n".join(lines)


def verify(
    plan: Plan, source: Subject, target: Subject, states: int | Iterable[Inputs] | None = None
) -> Report:
    """Measure whether the target computes what the source computes.

    Args:
        plan: the plan that was applied.
        source: the old model with its weights.
        target: the new model with the weights carried over.
        states: how many world states to draw (8 if None), or real batches: the target's inputs by
            keypath.

    Returns:
        The differences per output, over the entries that both models have. Features that only the
        source sees are held at 0.

    Raises:
        PlanError: a batch lacks an input of the target.
    """
    ours, theirs = adapter(target.model), adapter(source.model)
    old, new = theirs.examples(source), ours.examples(target)
    worlds = _worlds(plan, states, new)
    shared = [placement for placement in plan.outputs if placement.source and placement.target]
    pairs: dict[str, list[tuple[Array, Array]]] = {placement.name: [] for placement in shared}
    for world in worlds:
        before = theirs.run(source, as_source(plan, world, old))
        after = ours.run(target, world)
        for placement in shared:
            pairs[placement.name].append(_shared(placement, before, after))
    differences = tuple(_difference(placement, pairs[placement.name]) for placement in shared)
    return Report(differences, len(worlds), held(plan))


def held(plan: Plan) -> tuple[str, ...]:
    """List what the source alone sees, by name."""
    return tuple(
        name
        for placement in plan.inputs
        if placement.source is not None
        for name in lost_names(placement)
    )


def _worlds(plan: Plan, states: int | Iterable[Inputs] | None, examples: Inputs) -> list[Inputs]:
    if states is None or isinstance(states, int):
        rng = np.random.default_rng(0)
        return [draw(plan, examples, rng) for _ in range(STATES if states is None else states)]
    worlds = list(states)
    needed = [p.name for p in plan.inputs if p.target is not None]
    lacking = [
        (f"batch {number}", f"has no {name!r}")
        for number, world in enumerate(worlds)
        for name in needed
        if name not in world
    ]
    if lacking:
        raise PlanError("A batch gives every input of the target.", lacking)
    return worlds


def _shared(
    placement: Placement, before: Mapping[str, Array], after: Mapping[str, Array]
) -> tuple[Array, Array]:
    """The entries of one output that both models have."""
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
    return Difference(placement.name, largest, float(relative), _tolerance(placement))


def _tolerance(placement: Placement) -> float:
    dtypes = [tensor.dtype for tensor in (placement.source, placement.target) if tensor]
    return min(max(ROUNDING * _EPS.get(dtype, 0.0) for dtype in dtypes), 0.1)
