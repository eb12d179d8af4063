"""Filling: what each entry of one target tensor becomes, as blocks of the plan.

Knows the default policy for entries that have no source:

| entry | value | why |
|---|---|---|
| fresh along a dim that is written | own | breaks symmetry, gradients flow |
| fresh only along dims that are read | 0 | the old function must not see the new unit |
| row of a table chosen by integer lookup | own | old ids never choose it |
| fresh parameter added into a preserved unit | 0 | additive identity |
| fresh parameter multiplying a preserved unit | 1 | multiplicative identity |

Does not know how units were matched; works on positions, dim by dim, never on entries of the
tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
from numpy.typing import NDArray

from suture._axes import Axes, Class
from suture._couple import Column, Layout, marked, spell
from suture._occurrences import Positions
from suture._plan import Block, Fill, Own, Runs, Sum, Term, Value
from suture._roles import Use

PRESERVED, READ, WRITTEN = 0, 1, 2
"""States of a position under one use: preserved, fresh only along reads, fresh where written."""

States = tuple[int, ...]
"""The state of a position under each use."""


@dataclass(frozen=True, slots=True, eq=False)
class Dim:
    """One dim of a target tensor: its axis class, its layout, and where its positions come from."""

    axis: Class
    layout: Layout
    positions: Positions


def fill(
    source: str | None, dims: Sequence[Dim], uses: Sequence[Use], axes: Axes, partner: Column
) -> tuple[Block, ...]:
    """Partition a target tensor into blocks.

    Args:
        source: the source tensor's name, None for a fresh one.
        dims: the target's dims.
        uses: what ops do with the tensor; none if nothing is known to.
        axes: the target's axis classes.
        partner: target unit -> source unit, -1 where it is fresh.

    Returns:
        Blocks that hold every entry exactly once.
    """
    cut = [_cut(number, dim, uses, axes, partner) for number, dim in enumerate(dims)]
    blocks: list[Block] = []
    for choice in product(*cut):
        region = tuple(runs(positions) for _, positions in choice)
        filling = _filling(source, [states for states, _ in choice], choice, dims, uses)
        blocks = _joined(blocks, Block(region, filling))
    return tuple(blocks)


def _joined(blocks: list[Block], new: Block) -> list[Block]:
    """Add a block, made one with every neighbour of the same filling; copies stay as they are."""
    for at, old in enumerate(blocks):
        apart = [
            dim
            for dim, pair in enumerate(zip(old.region, new.region, strict=True))
            if len({*pair}) > 1
        ]
        if old.fill == new.fill and not isinstance(old.fill, Sum) and len(apart) == 1:
            region = list(old.region)
            region[apart[0]] = _union(old.region[apart[0]], new.region[apart[0]])
            return _joined(blocks[:at] + blocks[at + 1 :], Block(tuple(region), old.fill))
    return [*blocks, new]


def _union(one: Runs, other: Runs) -> Runs:
    """Both sets of positions, in order."""
    return runs(np.sort(np.concatenate([np.arange(start, stop) for start, stop in (*one, *other)])))


def _cut(
    number: int, dim: Dim, uses: Sequence[Use], axes: Axes, partner: Column
) -> list[tuple[States, NDArray[np.int64]]]:
    """Cut the positions of a dim by their states."""
    count = max(len(uses), 1)
    preserved = dim.positions >= 0
    if preserved.all():
        return [((PRESERVED,) * count, np.arange(len(preserved)))]
    each = [_states(number, dim, use, axes, partner) for use in uses] or [
        np.where(preserved, PRESERVED, WRITTEN)
    ]
    codes = reduce(lambda code, states: 3 * code + states, each)
    _, first = np.unique(codes, return_index=True)
    return [
        (tuple(int(states[at]) for states in each), np.flatnonzero(codes == codes[at]))
        for at in first
    ]


def _states(number: int, dim: Dim, use: Use, axes: Axes, partner: Column) -> NDArray[np.int64]:
    """State of every position of a dim under one use."""
    read = below(axes, {member for at, member in use.reads if at == number})
    flags = spell(axes, dim.axis, lambda atom: np.full(axes.sizes[atom], int(atom in read)))
    written = np.concatenate(
        [
            _written([partner[column] == -1 for column in columns], [f == 1 for f in marks])
            for columns, marks in zip(dim.layout, flags, strict=True)
        ]
    )
    return np.where(dim.positions >= 0, PRESERVED, np.where(written, WRITTEN, READ))


def _written(
    fresh: Sequence[NDArray[np.bool_]], read: Sequence[NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """Say of each fresh entry whether it is written: for a factor that is, or as a whole.

    Without a fresh factor it is one more occurrence of preserved units.
    """
    by_factor = marked([new & ~old for new, old in zip(fresh, read, strict=True)])
    return by_factor | ~(marked(fresh) | marked(read))


def preserved(layout: Layout, partner: Column) -> NDArray[np.bool_]:
    """Say of every position of a dim whether all its units have a source."""
    return np.concatenate([~marked([partner[c] == -1 for c in segment]) for segment in layout])


def below(axes: Axes, members: set[Class]) -> set[Class]:
    """Add to classes everything that they are made of."""
    found: set[Class] = set()
    waiting = [axes.find(member) for member in members]
    while waiting:
        member = waiting.pop()
        if member not in found:
            found.add(member)
            waiting += [part for makeup in axes.made_of(member) for part in makeup.parts]
    return found


def _filling(
    source: str | None,
    states: Sequence[States],
    choice: Sequence[tuple[States, NDArray[np.int64]]],
    dims: Sequence[Dim],
    uses: Sequence[Use],
) -> Fill:
    """Decide one block by the states of its dims."""
    worst = [max(each, default=PRESERVED) for each in zip(*states, strict=True)]
    if source is not None and all(state == PRESERVED for state in worst):
        index = [runs(dim.positions[at]) for dim, (_, at) in zip(dims, choice, strict=True)]
        return Sum((Term(source, tuple(index)),))
    if READ in worst:
        # Where a 0 would not stay one, another parameter on the way may be 0 in its place.
        return Own() if _is_frail(states, uses) else Value(0.0)
    if source is None and uses and all(state == PRESERVED for state in worst):
        return _identity(uses)
    return Own()


def _is_frail(states: Sequence[States], uses: Sequence[Use]) -> bool:
    """Whether 0 would not stay 0 along any dim that is read."""
    read = {
        (number, dim)
        for dim, each in enumerate(states)
        for number, state in enumerate(each)
        if state == READ
    }
    frail = {(number, dim) for number, use in enumerate(uses) for dim, _ in use.frail}
    return read <= frail


def _identity(uses: Sequence[Use]) -> Fill:
    """Fill a fresh parameter where it meets preserved units without reading them."""
    meetings = {None if use.reads or use.lookups else use.meeting for use in uses}
    match meetings:
        case _ if meetings == {"add"}:
            return Value(0.0)
        case _ if meetings == {"mul"}:
            return Value(1.0)
        case _:
            return Own()


def runs(positions: NDArray[np.int64]) -> Runs:
    """Write positions as half-open runs.

    Example:
        >>> runs(np.array([0, 1, 2, 5, 4]))
        ((0, 3), (5, 6), (4, 5))
    """
    if not len(positions):
        return ()
    cuts = np.flatnonzero(np.diff(positions) != 1) + 1
    starts = positions[np.concatenate([[0], cuts])]
    stops = positions[np.concatenate([cuts - 1, [len(positions) - 1]])] + 1
    return tuple(zip(starts.tolist(), stops.tolist(), strict=True))
