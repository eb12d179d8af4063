"""Regrouping: one axis of heads, cut into groups in another way than before.

Knows attention whose query heads share heads of keys and values: an axis of queries is groups
times heads of a group, and keys are repeated along the second. If there are more groups and as
many query heads, the second factor of the one side is in part the first of the other: both sides
are cut alike, so that query heads stay, and what was repeated has several copies. Does not know
attention: what counts is that data is repeated along the second factor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from suture._axes import Class
from suture._couple import Column, Units, recut

Cuts = dict[Class, tuple[int, ...]]
"""Atom -> the sizes of the factors that it is to be cut into."""


def regrouped(source: Units, target: Units, tensors: Mapping[str, str]) -> tuple[Units, Units]:
    """Cut the axes of both sides so that repeated groups fall together.

    Args:
        source: the units of the source.
        target: the units of the target.
        tensors: target tensor -> source tensor.

    Returns:
        Both, with more factors where heads are grouped otherwise.
    """
    repeats = _repeated(source), _repeated(target)
    if not any(repeats):
        return source, target
    cuts: tuple[Cuts, Cuts] = ({}, {})
    for name, other in tensors.items():
        for theirs, ours in zip(source.tensors[other], target.tensors[name], strict=False):
            for left, right in zip(theirs, ours, strict=False) if len(theirs) == len(ours) else ():
                for old, new in _faced(source, target, left, right, repeats):
                    _cut(cuts, old, new)
    return recut(source, cuts[0]), recut(target, cuts[1])


Pair = tuple[Class | None, int, Class | None, int]
"""An axis of groups and its size, and the axis within a group and its size; None for one of 1."""


def _faced(
    source: Units,
    target: Units,
    left: tuple[Column, ...],
    right: tuple[Column, ...],
    repeats: tuple[set[Class], set[Class]],
) -> Iterator[tuple[Pair, Pair]]:
    """List the grouped axes of two segments that hold equally many entries in other groups."""
    groups = list(_grouped(source, left, repeats[0])), list(_grouped(target, right, repeats[1]))
    for old, new in zip(*groups, strict=False) if len(groups[0]) == len(groups[1]) else ():
        alike = old[1] * old[3] == new[1] * new[3] and old[1] != new[1]
        inside = new[1] % old[1] == 0 or old[1] % new[1] == 0
        if alike and inside and (old[2] is not None or new[2] is not None):
            yield old, new


def _grouped(units: Units, columns: tuple[Column, ...], repeated: set[Class]) -> Iterator[Pair]:
    """List the axes of a segment, each with the repeated one right behind it, if there is one."""
    pairs = [(int(units.atom[column[0]]), len(column)) for column in columns if len(column)]
    if pairs and pairs[0][0] in repeated:
        yield None, 1, *pairs[0]
    for (atom, size), (inner, count) in zip(pairs, [*pairs[1:], (-1, 1)], strict=True):
        if atom not in repeated:
            yield atom, size, *((inner, count) if inner in repeated else (None, 1))


def _cut(cuts: tuple[Cuts, Cuts], old: Pair, new: Pair) -> None:
    """Cut the inner axis of the side with fewer groups, and the outer one of the other, alike."""
    coarse, fine, sides = (old, new, cuts) if old[1] < new[1] else (new, old, cuts[::-1])
    copies = fine[1] // coarse[1]
    if fine[0] is not None and coarse[1] > 1:
        sides[1][fine[0]] = (coarse[1], copies)
    if coarse[2] is not None and coarse[3] != copies:
        sides[0][coarse[2]] = (copies, coarse[3] // copies)


def _repeated(units: Units) -> set[Class]:
    """Find the axes along which data is repeated: an op that only moves entries begins them."""
    found: set[Class] = set()
    for node, names in zip(units.graph.nodes, units.axes.names, strict=True):
        if node.bound.windows or node.bound.picks or not all(a.moves for a in node.algebra):
            continue
        read, given = (
            {axis.name for o in side for dim in o.dims for part in dim for axis in part}
            for side in (node.bound.inputs, node.bound.outputs)
        )
        found |= {units.axes.find(names[n]) for n in given - read if node.bound.sizes[n] > 1}
    return {member for member in found if member in units.columns}
