"""Twins: which value of the target is computed as which value of the source.

Knows what two graphs do in common: an op whose operands are twins is the twin of the same op there
(value numbering), and an op that meets paired parameters is the twin of the op that meets them. A
path that only the target has leaves twins as they are where it can start as the identity: it is
added as 0, multiplies by 1, or carries every unit on to its copy. Does not know what is filled
where (`_growth`), nor whether the results are equal (`_promise`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field

from suture._graph import Graph, Node
from suture._match import Match
from suture._roles import Tags, tags


@dataclass(slots=True, eq=False)
class Twins:
    """What the target has of the source.

    Attributes:
        values: target value -> source value; negative if it is one, in a layout of its own.
        nodes: target node -> source node.
        passed: the target's nodes that leave their operand as it is, with that operand.
    """

    values: dict[int, int] = field(default_factory=dict)
    nodes: dict[int, int] = field(default_factory=dict)
    passed: dict[int, int] = field(default_factory=dict)


Passes = Callable[[int, int], bool]
"""Whether a node of the target can start as the identity on one of its operands, by place."""


def twins(match: Match, passes: Passes) -> Twins:
    """Find the twins of a match.

    Args:
        match: which tensors belong together.
        passes: asked of a node and a place among its operands, where no node of the source does
            the same: whether the node can leave that operand as it is.
    """
    return _Finder(match, passes).run()


@dataclass(slots=True, eq=False)
class _Finder:
    match: Match
    passes: Passes
    found: Twins = field(default_factory=Twins)
    index: dict[Hashable, list[int]] = field(default_factory=lambda: defaultdict(list))
    taken: dict[Hashable, int] = field(default_factory=lambda: defaultdict(int))
    makers: dict[int, int] = field(default_factory=dict)
    ours: dict[int, int] = field(default_factory=dict)
    same: dict[int, int] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    held: tuple[Mapping[int, Tags], Mapping[int, Tags]] = ({}, {})

    def run(self) -> Twins:
        """Walk through the target's nodes in order of use."""
        theirs, ours = self.match.source.graph, self.match.target.graph
        self.held, self.same = (tags(theirs), tags(ours)), _equal(theirs)
        for number, node in enumerate(theirs.nodes):
            operands = {at: self.same.get(value, value) for at, value in enumerate(node.inputs)}
            for key in self._keys(node, operands, self.held[0]):
                self.index[key].append(number)
            self.makers.update(dict.fromkeys(node.outputs, number))
        self.found.values.update(self._named(theirs, ours))
        given = _given(theirs, ours)
        self.found.values.update((value, self.same.get(twin, twin)) for value, twin in given)
        for number, node in enumerate(ours.nodes):
            self._visit(number, node)
            self.ours.update(dict.fromkeys(node.outputs, number))
        return self.found

    def _named(self, theirs: Graph, ours: Graph) -> Iterator[tuple[int, int]]:
        for name, other in self.match.shared.items():
            for left, right in (
                (ours.parameters, theirs.parameters),
                (ours.buffers, theirs.buffers),
                (ours.inputs, theirs.inputs),
            ):
                if name in left and other in right:
                    yield left[name], right[other]

    def _visit(self, number: int, node: Node) -> None:
        known = self.found.values
        operands = {at: known[v] for at, v in enumerate(node.inputs) if v in known}
        for key in self._keys(node, operands, self.held[1]):
            if key in self.index:
                self._pair(number, node, self._next(key, node))
                return
        for at, value in enumerate(node.inputs):
            if value in known and value not in self.held[1]:
                left = self._left(number, node, at)
                if left is not None:
                    self.found.passed[number] = left
                    known[node.outputs[0]] = known[left]
                    return
        moves = len(node.inputs) == len(node.outputs) == 1 and node.algebra[0].moves
        if moves and node.inputs[0] in known:
            known[node.outputs[0]] = -1 - number  # no value of the source is laid out so

    def _left(self, number: int, node: Node, at: int) -> int | None:
        """Give the earlier value that a node's result is as, if it can be as one."""
        if self._again(node, at) or self.passes(number, at):
            return node.inputs[at]
        return self._before(node, at)

    def _pair(self, number: int, node: Node, other: int) -> None:
        self.found.nodes[number] = other
        outputs = self.match.source.graph.nodes[other].outputs
        same = [self.same.get(value, value) for value in outputs]
        self.found.values.update(zip(node.outputs, same, strict=False))

    def _next(self, key: Hashable, node: Node) -> int:
        """Take the nodes that do the same in order; the last stands for any further.

        Not where nothing is read: each of more layers makes all of its own constants anew.
        """
        numbers, at = self.index[key], self.taken[key]
        self.taken[key] += 1
        return numbers[min(at, len(numbers) - 1) if node.inputs else at % len(numbers)]

    def _keys(
        self, node: Node, operands: dict[int, int], held: Mapping[int, Tags]
    ) -> Iterator[Hashable]:
        """Say what a node does: with all of its operands; but for fresh parameters; by its own."""
        if len(operands) == len(node.inputs):
            yield node.op, words(node), self._text(node), tuple(operands.values())
        data = [at for at, value in enumerate(node.inputs) if value not in held]
        if data and all(at in operands for at in data):
            yield "some", node.op, words(node), tuple(operands.values())
        own = tuple((at, v) for at, v in operands.items() if node.inputs[at] in held)
        if own and len(own) < len(node.inputs):
            yield node.op, own

    def _text(self, node: Node) -> str:
        """Write a node's spec; nodes of one shape share it."""
        spec = node.bound.spec
        if id(spec) not in self.texts:
            self.texts[id(spec)] = str(spec)
        return self.texts[id(spec)]

    def _again(self, node: Node, at: int) -> bool:
        """Whether the operand is what the same op gave: a projection done twice."""
        maker = self.makers.get(self.found.values[node.inputs[at]])
        if maker is None or len(node.inputs) > 1 or not node.algebra[at].idempotent:
            return False
        other = self.match.source.graph.nodes[maker]
        return (other.op, other.settings) == (node.op, node.settings)

    def _before(self, node: Node, at: int) -> int | None:
        """Give the value that an operand was before its layout changed, if it is so again."""
        if len(node.inputs) > 1 or not node.algebra[at].moves:
            return None
        value = node.inputs[at]
        while self.ours.get(value) in self.found.passed:
            value = self.found.passed[self.ours[value]]
        graph = self.match.target.graph
        laid = graph.nodes[self.ours[value]] if value in self.ours else None
        if laid is None or len(laid.inputs) > 1 or not all(a.moves for a in laid.algebra):
            return None
        same = graph.values[laid.inputs[0]].shape == graph.values[node.outputs[0]].shape
        return laid.inputs[0] if same and laid.inputs[0] in self.found.values else None


