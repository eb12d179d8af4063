"""Moved: what a network takes by position where other entries are than before.

Knows that two networks which do the same to what they preserve leave the same trails (`_trail`) at
what they preserve: along the dims that parameters read, and at outputs. Does not know what a note
says (`_promise`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from suture._flow import ends
from suture._graph import Graph
from suture._leads import together, told
from suture._match import Match
from suture._plan import Placement
from suture._side import Side
from suture._strange import Maps, unread
from suture._trail import Marks, Trail, chosen
from suture._world import spread


def moved(
    match: Match,
    sides: tuple[Side, Side],
    outputs: Iterable[Placement],
    maps: Maps,
    kept: Iterable[tuple[int, str]],
    limited: frozenset[str],
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Find preserved entries that other features reach than before, or on other ways.

    Args:
        match: which unit is which.
        sides: both sides of it.
        outputs: where the entries of outputs sit.
        maps: per dim of a paired tensor (by its target name), where its positions come from.
        kept: node and axis of the target along which fresh entries are not heard.
        limited: outputs that are known not to be kept.

    Yields:
        For all other outputs the first dim along which a parameter reads such entries, with the
        outputs that it leads to as a note names them; else the outputs that hold some.
    """
    theirs, ours = _trails(match, sides, maps, kept)
    if theirs.marks.full:
        return
    pairs = match.pairs.tensors
    once = {name for name, count in Counter(pairs.values()).items() if count == 1}
    for name, dim in ours.read:
        if pairs[name] in once and (name, dim) in maps:
            found = maps[name, dim]
            came = np.flatnonzero(found >= 0)
            old, new = theirs.along(pairs[name], dim, found[came]), ours.along(name, dim, came)
            ahead = _ahead(match, sides[1], name)
            apart = old is not None and new is not None and bool((old != new).any())
            if apart and not ahead <= limited:
                limited |= ahead
                yield f"{name} dim {dim}", told(ahead, sides[1].shared)
    for one in outputs:
        if one.name not in limited and _differs(theirs, ours, one):
            yield one.name, told(frozenset([one.name]), sides[1].shared)


def _ahead(match: Match, side: Side, name: str) -> frozenset[str]:
    """Name the outputs that what a parameter reads leads to."""
    nodes = side.units.graph.nodes
    return together(side.ahead, (v for u in match.uses[1][name] for v in nodes[u.node].outputs))


def _differs(theirs: Trail, ours: Trail, output: Placement) -> bool:
    if output.source is None or output.target is None:
        return False
    pairs = [spread(runs) for runs in output.dims]
    old = theirs.at(output.name, [went for went, _ in pairs])
    new = ours.at(output.name, [came for _, came in pairs])
    return bool((old != new).any())


def _trails(
    match: Match, sides: tuple[Side, Side], maps: Maps, kept: Iterable[tuple[int, str]]
) -> tuple[Trail, Trail]:
    pairs, seen = match.pairs.tensors, match.reach
    called = {name: name for name in pairs.values()}, pairs
    left = unread(match, maps, kept)
    marks = Marks(len(seen[0].features.names))
    sums = frozenset(op for side in sides for op in _sums(side.units.graph))
    theirs, ours = (
        Trail(sides[i], seen[i].apart, called[i], _rows(match, maps)[i], left[i], marks, sums)
        for i in (0, 1)
    )
    for trail, reach in zip((theirs, ours), seen, strict=True):
        trail.run(reach.features)
    return theirs, ours


def _rows(match: Match, maps: Maps) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Call the rows of tables that constants choose from by the source's; fresh ones alike."""
    rows: tuple[dict[int, list[str]], dict[int, list[str]]] = {}, {}
    for place, units in enumerate((match.source, match.target)):
        graph = units.graph
        tables = {node.inputs[at] for node in graph.nodes for at in chosen(node, graph)}
        for name, other in match.pairs.tensors.items():
            value = graph.parameters.get((other, name)[place])
            if value in tables and (name, 0) in maps:
                found = maps[name, 0] if place else range(graph.values[value].shape[0])
                rows[place][value] = [f"{other} {at}" if at >= 0 else "" for at in found]
    return rows


def _sums(graph: Graph) -> Iterator[str]:
    """Name the ops that add or multiply entries, which stand in no order."""
    for node in graph.nodes:
        inputs, outputs = ends(node.bound)
        kept = frozenset().union(*(end.axes for end in outputs))
        meetings = {algebra.meeting for algebra in node.algebra}
        if meetings in ({"add"}, {"mul"}) and all(end.axes <= kept for end in inputs):
            yield node.op.rpartition(".")[0]
