"""Alignment: which factors of a source dim are which of its target dim, where one spells out more.

Knows that a factor of one entry (one head, one channel) may be missing on one side: nothing in the
network shows it. Does not know names or signatures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import combinations

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


Met = Set[tuple[Class, Class]]
"""Axes of the source and of the target that fall together where nothing is left implicit."""


def align(
    source: Units, theirs: Layout, target: Units, ours: Layout, met: Met = frozenset()
) -> Alignment:
    """Align the factors of two dims.

    Factors that have met elsewhere fall together, then those of equal size and of equally many axes
    laid end to end; where that does not tell, inner factors do. Segments of equal number are
    aligned one by one where their factors are not equally many; else all as the widest are.
    """
    ranks = [len(segment) for segment in theirs], [len(segment) for segment in ours]
    width = max(*ranks[0], *ranks[1])
    if len(theirs) == len(ours) and sorted(ranks[0]) != sorted(ranks[1]):
        pairs = zip(theirs, ours, strict=True)
        seats = [_seats(source, one, target, other, width, met) for one, other in pairs]
        return Alignment(tuple(s for s, _ in seats), tuple(t for _, t in seats))
    widest = _seats(source, max(theirs, key=len), target, max(ours, key=len), width, met)
    return Alignment(_for_all(widest[0], ranks[0]), _for_all(widest[1], ranks[1]))


def met(
    source: Units, theirs: Layout, target: Units, ours: Layout
) -> Iterator[tuple[Class, Class]]:
    """List the axes of two dims that fall together because either has equally many factors."""
    if len(theirs) == len(ours):
        for left, right in zip(theirs, ours, strict=True):
            if len(left) == len(right):
                for one, other in zip(left, right, strict=True):
                    yield _atom(source, one), _atom(target, other)


def _for_all(widest: Seat, ranks: Sequence[int]) -> tuple[Seat, ...]:
    """Seat every segment as the widest; one of fewer factors lacks outer ones."""
    return tuple(Seat(_without(widest.slots, max(ranks) - rank), widest.spare) for rank in ranks)


def _without(slots: Slots, lacks: int) -> Slots:
    return tuple(None if slot is None or slot < lacks else slot - lacks for slot in slots)


def _seats(
    source: Units, theirs: Segment, target: Units, ours: Segment, width: int, met: Met
) -> tuple[Seat, Seat]:
    """Seat two segments beside each other, innermost factors in the last place."""
    shapes = [_axes(source, column) for column in theirs], [_axes(target, c) for c in ours]
    atoms = [_atom(source, column) for column in theirs], [_atom(target, c) for c in ours]
    longer, shorter = sorted(shapes, key=len, reverse=True)
    swapped = len(theirs) < len(ours)
    many, few = atoms[::-1] if swapped else atoms
    places = tuple(range(len(longer)))

    def worth(kept: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
        pairs = [(many[place], atom) for place, atom in zip(kept, few, strict=True)]
        known = sum((pair[::-1] if swapped else pair) in met for pair in pairs)
        return known, _score(kept, longer, shorter), kept

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
