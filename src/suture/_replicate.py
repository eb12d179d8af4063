"""Replication: every unit of an axis as often as the target has room for it.

Knows where an op that hears every unit, and cannot be kept from hearing fresh ones, hears the same
if all units come equally often: norms whose own gain stands before them, groups of channels. Their
readers take uneven shares, so that the copies part when they learn. Does not know who asks for it
(`_growth`).

Source: Net2Net (Chen et al., 2016), section 2.2; LEMON (Wang et al., 2024), figure 3, for uneven
shares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import inf, prod

import numpy as np
from numpy.typing import NDArray

from suture._algebra import Algebra
from suture._axes import Class
from suture._copies import Copies
from suture._couple import Column, Layout, Units
from suture._fill import below
from suture._match import Match
from suture._plan import Note
from suture._side import CONTRACTED, MIXED, READ, REDUCED, Side


def replicated(match: Match, side: Side, heard: Iterable[tuple[int, str]]) -> Match | None:
    """Give fresh units partners of which they are copies, where that keeps an op from hearing them.

    Args:
        match: which unit is which.
        side: the target's side of it.
        heard: node and axis of what hears fresh units.

    Returns:
        The match with copies; None if nothing can be replicated.
    """
    names = match.target.axes.names
    found = {
        atom
        for number, name in heard
        if any(algebra.repeats for algebra in match.target.graph.nodes[number].algebra)
        for atom in _atoms(match, names[number][name])
        if _fits(match, atom) and _is_even(match, atom)
    }
    apart = {atom for atom, _, alike in _hearers(match, side, found) if not alike}
    atoms = sorted(found - apart)
    return _copied(match, atoms) if atoms else None


def everywhere(match: Match, side: Side) -> tuple[Match | None, tuple[Note, ...]]:
    """Make fresh units copies wherever parameters read them, at any ratio.

    Returns:
        The match with copies, None if nothing can be replicated; and where an op hears copies
        unevenly.
    """
    chosen: list[Class] = []
    for atom in match.target.columns:
        if _is_fresh(match, atom) and _fits(match, atom) and _is_read(match, atom):
            chosen += [atom] if not _beside(match, atom, chosen) else []
    notes = [
        Note("inexact", side.where(atom), f"copies are heard unevenly by {op}", side.leads(number))
        for atom, number, alike in _hearers(match, side, {*chosen})
        for op in [side.op(number)]
        if not alike
    ]
    return (_copied(match, chosen) if chosen else None), tuple(notes)


def _copied(match: Match, atoms: Sequence[Class]) -> Match:
    """Make the fresh units of these axes copies of preserved ones, in turn."""
    partner, number = match.partner.copy(), np.full(match.target.count, -1)
    for atom in atoms:
        column = match.target.columns[atom]
        old, new = column[partner[column] >= 0], column[partner[column] == -1]
        number[old], number[new] = 0, 1 + np.arange(len(new)) // len(old)
        partner[new] = partner[old][np.arange(len(new)) % len(old)]
    often = _often(match, atoms)
    counts = {a: int(often[match.target.columns[a][0]]) for a in atoms if _is_even(match, a)}
    partners = replace(match.partners, partner=partner)
    return replace(match, partners=partners, copies=Copies(number, often, frozenset(atoms), counts))


def _often(match: Match, atoms: Iterable[Class]) -> Column:
    """Say of every unit of the target how often its source unit comes, if these are copied."""
    often = np.ones(match.target.count, np.int64)
    for atom in atoms:
        column = match.target.columns[atom]
        old, new = (column[found] for found in (match.partner[column] >= 0, _new(match, column)))
        turns = np.arange(len(new)) % len(old)
        often[old] = 1 + np.bincount(turns, minlength=len(old))
        often[new] = often[old][turns]
    return often


def _new(match: Match, column: Column) -> NDArray[np.bool_]:
    fresh: NDArray[np.bool_] = match.partner[column] == -1
    return fresh


def _atoms(match: Match, member: Class) -> list[Class]:
    """List the atoms of a class that have fresh entries."""
    inside, partner = below(match.target.axes, {member}), match.partner
    return [
        atom
        for atom, column in match.target.columns.items()
        if atom in inside and (partner[column] == -1).any()
    ]


def _is_fresh(match: Match, atom: Class) -> bool:
    return bool(_new(match, match.target.columns[atom]).any())


def _is_even(match: Match, atom: Class) -> bool:
    """Whether there is room for every unit of the source equally often."""
    column = match.target.columns[atom]
    return len(column) % int(np.count_nonzero(match.partner[column] >= 0)) == 0


def _fits(match: Match, atom: Class) -> bool:
    """Whether an atom has all of the source's units, and no input or name has it."""
    column = match.target.columns[atom]
    kept = match.partner[column]
    known = kept[kept >= 0]
    if not len(known):
        return False
    source = match.source.columns.get(int(match.source.atom[known[0]]))
    if source is None or len(source) != len(known):
        return False
    graph = match.target.graph
    named = (*graph.inputs, *(name for name in graph.outputs if name in graph.schema.outputs))
    outer = [layout for name in named for layout in match.target.tensors[name]]
    return not any(np.isin(column[:1], c).any() for layout in outer for s in layout for c in s)


