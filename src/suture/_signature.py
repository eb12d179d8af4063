"""Signatures: pairing units that no schema names by the places that they occur in.

Knows where units occur, and which features reach their axes. A *signature* is the set of (paired
tensor, dim, factor) that a unit occurs in. Units of equal signature pair axis by axis, entries in
order; several such axes pair by the features that reach them, and in order where those do not tell.
Does not know axes whose places changed (`_rewired`), nor what a plan makes of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from suture._align import Seat
from suture._couple import Column, Layout, Units
from suture._errors import MatchError
from suture._keep import Scores, best
from suture._marks import Marks, marks, pairs
from suture._occurrences import STRANGE
from suture._pair import Entry, Name
from suture._reach import Reach
from suture._roles import Use
from suture._sets import EMPTY

Dim = tuple[str, int]
"""A tensor (by its target name) and one of its dims; -1 for the values of an integer input."""

Place = tuple[str, int, int]
"""Where a unit occurs: tensor, dim, and aligned factor counted from the innermost."""


@dataclass(frozen=True, slots=True, eq=False)
class Signed:
    """One side's units with where they occur, in the words of the target.

    Attributes:
        units: the units.
        places: place -> the units that occur there.
        signature: unit -> the sum of its places' hashes.
        free: unit -> whether it is to be paired by signature.
        reach: which features reach the positions of parameters.
        marks: what tells the entries of axes apart.
        scores: unit -> how much it is to stay where an axis shrinks, if anybody says.
    """

    units: Units
    places: dict[Place, Column]
    signature: NDArray[np.uint64]
    free: NDArray[np.bool_]
    reach: Reach
    marks: Marks
    scores: Scores | None = None

    def group(self, column: Column) -> int:
        """Find the features, as a set, that reach an axis where it begins."""
        born = self.reach.at_birth(int(self.units.atom[column[0]]))
        known = born[born != STRANGE]
        if not known.any():
            return STRANGE if len(known) < len(born) else EMPTY
        return int(self.reach.sets.union(known))


def unnamed(units: Units, names: Mapping[Name, Entry]) -> NDArray[np.bool_]:
    """Say of every unit whether no schema names it."""
    unnamed = np.ones(units.count, np.bool_)
    unnamed[[unit for entry in names.values() for unit in entry]] = False
    return unnamed


def signed(
    units: Units,
    called: Mapping[str, tuple[str, ...]],
    names: Mapping[Name, Entry],
    used: Mapping[str, tuple[Use, ...]],
    seated: Mapping[Dim, tuple[Seat, ...]],
    reach: Reach,
) -> Signed:
    """Say where every unit occurs; `called` gives shared tensors their target names."""
    places: dict[Place, Column] = {}
    signature = np.zeros(units.count, np.uint64)
    free = unnamed(units, names)
    written, written_by_others = (np.zeros(units.count, np.bool_) for _ in range(2))
    factors = cache(_factors)
    for name, dim, layout in _layouts(units):
        for common in called.get(name, ()):
            for factor, column in factors(_Shown(layout), seated[common, dim]):
                places[common, dim, factor] = column
                signature[column] += _hash((common, dim, factor))
        if not _is_read(units, name, dim, used) and name not in units.graph.outputs:
            for column in (column for segment in layout for column in segment):
                (written if name in called else written_by_others)[column] = True
    free[written_by_others & ~written] = False
    return Signed(units, places, signature, free & (signature != 0), reach, marks(units))


def _layouts(units: Units) -> Iterator[tuple[str, int, Layout]]:
    """List the dims of every tensor; dim -1 holds values."""
    for name, dims in units.tensors.items():
        for dim, layout in enumerate(dims):
            yield name, dim, layout
    for name, layout in units.values.items():
        yield name, -1, layout


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """A layout as a key: the same object is the same layout."""

    layout: Layout

    def __hash__(self) -> int:
        return id(self.layout)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shown) and self.layout is other.layout


def _factors(shown: _Shown, seats: tuple[Seat, ...]) -> list[tuple[int, Column]]:
    """List the distinct units at each aligned place, places counted from the innermost."""
    columns: dict[int, list[Column]] = defaultdict(list)
    for segment, seat in zip(shown.layout, seats, strict=True):
        for place, slot in enumerate(reversed(seat.slots)):
            if slot is not None:
                columns[place].append(segment[slot])
    return [(place, np.unique(np.concatenate(found))) for place, found in columns.items()]


def _is_read(units: Units, name: str, dim: int, used: Mapping[str, tuple[Use, ...]]) -> bool:
    """Whether some op reads a tensor along a dim; inputs and buffers are only written."""
    return any(dim == at for use in used.get(name, ()) for at, _ in use.reads)


def _hash(place: Place) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(repr(place).encode(), digest_size=8).digest()))


def by_signature(partner: Column, source: Signed, target: Signed) -> tuple[Groups, Groups]:
    """Pair units of equal signature; give the axes of both sides that are left."""
    theirs, ours = _groups(source), _groups(target)
    for signature in [s for s in ours if s in theirs]:
        for pair in _by_group(theirs.pop(signature), ours.pop(signature), source, target):
            _in_order(partner, *pair, source, target)
    return theirs, ours


def _by_group(
    theirs: list[Column], ours: list[Column], source: Signed, target: Signed
) -> Iterator[tuple[list[Column], list[Column]]]:
    """Pair the axes of one signature by the features that reach them, where those tell.

    What is left over in one group on either side is paired too: wiring changed what reaches it.
    """
    if len(theirs) == len(ours) == 1 or not target.reach.tells:
        yield theirs, ours
        return
    left, right = _grouped(theirs, source), _grouped(ours, target)
    if len(left) == len(right) == 1:
        yield theirs, ours
        return
    for group in (left.keys() & right.keys()) - {STRANGE}:
        yield left.pop(group), right.pop(group)
    rest = [[g for g in groups if g != STRANGE] for groups in (left, right)]
    if all(rest):
        if max(map(len, rest)) > 1:
            raise _unlike(places_of(target, right[rest[1][0]][0]), *map(len, rest))
        yield left[rest[0][0]], right[rest[1][0]]


def _grouped(columns: list[Column], side: Signed) -> dict[int, list[Column]]:
    found: dict[int, list[Column]] = defaultdict(list)
    for column in columns:
        found[side.group(column)].append(column)
    return found


def _unlike(places: list[Place], theirs: int, ours: int) -> MatchError:
    facts = [
        ("places", shown(places)),
        ("source", f"{theirs} groups of features that the target has nowhere"),
        ("target", f"{ours} groups of features that the source has nowhere"),
    ]
    sentence = "The features that reach axes in the same places differ on the two sides."
    return MatchError(sentence, facts, "name in both schemas the features that tell them apart")


Groups = dict[int, list[Column]]
"""Signature -> the axes that carry it."""


def _groups(side: Signed) -> Groups:
    """Signature -> the units that carry it, one column per axis, in order of occurrence."""
    free = np.flatnonzero(side.free)
    order = free[np.lexsort((free, side.units.atom[free], side.signature[free]))]
    marks = np.stack([side.signature[order].astype(np.int64), side.units.atom[order]])
    cuts = np.flatnonzero((marks[:, 1:] != marks[:, :-1]).any(axis=0)) + 1
    groups: dict[int, list[Column]] = defaultdict(list)
    for column in sorted(np.split(order, cuts), key=lambda c: int(c[0]) if len(c) else -1):
        if len(column):
            groups[int(side.signature[column[0]])].append(column)
    return groups


def _in_order(
    partner: Column, theirs: list[Column], ours: list[Column], source: Signed, target: Signed
) -> None:
    """Pair the axes of one signature in order, and their entries in order."""
    theirs, ours = _alike(theirs, ours)
    sizes = {len(column) for column in (*theirs, *ours)}
    if len(theirs) != len(ours) and len(sizes) > 1:
        raise MatchError(
            "Axes that occur in the same places cannot be told apart.",
            [
                ("places", shown(places_of(target, ours[0]))),
                ("source", f"{len(theirs)} axes of {_lengths(theirs)} entries"),
                ("target", f"{len(ours)} axes of {_lengths(ours)} entries"),
            ],
            "name their entries in both schemas",
        )
    for their, our in zip(theirs, ours, strict=False):
        join(partner, their, our, source, target)


def _alike(theirs: list[Column], ours: list[Column]) -> tuple[list[Column], list[Column]]:
    """Keep axes of one entry alone where these are equally many, and one side has no others.

    A view sets a dim of one beside an axis on both sides; what else is there is new, or gone.
    """
    lone = [[column for column in side if len(column) == 1] for side in (theirs, ours)]
    others = len(theirs) - len(lone[0]), len(ours) - len(lone[1])
    if len(lone[0]) == len(lone[1]) > 0 and min(others) == 0:
        return lone[0], lone[1]
    return theirs, ours


def join(partner: Column, their: Column, our: Column, source: Signed, target: Signed) -> None:
    """Pair the entries of two axes by what marks them, else by score, in order."""
    one, other = (
        (side.marks, int(side.units.atom[column[0]]), column)
        for side, column in ((source, their), (target, our))
    )
    found = pairs(one, other, partner)
    if found is None:
        count = min(len(their), len(our))
        their = their if source.scores is None else best(source.scores, their, count)
        partner[our[:count]] = their[:count]
    else:
        partner[our[found >= 0]] = their[found[found >= 0]]


def _lengths(columns: list[Column]) -> str:
    return ", ".join(str(len(column)) for column in columns)


def places_of(side: Signed, column: Column) -> list[Place]:
    return [place for place, units in side.places.items() if np.isin(column[0], units)]


def shown(places: list[Place]) -> str:
    texts = [f"{name} dim {dim}" if dim >= 0 else f"values of {name}" for name, dim, _ in places]
    return ", ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")
