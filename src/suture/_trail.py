"""Trails: what became of features on the way to an entry: by which ops, parameters and constants.

Knows what units do not tell: what a network takes by position (a slice, a window, a constant laid
along an axis). Where two networks do the same to what they preserve, they leave the same trails.
Does not know features that one side alone sees (`_strange`), nor what a note says (`_promise`).

A trail is a set of marks: a feature, a parameter, a value of a constant, or an op with the trail of
all that it read. Every entry of a mixed axis stands for itself, so that a norm does not blur what
lies where; what parameters carry no further leaves no trail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from suture._axes import Class
from suture._features import Features
from suture._flow import ends, flow, unite
from suture._graph import Graph, Node
from suture._interactions import with_constants
from suture._occurrences import Positions
from suture._sets import EMPTY, Ids, Sets
from suture._side import Side
from suture._strange import Unread

LARGE = 1 << 16
"""Entries of a constant, such as a mask of many tokens, and marks that are not told apart."""


@dataclass(slots=True, eq=False)
class Marks:
    """Numbers for marks, on both sides alike; features have the first.

    Attributes:
        taken: how many are given away.
        sets: the sets of marks.
    """

    taken: int
    sets: Sets = field(init=False)
    _known: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sets = Sets(self.taken + LARGE)

    @property
    def full(self) -> bool:
        """Whether marks were left out for want of numbers."""
        return self.taken > self.sets.count

    def of(self, word: str, ids: Ids | int = EMPTY) -> Ids:
        """Give the mark of a word with each of some sets, as the set of it alone."""
        distinct, back = np.unique(ids, return_inverse=True)
        found = np.array([self._of(word, number) for number in distinct.tolist()])
        return found[back].reshape(np.shape(ids))

    def _of(self, word: str, number: int) -> int:
        if (word, number) not in self._known:
            self.taken += 1
            self._known[word, number] = min(self.taken, self.sets.count)
        return self._known[word, number]


@dataclass(slots=True, eq=False)
class Trail:
    """The trails in one graph.

    Attributes:
        side: one side of a match.
        graph: its graph, with every entry of a mixed axis for itself.
        called: parameter -> its name in the source.
        rows: table that constants choose from -> what its rows are called.
        unread: what parameters leave unread.
        marks: the marks of both sides.
        sums: the ops that add or multiply entries, which stand in no order.
        carried: value of data -> the trails of its entries.
        chains: value of data -> the sum or product that it is part of, `""` if of none.
        laid: value that depends on no data -> what its entries leave, where they differ.
        read: parameter and dim -> the trails that it reads along it.
    """

    side: Side
    graph: Graph
    called: Mapping[str, str]
    rows: Mapping[int, Sequence[str]]
    unread: Unread
    marks: Marks
    sums: frozenset[str]
    carried: dict[int, Ids] = field(default_factory=dict)
    chains: dict[int, str] = field(default_factory=dict)
    laid: dict[int, Ids] = field(default_factory=dict)
    read: dict[tuple[str, int], list[Ids]] = field(default_factory=lambda: defaultdict(list))

    def run(self, features: Features) -> None:
        """Follow features from the inputs to the outputs."""
        last = len(features.names)
        for name, value in self.graph.inputs.items():
            nothing = np.full((1,) * (len(self.graph.values[value].shape) + 1), EMPTY)
            ids = features.inputs.get(name, nothing)
            self.carried[value] = np.where(ids == last, EMPTY, ids)
            self.chains[value] = ""
        reads = self._reads()
        for number, node in enumerate(self.graph.nodes):
            self._lay(node)
            if number in self.side.passed:
                self._leave(node, self.side.passed[number])
            elif self._data(node):
                for name, dim, member in reads.get(number, ()):
                    self.read[name, dim] += self._along(node, member)
                self._pass(number, node)
            elif self.graph.constants.keys().isdisjoint(node.outputs):
                self._hand_on(node)

    def at(self, output: str, positions: Sequence[Positions]) -> Ids:
        """Give the trails at some positions of an output, dim by dim."""
        value = self.graph.outputs[output]
        if value not in self.carried:
            return np.array(EMPTY)
        whole = self.marks.sets.union(self._ended(value))
        pairs = zip(positions, whole.shape, strict=True)
        return whole[np.ix_(*(at if size > 1 else at[:1] * 0 for at, size in pairs))]

    def along(self, name: str, dim: int, positions: Positions) -> Ids | None:
        """Give the trails that a parameter reads at some positions of a dim, if it reads."""
        read = self.read.get((name, dim))
        if not read:
            return None
        taken = [ids[positions] if len(ids) > 1 else ids for ids in read]
        return self.marks.sets.union(np.stack(np.broadcast_arrays(positions, *taken)[1:], axis=-1))

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
                marks = np.array([self.marks.of(str(number)) for number in numbers.tolist()])
                self.laid[value] = marks[back].reshape((*entries.shape, 1))

    def _hand_on(self, node: Node) -> None:
        """Mark what comes of marked values, and of the rows that constants choose, alone."""
        marked = {at: self.laid[v] for at, v in enumerate(node.inputs) if v in self.laid}
        marked |= {at: self._of_rows(node.inputs[at]) for at in chosen(node, self.graph)}
        if marked:
            self.laid |= {
                v: self._flow(node, place, marked) for place, v in enumerate(node.outputs)
            }

    def _of_rows(self, table: int) -> Ids:
        rank = len(self.graph.values[table].shape)
        marks = [self.marks.of(row) for row in self.rows.get(table, [""])]
        return np.array(marks).reshape(-1, *(1,) * rank)

    def _leave(self, node: Node, value: int) -> None:
        """Carry on what a node leaves as it is, if anything."""
        if value in self.carried:
            self.carried[node.outputs[0]] = self.carried[value]
            self.chains[node.outputs[0]] = self.chains[value]

    def _pass(self, number: int, node: Node) -> None:
        op = self.side.computes(number)
        chain = self._chain(node, op)
        read = {at: self._read(number, node, at, chain) for at in self._data(node)}
        laid = {at: self.laid[value] for at, value in enumerate(node.inputs) if value in self.laid}
        names = [self.marks.of(name) for name in self._met(node)]
        for place, value in enumerate(node.outputs):
            ids = self._flow(node, place, read)
            whole = self._with(ids, [self._flow(node, place, laid)] if laid else [])
            if op is not None:
                whole = (
                    self._with(whole, [self.marks.of(op)]) if chain else self.marks.of(op, whole)
                )
            self.carried[value] = np.where(ids == EMPTY, EMPTY, self._with(whole, names))
            self.chains[value] = chain

    def _chain(self, node: Node, op: str | None) -> str:
        """Name the sum or product that a node is part of, in whatever order; `""` if of none."""
        if op is not None:
            packet = node.op.rpartition(".")[0]
            return packet if packet in self.sums else ""
        moved = all(algebra.moves for algebra in node.algebra)
        before = {"" if moved else self.chains[node.inputs[at]] for at in self._data(node)}
        return before.pop() if len(before) == 1 else ""

    def _ended(self, value: int, chain: str = "") -> Ids:
        """Give what a value carries; a sum or product that goes no further is one mark."""
        ids, before = self.carried[value], self.chains[value]
        if before in ("", chain):
            return ids
        return np.where(ids == EMPTY, EMPTY, self.marks.of(before, ids))

    def _met(self, node: Node) -> set[str]:
        """Name the parameters that meet the data of a node, as in the source."""
        tags = [tag for value in node.inputs for tag in self.side.parameters.get(value, ())]
        return {self.called[name] for tag in tags for name, _ in tag if name in self.called}

    def _with(self, ids: Ids, more: Sequence[Ids]) -> Ids:
        return unite(self.marks.sets, [ids, *(m.reshape(m.shape or (1,) * ids.ndim) for m in more)])

    def _data(self, node: Node) -> list[int]:
        return [at for at, value in enumerate(node.inputs) if value in self.carried]

    def _flow(self, node: Node, place: int, found: Mapping[int, Ids]) -> Ids:
        bound = with_constants(node, self.graph)
        inputs, outputs = ends(bound)
        arrays = [
            flow(self.marks.sets, bound, ids, inputs[at], outputs[place])
            for at, ids in found.items()
        ]
        return unite(self.marks.sets, arrays)

    def _read(self, number: int, node: Node, at: int, chain: str) -> Ids:
        """Read an operand without what parameters leave unread."""
        value = node.inputs[at]
        ids = self._ended(value, chain)
        if not node.algebra[at].moves and node.bound.inputs[at].values is None:
            ids = self.marks.sets.union(ids)[..., None]
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
                    ids = np.moveaxis(self._ended(node.inputs[at]), dim, 0)
                    yield self.marks.sets.union(ids.reshape(len(ids), -1))


def chosen(node: Node, graph: Graph) -> Iterator[int]:
    """List the tables, as operands, of which constants choose the rows."""
    operands = [*zip(node.bound.inputs, node.inputs, strict=True)]
    by = [[o.values] for o, value in operands if graph.constants.get(value) is not None]
    for at, (operand, _) in enumerate(operands):
        rows = operand.dims[0] if operand.dims else ()
        if [axis.name for part in rows for axis in part] in by:
            yield at
