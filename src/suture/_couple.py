"""Coupling: which entries of which dims are the same unit.

Knows entries. An axis class that nothing makes up is an *atom*; its entries are units, except that
constant picks (flips, strides) tie entries of different atoms (sparse connected components).
Every other class is spelled out as segments laid end to end, each a product of unit columns:
`c_attn.weight` of a GPT has along its outputs three segments of heads x head_dim. Does not know
which of two networks a unit belongs to (`_match`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, reduce
from itertools import product as cartesian
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from suture._axes import Axes, Class, Picked, axes
from suture._graph import Graph
from suture._refine import refine
from suture._uninterrupted import uninterrupted

Column = NDArray[np.int64]
"""The units along one factor of a segment."""

Segment = tuple[Column, ...]
"""A run of a dim: the product, in C order, of its columns."""

Layout = tuple[Segment, ...]
"""A dim: segments laid end to end."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Units:
    """The units of a graph.

    Attributes:
        graph: the graph that was coupled.
        axes: its axis classes.
        count: the number of units.
        tensors: name of a parameter, buffer, input or output -> the layout of each dim.
        classes: the same names -> the axis class of each dim.
        values: name of an integer input -> the layout of the axis that its entries index.
        columns: atom -> the units that are its entries, of atoms that occur in a tensor.
        atom: unit -> the atom it is an entry of.
        checks: picks that the units do not express, to be checked against the maps found.
    """

    graph: Graph
    axes: Axes
    count: int
    tensors: dict[str, tuple[Layout, ...]]
    classes: dict[str, tuple[Class, ...]]
    values: dict[str, Layout]
    columns: dict[Class, Column]
    atom: NDArray[np.int64]
    checks: tuple[Picked, ...] = ()

    def __repr__(self) -> str:
        return f"Units({self.count} units in {len(self.columns)} axes of {self.graph!r})"

    def layout(self, member: Class) -> Layout:
        """Spell any class out; entries that occur in no parameter, input or output are -1."""
        return spell(self.axes, member, self._column)

    def _column(self, atom: Class) -> Column:
        found = self.columns.get(atom)
        return np.full(self.axes.sizes[atom], -1) if found is None else found


@uninterrupted()
def couple(graph: Graph) -> Units:
    """Find the units of a graph.

    Args:
        graph: what `suture.trace` recorded.

    Returns:
        The units; the time taken grows with the number of ops and the sum of the dims in entries.

    Raises:
        CoupleError: axes that the network ties together disagree.

    Example:
        >>> import torch
        >>> from suture import Subject, trace
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
        >>> units = couple(trace(Subject(model, (torch.zeros(5, 3),))))
        >>> [column] = units.tensors["0.weight"][0][0]  # one segment of one factor
        >>> [other] = units.tensors["1.weight"][1][0]
        >>> np.array_equal(column, other)
        True
    """
    found = axes(graph)
    refine(found)
    spelling = _Spelling(found)
    named = {**graph.parameters, **graph.buffers, **graph.inputs, **graph.outputs}
    named |= {name: named[twin] for name, twin in graph.mirrors.items()}
    classes = {name: found.dims[value] for name, value in named.items()}
    classes |= {
        name: tuple(map(found.new, tensor.shape))
        for name, tensor in graph.unreached.items()
        if name not in graph.mirrors
    }
    values = {n: found.values[v] for n, v in graph.inputs.items() if v in found.values}
    return spelling.finish(graph, classes, values)


def recut(units: Units, cuts: Mapping[Class, tuple[int, ...]]) -> Units:
    """Cut atoms into factors, outermost first.

    Args:
        units: the units of a graph.
        cuts: atom -> the sizes of its factors in entries.

    Returns:
        The units with those factors in the place of the atoms.
    """
    if not cuts:
        return units
    axes = units.axes.copy()
    for atom, sizes in cuts.items():
        axes.add_makeup(atom, "product", [axes.new(size) for size in sizes])
    values = {name: axes.values[units.graph.inputs[name]] for name in units.values}
    return _Spelling(axes).finish(units.graph, units.classes, values)


