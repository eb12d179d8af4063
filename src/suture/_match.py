"""Matching: which unit of the source each unit of the target is.

Knows names and signatures. Does not know positions along dims (`_occurrences`) nor fills.

A unit that a schema names has the partner of that name. Every other unit carries a *signature*:
the set of (paired tensor, dim, factor) it occurs in. Units of equal signature pair in order of
occurrence, axis by axis. Where wiring changed a signature, the largest overlap is taken and
noted; a tie is an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from suture._align import Alignment, Seat, align
from suture._couple import Column, Layout, Units
from suture._errors import MatchError
from suture._occurrences import IMPLICIT, ONE_GROUP, STRANGE, Groups, Partners
from suture._ones import bridge
from suture._pair import Entry, Name, Pairs, full, named_entries, pair
from suture._plan import Note
from suture._reach import Reach, reach
from suture._roles import Use, uses
from suture._schema import resolve

Dim = tuple[str, int]
"""A tensor (by its target name) and one of its dims; -1 for the values of an integer input."""

Place = tuple[str, int, int]
"""Where a unit occurs: tensor, dim, and aligned factor counted from the innermost."""


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Which unit is which.

    Attributes:
        source: the source's units.
        target: the target's units.
        pairs: the tensors that belong together.
        partners: which unit is which.
        aligned: per dim of a shared tensor, how its factors fall together.
        names: name -> units, source and target.
        uses: what ops do with the parameters, source and target.
        reach: which features reach the positions of parameters, source and target.
        notes: what was paired by overlap.
    """

    source: Units
    target: Units
    pairs: Pairs
    partners: Partners
    aligned: Mapping[Dim, Alignment]
    names: tuple[dict[Name, Entry], dict[Name, Entry]]
    uses: tuple[dict[str, tuple[Use, ...]], dict[str, tuple[Use, ...]]]
    reach: tuple[Reach, Reach]
    notes: tuple[Note, ...]

    @property
    def partner(self) -> Column:
        """Target unit -> source unit, -1 where it is fresh, -2 where the source has none such."""
        return self.partners.partner

    @property
    def same(self) -> Column:
        """Source unit -> the source unit that it is one with, -2 where the target has none such."""
        return self.partners.same


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One side's units with where they occur, in the words of the target."""

    units: Units
    places: dict[Place, Column]
    signature: NDArray[np.uint64]
    free: NDArray[np.bool_]


def match(source: Units, target: Units) -> Match:
    """Find the partner of every target unit.

    Args:
        source: the units of the trained model, from `suture.couple`.
        target: the units of the changed model.

    Returns:
        Which unit is which, and as notes what was paired by overlap.

    Raises:
        MatchError: nothing pairs, names of one unit disagree, or a pairing is a tie.
        SchemaError: something is named on one side only.

    Example:
        >>> import torch
        >>> from suture import Schema, Subject, couple, trace
        >>> def units(*features):
        ...     model, schema = torch.nn.Linear(len(features), 2), Schema({"input": features})
        ...     example = torch.zeros(5, len(features))
        ...     return couple(trace(Subject(model, (example,), schema=schema)))
        >>> target = units("v", "new", "x")
        >>> [features] = target.tensors["input"][1][0]  # one segment of one factor
        >>> match(units("x", "v"), target).partner[features] >= 0
        array([ True, False,  True])
    """
    pairs = pair(source.graph, target.graph)
    names = named_entries(source), named_entries(target)
    used = uses(source.graph, source.axes), uses(target.graph, target.axes)
    partner = np.full(target.count, -1, np.int64)
    _by_name(partner, *names)
    shared = {**pairs.tensors, **pairs.inputs, **pairs.outputs}
    back: dict[str, tuple[str, ...]] = {}
    for name, other in shared.items():
        back[other] = (*back.get(other, ()), name)
    aligned = _alignments(source, target, shared)
    slots = (
        {dim: alignment.source for dim, alignment in aligned.items()},
        {dim: alignment.target for dim, alignment in aligned.items()},
    )
    theirs = _side(source, back, names[0], used[0], slots[0])
    ours = _side(target, {name: (name,) for name in shared}, names[1], used[1], slots[1])
    untied = {name for names in back.values() if len(names) > 1 for name in names}
    reached = reach(source.graph, target.graph)
    notes = _by_signature(partner, theirs, ours, untied)
    same = bridge(partner, source, target, pairs.tensors, aligned)
    free = _unnamed(source, names[0]), _unnamed(target, names[1])
    implied = _implied(partner, same, source, target, pairs.tensors, aligned, free)
    partners = Partners(partner, same, implied)
    return Match(source, target, pairs, partners, aligned, names, used, reached, tuple(notes))


