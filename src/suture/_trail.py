"""Trails: what reached an entry on its way: features, ops, parameters, and values of constants.

Knows what units do not tell: what a network takes by position (a slice, a window, a constant laid
along an axis). Where two networks do the same to what they preserve, they leave the same trails.
Does not know features that one side alone sees (`_strange`), nor what a note says (`_promise`).

Every entry of a mixed axis stands for itself, so that a norm does not blur what lies where; what
parameters carry no further leaves no trail.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from suture._axes import Class
from suture._features import Features
from suture._flow import ends, flow, unite
from suture._graph import Graph, Node
from suture._interactions import with_constants
from suture._match import Match
from suture._occurrences import Positions
from suture._plan import Placement
from suture._sets import EMPTY, Ids, Sets
from suture._side import Side
from suture._strange import Maps, Unread, unread
from suture._world import spread

LARGE = 1 << 16
"""Entries of a constant, such as a mask of many tokens, that are not told apart."""


@dataclass(slots=True, eq=False)
class Trail:
    """The trails in one graph.

    Attributes:
        side: one side of a match.
        graph: its graph, with every entry of a mixed axis for itself.
        called: parameter -> its name in the source.
        rows: table that constants choose from -> what its rows are called.
        unread: what parameters leave unread.
        sets: the sets of both sides.
        marks: what leaves a trail but is no feature -> the set of it alone.
        carried: value of data -> the trails of its entries.
        laid: value that depends on no data -> what its entries leave, where they differ.
        read: parameter and dim -> the trails that it reads along it.
    """

    side: Side
    graph: Graph
    called: Mapping[str, str]
    rows: Mapping[int, Sequence[str]]
    unread: Unread
    sets: Sets = field(default_factory=lambda: Sets(0))
    marks: Mapping[str, int] = field(default_factory=dict)
    carried: dict[int, Ids] = field(default_factory=dict)
    laid: dict[int, Ids] = field(default_factory=dict)
    read: dict[tuple[str, int], list[Ids]] = field(default_factory=lambda: defaultdict(list))

    def run(self, features: Features) -> None:
        """Follow features from the inputs to the outputs."""
        last = len(features.names)
        for name, value in self.graph.inputs.items():
            nothing = np.full((1,) * (len(self.graph.values[value].shape) + 1), EMPTY)
            ids = features.inputs.get(name, nothing)
            self.carried[value] = np.where(ids == last, EMPTY, ids)
        reads = self._reads()
        for number, node in enumerate(self.graph.nodes):
            self._lay(node)
            if self._data(node):
                for name, dim, member in reads.get(number, ()):
                    self.read[name, dim] += self._along(node, member)
                self._pass(number, node)
            elif self.graph.constants.keys().isdisjoint(node.outputs):
                self._hand_on(node)

    def at(self, output: str, positions: Sequence[Positions]) -> Ids:
        """Give the trails at some positions of an output, dim by dim."""
        ids = self.carried.get(self.graph.outputs[output])
        if ids is None:
            return np.array(EMPTY)
        whole = self.sets.union(ids)
        pairs = zip(positions, whole.shape, strict=True)
        return whole[np.ix_(*(at if size > 1 else at[:1] * 0 for at, size in pairs))]

    def along(self, name: str, dim: int, positions: Positions) -> Ids | None:
        """Give the trails that a parameter reads at some positions of a dim, if it reads."""
        read = self.read.get((name, dim))
        if not read:
            return None
        taken = [ids[positions] if len(ids) > 1 else ids for ids in read]
        return self.sets.union(np.stack(np.broadcast_arrays(positions, *taken)[1:], axis=-1))

    def said(self) -> Iterator[str]:
        """List all that may leave a trail but features."""
        for number, node in enumerate(self.graph.nodes):
            yield from self._named(number, node)
            for value in node.inputs:
                entries = self._entries(value)
                yield from () if entries is None else map(str, np.unique(entries).tolist())
        for rows in self.rows.values():
            yield from rows

    def _named(self, number: int, node: Node) -> Iterator[str]:
        """Name the op of a node, if it computes anything, and the parameters that it meets."""
        op = self.side.computes(self.side.units.graph.nodes[number])
        if op is not None:
            yield op
        for value in node.inputs:
            for name in {name for tag in self.side.parameters.get(value, ()) for name, _ in tag}:
                if name in self.called:
                    yield self.called[name]

    def _entries(self, value: int) -> Ids | None:
        """Give the entries of a constant that vary; None of anything else."""
        entries = self.graph.constants.get(value)
        if entries is None or not 1 < np.size(entries) <= LARGE:
            return None
        return None if (entries == entries.flat[0]).all() else entries

    def _lay(self, node: Node) -> None:
        """Mark the constants that a node reads."""
        for place, value in enumerate(node.inputs):
            entries = self._entries(value)
            if node.bound.inputs[place].values is None and entries is not None:
                numbers, back = np.unique(entries, return_inverse=True)
                marks = np.array([self.marks[str(number)] for number in numbers.tolist()])
                self.laid[value] = marks[back].reshape((*entries.shape, 1))

    def _hand_on(self, node: Node) -> None:
        """Mark what comes of marked values, and of the rows that constants choose, alone."""
        marked = {at: self.laid[v] for at, v in enumerate(node.inputs) if v in self.laid}
        marked |= {at: self._of_rows(node.inputs[at]) for at in _chosen(node, self.graph)}
        if marked:
            self.laid |= {
                v: self._flow(node, place, marked) for place, v in enumerate(node.outputs)
            }

    def _of_rows(self, table: int) -> Ids:
        rank = len(self.graph.values[table].shape)
        marks = [self.marks[row] for row in self.rows.get(table, [""])]
        return np.array(marks).reshape(-1, *(1,) * rank)

    def _pass(self, number: int, node: Node) -> None:
        read = {at: self._read(number, node, at) for at in self._data(node)}
        laid = {at: self.laid[value] for at, value in enumerate(node.inputs) if value in self.laid}
        here = [self.marks[name] for name in self._named(number, node)]
        for place, value in enumerate(node.outputs):
            ids = self._flow(node, place, read)
            beside = [np.array(mark).reshape((1,) * ids.ndim) for mark in here]
            beside += [self._flow(node, place, laid)] if laid else []
            whole = unite(self.sets, [ids, *beside])
            self.carried[value] = np.where(ids == EMPTY, EMPTY, whole)

    def _data(self, node: Node) -> list[int]:
        return [at for at, value in enumerate(node.inputs) if value in self.carried]

    def _flow(self, node: Node, place: int, found: Mapping[int, Ids]) -> Ids:
        bound = with_constants(node, self.graph)
        inputs, outputs = ends(bound)
        arrays = [
            flow(self.sets, bound, ids, inputs[at], outputs[place]) for at, ids in found.items()
        ]
        return unite(self.sets, arrays)

    def _read(self, number: int, node: Node, at: int) -> Ids:
        """Read an operand without what parameters leave unread."""
        value = node.inputs[at]
        ids = self.carried[value]
        if not node.algebra[at].moves and node.bound.inputs[at].values is None:
            ids = self.sets.union(ids)[..., None]
        for dim, member in enumerate(self.side.units.axes.dims[value]):
            left = self.unread.get((number, self.side.units.axes.find(member)))
            if left is not None:
                ids = np.where(left.reshape([-1] + [1] * (ids.ndim - 1 - dim)), EMPTY, ids)
        return ids

    def _reads(self) -> dict[int, list[tuple[str, int, Class]]]:
        """List the nodes on the way to shared outputs at which parameters read, and what."""
        relevant = {*self.side.relevant}
        found: dict[int, list[tuple[str, int, Class]]] = defaultdict(list)
        for name in self.called:
            for use in self.side.uses.get(name, ()):
                if use.node in relevant:
                    found[use.node] += [(name, dim, axis) for dim, axis in use.reads]
        return found

    def _along(self, node: Node, member: Class) -> Iterator[Ids]:
        """Give the trails along a class, of every operand that has it as a dim."""
        axes = self.side.units.axes
        for at in self._data(node):
            for dim, other in enumerate(axes.dims[node.inputs[at]]):
                if axes.find(other) == axes.find(member):
                    ids = np.moveaxis(self.carried[node.inputs[at]], dim, 0)
                    yield self.sets.union(ids.reshape(len(ids), -1))


def _chosen(node: Node, graph: Graph) -> Iterator[int]:
    """List the tables, as operands, of which constants choose the rows."""
    operands = [*zip(node.bound.inputs, node.inputs, strict=True)]
    by = [[o.values] for o, value in operands if graph.constants.get(value) is not None]
    for at, (operand, _) in enumerate(operands):
        rows = operand.dims[0] if operand.dims else ()
        if [axis.name for part in rows for axis in part] in by:
            yield at


def moved(
    match: Match, sides: tuple[Side, Side], outputs: Iterable[Placement], maps: Maps
) -> Iterator[str]:
    """Find preserved entries that other features reach than before, or on other ways.

    Args:
        match: which unit is which.
        sides: both sides of it.
        outputs: where the entries of outputs sit.
        maps: per dim of a paired tensor (by its target name), where its positions come from.

    Returns:
        The outputs, and the dims along which parameters read such entries.
    """
    theirs, ours = _trails(match, sides, maps)
    several = [name for name, count in Counter(match.pairs.tensors.values()).items() if count > 1]
    for (name, dim), found in maps.items():
        other, came = match.pairs.tensors[name], np.flatnonzero(found >= 0)
        old, new = theirs.along(other, dim, found[came]), ours.along(name, dim, came)
        if old is not None and new is not None and other not in several and (old != new).any():
            yield f"{name} dim {dim}"
    for one in outputs:
        if one.source is not None and one.target is not None:
            pairs = [spread(runs) for runs in one.dims]
            before = theirs.at(one.name, [went for went, _ in pairs])
            after = ours.at(one.name, [came for _, came in pairs])
            if (before != after).any():
                yield one.name


def _trails(match: Match, sides: tuple[Side, Side], maps: Maps) -> tuple[Trail, Trail]:
    pairs, seen = match.pairs.tensors, match.reach
    called = {name: name for name in pairs.values()}, pairs
    left = unread(match, maps)
    theirs, ours = (
        Trail(sides[i], seen[i].apart, called[i], _rows(match, maps)[i], left[i]) for i in (0, 1)
    )
    last = len(seen[0].features.names)
    said = dict.fromkeys(("", *theirs.said(), *ours.said()))
    marks = {name: last + place for place, name in enumerate(said, start=1)}
    sets = Sets(last + len(marks))
    for trail, reach in zip((theirs, ours), seen, strict=True):
        trail.sets, trail.marks = sets, marks
        trail.run(reach.features)
    return theirs, ours


def _rows(match: Match, maps: Maps) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Call the rows of tables that constants choose from by the source's; fresh ones alike."""
    rows: tuple[dict[int, list[str]], dict[int, list[str]]] = {}, {}
    for place, units in enumerate((match.source, match.target)):
        graph = units.graph
        chosen = {node.inputs[at] for node in graph.nodes for at in _chosen(node, graph)}
        for name, other in match.pairs.tensors.items():
            value = graph.parameters.get((other, name)[place])
            if value in chosen and (name, 0) in maps:
                found = maps[name, 0] if place else range(graph.values[value].shape[0])
                rows[place][value] = [f"{other} {at}" if at >= 0 else "" for at in found]
    return rows
