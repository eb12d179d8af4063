"""Alignment: which factors of a source dim are which of its target dim, where one spells out more.

Knows that a factor of one entry (one head, one channel) may be missing on one side: nothing in the
network shows it. Does not know names or signatures.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from suture._couple import Column, Layout, Units

Slots = tuple[int | None, ...]
"""Per factor of the longer side, one side's own factor from the outermost; None if it has none."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the factors of two dims fall together."""

    source: Slots
    target: Slots

    @property
    def even(self) -> bool:
        """Whether both sides spell out the same factors."""
        return None not in (*self.source, *self.target)


def rank(layout: Layout) -> int:
    """Count the factors of the widest segment."""
    return max((len(segment) for segment in layout), default=1)


def align(source: Units, theirs: Layout, target: Units, ours: Layout) -> Alignment:
    """Align the factors of two dims.

    Factors of equal size, and of equally many axes laid end to end, fall together; where that
    does not tell, inner factors do.
    """
    ranks = rank(theirs), rank(ours)
    width = max(ranks)
    whole = tuple(range(width))
    if ranks[0] == ranks[1]:
        return Alignment(whole, whole)
    shapes = [_shapes(source, theirs), _shapes(target, ours)]
    longer, shorter = sorted(shapes, key=len, reverse=True)
    kept = max(
        combinations(whole, min(ranks)), key=lambda kept: (_score(kept, longer, shorter), kept)
    )
    slots = tuple(kept.index(place) if place in kept else None for place in whole)
    return Alignment(slots, whole) if ranks[0] < ranks[1] else Alignment(whole, slots)


def _score(kept: tuple[int, ...], longer: list[list[int]], shorter: list[list[int]]) -> int:
    pairs = [(longer[place], shape) for place, shape in zip(kept, shorter, strict=True)]
    return sum((sum(one) == sum(other)) + (len(one) == len(other)) for one, other in pairs)


def _shapes(units: Units, layout: Layout) -> list[list[int]]:
    """Per factor of the longest segment, the sizes of the axes laid end to end along it."""
    longest = max(layout, key=len)
    return [_runs(units.atom[column]) for column in longest]


def _runs(atoms: Column) -> list[int]:
    cuts = np.flatnonzero(np.diff(atoms)) + 1
    return [len(piece) for piece in np.split(atoms, cuts)]
