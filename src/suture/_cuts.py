"""Cuts: what two networks take apart, by position, of an input that nobody named.

Knows the parts that both cut one dim of an input into: columns of categories that choose from a
table each, an observation laid end to end. Does not know what follows for features (`_features`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import numpy as np

from suture._couple import Column, Layout, Units
from suture._features import GROUPED, Dims

MANY = 1 << 16
"""Entries of a dim, or of several together, that are not told apart: a picture's."""


def cuts(source: Units, target: Units) -> tuple[Mapping[str, Dims], Mapping[str, Dims]]:
    """Give the parts of inputs that both networks take apart numbers, on both sides alike.

    Parts pair in order where both sides have equally many, or one has further ones of single
    entries behind; else nothing tells which is which, and they are not told apart.
    """
    found: tuple[dict[str, Dims], dict[str, Dims]] = {}, {}
    for name in source.graph.inputs.keys() & target.graph.inputs.keys():
        if name in source.graph.schema.inputs or name in target.graph.schema.inputs:
            continue
        dims = zip(source.tensors[name], target.tensors[name], strict=False)
        pairs = [_named(source, theirs, target, ours) for theirs, ours in dims]
        for side, names in zip(found, zip(*pairs, strict=True), strict=False):
            if prod(map(len, names)) <= MANY:
                side[name] = (*names, GROUPED)
    return found


def _named(
    source: Units, theirs: Layout, target: Units, ours: Layout
) -> tuple[Sequence[str], Sequence[str]]:
    """Call the entries of a dim by the number of the part that they are in."""
    old, new = _parts(source, theirs), _parts(target, ours)
    fewer = min(old.max(initial=0), new.max(initial=0)) + 1
    sizes = [np.bincount(parts) for parts in (old, new)]
    alike = np.array_equal(sizes[0][:fewer], sizes[1][:fewer])
    if fewer == 1 or not (alike or len(sizes[0]) == len(sizes[1])):
        return GROUPED, GROUPED
    return [*map(str, old.tolist())], [*map(str, new.tolist())]


def _parts(units: Units, layout: Layout) -> Column:
    """Give the parts of a dim numbers, in order: entries of the same axes are one part.

    So are parts that one layer reads: nothing tells those apart but where they lie.
    """
    rows = np.concatenate([*_atoms(units, layout)])
    _, first, back = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    found: Column = np.argsort(np.argsort(first))[back.reshape(-1)]
    return found


def _atoms(units: Units, layout: Layout) -> Iterator[Column]:
    """List the axes of every entry, one column per factor; -1 where a segment has fewer."""
    most = max(map(len, layout))
    for segment in layout:
        grids = np.meshgrid(*(units.atom[column] for column in segment), indexing="ij")
        row = np.stack([grid.ravel() for grid in grids], axis=1)
        yield np.pad(row, ((0, 0), (most - len(segment), 0)), constant_values=-1)
