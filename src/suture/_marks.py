"""Marks: what tells the entries of an axis apart where no name does.

Knows three kinds. A constant that varies along an axis and meets data (the frequencies of rotary
positions, slopes per head) marks each entry by what it meets; the taps of a kernel are marked by
their offset from the place that they are summed into; the rows of a table by the places where a
constant index chooses them (`_rows`). Does not know which units pair (`_signature`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suture._axes import Class
from suture._bind import Bound, Window
from suture._couple import Column, Units
from suture._graph import Node
from suture._interactions import without_data
from suture._rows import Choice, Choices, by_places, choices

Rows = NDArray[np.float64]
"""What each entry of an axis meets: f64[entry, met]."""

NEAR = 1e-6
"""How far two constants may differ, relatively, and still be one: they are computed in f32."""


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """The taps of a kernel: how far each lies from its place, and how far places lie apart."""

    offsets: NDArray[np.int64]
    stride: int

    def are(self, other: Taps) -> bool:
        """Whether they are the same taps."""
        return self.stride == other.stride and np.array_equal(self.offsets, other.offsets)


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """What marks the entries of axes.

    Attributes:
        constants: atom -> what its entries meet, for each constant the units and their rows.
        taps: atom -> what is known of it as the taps of a kernel; None where it is two kernels'.
        unknown: atoms along which constants lie whose values nobody knows.
        choices: atom -> what constant indices choose from its entries, as rows of a table.
    """

    constants: dict[Class, list[tuple[Column, Rows]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    taps: dict[Class, Taps | None] = field(default_factory=dict)
    unknown: set[Class] = field(default_factory=set)
    choices: Choices = field(default_factory=dict)


Marked = tuple[Marks, Class, Column]
"""The marks of a side, the atom of an axis, and those of its units that are asked for."""


def marks(units: Units) -> Marks:
    """Find what marks the axes that parameters have."""
    graph, own = units.graph, without_data(units.graph)
    found, seen = Marks(choices=choices(units, own)), set[int]()
    # What an input or output has too is told apart by its place there.
    inner = _atoms(units, (*graph.parameters, *graph.buffers))
    inner -= _atoms(units, (*graph.inputs, *graph.outputs))
    makers = {value: node for node in graph.nodes for value in node.outputs}
    for number, node in enumerate(graph.nodes):
        if own.issuperset(node.inputs):
            continue
        for value in (v for v in node.inputs if v in graph.constants and v not in seen):
            seen.add(value)
            _note_constant(found, units, value, inner)
        for window in node.bound.windows:
            _note_taps(found, units, number, window, makers)
    return found


def _atoms(units: Units, names: Iterable[str]) -> set[Class]:
    layouts = (layout for name in names for layout in units.tensors[name])
    columns = (column for layout in layouts for segment in layout for column in segment)
    return {int(units.atom[column[0]]) for column in columns if len(column)}


def _note_constant(found: Marks, units: Units, value: int, inner: Set[Class]) -> None:
    """Note what the entries of each axis of a constant are there."""
    entries = units.graph.constants[value]
    for dim, member in enumerate(units.axes.dims[value]):
        start = 0
        for segment in units.layout(member):
            shape = [len(column) for column in segment]
            stop = start + int(np.prod(shape))
            for place, column in enumerate(segment):
                atom = int(units.atom[column[0]]) if len(column) > 1 and column[0] >= 0 else -1
                if atom not in inner:
                    continue
                if entries is None:
                    found.unknown.add(atom)
                elif entries.dtype.kind in "fiu":
                    part = np.moveaxis(entries, dim, 0)[start:stop]
                    rows = np.moveaxis(part.reshape(*shape, -1), place, 0)
                    _add(found, atom, column, rows.reshape(len(column), -1))
            start = stop


def _add(found: Marks, atom: Class, column: Column, rows: NDArray[Any]) -> None:
    """Add what tells the units of a column apart; one that occurs again meets what it met."""
    units, first = np.unique(column, return_index=True)
    rows = rows[first].astype(np.float64)
    if len(units) > 1 and not (rows == rows[:1]).all():
        found.constants[atom].append((units, rows))


def _note_taps(
    found: Marks, units: Units, number: int, window: Window, makers: dict[int, Node]
) -> None:
    """Note the offsets of a kernel's taps, explicit padding before it included."""
    node, seen = units.graph.nodes[number], _taps(window.index)
    atom = _atom(units, units.axes.names[number][window.axes[-1]])
    if len(window.axes) != 2 or seen is None or atom is None:
        return
    front = _padded(node, window.source, makers)
    taps = Taps(seen.offsets - front, seen.stride)
    known = found.taps.setdefault(atom, taps)
    if known is not None and not known.are(taps):
        found.taps[atom] = None


def _taps(index: NDArray[np.int64]) -> Taps | None:
    """Find the offsets of taps from their places, None where they are not the same everywhere.

    Example:
        >>> _taps(np.array([[-1, 0, 1], [0, 1, 2], [1, 2, -1]]))
        Taps(offsets=array([-1,  0,  1]), stride=1)
    """
    if index.ndim != 2 or not (index >= 0).any(axis=0).all():
        return None
    read = index >= 0
    steps = np.diff(index, axis=0)[read[1:] & read[:-1]]
    stride = int(steps[0]) if len(steps) else 1
    offsets = index - stride * np.arange(len(index))[:, None]
    first = offsets[read.argmax(axis=0), np.arange(index.shape[1])]
    return Taps(first, stride) if ((offsets == first) | ~read).all() else None


