"""Parting: where two models that should compute the same begin to differ.

Knows the values of both, op by op. Does not know why they differ, nor which values correspond
(`_correspond`).

A value may be a multiple of the old one, or differ in parts that later ops undo: a plan may scale
what a norm divides again. So the walk begins at an output that is apart and goes back through
values that are apart, or that correspond to nothing; the first op that it reaches is the one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suture._adapter import adapter
from suture._correspond import Positions, data, matched, pairs
from suture._graph import Graph, Node
from suture._plan import Plan
from suture._report import Difference
from suture._subject import Subject
from suture._world import Array, Inputs, as_source

AGREEING = 1e-3
"""How far, relatively, the recorded ops may be from the model itself, to be believed."""


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """Two models with the weights that they run on: their own, or others by name."""

    plan: Plan
    source: Subject
    target: Subject
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None

    def outputs(self, world: Inputs) -> tuple[dict[str, Array], dict[str, Array]]:
        """Run both models on a world state."""
        theirs, ours = adapter(self.source.model), adapter(self.target.model)
        seen = as_source(self.plan, world, theirs.examples(self.source))
        before = theirs.run(self.source, seen, self.before)
        return before, ours.run(self.target, world, self.after)

    def values(self, world: Inputs) -> tuple[Values, Values]:
        """Run both models on a world state, op by op."""
        theirs, ours = adapter(self.source.model), adapter(self.target.model)
        seen = as_source(self.plan, world, theirs.examples(self.source))
        before = theirs.replay(self.source, seen, self.before)
        return Values(*before), Values(*ours.replay(self.target, world, self.after))


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """A graph, and the entries of its values."""

    graph: Graph
    entries: Mapping[int, Array]

    def give(self, outputs: Mapping[str, Array]) -> bool:
        """Whether they are what the model itself gives."""
        found = {name: self.entries[value] for name, value in self.graph.outputs.items()}
        return all(
            name in found and compared(array, found[name], AGREEING) == EQUAL
            for name, array in outputs.items()
        )

    def at(self, value: int, places: Sequence[Positions]) -> Iterator[Array]:
        """Give some entries of a value; nothing of one that has another shape than recorded.

        Statistics that an op gives in training alone have one on shapes, and none in truth.
        """
        if self.entries[value].shape == self.graph.values[value].shape:
            yield self.entries[value][np.ix_(*places)]


@dataclass(frozen=True, slots=True)
class State:
    """How a new value is to the old one: `factor` times it, but for `rest` of its size."""

    factor: float
    rest: float

    @property
    def scaled(self) -> bool:
        """Whether it is a multiple of the old value and not the same."""
        return self.rest == 0 and self.factor != 1

    def __str__(self) -> str:
        if self.scaled:
            return f"{self.factor:.3g} times the old values"
        return f"relative difference {self.rest:.1e}"


EQUAL = State(1.0, 0.0)


def parting(ran: Ran, worlds: Sequence[Inputs], apart: Sequence[Difference]) -> str:
    """Name the first op behind which the values of two models stay apart.

    Args:
        ran: both models and the weights that they run on.
        worlds: world states; the first that shows a difference counts.
        apart: the outputs that are apart.

    Returns:
        `at` the module and the op of the target, and by how much; or why it is not known.

    Example:
        >>> str(State(1.0, 0.03)), str(State(1.25, 0.0))
        ('relative difference 3.0e-02', '1.25 times the old values')
    """
    tolerance, said = min(each.tolerance for each in apart), ""
    for world in worlds:
        before, after = ran.values(world)
        outputs = ran.outputs(world)
        if not (before.give(outputs[0]) and after.give(outputs[1])):
            return "nobody knows where: the recorded ops do not give what the models give"
        found = matched(ran.plan, before.graph, after.graph)
        if found is None:
            return "nobody knows where: nothing tells which values of the two models correspond"
        states = {
            pair.target: compared(old, new, tolerance)
            for pair in pairs(found)
            for old in before.at(pair.source, [left for left, _ in pair.places])
            for new in after.at(pair.target, [right for _, right in pair.places])
        }
        said = _named(after.graph, states, [each.name for each in apart])
        if said:
            return said
    return said or "nobody knows where: every value that corresponds to an old one agrees with it"


def compared(old: Array, new: Array, tolerance: float) -> State:
    """Say how a value is to another, up to rounding."""
    if old.shape != new.shape:
        return State(1.0, float("inf"))
    if old.dtype.kind not in "fc":
        return EQUAL
    with np.errstate(all="ignore"):
        same = (old == new) | (np.isnan(old) & np.isnan(new))
        old, new = (
            np.where(same & ~np.isfinite(old), 0, old),
            np.where(same & ~np.isfinite(new), 0, new),
        )
        plain = _rest(old, new, 1.0)
        if plain <= tolerance:
            return EQUAL
        factor = _factor(old, new)
        rest = _rest(old, new, factor)
    if rest <= tolerance:
        return State(factor, 0.0)
    return State(factor, rest) if rest < plain else State(1.0, plain)


def _rest(old: Array, new: Array, factor: float) -> float:
    """Give the largest difference over the largest entry."""
    size = factor * float(np.abs(old).max(initial=0.0))
    apart = float(np.abs(new - factor * old).max(initial=0.0))
    if not np.isfinite(apart):
        return float("inf")
    return apart / size if size else (0.0 if apart == 0 else float("inf"))


def _factor(old: Array, new: Array) -> float:
    """Find the factor of most entries; one wrong entry does not change it."""
    large = np.abs(old) > 1e-3 * np.abs(old).max(initial=0.0)
    ratios = np.real(new[large] / old[large])
    factor = float(np.median(ratios)) if ratios.size else 1.0
    return factor if np.isfinite(factor) and factor > 0 else 1.0


def _named(graph: Graph, states: Mapping[int, State], outputs: Sequence[str]) -> str:
    """Name the first op on the way back from outputs through what is apart."""
    apart = {value for value, state in states.items() if state.rest > 0}
    scaled = {value for value, state in states.items() if state.scaled}
    ends = [graph.outputs[name] for name in outputs]
    unknown = data(graph) - states.keys()
    for wanted in (apart, apart | scaled):
        number = _first(graph, ends, wanted, unknown)
        if number is not None:
            node = graph.nodes[number]
            worst = max((states[v] for v in node.outputs if v in wanted), key=lambda s: s.rest)
            return f"at {_place(node)}: {worst}"
    return ""


def _first(
    graph: Graph, ends: Sequence[int], wanted: Collection[int], unknown: Collection[int]
) -> int | None:
    """Go back from values to the first node that gives a wanted one."""
    makers = {value: at for at, node in enumerate(graph.nodes) for value in node.outputs}
    waiting, seen = list(ends), set[int]()
    found: list[int] = []
    while waiting:
        value = waiting.pop()
        if value in seen or value not in makers or not (value in wanted or value in unknown):
            continue
        seen.add(value)
        found += [makers[value]] if value in wanted else []
        waiting += graph.nodes[makers[value]].inputs
    return min(found, default=None)


def _place(node: Node) -> str:
    op = node.op.rpartition(".")[0].removeprefix("aten.")
    return f"{node.place.module or node.place.line} ({op})"
