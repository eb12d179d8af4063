"""Occurrences: where along a source dim each position of a target dim comes from.

Knows positions. Entries are compared as tuples of units, one per factor. Those that occur several
times along one dim pair by their group (an encoder applied to each entity, then concatenated), and
in order where groups do not tell, if both sides have equally many (the gates of an LSTM, q and k of
a fused projection). Does not know how units were matched (`_match`) nor where groups come from
(`_reach`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suture._align import Alignment, Seat
from suture._couple import Column, Layout, Segment
from suture._errors import MatchError

Positions = NDArray[np.int64]
"""Per target position the source position, -1 where it is fresh."""

IMPLICIT = -2
"""Stands for a factor of one entry (one head) that the other side does not spell out."""


@dataclass(frozen=True, slots=True, eq=False)
class Partners:
    """What is known of units, by unit.

    Attributes:
        partner: target unit -> source unit, -1 where it is fresh, -2 where the source leaves it
            implicit.
        same: source unit -> the source unit that it is one with, mostly itself; -2 where the
            target leaves it implicit.
        implied: source unit, target unit -> whether it is the one entry of its factor that the
            other side leaves implicit.
    """

    partner: Column
    same: Column
    implied: tuple[NDArray[np.bool_], NDArray[np.bool_]]


STRANGE = -1
"""The group of a position that only the own side can know: it has no partner by its group."""

Groups = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The groups of the source's and the target's positions: i64[size], or i64[1] for one group."""

ONE_GROUP = np.array([0]), np.array([0])


def positions(
    source: Layout,
    target: Layout,
    partners: Partners,
    alignment: Alignment,
    where: str,
    groups: Callable[[], Groups] = lambda: ONE_GROUP,
) -> Positions:
    """Map the positions of a target dim to those of its source dim.

    Args:
        source: the source dim in units.
        target: the target dim in units.
        partners: which unit is which.
        alignment: which factors fall together.
        where: the tensor and dim, for the error.
        groups: gives the groups of positions, asked for where an entry occurs several times.

    Returns:
        Per target position the source position, -1 where it is fresh.

    Raises:
        MatchError: an entry occurs a different number of times on the two sides, or in groups that
            do not pair.
    """
    theirs = rows(source, alignment.source, partners.same, partners.implied[0])
    ours = rows(target, alignment.target, partners.partner, partners.implied[1])
    fresh = (ours == -1).any(axis=1)
    codes = _codes(theirs, ours)
    left, right = codes[: len(theirs)], codes[len(theirs) :]
    right = np.where(fresh, NOWHERE, right)
    copies = _copies(target, alignment.target, partners.implied[1])
    found = np.full(len(right), -1, np.int64)
    for copy in np.unique(copies[~fresh]):
        ours = np.where(copies == copy, right, NOWHERE)
        theirs = left
        if _repeats(left) or _repeats(ours[ours != NOWHERE]):
            theirs, ours = _told_apart(left, ours, groups(), where)
        found = np.maximum(found, _pair(theirs, ours, where))
    return found


def _copies(layout: Layout, seats: Sequence[Seat], implied: NDArray[np.bool_]) -> Positions:
    """Count which copy each position belongs to, where the source repeats what is one entry."""
    numbers = [
        [
            np.cumsum(implied[segment[slot]]) - 1
            if place in seat.spare and slot is not None
            else np.zeros(1 if slot is None else len(segment[slot]), np.int64)
            for place, slot in enumerate(seat.slots)
        ]
        for segment, seat in zip(layout, seats, strict=True)
    ]
    grids = [np.meshgrid(*each, indexing="ij") for each in numbers]
    found: Positions = np.concatenate([np.max(grid, axis=0).ravel() for grid in grids])
    return found


