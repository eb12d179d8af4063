"""Matching: which unit of the source each unit of the target is.

Knows the order of the steps. Does not know positions along dims (`_occurrences`) nor fills.

A unit that a schema names has the partner of that name; every other unit pairs by the places that
it occurs in (`_signature`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from suture._align import Alignment, Seat, Told, all_aligned
from suture._axes import Class
from suture._copies import Copies
from suture._couple import Column, Layout, Units
from suture._errors import MatchError
from suture._keep import Keep, demand_kept, scored
from suture._laid import laid_apart
from suture._marks import Marks
from suture._occurrences import IMPLICIT, ONE_GROUP, STRANGE, Groups, Partners, Positions, positions
from suture._ones import beside, bridge, faced
from suture._pair import Entry, Name, Pairs, demand_some, full, named_entries, pair
from suture._plan import Note
from suture._reach import Reach, reach
from suture._realign import realigned
from suture._realign import used as as_used
from suture._regroup import regrouped
from suture._rename import Rules
from suture._rewired import by_overlap
from suture._roles import Use, uses
from suture._schema import resolve
from suture._series import in_series
from suture._signature import Dim, by_signature, signed, unnamed


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Which unit is which.

    Attributes:
        source: the source's units.
        target: the target's units.
        pairs: the tensors that belong together.
        partners: which unit is which.
        aligned: per dim of a shared tensor, how its factors fall together.
        met: the axes of source and target that fall together so.
        names: name -> units, source and target.
        uses: what ops do with the parameters, source and target.
        reach: which features reach the positions of parameters, source and target.
        spelled: both sides again, their dims in pieces that fall together as `aligned` says.
        notes: what was paired by order of use or by overlap.
        marks: what tells the entries of axes apart where no name does, source and target.
        placed: per dim of a shared tensor where its positions come from, if not by its units.
        copies: which target units are copies of one another, if any are.
    """

    source: Units
    target: Units
    pairs: Pairs
    partners: Partners
    aligned: Mapping[Dim, Alignment]
    met: Set[tuple[Class, Class]]
    names: tuple[dict[Name, Entry], dict[Name, Entry]]
    uses: tuple[dict[str, tuple[Use, ...]], dict[str, tuple[Use, ...]]]
    reach: tuple[Reach, Reach]
    spelled: tuple[Units, Units]
    notes: tuple[Note, ...] = ()
    marks: tuple[Marks, Marks] = (Marks(), Marks())
    placed: Mapping[Dim, Positions] = field(default_factory=dict)
    copies: Copies | None = None

    @property
    def shared(self) -> dict[str, str]:
        """Target name -> source name, of all tensors that both sides have."""
        return {**self.pairs.tensors, **self.pairs.inputs, **self.pairs.outputs}

    def classes(self, at: Dim) -> tuple[Class, Class]:
        """Give the axis class of a dim of a shared tensor, source and target."""
        name, dim = at
        theirs, ours = self.source.classes[self.shared[name]][dim], self.target.classes[name][dim]
        return self.source.axes.find(theirs), self.target.axes.find(ours)

    def layouts(self, at: Dim) -> tuple[Layout, Layout]:
        """Give a dim of a shared tensor in units, source and target."""
        return _layouts(self.source, self.target, self.shared, at)

    @property
    def partner(self) -> Column:
        """Target unit -> source unit, -1 where it is fresh, -2 where the source has none such."""
        return self.partners.partner

    @property
    def same(self) -> Column:
        """Source unit -> the source unit that it is one with, -2 where the target has none such."""
        return self.partners.same


