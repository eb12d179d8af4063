"""Rewiring: pairing axes that occur in other places than before, by those that they share.

Knows what an edge more or less does to axes: one becomes several, or several one. Does not know
units of which the places are as they were (`_signature`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from suture._couple import Column, Layout
from suture._errors import MatchError
from suture._occurrences import Positions
from suture._plan import Note
from suture._signature import Dim, Groups, Place, Signed, join, places_of, shown


@dataclass(frozen=True, slots=True, eq=False)
class Rewired:
    """What was paired by shared places.

    Attributes:
        notes: what was paired so.
        placed: dims whose positions come from other units than those along them: of several axes
            that became one, all but the first.
    """

    notes: list[Note] = field(default_factory=list)
    placed: dict[Dim, Positions] = field(default_factory=dict)


def by_overlap(
    partner: Column,
    theirs: Groups,
    ours: Groups,
    source: Signed,
    target: Signed,
    names: Mapping[str, str],
) -> Rewired:
    """Pair what wiring changed by the largest number of shared places.

    One source axis may be several of the target's, where an edge went that made them one. Where
    an edge came, several source axes are one of the target's: its units come from that of most
    shared places, and the dims where others were take theirs in order.

    `names` gives shared tensors of the target the source's.

    Raises:
        MatchError: axes fit equally well and are no whole dims.
    """
    left = [column for columns in theirs.values() for column in columns]
    candidates = [set(places_of(source, column)) for column in left]
    found = Rewired()
    for column in (column for columns in ours.values() for column in columns):
        places = places_of(target, column)
        shared = [_shared(each, places, target) for each in candidates]
        best = max(shared, default=(0, 0))
        if best == (0, 0):
            continue
        chosen = [at for at, count in enumerate(shared) if count == best]
        others = [at for at, count in enumerate(shared) if count[0] and at != chosen[0]]
        placed = dict(_placed([candidates[at] for at in others], places, source, target, names))
        if len(chosen) > 1 and not placed:
            raise _tie(places, [candidates[at] for at in chosen])
        join(partner, left[chosen[0]], column, source, target)
        reason = f"wiring changed; paired by {sum(best)} of {len(places)} shared places"
        found.notes.append(Note("pairing", shown(places), reason))
        if placed:
            found.placed.update(placed)
            where = ", ".join(f"{name} dim {dim}" for name, dim in placed)
            reason = "other units than those beside it lie there: several axes became one"
            found.notes.append(Note("inexact", where, reason))
    return found


def _held(place: Place, side: Signed) -> bool:
    """Whether a place is in a parameter or buffer."""
    return place[0] in side.units.graph.parameters or place[0] in side.units.graph.buffers


def _shared(one: set[Place], other: list[Place], side: Signed) -> tuple[int, int]:
    """Count the places that two axes share: in parameters, which decide, and elsewhere."""
    common = one.intersection(other)
    within = sum(_held(place, side) for place in common)
    return within, len(common) - within


def _placed(
    others: list[set[Place]],
    places: list[Place],
    source: Signed,
    target: Signed,
    names: Mapping[str, str],
) -> Iterator[tuple[Dim, Positions]]:
    """Lay the positions of whole dims that other axes shared beside each other, in order."""
    shared = (place for other in others for place in places if place in other)
    for name, dim, _ in (place for place in shared if _held(place, target)):
        theirs, ours = source.units.tensors, target.units.tensors
        other = names[name]
        if _is_plain(theirs[other][dim], ours[name][dim]):
            sizes = [len(layout[0][0]) for layout in (theirs[other][dim], ours[name][dim])]
            at = np.arange(sizes[1])
            yield (name, dim), np.where(at < sizes[0], at, -1)


def _is_plain(*layouts: Layout) -> bool:
    return all(len(layout) == 1 and len(layout[0]) == 1 for layout in layouts)


def _tie(places: list[Place], candidates: list[set[Place]]) -> MatchError:
    facts = [("target", shown(places))]
    facts += [("source", shown(sorted(each))) for each in candidates]
    sentence = "Wiring changed, and several source axes fit equally well."
    return MatchError(sentence, facts, "name their entries in both schemas")