def rows(
    layout: Layout, seats: Sequence[Seat], known: Column, implied: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Write the entries of a layout as rows of source units, one column per aligned factor."""
    pairs = zip(layout, seats, strict=True)
    return np.concatenate([_taken(segment, seat, known, implied) for segment, seat in pairs])


def _taken(
    segment: Segment, seat: Seat, known: Column, implied: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Write the entries of one segment as rows; factors that one side lacks are implicit.

    Of a factor that the other side lacks, one entry is the one that it leaves implicit; the other
    entries are not there.
    """
    columns = [
        np.array([IMPLICIT])
        if slot is None
        else np.where(implied[segment[slot]], IMPLICIT, -1)
        if place in seat.spare
        else known[segment[slot]]
        for place, slot in enumerate(seat.slots)
    ]
    grids = np.meshgrid(*columns, indexing="ij")
    return np.stack([grid.ravel() for grid in grids], axis=1)


def _codes(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number per distinct row, over both sides."""
    both = np.concatenate([left, right])
    code = both[:, 0]
    for column in both.T[1:]:
        _, code = np.unique(code, return_inverse=True)
        code = code * (column.max(initial=0) + 3) + column - IMPLICIT
    return code


NOWHERE = -1
"""The code of a position that has no partner."""


def _repeats(codes: Positions) -> bool:
    # np.unique hashes integers, which takes several times as long as to sort them.
    ordered = np.sort(codes)
    return bool((ordered[1:] == ordered[:-1]).any())


def _told_apart(
    left: Positions, right: Positions, groups: Groups, where: str
) -> tuple[Positions, Positions]:
    """Give entries that occur several times a code per group, where groups tell them apart.

    What is left over of one entry on both sides, in one group each, is one group too: wiring
    changed what reaches it.
    """
    theirs, ours = (
        np.broadcast_to(group, codes.shape)
        for group, codes in zip(groups, (left, right), strict=True)
    )
    if (theirs == theirs[:1]).all() and (ours == ours[:1]).all():
        return left, right
    told = np.concatenate([_several(left, theirs), _several(right, ours)])
    step = int(max(theirs.max(), ours.max())) + 2
    left, right = _by_group(left, theirs, told, step), _by_group(right, ours, told, step)
    return _left_over(left, right, step, where)


def _several(codes: Positions, groups: Positions) -> Positions:
    """Find the codes that stand in several groups."""
    pairs = np.unique(np.stack([codes, groups]), axis=1)
    found, counts = np.unique(pairs[0], return_counts=True)
    several: Positions = found[(counts > 1) & (found != NOWHERE)]
    return several


def _by_group(codes: Positions, groups: Positions, told: Positions, step: int) -> Positions:
    """Give codes new numbers, by group where they are told apart; strange ones stand nowhere."""
    apart = np.isin(codes, told)
    absent = (codes == NOWHERE) | (apart & (groups == STRANGE))
    return np.where(absent, NOWHERE, codes * step + np.where(apart, groups + 1, 0))


def _left_over(
    left: Positions, right: Positions, step: int, where: str
) -> tuple[Positions, Positions]:
    """Make one what is left over of one entry in a single group on either side."""
    rest = [
        np.unique(codes[(codes != NOWHERE) & ~np.isin(codes, other)])
        for codes, other in ((left, right), (right, left))
    ]
    both = np.intersect1d(rest[0] // step, rest[1] // step)
    theirs, ours = (codes[np.isin(codes // step, both)] for codes in rest)
    if len(theirs) > len(both) or len(ours) > len(both):
        raise _unlike(np.isin(left, theirs), np.isin(right, ours), where)
    moved = np.isin(right, ours)
    right[moved] = theirs[np.searchsorted(ours, right[moved])]
    return left, right


def _unlike(theirs: NDArray[np.bool_], ours: NDArray[np.bool_], where: str) -> MatchError:
    facts = [("at", where)]
    facts += [
        (side, f"positions {_listed(np.flatnonzero(left), 0, int(left.sum()))}")
        for side, left in (("source", theirs), ("target", ours))
    ]
    sentence = "The features that reach a unit's occurrences along a dim differ on the two sides."
    return MatchError(sentence, facts, "name in both schemas the features that tell them apart")


def _pair(left: Positions, right: Positions, where: str) -> Positions:
    """Pair equal codes in order of occurrence."""
    order, ours = np.argsort(left, kind="stable"), np.flatnonzero(right != NOWHERE)
    ours = ours[np.argsort(right[ours], kind="stable")]
    sorted_left, sorted_right = left[order], right[ours]
    start = np.searchsorted(sorted_left, sorted_right, "left")
    available = np.searchsorted(sorted_left, sorted_right, "right") - start
    own_start = np.searchsorted(sorted_right, sorted_right, "left")
    needed = np.searchsorted(sorted_right, sorted_right, "right") - own_start
    wrong = (available > 0) & (available != needed)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise MatchError(
            "A unit occurs a different number of times along a dim; nothing tells which is which.",
            [
                ("at", where),
                (
                    "source",
                    f"{available[at]} times: positions {_listed(order, start[at], available[at])}",
                ),
                (
                    "target",
                    f"{needed[at]} times: positions {_listed(ours, own_start[at], needed[at])}",
                ),
            ],
            "name in both schemas the features that tell them apart",
        )
    found = np.full(len(right), -1, np.int64)
    taken = available > 0
    rank = np.arange(len(ours)) - own_start
    found[ours[taken]] = order[(start + rank)[taken]]
    return found


def _listed(order: Positions, start: int, count: int) -> str:
    shown = [str(position) for position in order[start : start + min(count, 8)]]
    return ", ".join(shown) + ("…" if count > 8 else "")
