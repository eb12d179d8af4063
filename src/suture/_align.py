"""Alignment: which factors of a source dim are which of its target dim, where one spells out more.

Knows that a factor of one entry (one head, one channel) may be missing on one side: nothing in the
network shows it. Does not know names or signatures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from math import comb
from typing import Literal

import numpy as np

from suture._axes import Class
from suture._couple import Column, Layout, Segment, Units

Slots = tuple[int | None, ...]
"""Per aligned place, outermost first, the factor of a segment that sits there, or None."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Where the factors of one segment sit; the other side has nothing at the `spare` places."""

    slots: Slots
    spare: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the factors of two dims fall together: one seat per segment of either side."""

    source: tuple[Seat, ...]
    target: tuple[Seat, ...]


Where = Literal["before", "behind"]
"""On which side of an axis something is."""

STEP: Mapping[Where, int] = {"before": -1, "behind": 1}


@dataclass(frozen=True, slots=True)
class Told:
    """What the networks tell of their axes.

    Attributes:
        met: axes of the source and of the target that fall together elsewhere.
        ones: source axis, target axis -> on which side of it a dim of one is first set.
    """

    met: set[tuple[Class, Class]] = field(default_factory=set)
    ones: tuple[Mapping[Class, Where], Mapping[Class, Where]] = ({}, {})


def all_aligned(
    source: Units, target: Units, shared: Mapping[str, str], told: Told
) -> dict[tuple[str, int], Alignment]:
    """Align the factors of every dim of every shared tensor, by its target name; -1 for values.

    Dims of equally many factors come first, then those of the fewest ways to fall together, as the
    target uses them: what has fallen together once does so again.
    """
    layouts = {
        (name, dim): pair
        for name in _in_order_of_use(target, shared)
        for dim, pair in _layouts(source, shared[name], target, name)
    }
    found: dict[tuple[str, int], Alignment] = {}
    for at in sorted(layouts, key=lambda at: _ways(*layouts[at])):
        theirs, ours = layouts[at]
        found[at] = align(source, theirs, target, ours, told)
        if at[1] >= 0:
            told.met.update(_met(source, theirs, target, ours, found[at]))
    return found


def _ways(theirs: Layout, ours: Layout) -> int:
    """Count in how many ways the widest segments of two dims may fall together; 0 if plainly."""
    ranks = [sorted(map(len, layout)) for layout in (theirs, ours)]
    most = [each[-1] for each in ranks]
    return 0 if ranks[0] == ranks[1] else comb(max(most), min(most))


def _layouts(
    source: Units, theirs: str, target: Units, ours: str
) -> Iterator[tuple[int, tuple[Layout, Layout]]]:
    yield from enumerate(zip(source.tensors[theirs], target.tensors[ours], strict=False))
    if theirs in source.values and ours in target.values:
        yield -1, (source.values[theirs], target.values[ours])


def _in_order_of_use(units: Units, names: Iterable[str]) -> list[str]:
    """Order tensors by the first node that reads or gives them; what no node does comes last."""
    graph = units.graph
    first: dict[int, int] = {}
    for number, node in enumerate(graph.nodes):
        for value in (*node.inputs, *node.outputs):
            first.setdefault(value, number)
    values = {**graph.outputs, **graph.inputs, **graph.buffers, **graph.parameters}
    return sorted(names, key=lambda name: first.get(values.get(name, -1), len(graph.nodes)))


def align(
    source: Units, theirs: Layout, target: Units, ours: Layout, told: Told | None = None
) -> Alignment:
    """Align the factors of two dims.

    Factors that have met elsewhere fall together; then a lone one leaves the place free where a dim
    of one is set beside it; then those of equal size and of equally many axes laid end to end do;
    where that does not tell, inner factors. Segments are aligned one by one where their factors
    are not equally many; else all as the widest are.
    """
    ranks = [len(segment) for segment in theirs], [len(segment) for segment in ours]
    width, told = max(*ranks[0], *ranks[1]), told or Told()
    if len(theirs) == len(ours) and sorted(ranks[0]) != sorted(ranks[1]):
        pairs = zip(theirs, ours, strict=True)
        seats = [_seats(source, one, target, other, width, told) for one, other in pairs]
        return Alignment(tuple(s for s, _ in seats), tuple(t for _, t in seats))
    widest = _seats(source, max(theirs, key=len), target, max(ours, key=len), width, told)
    found = Alignment(_for_all(widest[0], ranks[0]), _for_all(widest[1], ranks[1]))
    if len(theirs) == len(ours):
        return found
    return _by_met(source, theirs, target, ours, told, found)


def _by_met(
    source: Units, theirs: Layout, target: Units, ours: Layout, told: Told, found: Alignment
) -> Alignment:
    """Seat the segments of dims in unlike pieces, each as the one of which most axes have met."""
    width = len(found.source[0].slots)
    kinds = _kinds(source, theirs), _kinds(target, ours)
    shared = {
        (one, other): sum(pair in told.met for pair in product(one, other))
        for one in kinds[0]
        for other in kinds[1]
    }
    seats = [*found.source], [*found.target]
    for side, own in enumerate(kinds):
        for kind, places in own.items():
            pair = max((p for p in shared if p[side] == kind), key=shared.__getitem__)
            left, right = theirs[kinds[0][pair[0]][0]], ours[kinds[1][pair[1]][0]]
            if shared[pair]:
                seat = _seats(source, left, target, right, width, told)[side]
                for at in places:
                    seats[side][at] = seat
    return Alignment(tuple(seats[0]), tuple(seats[1]))


def _kinds(units: Units, layout: Layout) -> dict[tuple[Class, ...], list[int]]:
    """List the segments of a dim by their axes."""
    found: dict[tuple[Class, ...], list[int]] = {}
    for at, segment in enumerate(layout):
        found.setdefault(tuple(_atom(units, column) for column in segment), []).append(at)
    return found


def _met(
    source: Units, theirs: Layout, target: Units, ours: Layout, found: Alignment
) -> Iterator[tuple[Class, Class]]:
    """List the axes of two aligned dims that fall together, segment by segment."""
    segments = zip(theirs, ours, found.source, found.target, strict=len(theirs) == len(ours))
    for left, right, one, other in segments if len(theirs) == len(ours) else ():
        if len(left) == len(right) or len(theirs) == 1:
            for slot, place in zip(one.slots, other.slots, strict=True):
                if slot is not None and place is not None:
                    yield _atom(source, left[slot]), _atom(target, right[place])


def _for_all(widest: Seat, ranks: Sequence[int]) -> tuple[Seat, ...]:
    """Seat every segment as the widest; one of fewer factors lacks outer ones."""
    return tuple(Seat(_without(widest.slots, max(ranks) - rank), widest.spare) for rank in ranks)


def _without(slots: Slots, lacks: int) -> Slots:
    return tuple(None if slot is None or slot < lacks else slot - lacks for slot in slots)


def _seats(
    source: Units, theirs: Segment, target: Units, ours: Segment, width: int, told: Told
) -> tuple[Seat, Seat]:
    """Seat two segments beside each other, innermost factors in the last place."""
    shapes = [_axes(source, column) for column in theirs], [_axes(target, c) for c in ours]
    atoms = [_atom(source, column) for column in theirs], [_atom(target, c) for c in ours]
    longer, shorter = sorted(shapes, key=len, reverse=True)
    swapped = len(theirs) < len(ours)
    many, few = atoms[::-1] if swapped else atoms
    ones = told.ones[0 if swapped else 1]
    places = tuple(range(len(longer)))

    def worth(kept: tuple[int, ...]) -> tuple[int, int, int, tuple[int, ...]]:
        pairs = [(many[place], atom) for place, atom in zip(kept, few, strict=True)]
        known = sum((pair[::-1] if swapped else pair) in told.met for pair in pairs)
        alone = zip(kept, few, strict=True) if len(few) == 1 else ()
        beside = [place + STEP[ones[a]] for place, a in alone if a in ones]
        free = sum(place in places and place not in kept for place in beside)
        return known, free, _score(kept, longer, shorter), kept

    kept = max(combinations(places, len(shorter)), key=worth)
    lead = width - len(longer)
    full = (*(None,) * lead, *places)
    part = (*(None,) * lead, *(kept.index(place) if place in kept else None for place in places))
    spare = frozenset(place + lead for place in places if place not in kept)
    if swapped:
        return Seat(part), Seat(full, spare)
    return Seat(full, spare), Seat(part)


def _score(kept: tuple[int, ...], longer: list[list[int]], shorter: list[list[int]]) -> int:
    pairs = [(longer[place], shape) for place, shape in zip(kept, shorter, strict=True)]
    return sum((sum(one) == sum(other)) + (len(one) == len(other)) for one, other in pairs)


def _atom(units: Units, column: Column) -> Class:
    return int(units.atom[column[0]]) if len(column) else -1


def _axes(units: Units, column: Column) -> list[int]:
    """List the sizes of the axes laid end to end along a factor."""
    cuts = np.flatnonzero(np.diff(units.atom[column])) + 1
    return [len(piece) for piece in np.split(column, cuts)]
