"""Parts: the pieces of tensors that one op may treat apart from others.

Knows which parts laid end to end a dim consists of (query, key and value of a fused projection),
the *cells* that this cuts a tensor into, and which cells meet in an op. Does not know what is asked
of cells (`_scales`, `_silence`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod

from suture._axes import Axes, Class
from suture._bind import BoundOperand, Part
from suture._fill import below
from suture._graph import Graph

Cell = tuple[int, int]
"""A value, and the number of one of its cells in C order of the parts of its dims."""

MOST_CELLS = 4096
"""A tensor of more cells than this is taken as one."""

_Choice = dict[str, int]
"""Axis of a node -> which of its parts; `ABSENT` where the dim chose the part beside it."""

ABSENT = -1


@dataclass(frozen=True, slots=True)
class Link:
    """Cells that meet in an op: one of a result, and of each operand all that reach it."""

    result: Cell
    operands: tuple[tuple[Cell, ...], ...]


@dataclass(slots=True, eq=False)
class Parts:
    """The parts of every dim of a graph, and so the cells of every value."""

    graph: Graph
    axes: Axes
    _parts: dict[Class, tuple[Class, ...]] = field(default_factory=dict)
    _shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    _held: set[Class] = field(default_factory=set)
    _links: dict[int, tuple[Link, ...]] = field(default_factory=dict)

    def of(self, member: Class) -> tuple[Class, ...]:
        """List the classes that a class is laid end to end of; itself if of none.

        A product of one that is laid end to end counts as a whole, and so does what no parameter
        has: tokens that are cut and joined.
        """
        member = self.axes.find(member)
        if member not in self._parts:
            self._parts[member] = (member,)  # what is made of itself is no sum
            makeups = self.axes.made_of(member) if self._is_held(member) else []
            if makeups and makeups[0].kind == "sum":
                parts = (self.of(part) for part in makeups[0].parts)
                self._parts[member] = tuple(part for each in parts for part in each)
        return self._parts[member]

    def _is_held(self, member: Class) -> bool:
        """Whether a class is a dim of a parameter or buffer, or a part of one."""
        if not self._held:
            values = (*self.graph.parameters.values(), *self.graph.buffers.values())
            self._held |= below(self.axes, {dim for v in values for dim in self.axes.dims[v]})
        return member in self._held

    def shape(self, value: int) -> tuple[int, ...]:
        """Count the parts of each dim of a value."""
        if value not in self._shapes:
            found = tuple(len(self.of(dim)) for dim in self.axes.dims[value])
            self._shapes[value] = found if prod(found) <= MOST_CELLS else (1,) * len(found)
        return self._shapes[value]

    def cells(self, value: int) -> list[Cell]:
        """List the cells of a value."""
        return [(value, number) for number in range(prod(self.shape(value)))]

    def place(self, cell: Cell) -> tuple[int, ...]:
        """Say which part of each dim a cell holds."""
        value, number = cell
        found: list[int] = []
        for size in reversed(self.shape(value)):
            number, at = divmod(number, size)
            found.append(at)
        return tuple(reversed(found))

    def part(self, cell: Cell, dim: int) -> Class:
        """Give the class of the part of a dim that a cell holds; the dim's if it holds all."""
        value = cell[0]
        member = self.axes.find(self.axes.dims[value][dim])
        parts = self.of(member)
        return parts[self.place(cell)[dim]] if self.shape(value)[dim] == len(parts) else member

    def links(self, number: int) -> tuple[Link, ...]:
        """List the cells of the results of a node, each with the cells that reach it."""
        if number not in self._links:
            self._links[number] = tuple(self._find(number))
        return self._links[number]

    def _find(self, number: int) -> Iterator[Link]:
        node, names = self.graph.nodes[number], self.axes.names[number]
        operands = list(zip(node.bound.inputs, node.inputs, strict=True))
        if all(prod(self.shape(value)) == 1 for value in (*node.inputs, *node.outputs)):
            inputs = tuple(((value, 0),) for value in node.inputs)
            yield from (Link((value, 0), inputs) for value in node.outputs)
            return
        choices = [self._choices(operand, value, names) for operand, value in operands]
        for result, value in zip(node.bound.outputs, node.outputs, strict=True):
            for at, chosen in enumerate(self._choices(result, value, names)):
                reached = (
                    tuple(
                        (operands[place][1], cell)
                        for cell, other in enumerate(each)
                        if _agree(chosen, other)
                    )
                    for place, each in enumerate(choices)
                )
                yield Link((value, at), tuple(reached))

    def _choices(
        self, operand: BoundOperand, value: int, names: Mapping[str, Class]
    ) -> list[_Choice]:
        """Say of each cell of an operand which parts of a node's axes it holds."""
        dims = [
            self._along(dim, size, names)
            for dim, size in zip(operand.dims, self.shape(value), strict=True)
        ]
        return [
            {axis: part for choice in each for axis, part in choice.items()}
            for each in product(*dims)
        ]

    def _along(self, dim: tuple[Part, ...], size: int, names: Mapping[str, Class]) -> list[_Choice]:
        """Say of each part along a dim which parts of a node's axes it holds."""
        found: list[_Choice] = []
        alone = [part[0].name if len(part) == 1 else None for part in dim]
        for at, axis in enumerate(alone):
            absent = {
                other: ABSENT
                for place, other in enumerate(alone)
                if other is not None and other != axis and place != at
            }
            count = 1 if axis is None else len(self.of(names[axis]))
            found += [absent | ({} if axis is None else {axis: part}) for part in range(count)]
        return found if len(found) == size else [{} for _ in range(size)]


def _agree(one: _Choice, other: _Choice) -> bool:
    """Whether two cells hold the same parts of the axes that both speak of."""
    return all(other.get(axis, part) == part for axis, part in one.items()) and all(
        one.get(axis, part) == part for axis, part in other.items()
    )