def match(
    source: Units, target: Units, rename: Rules | None = None, keep: Keep | None = None
) -> Match:
    """Find the partner of every target unit.

    Args:
        source: the units of the trained model, from `suture.couple`.
        target: the units of the changed model.
        rename: regular expression -> replacement, for the names of the source's tensors.
        keep: dims of the source's parameters, `"fc1.weight dim 0"` -> scores, one for each
            position, and units, `"fc1.weight[7, :]"` -> a score: of an axis that shrinks the units
            with the highest stay.

    Returns:
        Which unit is which, and as notes what was paired by overlap.

    Raises:
        MatchError: nothing pairs, names of one unit disagree, a pairing is a tie, or scores do not
            fit.
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
    found = by_name(source, target, rename)
    source, target = found.spelled
    partner, names, used, aligned = found.partner, found.names, found.uses, found.aligned
    back: dict[str, tuple[str, ...]] = {}
    for name, other in found.shared.items():
        back[other] = (*back.get(other, ()), name)
    slots = (
        {dim: alignment.source for dim, alignment in aligned.items()},
        {dim: alignment.target for dim, alignment in aligned.items()},
    )
    itself = {name: (name,) for name in found.shared}
    theirs = signed(source, back, names[0], used[0], slots[0], found.reach[0])
    if keep:
        theirs = replace(theirs, scores=scored(found.source, names[0], keep))
    ours = signed(target, itself, names[1], used[1], slots[1], found.reach[1])
    faced(partner, found.met, theirs, ours)
    left = by_signature(partner, theirs, ours)
    rewired = by_overlap(partner, *left, theirs, ours, found.shared)
    tensors = found.pairs.tensors
    serial = in_series(partner, source, target, tensors, used[1])
    if keep and theirs.scores is not None:
        demand_kept(found.source, keep, theirs.scores, partner)
    same = bridge(partner, source, target, tensors, aligned)
    free = unnamed(source, names[0]), unnamed(target, names[1])
    implied = _implied(partner, same, source, target, tensors, aligned, free)
    return replace(
        found,
        partners=Partners(partner, same, implied),
        notes=(*found.notes, *rewired.notes, *serial),
        marks=(theirs.marks, ours.marks),
        placed=rewired.placed,
    )


def by_name(source: Units, target: Units, rules: Rules | None = None) -> Match:
    """Pair tensors, and the units that schemas name, and nothing else.

    Raises:
        MatchError: nothing pairs, or names of one unit disagree.
        SchemaError: something is named on one side only.
    """
    pairs = pair(source.graph, target.graph, rules)
    used = uses(source.graph, source.axes), uses(target.graph, target.axes)
    sides = as_used(source, used[0]), as_used(target, used[1])
    tensors, notes = realigned(pairs.tensors, pairs.ruled, *sides)
    demand_some(tensors, source.graph, target.graph)
    pairs = replace(pairs, tensors=tensors)
    source, target = regrouped(source, target, tensors)
    names = named_entries(source), named_entries(target)
    partner = np.full(target.count, -1, np.int64)
    _by_name(partner, *names)
    nothing = np.zeros(source.count, np.bool_), np.zeros(target.count, np.bool_)
    partners = Partners(partner, np.arange(source.count), nothing)
    reached = reach(source, target)
    shared = {**pairs.tensors, **pairs.inputs, **pairs.outputs}
    spelled = laid_apart(source, target, shared)
    told = Told(ones=(beside(source), beside(target)))
    aligned = all_aligned(*spelled, shared, told)
    return Match(
        source,
        target,
        pairs,
        partners,
        aligned,
        told.met,
        names,
        used,
        reached,
        spelled,
        tuple(notes),
    )


def _layouts(
    source: Units, target: Units, names: Mapping[str, str], at: Dim
) -> tuple[Layout, Layout]:
    name, dim = at
    if dim < 0:
        return source.values[names[name]], target.values[name]
    return source.tensors[names[name]][dim], target.tensors[name][dim]


def along(match: Match, at: Dim) -> Positions:
    """Map the positions of a target dim to those of its source dim, by their units.

    Raises:
        MatchError: nothing tells the occurrences of a unit apart.
    """
    if match.copies is None:
        return _along(match, at, match.partners)
    found = [
        _along(match, at, replace(match.partners, partner=match.copies.partner(match.partner, one)))
        for one in range(int(match.copies.number.max()) + 1)
    ]
    return reduce(np.maximum, found)


def _along(match: Match, at: Dim, partners: Partners) -> Positions:
    where = f"{at[0]} dim {at[1]}" if at[1] >= 0 else f"values of {at[0]}"
    return positions(
        *_layouts(*match.spelled, match.shared, at),
        partners,
        match.aligned[at],
        where,
        lambda: groups_along(match, *at),
    )


def groups_along(match: Match, name: str, dim: int) -> Groups:
    """Say what tells the occurrences of a unit apart along a dim of a shared tensor.

    Along an input or output that is their own names, else the features that reach them: where the
    axis begins, and in every shared parameter that has it.
    """
    own = own_names(match, name, dim)
    if own is not None or dim < 0:
        return own or ONE_GROUP
    units = match.source, match.target
    member = units[0].classes[match.shared[name]][dim], units[1].classes[name][dim]
    tensors = [
        ((their, at), (our, at))
        for our, their in match.pairs.tensors.items()
        for at in range(len(units[1].classes[our]))
        if _is_along(units[0], their, at, member[0]) and _is_along(units[1], our, at, member[1])
    ]
    theirs, ours = (
        [reach.at_birth(axis), *(reach.along(*pair[place]) for pair in tensors)]
        for place, (reach, side, axis) in enumerate(zip(match.reach, units, member, strict=True))
    )
    return _joint(theirs, ours)


def _is_along(units: Units, name: str, dim: int, member: Class) -> bool:
    return units.axes.find(units.classes[name][dim]) == units.axes.find(member)


def own_names(match: Match, name: str, dim: int) -> Groups | None:
    """Give the names along a dim of an input or output numbers, if both schemas have them."""
    schemas = match.source.graph.schema, match.target.graph.schema
    called = [schema.outputs.get(name, schema.inputs.get(name)) for schema in schemas]
    rank = len(match.target.tensors[name])
    key = dim if dim >= 0 else None
    told = [resolve(labels, rank).get(key) for labels in called if labels is not None]
    theirs, ours = told if len(told) == 2 else (None, None)
    if theirs is None or ours is None or name in match.pairs.tensors:
        return None
    shared = {each: at for at, each in enumerate(theirs) if each in ours}
    left, right = (np.array([shared.get(one, STRANGE) for one in side]) for side in (theirs, ours))
    return left, right


def _joint(theirs: list[Column], ours: list[Column]) -> Groups:
    """Give distinct rows of marks numbers; a position that one mark calls strange is strange."""
    left, right = (np.stack(np.broadcast_arrays(*marks), axis=1) for marks in (theirs, ours))
    _, codes = np.unique(np.concatenate([left, right]), axis=0, return_inverse=True)
    strange = np.concatenate([(left == STRANGE).any(axis=1), (right == STRANGE).any(axis=1)])
    codes = np.where(strange, STRANGE, codes)
    return codes[: len(left)], codes[len(left) :]


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


def _implied(
    partner: Column,
    same: Column,
    source: Units,
    target: Units,
    tensors: Mapping[str, str],
    aligned: Mapping[Dim, Alignment],
    free: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the entry of each factor (one head) that the other side leaves implicit, and mark it.

    Of a factor that the source knows elsewhere, every entry is: the source repeats there what the
    target has several copies of.
    """
    implied = np.zeros(source.count, np.bool_), np.zeros(target.count, np.bool_)
    for (name, dim), alignment in aligned.items():
        if dim >= 0 and name in tensors:
            for column in _spare(target.tensors[name][dim], alignment.target):
                unit = _one(column, partner[column] >= 0, free[1])
                implied[1][unit] = True
                partner[unit] = np.where(partner[unit] == -1, IMPLICIT, partner[unit])
            for column in _spare(source.tensors[tensors[name]][dim], alignment.source):
                unit = _one(column, np.isin(column, partner), free[0])[:1]
                implied[0][unit] = True
                same[unit] = np.where(np.isin(same[unit], partner), same[unit], IMPLICIT)
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
