"""Chosen: what is told of tables of which constant indices choose the rows.

Knows where rows pair otherwise than in order, and which of them stand in another's place. Does not
know how they pair (`_rows`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from suture._couple import Column, plain
from suture._match import Match
from suture._plan import Note
from suture._rows import shared
from suture._signature import Dim

MOVED = "rows pair by the places where a constant index chooses them, the others follow these"


def rows_told(match: Match) -> Iterator[Note]:
    """Tell how the rows of tables pair, and where other rows are chosen than before."""
    for name in match.pairs.tensors:
        for dim in range(len(match.target.tensors[name])):
            columns = _rows_of(match, (name, dim))
            if columns is not None:
                yield from _told(match, f"{name} dim {dim}", *columns)


def _rows_of(match: Match, at: Dim) -> tuple[Column, Column] | None:
    """Give the units along a dim of which constant indices choose, source and target."""
    theirs, ours = (plain(layout) for layout in match.layouts(at))
    if theirs is None or ours is None:
        return None
    return (theirs, ours) if int(match.target.atom[ours[0]]) in match.marks[1].choices else None


def _told(match: Match, where: str, theirs: Column, ours: Column) -> Iterator[Note]:
    sides = zip(match.marks, (match.source, match.target), (theirs, ours), strict=True)
    left, right = (marks.choices.get(int(units.atom[c[0]]), []) for marks, units, c in sides)
    old, new = shared((left, right), (theirs, ours), match.partner).T
    others = match.partner[ours[new]] != theirs[old]
    if others.any():
        count = len(np.unique(new[others]))
        reason = f"a constant index chooses {count} rows at other places than before"
        yield Note("inexact", where, reason)
    count = min(len(theirs), len(ours))
    if old.size and not np.array_equal(match.partner[ours[:count]], theirs[:count]):
        yield Note("pairing", where, MOVED)
