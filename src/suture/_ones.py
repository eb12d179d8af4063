"""Sizes of one: an axis of one entry may fall into several, because nothing ties them.

Knows that a view from `[3,1,2]` to `[3,2]` and back leaves two axes of one entry where a longer
axis would stay one. Where such an entry faces a longer axis on the other side, that axis says
which unit it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from suture._align import Alignment, Seat
from suture._couple import Column, Layout, Units


@dataclass(frozen=True, slots=True, eq=False)
class _Facing:
    """The units of two factors that fall together."""

    theirs: Column
    ours: Column


def bridge(
    partner: Column,
    source: Units,
    target: Units,
    tensors: Mapping[str, str],
    aligned: Mapping[tuple[str, int], Alignment],
) -> Column:
    """Give lone entries their partners, in `partner` and for the source in what is returned.

    Returns:
        Source unit -> the source unit that it is one with; itself but for lone entries.
    """
    same = np.arange(source.count)
    for facing in _facings(source, target, tensors, aligned):
        theirs, ours = facing.theirs, facing.ours
        if len(ours) == 1 and partner[ours[0]] == -1:
            known = theirs[np.isin(theirs, partner)]
            if len(known) == 1:
                partner[ours[0]] = known[0]
        elif len(theirs) == 1 and theirs[0] not in partner[ours]:
            known = np.unique(partner[ours][partner[ours] != -1])
            if len(known) == 1 and not np.isin(theirs, partner).any():
                same[theirs[0]] = known[0]
    return same


def _facings(
    source: Units,
    target: Units,
    tensors: Mapping[str, str],
    aligned: Mapping[tuple[str, int], Alignment],
) -> Iterator[_Facing]:
    for (name, dim), alignment in aligned.items():
        if dim >= 0 and name in tensors:
            theirs = _columns(source.tensors[tensors[name]][dim], alignment.source)
            ours = _columns(target.tensors[name][dim], alignment.target)
            for one, other in zip(theirs, ours, strict=True):
                if one is not None and other is not None and (_lone(one) or _lone(other)):
                    yield _Facing(np.unique(one), np.unique(other))


def _lone(column: Column) -> bool:
    """Whether one unit is all that a factor holds."""
    return bool(column.size and (column == column[0]).all())


def _columns(layout: Layout, seats: Sequence[Seat]) -> list[Column | None]:
    """List the units at each aligned place of a plain product; None for anything else."""
    slots = seats[0].slots
    if len(layout) != 1:
        return [None for _ in slots]
    return [None if slot is None else layout[0][slot] for slot in slots]