@dataclass(slots=True, eq=False)
class _Spelling:
    """Spells classes out as segments of columns, giving every entry of an atom a number."""

    axes: Axes
    atoms: dict[Class, Column] = field(default_factory=dict)
    layouts: dict[Class, Layout] = field(default_factory=dict)
    count: int = 0

    def layout(self, member: Class) -> Layout:
        member = self.axes.find(member)
        if member not in self.layouts:
            self.layouts[member] = spell(self.axes, member, self._atom)
        return self.layouts[member]

    def _atom(self, member: Class) -> Column:
        if member not in self.atoms:
            size = self.axes.sizes[member]
            self.atoms[member] = np.arange(self.count, self.count + size, dtype=np.int64)
            self.count += size
        return self.atoms[member]

    def finish(
        self, graph: Graph, classes: dict[str, tuple[Class, ...]], values: dict[str, Class]
    ) -> Units:
        """Tie the entries that picks tie, and number the units in order of first occurrence."""
        for member in (*(c for dims in classes.values() for c in dims), *values.values()):
            self.layout(member)
        named = set(self.atoms)
        edges, checks = self._picked()
        links = coo_array((np.ones(edges.shape[1], bool), edges), (self.count, self.count))
        count, labels = connected_components(links, directed=False)
        unit: Column = labels.astype(np.int64)
        owners = np.empty(self.count, np.int64)
        for member, column in self.atoms.items():
            owners[column] = member
        atom = np.empty(count, np.int64)
        atom[unit[::-1]] = owners[::-1]

        @cache
        def layout(member: Class) -> Layout:
            segments = self.layout(member)
            return tuple(tuple(unit[column] for column in segment) for segment in segments)

        find = self.axes.find

        return Units(
            graph,
            self.axes,
            int(count),
            {name: tuple(layout(find(dim)) for dim in dims) for name, dims in classes.items()},
            classes,
            {name: layout(find(axis)) for name, axis in values.items()},
            {member: unit[column] for member, column in self.atoms.items() if member in named},
            atom,
            checks,
        )

    def _picked(self) -> tuple[NDArray[np.int64], tuple[Picked, ...]]:
        """Pairs of entries that picks tie, and the picks between products, which tie none."""
        pairs, checks = [np.empty((2, 0), np.int64)], []
        for pick in self.axes.picks:
            one, other = self.layout(pick.axis), self.layout(pick.source)
            columns = plain(one), plain(other)
            if columns[0] is None or columns[1] is None:
                checks.append(pick)
                continue
            taken = pick.index >= 0
            pairs.append(np.stack([columns[0][taken], columns[1][pick.index[taken]]]))
        return np.concatenate(pairs, axis=1), tuple(checks)


def spell(
    axes: Axes,
    member: Class,
    leaf: Callable[[Class], Column],
    above: frozenset[Class] = frozenset(),
) -> Layout:
    """Spell a class out down to its atoms, each spelled by `leaf`."""
    member = axes.find(member)
    makeups = [m for m in axes.made_of(member) if above.isdisjoint((member, *m.parts))]
    if not makeups:
        return ((leaf(member),),)
    parts = [spell(axes, part, leaf, above | {member}) for part in makeups[0].parts]
    if makeups[0].kind == "sum":
        return _merged([segment for part in parts for segment in part])
    layout = parts[-1]
    for part in reversed(parts[:-1]):
        layout = times(part, layout)
    return layout


def plain(layout: Layout) -> Column | None:
    """Give the units along a layout that is one axis but for factors of one entry."""
    long = [column for column in layout[0] if len(column) > 1] or [layout[0][-1]]
    return long[0] if len(layout) == len(long) == 1 else None


def length(layout: Layout) -> int:
    """Count the entries of a dim."""
    return sum(prod(map(len, segment)) for segment in layout)


def marked(columns: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Say of each entry of a segment whether any of its factors is marked, given marks by factor.

    Example:
        >>> marked([np.array([False, True]), np.array([False, False, True])])
        array([False, False,  True,  True,  True,  True])
    """
    return reduce(lambda outer, inner: np.logical_or.outer(outer, inner).ravel(), columns)


def _merged(segments: list[Segment]) -> Layout:
    """Lay segments end to end; plain columns become one."""
    if all(len(segment) == 1 for segment in segments):
        return ((np.concatenate([segment[0] for segment in segments]),),)
    return tuple(segments)


def times(outer: Layout, inner: Layout) -> Layout:
    """Multiply two layouts in C order; an inner one of several segments repeats per outer entry."""
    if len(inner) == 1:
        return tuple((*segment, *inner[0]) for segment in outer)
    return tuple((*entry, *segment) for entry in _entries(outer) for segment in inner)


def _entries(layout: Layout) -> list[Segment]:
    """Every entry of a layout as a segment of its own."""
    return [
        tuple(np.array([unit]) for unit in entry)
        for segment in layout
        for entry in cartesian(*segment)
    ]
