"""Filling: what each entry of one target tensor becomes, as blocks of the plan.

Knows the default policy for entries that have no source:

| entry | value | why |
|---|---|---|
| fresh along a dim that is written | own | breaks symmetry, gradients flow |
| fresh only along dims that are read | 0 | the old function must not see the new unit |
| row of a table chosen by integer lookup | own | old ids never choose it |
| fresh parameter added into a preserved unit | 0 | additive identity |
| fresh parameter multiplying a preserved unit | 1 | multiplicative identity |
| fresh along a dim that is mixed | 0, or the mean | the op must not hear it: a `Recipe` says so |
| fresh where what is read there is 0 | own | nothing is heard, and gradients flow |
| fresh parameter that adds nothing yet | 0 | a path that starts as the identity |
| fresh matrix that carries units on | 1 where a unit meets its copy, else 0 | the same |

Does not know how units were matched, nor where recipes come from (`_growth`); works on positions,
dim by dim, never on entries of the tensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from suture._axes import Axes, Class
from suture._couple import Column, Layout, marked, plain, spell
from suture._occurrences import Positions
from suture._plan import Block, Fill, Own, Reduction, Runs, Sum, Term, Value
from suture._roles import Use

PRESERVED, READ, WRITTEN = 0, 1, 2
"""States of a position under one use: preserved, fresh only along reads, fresh where written."""

SILENT, LEVEL = 1, 2
MODES = ("", "silent", "level")
"""What a recipe has fresh entries written, by number."""

States = tuple[int, ...]
"""The state of a position under each use."""


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """What becomes of one tensor beyond copies.

    Attributes:
        factors: f64, per dim the tensor's parts: what each cell is multiplied by.
        parts: per dim, which part each position is in.
        modes: dim and part -> atom -> what fresh entries are written.
        unheard: node and dim -> the atoms whose fresh entries are 0 in what is read there.
        shares: dim -> f64, what each position's copies are read with.
        value: the number that it starts as, if any.
        carried: its dim that is written and its dim that is read, if it carries units on.
        centres: dim of such a kernel -> the tap at its place.
    """

    factors: NDArray[np.float64]
    parts: tuple[NDArray[np.int64], ...]
    modes: Mapping[tuple[int, int], Mapping[Class, str]]
    unheard: Mapping[tuple[int, int], frozenset[Class]]
    shares: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
    value: float | None = None
    carried: tuple[int, int] | None = None
    centres: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Dim:
    """One dim of a target tensor: its axis class, its layout, and where its positions come from."""

    axis: Class
    layout: Layout
    positions: Positions


def fill(
    source: str | None,
    dims: Sequence[Dim],
    uses: Sequence[Use],
    axes: Axes,
    partner: Column,
    recipe: Recipe | None = None,
) -> tuple[Block, ...]:
    """Partition a target tensor into blocks.

    Args:
        source: the source tensor's name, None for a fresh one.
        dims: the target's dims.
        uses: what ops do with the tensor; none if nothing is known to.
        axes: the target's axis classes.
        partner: target unit -> source unit, -1 where it is fresh.
        recipe: what becomes of the tensor beyond copies.

    Returns:
        Blocks that hold every entry exactly once.
    """
    filler = _Filler(source, dims, uses, axes, partner, recipe)
    blocks: list[Block] = []
    for choice in product(*(filler.cut(number) for number in range(len(dims)))):
        blocks = _joined(blocks, filler.block(choice))
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


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Positions along a dim that fare alike: their states, their mode, the part they are in."""

    states: States
    mode: str
    part: int
    share: float
    at: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Filler:
    """Fills one tensor."""

    source: str | None
    dims: Sequence[Dim]
    uses: Sequence[Use]
    axes: Axes
    partner: Column
    recipe: Recipe | None

    def cut(self, number: int) -> list[_Piece]:
        """Cut the positions of a dim by what becomes of them."""
        dim, count = self.dims[number], max(len(self.uses), 1)
        kept = dim.positions >= 0
        if self.recipe is not None and number in self.recipe.centres:
            return _taps(len(kept), self.recipe.centres[number], count)
        parts = self._parts(number)
        shares = None if self.recipe is None else self.recipe.shares.get(number)
        if kept.all() and not parts.any() and shares is None:
            return [_Piece((PRESERVED,) * count, "", 0, 1.0, np.arange(len(kept)))]
        each = [self._states(number, use) for use in self.uses] or [
            np.where(kept, PRESERVED, WRITTEN)
        ]
        modes = self._modes(number)
        codes = reduce(lambda code, states: 3 * code + states, [*each, modes])
        codes = codes * (parts.max() + 1) + parts
        values, which = np.unique(np.ones(1) if shares is None else shares, return_inverse=True)
        codes = codes * len(values) + which
        _, first = np.unique(codes, return_index=True)
        return [
            _Piece(
                tuple(int(states[at]) for states in each),
                MODES[modes[at]],
                int(parts[at]),
                1.0 if shares is None else float(shares[at]),
                np.flatnonzero(codes == codes[at]),
            )
            for at in first
        ]

    def _parts(self, number: int) -> NDArray[np.int64]:
        """Say which part each position is in, where parts fare otherwise."""
        nothing = np.zeros(len(self.dims[number].positions), np.int64)
        if self.recipe is None or self.recipe.factors.shape[number] == 1:
            return nothing
        factors = np.moveaxis(self.recipe.factors, number, 0)
        return nothing if (factors == factors[:1]).all() else self.recipe.parts[number]

    def _states(self, number: int, use: Use) -> NDArray[np.int64]:
        """State of every position of a dim under one use."""
        dim = self.dims[number]
        read = below(self.axes, {member for at, member in use.reads if at == number})
        flags = spell(self.axes, dim.axis, lambda a: np.full(self.axes.sizes[a], int(a in read)))
        unheard = self.recipe.unheard.get((use.node, number), ()) if self.recipe else ()
        quiet = spell(self.axes, dim.axis, lambda a: np.full(self.axes.sizes[a], int(a in unheard)))
        written = np.concatenate(
            [
                _written(
                    [self.partner[column] == -1 for column in columns],
                    [(f == 1) & (q == 0) for f, q in zip(marks, still, strict=True)],
                )
                for columns, marks, still in zip(dim.layout, flags, quiet, strict=True)
            ]
        )
        return np.where(dim.positions >= 0, PRESERVED, np.where(written, WRITTEN, READ))

    def _modes(self, number: int) -> NDArray[np.int64]:
        """Say of every position what its fresh entries are written."""
        dim, recipe = self.dims[number], self.recipe
        found = np.zeros(len(dim.positions), np.int64)
        if recipe is None:
            return found
        for (at, part), modes in recipe.modes.items():
            for atom, mode in modes.items() if at == number else ():
                fresh = self._fresh(dim, atom) & (recipe.parts[number] == part)
                found[fresh & (found != SILENT)] = MODES.index(mode)
        return np.where(dim.positions >= 0, 0, found)

    def _fresh(self, dim: Dim, atom: Class) -> NDArray[np.bool_]:
        """Say of every position whether its entry of an atom is fresh."""
        own = spell(self.axes, dim.axis, lambda a: np.full(self.axes.sizes[a], int(a == atom)))
        return np.concatenate(
            [
                marked(
                    [(self.partner[c] == -1) & (o == 1) for c, o in zip(segment, o_s, strict=True)]
                )
                for segment, o_s in zip(dim.layout, own, strict=True)
            ]
        )

    def block(self, choice: Sequence[_Piece]) -> Block:
        """Fill one block by the pieces of its dims."""
        region = [runs(piece.at) for piece in choice]
        worst = [
            max(each, default=PRESERVED) for each in zip(*(p.states for p in choice), strict=True)
        ]
        kept = all(state == PRESERVED for state in worst)
        written = WRITTEN in worst and not any(piece.mode for piece in choice)
        if self.recipe is not None and self.recipe.value is not None and not written:
            return Block(tuple(region), Value(self.recipe.value))
        if self.recipe is not None and self.recipe.carried and kept:
            for dim in self.recipe.carried:
                column = plain(self.dims[dim].layout)
                assert column is not None, "what carries units on is plain along both dims"
                at = choice[dim].at
                region[dim] = runs(at[np.argsort(self.partner[column[at]], kind="stable")])
            return Block(
                tuple(region), Value(1.0, (self.recipe.carried[0], self.recipe.carried[1]))
            )
        return Block(tuple(region), self._filling(choice, worst))

    def _filling(self, choice: Sequence[_Piece], worst: Sequence[int]) -> Fill:
        factor = self._factor(choice)
        if self.source is not None and all(state == PRESERVED for state in worst):
            index = [runs(dim.positions[p.at]) for dim, p in zip(self.dims, choice, strict=True)]
            return Sum((Term(self.source, tuple(index), factor),))
        if READ in worst:
            # Where a 0 would not stay one, another parameter on the way may be 0 in its place.
            frail = _is_frail([piece.states for piece in choice], self.uses)
            return Own() if frail else Value(0.0)
        if any(piece.mode == "silent" for piece in choice):
            return Value(0.0)
        if any(piece.mode == "level" for piece in choice):
            return self._mean(choice, factor)
        if self.source is None and self.uses and all(state == PRESERVED for state in worst):
            return _identity(self.uses)
        return Own(factor if any(use.lookups for use in self.uses) else 1.0)

    def _factor(self, choice: Sequence[_Piece]) -> float:
        if self.recipe is None:
            return 1.0
        shape = self.recipe.factors.shape
        at = tuple(p.part if size > 1 else 0 for p, size in zip(choice, shape, strict=True))
        return float(self.recipe.factors[at]) * prod(piece.share for piece in choice)

    def _mean(self, choice: Sequence[_Piece], factor: float) -> Fill:
        """Average the preserved entries of the part, if those of the other dims are preserved."""
        (dim,) = [at for at, piece in enumerate(choice) if piece.mode == "level"][:1]
        others = [piece for at, piece in enumerate(choice) if at != dim]
        kept = all(state == PRESERVED for piece in others for state in piece.states)
        if any(READ in piece.states for piece in others):
            return Value(0.0)
        if self.source is None or not kept or self.recipe is None:
            return Own(factor)
        index = [self.dims[at].positions[piece.at] for at, piece in enumerate(choice)]
        inside = self.recipe.parts[dim] == self.recipe.parts[dim][choice[dim].at[0]]
        known = self.dims[dim].positions[inside]
        index[dim] = known[known >= 0]
        mean = Reduction(dim, None, keep=True)
        return Sum((Term(self.source, tuple(map(runs, index)), factor, (mean,)),))


def _taps(size: int, centre: int, uses: int) -> list[_Piece]:
    """Cut a dim of a kernel that carries units on: the tap at its place, and the others."""
    others = np.flatnonzero(np.arange(size) != centre)
    pieces = [_Piece((PRESERVED,) * uses, "", 0, 1.0, np.array([centre]))]
    return pieces + [_Piece((READ,) * uses, "", 0, 1.0, others)] * bool(len(others))


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
