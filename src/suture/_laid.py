"""Sums: a dim of axes laid end to end, taken apart where the other side's holds products.

Knows that plain axes laid end to end are spelled as one column, and products as one segment each.
Where an axis becomes a product, or a product an axis, the two dims fall together piece by piece
only if both are spelled in pieces. Does not know which piece is which (`_align`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from suture._couple import Column, Layout, Segment, Units, times


def laid_apart(source: Units, target: Units, shared: Mapping[str, str]) -> tuple[Units, Units]:
    """Take sums apart where the other side has more pieces beside each other.

    Args:
        source: the units of the source.
        target: the units of the target.
        shared: target tensor -> source tensor.

    Returns:
        Both, of the same units.
    """
    apart: tuple[dict[str, list[Layout]], dict[str, list[Layout]]] = ({}, {})
    known: dict[int, Layout] = {}
    for name, other in shared.items():
        pairs = zip(source.tensors[other], target.tensors[name], strict=False)
        for dim, (theirs, ours) in enumerate(pairs):
            if len(theirs) < len(ours):
                _take_apart(
                    apart[0].setdefault(other, [*source.tensors[other]]), dim, source, known
                )
            elif len(ours) < len(theirs):
                _take_apart(apart[1].setdefault(name, [*target.tensors[name]]), dim, target, known)
    return _with(source, apart[0]), _with(target, apart[1])


def _take_apart(dims: list[Layout], dim: int, units: Units, known: dict[int, Layout]) -> None:
    """Spell one dim of a tensor in pieces; equal dims stay one object."""
    layout = dims[dim]
    if id(layout) not in known:
        known[id(layout)] = tuple(p for segment in layout for p in _pieces(units, segment))
    dims[dim] = known[id(layout)]


def _pieces(units: Units, segment: Segment) -> Layout:
    """Write a segment as one per axis that is laid end to end along its columns."""
    for at, column in enumerate(segment):
        cuts = _cuts(units, column)
        if len(cuts):
            inner = [(piece, *segment[at + 1 :]) for piece in np.split(column, cuts)]
            layout = tuple(each for piece in inner for each in _pieces(units, piece))
            return times((segment[:at],), layout) if at else layout
    return (segment,)


def _cuts(units: Units, column: Column) -> Column:
    """Find where along a column one axis ends and another one, or the same again, begins."""
    atom = units.atom[column]
    starts = np.zeros(len(column), np.bool_)
    starts[1:] = atom[1:] != atom[:-1]
    firsts = column[np.maximum.accumulate(np.where(starts, np.arange(len(column)), 0))]
    starts[1:] |= column[1:] == firsts[1:]
    return np.flatnonzero(starts)


def _with(units: Units, apart: Mapping[str, list[Layout]]) -> Units:
    """Lay some tensors out otherwise."""
    found = {name: tuple(layouts) for name, layouts in apart.items()}
    return replace(units, tensors={**units.tensors, **found}) if found else units
