"""Doings: what ops do along axes of data, and which op makes two axes one.

Knows the ops of a graph. Does not know which tensors share an axis (`_explain`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

from suture._axes import Class
from suture._bind import BoundOperand
from suture._couple import Units
from suture._explanation import Action, Told
from suture._graph import Graph, Node
from suture._roles import Tags, has_data
from suture._side import CONTRACTED, MIXED, REDUCED, meetings

ACTIONS: Mapping[str, Action] = {MIXED: "mixed", CONTRACTED: "contracted", REDUCED: "reduced"}

Origins = frozenset[str | int]
"""The tensors by name, and the constants by value, that the entries along an axis come from."""


@dataclass(slots=True, eq=False)
class Doings:
    """One pass over a graph, for some axes.

    Attributes:
        units: the graph's units.
        followed: what comes from parameters alone.
        atoms: class -> those of the axes asked for that it holds.
        origins: (value, axis) -> where its entries along the axis come from.
    """

    units: Units
    followed: Mapping[int, Tags]
    atoms: Callable[[Class], frozenset[Class]]
    origins: dict[tuple[int, Class], Origins] = field(
        default_factory=lambda: defaultdict(frozenset)
    )

    def told(self) -> Iterator[tuple[Class, Told]]:
        """Say what every op does along the axes, in order."""
        graph, axes = self.units.graph, self.units.axes
        for name, value in {**graph.parameters, **graph.buffers, **graph.inputs}.items():
            for dim in axes.dims[value]:
                for atom in self.atoms(dim):
                    self.origins[value, atom] = frozenset({name})
        for number, node in enumerate(graph.nodes):
            owners = {name: self.atoms(member) for name, member in axes.names[number].items()}
            if any(owners.values()):
                found = dict.fromkeys([*self._along(node, owners), *self._meeting(node, owners)])
                name, module = op(graph, number)
                yield from ((atom, Told(word, module, name)) for atom, word in found)

    def _along(
        self, node: Node, owners: Mapping[str, frozenset[Class]]
    ) -> Iterator[tuple[Class, Action]]:
        """Say along which axes entries see each other, where a node computes with data."""
        moves = all(algebra.moves for algebra in node.algebra)
        if moves or not has_data(node, self.followed, self.units.graph):
            return
        for name, word in meetings(node, [v in self.followed for v in node.inputs]).items():
            if word in ACTIONS:
                yield from ((atom, ACTIONS[word]) for atom in owners[name])

    def _meeting(
        self, node: Node, owners: Mapping[str, frozenset[Class]]
    ) -> Iterator[tuple[Class, Action]]:
        """Hand origins on; say which axes are new, and which meet those of data from elsewhere."""
        kept = set().union(*map(named_axes, node.bound.outputs))
        for name in (name for name in owners if name in kept):
            values = _holding(node, name)
            for atom in owners[name]:
                sources = {value: self.origins[value, atom] for value in values}
                if self._apart(sources):
                    yield atom, "tied"
                origins: Origins = frozenset().union(*sources.values())
                if not origins and node.outputs[0] not in self.units.graph.constants:
                    yield atom, "made"
                for value in node.outputs:
                    self.origins[value, atom] |= origins or frozenset(node.outputs[:1])

    def _apart(self, sources: Mapping[int, Origins]) -> bool:
        """Whether two operands come from elsewhere each, and not from parameters alone."""
        data = [origins for value, origins in sources.items() if value not in self.followed]
        return any(one - other and other - one for one, other in combinations(data, 2))


def op(graph: Graph, number: int) -> tuple[str, str]:
    """Name a node's op and its module."""
    node = graph.nodes[number]
    return node.op.rpartition(".")[0].removeprefix("aten."), node.place.module


def named_axes(operand: BoundOperand) -> set[str]:
    """List the axes of an operand."""
    return {axis.name for dim in operand.dims for part in dim for axis in part}


def _holding(node: Node, name: str) -> list[int]:
    """List the values that a node reads along an axis, or along one that it is picked from."""
    names = {name, *(pick.source for pick in node.bound.picks if pick.axis == name)}
    return [
        value
        for operand, value in zip(node.bound.inputs, node.inputs, strict=True)
        if names & named_axes(operand)
    ]
