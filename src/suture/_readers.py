"""Readers: how a network takes one entry of an input into its first weights.

Knows one graph and its units. Does not know another network, nor what becomes of the entry.

An entry that only moves until parameters contract it can be a constant, or be on another scale, and
the parameters take that up. Whatever else happens to it on the way is an obstacle, with its op.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from suture._axes import Class
from suture._couple import Layout, Units, marked, plain
from suture._graph import Node
from suture._roles import Use, tags

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """A parameter that contracts an entry, and the parameter that is added to the result.

    Attributes:
        weight: the parameter that contracts.
        dim: along which of its dims.
        positions: the positions that read the entry, ascending.
        taps: the other dims that are contracted: those of a kernel.
        bias: the parameter that is added; None if there is none.
        along: per dim of the bias the dim of the weight that is the same axis.
        uneven: why a constant does not read the same at every place; empty if it does.
    """

    weight: str
    dim: int
    positions: NDArray[np.int64]
    taps: tuple[int, ...]
    bias: str | None
    along: tuple[int, ...]
    uneven: str


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Every reader of an entry, and what else happens to it."""

    readers: tuple[Reader, ...]
    obstacles: tuple[str, ...]


def readings(
    units: Units, uses: dict[str, tuple[Use, ...]], unit: int, inputs: Collection[str]
) -> Readings:
    """Follow one unit of inputs until parameters contract it.

    Args:
        units: the units of the graph.
        uses: what its ops do with its parameters.
        unit: an entry of inputs.
        inputs: those of which the same is said of it.

    Returns:
        Its readers, one per parameter, and obstacles in words.
    """
    graph = units.graph
    others = [
        f"it is one unit with an entry of {other}"
        for other in graph.inputs
        if other not in inputs and any(_holds(layout, unit) for layout in units.tensors[other])
    ]
    walk = _Walk(units, uses, unit, {graph.inputs[name] for name in inputs})
    walk.run()
    return Readings(tuple(walk.readers.values()), tuple(dict.fromkeys([*others, *walk.obstacles])))


def unit_of(units: Units, name: str, dim: int, position: int) -> int | None:
    """Give the unit of an entry of an input; None of one that is a product of several."""
    column = plain(units.tensors[name][dim])
    return None if column is None else int(column[position])


def _holds(layout: Layout, unit: int) -> bool:
    return any((column == unit).any() for segment in layout for column in segment)


def _along(layout: Layout, unit: int) -> NDArray[np.int64]:
    """List the positions of a dim that hold a unit."""
    masks: list[Mask] = [marked([column == unit for column in segment]) for segment in layout]
    return np.flatnonzero(np.concatenate(masks))