def _is_read(match: Match, atom: Class) -> bool:
    """Whether an axis is inside a network: parameters read all of it, and nothing marks it.

    Where a parameter is read along it in one place and written in another, every copy must be read
    alike: they must come equally often.
    """
    units, marks = match.target, match.marks[1]
    outer = [units.tensors[name] for name in units.graph.outputs], units.values.values()
    outer_layouts = [*(layout for dims in outer[0] for layout in dims), *outer[1]]
    marked = {*marks.constants, *marks.taps, *marks.unknown, *marks.choices}
    # A factor of one entry may stand in no dim of the source: nothing is copied there.
    alone = np.count_nonzero(match.partner[units.columns[atom]] >= 0) == 1
    if alone or atom in marked or any(_holds(units, layout, atom) for layout in outer_layouts):
        return False
    reads = [
        (name, dim)
        for name, each in match.uses[1].items()
        for use in each
        for dim, member in use.reads
        if atom in below(units.axes, {member})
    ]
    split = any(dim not in {at for at, _ in u.reads} for n, dim in reads for u in match.uses[1][n])
    return bool(reads) and (not split or _is_even(match, atom))


def _holds(units: Units, layout: Layout, atom: Class) -> bool:
    return any(atom in _held(units, column) for segment in layout for column in segment)


def _held(units: Units, column: Column) -> set[Class]:
    """List the axes that a factor is of: several, where they are laid end to end."""
    return {*units.atom[column[column >= 0]].tolist()}


def _beside(match: Match, atom: Class, chosen: Sequence[Class]) -> bool:
    """Whether an axis is a factor of some dim beside one that changes, or beside itself."""
    units = match.target
    for segment in (s for dims in units.tensors.values() for layout in dims for s in layout):
        held = [_held(units, column) for column in segment]
        others = [
            column[column >= 0]
            for column, one in zip(segment, held, strict=True)
            if atom not in one
        ]
        changed = any((match.partner[column] < 0).any() for column in others)
        copied = any(one & {*chosen} for one in held if atom not in one)
        if len(others) < len(segment) and (changed or copied or len(others) < len(segment) - 1):
            return True
    return False


def _hearers(match: Match, side: Side, atoms: set[Class]) -> Iterator[tuple[Class, int, bool]]:
    """List the ops that hear an atom's units, and whether each hears copies alike."""
    axes = match.target.axes
    for number in side.relevant:
        node = match.target.graph.nodes[number]
        for name, how in side.meetings(number).items():
            member = axes.names[number][name]
            inside = atoms & below(axes, {member}) if how != READ else set()
            evenly = not inside or _evenly(match, member, inside)
            for atom in inside:
                heard = [
                    _hears_alike(algebra, how)
                    for operand, algebra in zip(node.bound.inputs, node.algebra, strict=True)
                    if any(axis.name == name for d in operand.dims for p in d for axis in p)
                    and (how != MIXED or any(a.mixed for d in operand.dims for p in d for a in p))
                ]
                yield atom, number, evenly and all(heard)


def _evenly(match: Match, member: Class, atoms: set[Class]) -> bool:
    """Whether all entries of an axis would come equally often."""
    often = _often(match, atoms)
    counts = set()
    for segment in match.target.layout(member):
        each = [np.unique(np.where(column < 0, 1, often[column])) for column in segment]
        counts.add(prod(int(found[0]) if len(found) == 1 else 0 for found in each))
    return len(counts) == 1 and 0 not in counts


def _hears_alike(algebra: Algebra, how: str) -> bool:
    """Whether an op does the same to every copy, but for a factor that is known."""
    match how:
        case str() if how == MIXED:
            return algebra.repeats
        case str() if how == CONTRACTED:
            return algebra.linear
        case str() if how == REDUCED:
            return algebra.neutral in ("mean", inf, -inf) or (
                algebra.linear and algebra.neutral == 0
            )
        case _:
            return False
