"""Axis classes: which dims of which tensors are one index space, as far as names alone tell.

Knows whole axes and how one is made of others (laid end to end, factored, picked). Does not know
entries (`_couple`): the work here grows with the number of ops, not with any size.

Dims that carry the same axis name in one op become one class (union-find). A dim written `a+b` or
`(a b)` gives its class a *makeup*: the classes it consists of. One class may be made up twice, by
two ops; `refine` brings such makeups to their common cuts, and so ties the classes beneath them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suture._bind import BoundOperand
from suture._errors import CoupleError
from suture._graph import Graph, Node
from suture._values import pass_values

Class = int
"""Any member of an axis class; `Axes.find` gives the one that stands for all."""


@dataclass(frozen=True, slots=True)
class Makeup:
    """What one class is made of: `sum` parts laid end to end, or `product` factors in C order."""

    kind: Literal["sum", "product"]
    parts: tuple[Class, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """`axis = source[index]`, as in a bound spec, between classes."""

    axis: Class
    source: Class
    index: NDArray[np.int64]


@dataclass(slots=True, eq=False)
class Axes:
    """All axis classes of a graph.

    Attributes:
        sizes: entries of each class.
        makeups: class -> what it is made of, in every way that some op says.
        picks: classes picked from others by a constant index.
        dims: value -> the class of each of its dims.
        values: integer value -> the class that its entries index.
        names: node -> the class of each axis of its bound spec.
        added: classes to which ways of being made up were added, as long as somebody reads it.
    """

    parents: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    makeups: dict[Class, list[Makeup]] = field(default_factory=dict)
    picks: list[Picked] = field(default_factory=list)
    dims: dict[int, tuple[Class, ...]] = field(default_factory=dict)
    values: dict[int, Class] = field(default_factory=dict)
    names: list[dict[str, Class]] = field(default_factory=list)
    added: list[Class] = field(default_factory=list)

    def copy(self) -> Axes:
        """Give the same classes, to be changed on their own."""
        return replace(
            self,
            parents=[*self.parents],
            sizes=[*self.sizes],
            makeups={member: [*found] for member, found in self.makeups.items()},
            added=[],
        )

    def new(self, size: int) -> Class:
        """Begin a class."""
        self.parents.append(len(self.parents))
        self.sizes.append(size)
        return len(self.parents) - 1

    def find(self, member: Class) -> Class:
        """Find the class that stands for all members of one."""
        parents = self.parents
        while parents[member] != member:
            parents[member] = parents[parents[member]]
            member = parents[member]
        return member

    def tie(self, one: Class, other: Class) -> None:
        """Make two classes one, makeups included.

        Raises:
            CoupleError: they differ in size.
        """
        one, other = sorted((self.find(one), self.find(other)))
        if one == other:
            return
        if self.sizes[one] != self.sizes[other]:
            raise CoupleError(
                f"One axis cannot have both {self.sizes[one]} and {self.sizes[other]} entries."
            )
        self.parents[other] = one
        if other in self.makeups:
            self.makeups.setdefault(one, []).extend(self.makeups.pop(other))
            self.added.append(one)

    def index(self, value: int, axis: Class) -> None:
        """Say which axis the entries of an integer value index."""
        self.tie(self.values.setdefault(value, axis), axis)

    def made_of(self, member: Class) -> list[Makeup]:
        """List the ways in which a class is made up, parts as the classes that stand for all."""
        found = self.makeups.get(self.find(member), ())
        return [Makeup(m.kind, tuple(map(self.find, m.parts))) for m in found]

    def add_makeup(
        self, member: Class, kind: Literal["sum", "product"], parts: list[Class]
    ) -> None:
        """Note what a class is made of; a single part simply is the class."""
        if len(parts) == 1:
            self.tie(member, parts[0])
        else:
            self.makeups.setdefault(self.find(member), []).append(Makeup(kind, tuple(parts)))
            self.added.append(self.find(member))


def axes(graph: Graph) -> Axes:
    """Find the axis classes of a graph.

    Raises:
        CoupleError: axes that the network ties together differ in size.
    """
    found = Axes()
    for number, value in enumerate(graph.values):
        found.dims[number] = tuple(map(found.new, value.shape))
    for node in graph.nodes:
        _add_node(found, node, graph)
    pass_values(found, graph)
    for output, source in graph.schema.state.items():
        pairs = zip(
            found.dims[graph.outputs[output]], found.dims[graph.inputs[source]], strict=True
        )
        for pair in pairs:
            found.tie(*pair)
    return found


def _add_node(found: Axes, node: Node, graph: Graph) -> None:
    names = {name: found.new(size) for name, size in node.bound.sizes.items()}
    found.names.append(names)
    for operand, value in operands(node):
        for dim, parts in zip(found.dims[value], operand.dims, strict=True):
            if found.sizes[dim] and len(parts) == 1 and len(parts[0]) == 1:
                found.tie(dim, names[parts[0][0].name])
            else:
                _lay(found, dim, [[names[axis.name] for axis in part] for part in parts if part])
        if operand.values is not None:
            found.index(value, names[operand.values])
    for pick in node.bound.picks:
        found.picks.append(Picked(names[pick.axis], names[pick.source], pick.index))


def operands(node: Node) -> Iterator[tuple[BoundOperand, int]]:
    """Pair the operands and results of a node with the values that they are."""
    yield from zip(node.bound.inputs, node.inputs, strict=True)
    yield from zip(node.bound.outputs, node.outputs, strict=True)


def _lay(found: Axes, dim: Class, parts: list[list[Class]]) -> None:
    """Say that a dim is these parts laid end to end, each the product of its classes."""
    parts = [part for part in parts if all(found.sizes[factor] for factor in part)]
    if len(parts) == 1:
        found.add_makeup(dim, "product", parts[0])
    elif parts:
        found.add_makeup(dim, "sum", [_product(found, part) for part in parts])


def _product(found: Axes, factors: list[Class]) -> Class:
    if len(factors) == 1:
        return factors[0]
    whole = found.new(prod(found.sizes[factor] for factor in factors))
    found.add_makeup(whole, "product", factors)
    return whole
