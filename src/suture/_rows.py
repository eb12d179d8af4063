"""Rows: which rows of two tables are one, by the places where constant indices choose them.

Knows the indices that depend on neither weights nor inputs (buckets of relative positions, places
in a window, plain counts) and what they choose from tables of parameters: a row is the other
side's row that is chosen at the same places. Does not know what the places mean, nor what is told
about it (`_match`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suture._axes import Class
from suture._couple import Column, Layout, Units, length, plain
from suture._graph import Node

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What one index chooses from a table.

    Attributes:
        rows: the units of the rows, place by place; -1 for none.
        places: the places, dim by dim.
    """

    rows: Column
    places: tuple[Layout, ...]


Choices = dict[Class, list[Choice]]
"""The atom of a table's rows -> what indices choose from it, in order of use."""

Chosen = tuple[Sequence[Choice], Sequence[Choice]]
"""What indices choose from a table of the source, and from that of the target."""


def choices(units: Units, own: set[int]) -> Choices:
    """Find what constant indices choose from tables; `own` values depend on no data."""
    found: Choices = {}
    for number, node in enumerate(units.graph.nodes):
        if own.issuperset(node.inputs):
            for table, choice in _of(units, number, node):
                known = found.setdefault(int(units.atom[table[0]]), [])
                if not any(np.array_equal(choice.rows, other.rows) for other in known):
                    known.append(choice)
    return found


def _of(units: Units, number: int, node: Node) -> Iterator[tuple[Column, Choice]]:
    """List the tables that a node reads by constant indices, and what is chosen."""
    graph, names = units.graph, units.axes.names[number]
    found = [
        (operand.values, graph.constants[value], units.axes.dims[value])
        for operand, value in zip(node.bound.inputs, node.inputs, strict=True)
        if operand.values and graph.constants.get(value) is not None
    ]
    found += [(pick.source, pick.index, (names[pick.axis],)) for pick in node.bound.picks]
    for axis, index, dims in found:
        table = plain(units.layout(names[axis]))
        if table is not None and len(table) > 1 and table[0] >= 0:
            rows = np.where(index >= 0, table[index], -1)
            yield table, Choice(rows, tuple(map(units.layout, dims)))


def by_places(chosen: Chosen, columns: tuple[Column, Column], known: Column) -> Positions | None:
    """Pair the rows of two tables that are chosen at the same places.

    Rows that no index chooses there follow, in order, the row before them.

    Args:
        chosen: what indices choose from the source's table, and from the target's.
        columns: the rows of both tables, as units.
        known: target unit -> source unit, of units that are paired already.

    Returns:
        Per row of the target the source's, -1 where no row is chosen at the same places; None
        where rows pair in order, or where indices share no places.
    """
    met = shared(chosen, columns, known)
    if not met.size:
        return None
    found = _following(_alike(met, len(columns[1])), met, len(columns[0]))
    at = np.arange(len(found))
    in_order = np.where(at < len(columns[0]), at, -1)
    return None if np.array_equal(found, in_order) else found


def shared(chosen: Chosen, columns: tuple[Column, Column], known: Column) -> NDArray[np.int64]:
    """List which rows are chosen at places that both sides have: i64[pair, source and target]."""
    pairs = [np.empty((0, 2), np.int64)]
    for their, our in zip(*chosen, strict=False):
        old, new = _at_shared(their, our, known)
        at = np.stack([_place(old, columns[0]), _place(new, columns[1])], axis=1)
        pairs.append(at[(at >= 0).all(axis=1)])
    return np.unique(np.concatenate(pairs), axis=0)


def _at_shared(their: Choice, our: Choice, known: Column) -> tuple[Column, Column]:
    """Give the rows that two indices choose at the places that both have, place by place."""
    if len(their.places) != len(our.places):
        count = min(their.rows.size, our.rows.size)
        return their.rows.ravel()[:count], our.rows.ravel()[:count]
    maps = [_same(*dims, known) for dims in zip(their.places, our.places, strict=True)]
    old, new = np.ix_(*(m[m >= 0] for m in maps)), np.ix_(*(np.flatnonzero(m >= 0) for m in maps))
    return their.rows[old].ravel(), our.rows[new].ravel()


def _same(theirs: Layout, ours: Layout, known: Column) -> Positions:
    """Find the places of a dim that both sides have, factor by factor where factors agree."""
    if [len(segment) for segment in theirs] != [len(segment) for segment in ours]:
        return _in_order(length(theirs), length(ours))
    found, start = [], 0
    for old, new in zip(theirs, ours, strict=True):
        maps = [_along(*columns, known) for columns in zip(old, new, strict=True)]
        grids = np.meshgrid(*maps, indexing="ij")
        flat = np.ravel_multi_index(tuple(grids), tuple(map(len, old)), mode="clip") + start
        found.append(np.where(np.min(grids, axis=0) < 0, -1, flat).ravel())
        start += length((old,))
    return np.concatenate(found)


def _along(theirs: Column, ours: Column, known: Column) -> Positions:
    """Pair the entries of a factor: as units that are paired already, in order where none tells.

    Entries may be one unit: places that a causal mask ties to each other.
    """
    partner = np.where(ours >= 0, known[ours], -1)
    told = (partner >= 0).any() and len(np.unique(ours)) == len(ours)
    return _place(partner, theirs) if told else _in_order(len(theirs), len(ours))


def _in_order(theirs: int, ours: int) -> Positions:
    at = np.arange(ours)
    return np.where(at < theirs, at, -1)


def _place(units: Column, column: Column) -> Positions:
    """Find where units stand along a column; -1 for those that do not."""
    order = np.argsort(column, kind="stable")
    at = order[np.searchsorted(column, units, sorter=order) % len(order)]
    return np.where((column[at] == units) & (units >= 0), at, -1)


def _alike(met: NDArray[np.int64], count: int) -> Positions:
    """Pair the rows that are chosen at the same places and nowhere else: each meets one row."""
    found = np.full(count, -1)
    once = [np.bincount(side)[side] == 1 for side in met.T]
    old, new = met[once[0] & once[1]].T
    found[new] = old
    return found


def _following(found: Positions, met: NDArray[np.int64], count: int) -> Positions:
    """Let rows that are not chosen follow the row before them, up to the next that is chosen."""
    chosen = np.isin(np.arange(count), met[:, 0])
    before = np.concatenate([[0], np.cumsum(chosen)])
    at = np.arange(len(found))
    anchor = np.maximum.accumulate(np.where(found >= 0, at, -1))
    start = np.where(anchor >= 0, found[anchor], -1) + 1
    wanted = start + at - anchor - 1
    free = (wanted < count) & ~np.isin(at, met[:, 1])
    ends = np.minimum(wanted + 1, count)
    free &= before[ends] == before[np.minimum(start, count)]
    return np.where(free, wanted, found)