def _padded(node: Node, axis: str, makers: dict[int, Node]) -> int:
    """Count the entries that a pad right before an op lays in front of an axis."""
    for operand, value in zip(node.bound.inputs, node.inputs, strict=True):
        for dim, parts in enumerate(operand.dims):
            if any(one.name == axis for part in parts for one in part) and value in makers:
                maker = makers[value]
                return _in_front(maker.bound, maker.outputs.index(value), dim)
    return 0


def _in_front(bound: Bound, output: int, dim: int) -> int:
    """Count the entries of a dim before the part that an operand has too, or is picked from one."""
    read = {a.name for o in bound.inputs for parts in o.dims for part in parts for a in part}
    front = 0
    parts = bound.outputs[output].dims[dim]
    for part in parts if len(parts) > 1 else ():
        if any(axis.name in read for axis in part):
            return front
        front += int(np.prod([bound.sizes[axis.name] for axis in part]))
    for pick in bound.picks:
        if any(axis.name == pick.axis for part in parts for axis in part) and len(pick.index):
            middle = len(pick.index) // 2
            return middle - int(pick.index[middle])
    return 0


def _atom(units: Units, member: Class) -> Class | None:
    """Give the atom of a class that is one."""
    layout = units.layout(member)
    plain = len(layout) == 1 and len(layout[0]) == 1 and len(layout[0][0]) > 0
    return int(units.atom[layout[0][0][0]]) if plain and layout[0][0][0] >= 0 else None


def pairs(theirs: Marked, ours: Marked, known: Column) -> Column | None:
    """Pair the entries of two axes by their marks.

    Args:
        theirs: the source's marks, the atom of the axis, and its units.
        ours: the target's.
        known: target unit -> source unit, of units that are paired already.

    Returns:
        Per target unit the place of its partner among the source's, -1 where none is marked alike;
        None where marks do not tell, and entries pair in order. Constants that changed along an
        axis that did not grow do not: there the network computes otherwise with the same units.
    """
    left, right = (_taps_of(*side) for side in (theirs, ours))
    if left is not None and right is not None and max(len(left.offsets), len(right.offsets)) > 1:
        found = _first(left.offsets[:, None] == right.offsets)
        return found if (found >= 0).any() else None
    equal = _equal(_rows(*theirs), _rows(*ours))
    if equal is None:
        chosen = _choices_of(*theirs), _choices_of(*ours)
        return by_places(chosen, (theirs[2], ours[2]), known)
    found = _first(equal)
    same = len(theirs[2]) == len(ours[2])
    return None if same and (found < 0).any() else found


def _taps_of(marks: Marks, atom: Class, column: Column) -> Taps | None:
    """Give the taps of a kernel; the one of a kernel of size one reads where it writes."""
    taps = marks.taps.get(atom)
    if taps is None and atom not in marks.taps and len(column) == 1:
        return Taps(np.zeros(1, np.int64), 1)
    return taps if taps is None or len(taps.offsets) == len(column) else None


def _choices_of(marks: Marks, atom: Class, _: Column) -> list[Choice]:
    return marks.choices.get(atom, [])


def _rows(marks: Marks, atom: Class, column: Column) -> Iterator[Rows]:
    """List what some units of an axis meet, constant by constant."""
    for units, rows in marks.constants.get(atom, ()):
        if np.isin(column, units).all():
            yield rows[np.searchsorted(units, column)]


def keep_places(theirs: Marked, ours: Marked, partner: Column) -> bool:
    """Whether the taps of a kernel that have a partner read what it read.

    Args:
        theirs: the source's marks, the atom of its taps, and its units.
        ours: the target's.
        partner: per tap of the target the one of the source, -1 where it is fresh.
    """
    left, right = (_taps_of(*side) for side in (theirs, ours))
    if left is None or right is None:
        return False
    old, new = left.offsets[partner[partner >= 0]], right.offsets[partner >= 0]
    return left.stride == right.stride and np.array_equal(old, new)


def _equal(theirs: Iterable[Rows], ours: Iterable[Rows]) -> NDArray[np.bool_] | None:
    """Say which entries meet the same constants: bool[source, target]; None where none compare."""
    compared = list(_compared(theirs, ours))
    if not compared:
        return None
    close = [np.isclose(a[:, None], b, rtol=NEAR, atol=NEAR).all(axis=2) for a, b in compared]
    equal: NDArray[np.bool_] = np.logical_and.reduce(close)
    return equal


def _compared(theirs: Iterable[Rows], ours: Iterable[Rows]) -> Iterator[tuple[Rows, Rows]]:
    """Lay constants side by side, in order; of longer examples the beginning is compared."""
    for one, other in zip(theirs, ours, strict=False):
        met = min(one.shape[1], other.shape[1])
        yield one[:, :met], other[:, :met]


def _first(equal: NDArray[np.bool_]) -> Column:
    """Give each target entry a source entry that is equal, equal ones one by one in order."""
    found = np.full(equal.shape[1], -1, np.int64)
    free = np.ones(equal.shape[0], np.bool_)
    for at, column in enumerate(equal.T):
        fits = np.flatnonzero(column & free)
        if len(fits):
            found[at] = fits[0]
            free[fits[0]] = False
    return found
