"""Sizes of one: an axis of one entry may fall into several, because nothing ties them.

Knows that a view from `[3,1,2]` to `[3,2]` and back leaves two axes of one entry where a longer
axis would stay one. Where such an entry faces a longer axis on the other side, that axis says
which unit it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from suture._align import Alignment, Seat, Where
from suture._axes import Class
from suture._couple import Column, Layout, Units, plain
from suture._graph import Node
from suture._signature import Signed, join


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


def beside(units: Units) -> dict[Class, Where]:
    """Find the axes beside which a view sets a dim of one, and on which side of them at first.

    Its order tells which factor of a product a whole axis is, where the other side has several:
    the last of `n 1 h`, the first of `n h 1`.
    """
    found: dict[Class, Where] = {}
    for node, names in zip(units.graph.nodes, units.axes.names, strict=True):
        if not (node.bound.windows or node.bound.picks) and all(a.moves for a in node.algebra):
            for name, where in _beside(node):
                column = plain(units.layout(names[name]))
                if column is not None and len(column) and column[0] >= 0:
                    found.setdefault(int(units.atom[column[0]]), where)
    return found


def _beside(node: Node) -> Iterator[tuple[str, Where]]:
    """List the axes of a node that stay whole beside a new dim of one."""
    read = {a.name for o in node.bound.inputs for dim in o.dims for part in dim for a in part}
    for operand in node.bound.outputs:
        dims = [dim[0][0].name if len(dim) == len(dim[0]) == 1 else "" for dim in operand.dims]
        new = [name not in read and node.bound.sizes.get(name) == 1 for name in dims]
        for at, name in enumerate(dims):
            if name in read and any(new[at - 1 : at] if at else ()):
                yield name, "before"
            elif name in read and any(new[at + 1 : at + 2]):
                yield name, "behind"


def faced(
    partner: Column, met: Iterable[tuple[Class, Class]], source: Signed, target: Signed
) -> None:
    """Pair a longer axis with those of one entry that fall together with it, and nothing else.

    Where they occur says less: a view sets a dim of one beside many an axis. Of several such in the
    source the first is the partner; `bridge` makes the others one with it. What is paired is no
    longer to be paired by signature.
    """
    pairs = [pair for pair in met if _is_free(source, pair[0]) and _is_free(target, pair[1])]
    ours, theirs = defaultdict[Class, list[Class]](list), defaultdict[Class, list[Class]](list)
    for one, other in sorted(pairs):
        ours[other].append(one)
        theirs[one].append(other)
    for other, found in ours.items():
        if _is_longer(target, other, source, found):
            _join(partner, found[0], other, source, target)
            source.free[[source.units.columns[one][0] for one in found]] = False
            target.free[target.units.columns[other]] = False
    for one, found in theirs.items():
        if _is_longer(source, one, target, found):
            for other in found:
                _join(partner, one, other, source, target)
            target.free[[target.units.columns[other][0] for other in found]] = False
            source.free[source.units.columns[one]] = False


def _is_free(side: Signed, atom: Class) -> bool:
    column = side.units.columns.get(atom)
    return column is not None and bool(len(column)) and bool(side.free[column].all())


def _is_longer(side: Signed, atom: Class, other: Signed, found: Iterable[Class]) -> bool:
    """Whether an axis has several entries, and all that it faces one."""
    lone = all(len(other.units.columns[one]) == 1 for one in found)
    return lone and len(side.units.columns[atom]) > 1


def _join(partner: Column, one: Class, other: Class, source: Signed, target: Signed) -> None:
    join(partner, source.units.columns[one], target.units.columns[other], source, target)