def groups_along(match: Match, name: str, dim: int) -> Groups:
    """Say what tells the occurrences of a unit apart along a dim of a shared tensor.

    Along an input or output that is their own names, along a parameter the features that reach it.
    """
    sides = match.source.graph, match.target.graph
    if name in match.pairs.tensors:
        left, right = match.reach
        return left.along(match.pairs.tensors[name], dim), right.along(name, dim)
    called = [graph.schema.outputs.get(name, graph.schema.inputs.get(name)) for graph in sides]
    rank = len(match.target.tensors[name])
    told = [resolve(labels, rank).get(dim) for labels in called if labels is not None]
    if len(told) < 2 or None in told:
        return ONE_GROUP
    shared = {each: at for at, each in enumerate(told[0] or ()) if each in (told[1] or ())}
    theirs, ours = (np.array([shared.get(each, STRANGE) for each in names or ()]) for names in told)
    return theirs, ours


def _unnamed(units: Units, names: Mapping[Name, Entry]) -> NDArray[np.bool_]:
    unnamed = np.ones(units.count, np.bool_)
    unnamed[[unit for entry in names.values() for unit in entry]] = False
    return unnamed


def _alignments(source: Units, target: Units, shared: Mapping[str, str]) -> dict[Dim, Alignment]:
    """Align the factors of every dim of every shared tensor, by its target name."""
    found: dict[Dim, Alignment] = {}
    for name, other in shared.items():
        pairs = zip(source.tensors[other], target.tensors[name], strict=False)
        for dim, (theirs, ours) in enumerate(pairs):
            found[name, dim] = align(source, theirs, target, ours)
        if name in target.values and other in source.values:
            theirs, ours = source.values[other], target.values[name]
            found[name, -1] = align(source, theirs, target, ours)
    return found


def _by_name(partner: Column, source: Mapping[Name, Entry], target: Mapping[Name, Entry]) -> None:
    facts: list[tuple[str, str]] = []
    first: dict[int, Name] = {}
    for name, units in target.items():
        for unit, other in zip(units, source.get(name, ()), strict=False):
            if partner[unit] in (-1, other):
                partner[unit] = other
                first.setdefault(unit, name)
            else:
                known = first[unit]
                reason = f"is one unit with {full(known)} in the target, not in the source"
                facts.append((full(name), reason))
    if facts:
        raise MatchError("The names of one unit lead to different partners.", facts)


def _side(
    units: Units,
    called: Mapping[str, tuple[str, ...]],
    names: Mapping[Name, Entry],
    used: Mapping[str, tuple[Use, ...]],
    seated: Mapping[Dim, tuple[Seat, ...]],
) -> _Side:
    """Say where every unit occurs; `called` gives shared tensors their target names."""
    places: dict[Place, Column] = {}
    signature = np.zeros(units.count, np.uint64)
    free = _unnamed(units, names)
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
    return _Side(units, places, signature, free & (signature != 0))


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


