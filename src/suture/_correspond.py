"""Correspondence: which values of two graphs are the same thing, and at which positions.

Knows ops in order and units along dims. Does not know what values hold (`_parting`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from suture._axes import Class
from suture._couple import Column, Layout, couple
from suture._errors import SutureError
from suture._graph import Graph, Node
from suture._match import Match, match
from suture._occurrences import IMPLICIT
from suture._plan import Plan
from suture._roles import tags

Positions = NDArray[np.int64]
Places = tuple[Positions, Positions]
"""Positions along one dim, source and target, that hold the same."""

Word = tuple[str, frozenset[str]]
"""What a node computes: its op, and the parameters that it reads."""

FRESH = -1
_NAMELESS = IMPLICIT - 1
_SPREAD = 1_000_003


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A value of the source and the target's, with the positions along each dim that correspond."""

    source: int
    target: int
    places: tuple[Places, ...]


def matched(plan: Plan, source: Graph, target: Graph) -> Match | None:
    """Match two graphs as their plan did; None where that is not known any more."""
    try:
        return match(couple(source), couple(target), _rules(plan))
    except SutureError:
        return None


def _rules(plan: Plan) -> dict[str, str]:
    """Give tensors the names of those that they became, by a detour: names may be swapped."""
    pairs = [(t.source.name, t.target.name) for t in plan.tensors if t.source is not None]
    renamed = {f"^{re.escape(old)}$": f">{new}" for old, new in pairs if old != new}
    return {**renamed, "^>": ""} if renamed else {}


def pairs(found: Match) -> Iterator[Pair]:
    """Pair the values that hold data, in order of use, where a part of them corresponds."""
    positions = _Positions(found)
    graphs = found.source.graph, found.target.graph
    back = {source: target for target, source in found.pairs.tensors.items()}
    theirs, ours = (_with_data(graph) for graph in graphs)
    words = _words(graphs[0], theirs, back), _words(graphs[1], ours, {})
    for one, other in _aligned(*words):
        for old, new in zip(theirs[one].outputs, ours[other].outputs, strict=False):
            places = positions.of(old, new)
            if places is not None:
                yield Pair(old, new, places)


def _aligned(source: list[Word], target: list[Word]) -> Iterator[tuple[int, int]]:
    """Pair what is computed alike in order, and what stands in its place, if it is as much."""
    spans = SequenceMatcher(None, source, target, autojunk=False).get_opcodes()
    for how, start, stop, begin, end in spans:
        if how == "equal" or (how == "replace" and stop - start == end - begin):
            yield from zip(range(start, stop), range(begin, end), strict=True)


def _with_data(graph: Graph) -> list[Node]:
    held = data(graph)
    return [node for node in graph.nodes if not held.isdisjoint(node.outputs)]


def data(graph: Graph) -> set[int]:
    """List the values that an input reaches."""
    found = set(graph.inputs.values())
    for node in graph.nodes:
        if not found.isdisjoint(node.inputs):
            found.update(node.outputs)
    return found


def _words(graph: Graph, nodes: Sequence[Node], names: dict[str, str]) -> list[Word]:
    """Say of each node what it computes, and with which parameters."""
    followed = tags(graph)
    held = {v: frozenset(n for dim in dims for n, _ in dim) for v, dims in followed.items()}
    return [
        (
            node.op,
            frozenset(names.get(n, n) for value in node.inputs for n in held.get(value, ())),
        )
        for node in nodes
    ]


@dataclass(slots=True, eq=False)
class _Positions:
    """Which positions along axes correspond, each pair of axes once."""

    match: Match
    found: dict[tuple[Class, Class], Places] = field(default_factory=dict)

    def of(self, source: int, target: int) -> tuple[Places, ...] | None:
        """Give the positions along every dim of two values; None if they have none in common."""
        sides = self.match.source, self.match.target
        theirs, ours = sides[0].axes.dims[source], sides[1].axes.dims[target]
        if len(theirs) != len(ours):
            return None
        places = tuple(self._along(*dims) for dims in zip(theirs, ours, strict=True))
        return places if all(len(left) for left, _ in places) else None

    def _along(self, source: Class, target: Class) -> Places:
        sides = self.match.source, self.match.target
        key = sides[0].axes.find(source), sides[1].axes.find(target)
        if key not in self.found:
            theirs, ours = (side.layout(each) for side, each in zip(sides, key, strict=True))
            known = self.match.same, self.match.partner
            self.found[key] = _common(_codes(theirs, known[0]), _codes(ours, known[1]))
        return self.found[key]


def _codes(layout: Layout, known: Column) -> Positions:
    """Give each position a number that tells its units, as the source numbers them."""
    return np.concatenate([_segment(segment, known) for segment in layout])


def _segment(segment: Sequence[Column], known: Column) -> Positions:
    columns = [_column(column, known) for column in segment if len(column) != 1]
    if not columns:
        return np.full(len(segment[0]), IMPLICIT)
    fresh = reduce(np.logical_or.outer, [column == FRESH for column in columns]).ravel()
    codes = reduce(lambda one, other: np.add.outer(one * _SPREAD, other), columns).ravel()
    return np.where(fresh, FRESH, codes)


def _column(column: Column, known: Column) -> Positions:
    """Write a factor in the source's units; one of an axis that no tensor has, by position."""
    nameless = _NAMELESS - np.arange(len(column))
    return np.where(column >= 0, known[column] if len(known) else nameless, nameless)


def _common(theirs: Positions, ours: Positions) -> Places:
    """Pair equal numbers, in order where one stands several times, on both sides as often."""
    left, right = _counted(theirs), _counted(ours)
    even = {code for code, at in left.items() if len(at) == len(right.get(code, ()))}
    return _listed(left, even), _listed(right, even)


def _counted(codes: Positions) -> dict[int, Positions]:
    order = np.argsort(codes, kind="stable")
    found, starts = np.unique(codes[order], return_index=True)
    groups = zip(found.tolist(), np.split(order, starts[1:]), strict=False)
    return {code: at for code, at in groups if code != FRESH}


def _listed(groups: dict[int, Positions], codes: Collection[int]) -> Positions:
    empty = np.empty(0, np.int64)
    return np.concatenate([empty, *(groups[code] for code in sorted(codes))])
