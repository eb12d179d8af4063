"""Occurrences: where along a source dim each position of a target dim comes from.

Knows positions. Entries are compared as tuples of units, one per factor; entries that occur
several times along one dim (the gates of an LSTM, q and k of a fused projection) pair in order if
both sides have equally many. Does not know how units were matched (`_match`).
"""

from __future__ import annotations

from collections.abc import Sequence
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


def positions(
    source: Layout, target: Layout, partners: Partners, alignment: Alignment, where: str
) -> Positions:
    """Map the positions of a target dim to those of its source dim.

    Args:
        source: the source dim in units.
        target: the target dim in units.
        partners: which unit is which.
        alignment: which factors fall together.
        where: the tensor and dim, for the error.

    Returns:
        Per target position the source position, -1 where it is fresh.

    Raises:
        MatchError: an entry occurs a different number of times on the two sides.
    """
    theirs = _rows(source, alignment.source, partners.same, partners.implied[0])
    ours = _rows(target, alignment.target, partners.partner, partners.implied[1])
    fresh = (ours == -1).any(axis=1)
    codes = _codes(theirs, ours)
    return _pair(codes[: len(theirs)], codes[len(theirs) :], fresh, where)


def _rows(
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
    rows = np.concatenate([left, right])
    code = rows[:, 0]
    for column in rows.T[1:]:
        _, code = np.unique(code, return_inverse=True)
        code = code * (column.max(initial=0) + 3) + column - IMPLICIT
    return code


def _pair(left: Positions, right: Positions, fresh: NDArray[np.bool_], where: str) -> Positions:
    """Pair equal codes in order of occurrence."""
    order, ours = np.argsort(left, kind="stable"), np.flatnonzero(~fresh)
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
            "name the entries in both schemas",
        )
    found = np.full(len(right), -1, np.int64)
    taken = available > 0
    rank = np.arange(len(ours)) - own_start
    found[ours[taken]] = order[(start + rank)[taken]]
    return found


def _listed(order: Positions, start: int, count: int) -> str:
    shown = [str(position) for position in order[start : start + min(count, 8)]]
    return ", ".join(shown) + ("…" if count > 8 else "")