def alike(graph: Graph, found: Twins) -> frozenset[int]:
    """List the nodes that pass an operand on, and those of which nothing is heard."""
    needed = {*graph.outputs.values()}
    same = {*found.passed}
    for number in reversed(range(len(graph.nodes))):
        node = graph.nodes[number]
        if needed.isdisjoint(node.outputs):
            same.add(number)
        else:
            needed.update([found.passed[number]] if number in found.passed else node.inputs)
    return frozenset(same)


def heard(graph: Graph, found: Twins) -> list[int]:
    """List the nodes, in order, on which it rests that old outputs are the old ones.

    Of a node that passes an operand on that is what makes this operand; where what it passes lies
    further back, all between must pass it too.
    """
    needed, numbers = {*graph.outputs.values()}, list[int]()
    for number in reversed(range(len(graph.nodes))):
        node = graph.nodes[number]
        if not needed.isdisjoint(node.outputs):
            numbers.append(number)
            left = found.passed.get(number)
            needed.update([left] if left in node.inputs else node.inputs)
    return numbers[::-1]


def _equal(graph: Graph) -> dict[int, int]:
    """Give for each constant the first one that is equal: layers make the same ones anew."""
    first: dict[Hashable, int] = {}
    return {
        value: first.setdefault((array.dtype.str, array.shape, array.tobytes()), value)
        for value, array in graph.constants.items()
        if array is not None
    }


def _given(theirs: Graph, ours: Graph) -> Iterator[tuple[int, int]]:
    """Pair the constants that no op gives, of one dtype and rank, in order of use."""
    before, after = (_constants(graph) for graph in (theirs, ours))
    for kind, values in after.items():
        yield from zip(values, before.get(kind, ()), strict=False)


def _constants(graph: Graph) -> dict[tuple[str, int], list[int]]:
    made = {value for node in graph.nodes for value in node.outputs}
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for value in dict.fromkeys(v for node in graph.nodes for v in node.inputs):
        if value in graph.constants and value not in made:
            seen = graph.values[value]
            found[seen.dtype, len(seen.shape)].append(value)
    return found


FACTORS = ("other=", "alpha=", "beta=")
"""How a setting begins that an op may multiply by."""


def factors(node: Node) -> tuple[float | None, ...]:
    """List the numbers that a node multiplies its operands by, where an algebra states one."""
    return tuple(a.times if a.factor is None else a.factor for a in node.algebra)


def words(node: Node) -> tuple[str, ...]:
    """List the settings of a node but for numbers that it multiplies by, which may change."""
    scales = any(factor is not None for factor in factors(node))
    return tuple(w for w in node.settings if not (scales and w.startswith(FACTORS)))
