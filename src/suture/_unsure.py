"""What a graph does not tell about itself at other sizes.

Knows constants that vary along an axis, indices and windows that choose along it, numbers that may
follow from its size, and sizes of one, which broadcast. Does not know which sizes change, nor why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from math import isclose
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suture._axes import Axes, Class
from suture._graph import Graph, Node
from suture._sizes import Sizes
from suture._words import number as shown

Fact = tuple[str, str]

POWERS = (1.0, 0.5, 0.25, -0.25, -0.5, -1.0)
"""A number that is such a power of a size may follow from it."""

FACTORS = ("other=", "alpha=", "beta=", "scale=", "value=", "self=", "exponent=")
"""How the settings begin that an op computes with; not those of norms, such as a momentum."""

PLAIN = frozenset({0.0, 1.0, float("inf"), float("-inf")})
"""Numbers that stand for nothing that is counted."""


def unsure(graph: Graph, axes: Axes, sizes: Sizes) -> list[Fact]:
    """List what would be a guess at other sizes.

    Args:
        graph: the graph at its own sizes.
        axes: its classes.
        sizes: class -> the size that it would have.

    Returns:
        Facts for an error; none where the graph is certain.
    """
    changed = frozenset(member for member, size in sizes.items() if size != axes.sizes[member])
    seeing = _Seeing(graph, axes, sizes, changed)
    return [*dict.fromkeys(seeing.facts())]


def varies(entries: NDArray[Any], dims: Collection[int]) -> bool:
    """Whether entries differ along some of an array's dims, or nobody knows: there is but one."""
    first = entries[tuple(slice(1) if d in dims else slice(None) for d in range(entries.ndim))]
    return any(entries.shape[d] < 2 for d in dims) or bool((entries != first).any())


@dataclass(slots=True, eq=False)
class _Seeing:
    graph: Graph
    axes: Axes
    sizes: Sizes
    changed: frozenset[Class]
    seen: dict[Node, set[int]] = field(default_factory=dict)

    def facts(self) -> Iterator[Fact]:
        makers = {value: node for node in self.graph.nodes for value in node.outputs}
        for node, names in zip(self.graph.nodes, self.axes.names, strict=True):
            self.seen[node] = self._sizes(node, names)
        for node, names in zip(self.graph.nodes, self.axes.names, strict=True):
            moved = {name for name, c in names.items() if self.axes.find(c) in self.changed}
            for value in node.inputs:
                yield from self._constant(node, value)
            if moved:
                yield from self._by_position(node, names, moved)
                yield from self._ones(node, names, moved)
            yield from self._numbers(node, makers)

    def _constant(self, node: Node, value: int) -> Iterator[Fact]:
        if value not in self.graph.constants:
            return
        members = map(self.axes.find, self.axes.dims[value])
        dims = [dim for dim, member in enumerate(members) if member in self.changed]
        entries = self.graph.constants[value]
        if dims and (entries is None or varies(np.asarray(entries), dims)):
            yield _at(node, f"a constant of {node.op} varies along an axis of another size")

    def _by_position(
        self, node: Node, names: Mapping[str, Class], moved: AbstractSet[str]
    ) -> Iterator[Fact]:
        for pick in node.bound.picks:
            if not moved.isdisjoint((pick.axis, pick.source)) and (pick.index >= 0).any():
                yield _at(node, f"{node.op} chooses by position along an axis of another size")
        for window in node.bound.windows:
            if not moved.isdisjoint((*window.axes, window.source)):
                yield _at(node, f"a window of {node.op} moves along an axis of another size")

    def _ones(
        self, node: Node, names: Mapping[str, Class], moved: AbstractSet[str]
    ) -> Iterator[Fact]:
        """Refuse what was, or becomes, one entry: it may have been broadcast, or left out."""
        for name in moved:
            member = self.axes.find(names[name])
            if 1 not in (self.sizes[member], self.axes.sizes[member]):
                continue
            if name.startswith("...") and len(node.inputs) > 1:
                yield _at(node, f"{node.op} may broadcast a size of one")
            elif _regroups(node):
                yield _at(node, f"{node.op} may leave out a size of one")

    def _numbers(self, node: Node, makers: Mapping[int, Node]) -> Iterator[Fact]:
        numbers = {*_numbers(node, self.graph)} - PLAIN
        if not numbers:
            return
        for size in self._near(node, makers):
            for found in numbers:
                if any(isclose(abs(found), size**power, rel_tol=1e-6) for power in POWERS):
                    yield _at(node, f"{node.op} uses {shown(found)}, which may follow from {size}")

    def _near(self, node: Node, makers: Mapping[int, Node]) -> set[int]:
        """List the changed sizes that a node sees, or that the op before it saw."""
        near, waiting = set[int](), [node]
        while waiting:
            current = waiting.pop()
            near |= self.seen[current]
            before = [makers[value] for value in current.inputs if value in makers]
            if current is node or all(algebra.moves for algebra in current.algebra):
                waiting += before
        return near

    def _sizes(self, node: Node, names: Mapping[str, Class]) -> set[int]:
        dims = {c for v in (*node.inputs, *node.outputs) for c in self.axes.dims[v]}
        found = {*map(self.axes.find, dims), *map(self.axes.find, names.values())}
        return {self.axes.sizes[member] for member in found & self.changed} - {0}


def _at(node: Node, what: str) -> Fact:
    return "at", f"{node.place}: {what}"


def _regroups(node: Node) -> bool:
    """Whether an op reads one tensor's entries in other dims."""
    operands = (*node.bound.inputs, *node.bound.outputs)
    ranks = {len(operand.dims) for operand in operands}
    products = any(len(part) > 1 for o in operands for dim in o.dims for part in dim)
    return all(algebra.moves for algebra in node.algebra) and (len(ranks) > 1 or products)


def _numbers(node: Node, graph: Graph) -> Iterator[float]:
    """List the numbers that an op was given, by itself or as a constant."""
    for setting in node.settings:
        if setting.startswith(FACTORS):
            with suppress(ValueError):
                yield float(setting.partition("=")[2])
    for algebra in node.algebra:
        for given in (algebra.factor, algebra.times, algebra.shift):
            if given is not None:
                yield given
    for value in node.inputs:
        entries = graph.constants.get(value)
        if entries is not None and np.asarray(entries).size == 1:
            yield float(np.asarray(entries).flat[0])