@dataclass(slots=True, eq=False)
class _Walk:
    """One entry on its way: the values that hold it, as they are met."""

    units: Units
    uses: dict[str, tuple[Use, ...]]
    unit: int
    held: set[int]
    readers: dict[str, Reader] = field(default_factory=dict)
    obstacles: list[str] = field(default_factory=list)
    nodes: dict[str, set[int]] = field(default_factory=dict)
    found: dict[Class, bool] = field(default_factory=dict)
    filled: str = ""

    def run(self) -> None:
        graph = self.units.graph
        origin = _origins(self.units)
        for number, node in enumerate(graph.nodes):
            places = [place for place, value in enumerate(node.inputs) if value in self.held]
            if places and all(node.algebra[place].moves for place in places):
                self._move(node)
            elif places and not self._contracts(number, places, origin):
                self.obstacles.append(f"{_op(node)} reads it otherwise than a product with weights")
        if not self.held.isdisjoint(graph.outputs.values()):
            self.obstacles.append("it is given out as it is")
        for name, nodes in self.nodes.items():
            if not nodes.issuperset(use.node for use in self.uses[name]):
                self.obstacles.append(f"{name} is used elsewhere too")

    def _move(self, node: Node) -> None:
        dims = self.units.axes.dims
        self.held.update(v for v in node.outputs if any(map(self._along, dims[v])))
        holes = [*(pick.index for pick in node.bound.picks), *(w.index for w in node.bound.windows)]
        if len(node.inputs) > 1 and not all(algebra.moves for algebra in node.algebra):
            self.filled = self.filled or f"{_op(node)} chooses where it is"
        elif any((index < 0).any() for index in holes):
            self.filled = self.filled or f"{_op(node)} pads with something else"

    def _along(self, member: Class) -> bool:
        """Whether an axis holds the entry."""
        member = self.units.axes.find(member)
        if member not in self.found:
            self.found[member] = _holds(self.units.layout(member), self.unit)
        return self.found[member]

    def _contracts(self, number: int, places: Sequence[int], origin: dict[int, str]) -> bool:
        """Note the parameter that contracts the entry in a node, if one does and nothing else."""
        node, names = self.units.graph.nodes[number], self.units.axes.names[number]
        held = {name for name in _axes(node, places) if self._along(names[name])}
        kept = {a.name for o in node.bound.outputs for d in o.dims for part in d for a in part}
        factors = [
            place
            for place in range(len(node.inputs))
            if place not in places and held & {*_axes(node, [place])}
        ]
        if len(places) != 1 or len(held) != 1 or held & kept or len(factors) != 1:
            return False
        weight = origin.get(node.inputs[factors[0]])
        product = all(node.algebra[at].meeting == "mul" for at in (*places, *factors))
        if weight is None or not product or _weighted(node):
            return False
        dims = [at for at, layout in enumerate(self.units.tensors[weight]) if self._in(layout)]
        if len(dims) != 1:
            return False
        self._read(number, weight, dims[0], origin)
        return True

    def _in(self, layout: Layout) -> bool:
        return _holds(layout, self.unit)

    def _read(self, number: int, weight: str, dim: int, origin: dict[int, str]) -> None:
        graph = self.units.graph
        adder, bias = _added(graph.nodes, number, origin)
        along = () if bias is None else self._same_axes(weight, bias)
        if along is None:
            bias, along = None, ()
        node = graph.nodes[number]
        padded = any((window.index < 0).any() for window in node.bound.windows)
        uneven = f"{_op(node)} pads with something else" if padded else ""
        if "transposed=True" in node.settings:
            uneven = f"{_op(node)} reads it unequally often"
        taps = {at for use in self.uses[weight] if use.node == number for at, _ in use.taps}
        positions = _along(self.units.tensors[weight][dim], self.unit)
        reader = Reader(
            weight, dim, positions, tuple(sorted(taps - {dim})), bias, along, self.filled or uneven
        )
        known = self.readers.setdefault(weight, reader)
        if known.bias != bias:
            self.obstacles.append(f"{weight} is used elsewhere too")
        self.nodes.setdefault(weight, set()).add(number)
        if bias is not None:
            self.nodes.setdefault(bias, set()).add(adder)

    def _same_axes(self, weight: str, bias: str) -> tuple[int, ...] | None:
        """Say per dim of a bias which dim of the weight is the same axis."""
        find, classes = self.units.axes.find, self.units.classes
        theirs = [find(member) for member in classes[weight]]
        ours = [find(member) for member in classes[bias]]
        if not all(theirs.count(member) == 1 for member in ours):
            return None
        along = tuple(theirs.index(member) for member in ours)
        return along if along == tuple(sorted(along)) else None


def _axes(node: Node, places: Sequence[int]) -> Iterator[str]:
    for place in places:
        for dim in node.bound.inputs[place].dims:
            yield from (axis.name for part in dim for axis in part)


def _weighted(node: Node) -> bool:
    """Whether an op multiplies what it adds: those factors stand among its settings."""
    return any(setting.startswith(("alpha=", "beta=")) for setting in node.settings)


def _origins(units: Units) -> dict[int, str]:
    """Follow every parameter through the views of it alone."""
    graph, followed = units.graph, tags(units.graph)
    found = {value: name for name, value in graph.parameters.items()}
    for node in graph.nodes:
        single = len(node.inputs) == 1 and node.inputs[0] in found and node.algebra[0].moves
        if single and followed.keys() >= set(node.outputs):
            found |= dict.fromkeys(node.outputs, found[node.inputs[0]])
    return found


def _added(nodes: Sequence[Node], number: int, origin: dict[int, str]) -> tuple[int, str | None]:
    """Find the parameter that is added to a product: by the same op, or the next behind views."""
    node = nodes[number]
    for value, algebra in zip(node.inputs, node.algebra, strict=True):
        if algebra.meeting == "add" and not algebra.moves and value in origin:
            return number, origin[value]
    readers = [at for at, later in enumerate(nodes) if not {*node.outputs}.isdisjoint(later.inputs)]
    if len(readers) != 1:
        return number, None
    after = nodes[readers[0]]
    if len(after.inputs) == 1 and after.algebra[0].moves:
        return _added(nodes, readers[0], origin)
    sums = [algebra.meeting == "add" and not algebra.moves for algebra in after.algebra]
    added = len(sums) == 2 and all(sums)
    bias = [origin[value] for value in after.inputs if value in origin]
    return readers[0], bias[0] if added and len(bias) == 1 and not _weighted(after) else None


def _op(node: Node) -> str:
    packet = node.op.rpartition(".")[0].removeprefix("aten.")
    return f"{packet} in {node.place.module}" if node.place.module else packet