def _implied(
    partner: Column,
    same: Column,
    source: Units,
    target: Units,
    tensors: Mapping[str, str],
    aligned: Mapping[Dim, Alignment],
    free: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the entry of each factor (one head) that the other side leaves implicit, and mark it."""
    implied = np.zeros(source.count, np.bool_), np.zeros(target.count, np.bool_)
    for (name, dim), alignment in aligned.items():
        if dim >= 0 and name in tensors:
            for column in _spare(target.tensors[name][dim], alignment.target):
                unit = _one(column, partner[column] >= 0, free[1])
                implied[1][unit] = True
                partner[unit] = np.where(partner[unit] == -1, IMPLICIT, partner[unit])
            for column in _spare(source.tensors[tensors[name]][dim], alignment.source):
                unit = _one(column, np.isin(column, partner), free[0])
                implied[0][unit] = True
                same[unit] = np.where(np.isin(unit, partner), same[unit], IMPLICIT)
    return implied


def _one(column: Column, known: NDArray[np.bool_], free: NDArray[np.bool_]) -> Column:
    """Choose the entry that is known on the other side; if none is, the first that has no name."""
    return np.unique(column[known]) if known.any() else column[free[column]][:1]


def _spare(layout: Layout, seats: tuple[Seat, ...]) -> Iterator[Column]:
    """List the factors that the other side lacks."""
    for segment, seat in zip(layout, seats, strict=True):
        for slot in (seat.slots[place] for place in seat.spare):
            if slot is not None:
                yield segment[slot]


def _hash(place: Place) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(repr(place).encode(), digest_size=8).digest()))


def _by_signature(partner: Column, source: _Side, target: _Side, untied: Set[str]) -> list[Note]:
    """Pair units of equal signature, then of largest overlap."""
    theirs, ours = _groups(source), _groups(target)
    for signature in [s for s in ours if s in theirs]:
        _in_order(partner, theirs.pop(signature), ours.pop(signature), source, target)
    return _by_overlap(partner, theirs, ours, source, target, untied)


def _groups(side: _Side) -> dict[int, list[Column]]:
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
    partner: Column, theirs: list[Column], ours: list[Column], source: _Side, target: _Side
) -> None:
    """Pair the axes of one signature in order, and their entries in order."""
    sizes = {len(column) for column in (*theirs, *ours)}
    if len(theirs) != len(ours) and len(sizes) > 1:
        raise MatchError(
            "Axes that occur in the same places cannot be told apart.",
            [
                ("places", _shown(_places(target, ours[0]))),
                ("source", f"{len(theirs)} axes of {_lengths(theirs)} entries"),
                ("target", f"{len(ours)} axes of {_lengths(ours)} entries"),
            ],
            "name their entries in both schemas",
        )
    for their, our in zip(theirs, ours, strict=False):
        count = min(len(their), len(our))
        partner[our[:count]] = their[:count]


def _lengths(columns: list[Column]) -> str:
    return ", ".join(str(len(column)) for column in columns)


def _places(side: _Side, column: Column) -> list[Place]:
    return [place for place, units in side.places.items() if np.isin(column[0], units)]


def _shown(places: list[Place]) -> str:
    texts = [f"{name} dim {dim}" if dim >= 0 else f"values of {name}" for name, dim, _ in places]
    return ", ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")


def _by_overlap(
    partner: Column,
    theirs: dict[int, list[Column]],
    ours: dict[int, list[Column]],
    source: _Side,
    target: _Side,
    untied: Set[str],
) -> list[Note]:
    """Pair what wiring changed by the largest number of shared places.

    A source axis pairs once, unless it holds a tied tensor that the target has untied.
    """
    left = [column for columns in theirs.values() for column in columns]
    candidates = [set(_places(source, column)) for column in left]
    notes: list[Note] = []
    claimed: set[int] = set()
    for column in (column for columns in ours.values() for column in columns):
        places = _places(target, column)
        shared = [len(found.intersection(places)) for found in candidates]
        best = max(shared, default=0)
        if best == 0:
            continue
        chosen = [i for i, count in enumerate(shared) if count == best]
        if len(chosen) > 1:
            raise _tie("several source axes fit", places, [candidates[i] for i in chosen])
        taken = candidates[chosen[0]]
        if chosen[0] in claimed and untied.isdisjoint(name for name, *_ in taken):
            raise _tie("another target axis fits", places, [taken])
        claimed.add(chosen[0])
        count = min(len(column), len(left[chosen[0]]))
        partner[column[:count]] = left[chosen[0]][:count]
        reason = f"wiring changed; paired by {best} of {len(places)} shared places"
        notes.append(Note("pairing", _shown(places), reason))
    return notes


def _tie(what: str, places: list[Place], candidates: list[set[Place]]) -> MatchError:
    facts = [("target", _shown(places))]
    facts += [("source", _shown(sorted(places))) for places in candidates]
    sentence = f"Wiring changed, and {what} equally well."
    return MatchError(sentence, facts, "name their entries in both schemas")
