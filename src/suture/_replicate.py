"""Replication: every unit of an axis as often as the target has room for it.

Knows where an op that hears every unit, and cannot be kept from hearing fresh ones, hears the same
if all units come equally often: norms whose own gain stands before them, groups of channels. Their
readers take uneven shares, so that the copies part when they learn. Does not know who asks for it
(`_growth`).

Source: Net2Net (Chen et al., 2016), section 2.2; LEMON (Wang et al., 2024), section 4.2, for uneven
shares.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import inf, prod

import numpy as np

from suture._algebra import Algebra
from suture._axes import Class
from suture._copies import Copies
from suture._fill import below
from suture._match import Match
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
        if _fits(match, atom)
    }
    told = _hearers(match, side, found)
    atoms = sorted(atom for atom in found if all(told.get(atom, ())))
    if not atoms:
        return None
    partner, number = match.partner.copy(), np.full(match.target.count, -1)
    counts = {}
    for atom in atoms:
        column = match.target.columns[atom]
        old, new = column[partner[column] >= 0], column[partner[column] == -1]
        number[old], number[new] = 0, 1 + np.arange(len(new)) // len(old)
        partner[new] = partner[old][np.arange(len(new)) % len(old)]
        counts[atom] = len(column) // len(old)
    partners = replace(match.partners, partner=partner)
    return replace(match, partners=partners, copies=Copies(number, counts))


def _atoms(match: Match, member: Class) -> list[Class]:
    """List the atoms of a class that have fresh entries."""
    inside, partner = below(match.target.axes, {member}), match.partner
    return [
        atom
        for atom, column in match.target.columns.items()
        if atom in inside and (partner[column] == -1).any()
    ]


def _fits(match: Match, atom: Class) -> bool:
    """Whether an atom is a whole multiple of the source's, and no input or name has it."""
    column = match.target.columns[atom]
    kept = match.partner[column]
    known = kept[kept >= 0]
    if not len(known) or len(column) % len(known):
        return False
    source = match.source.columns.get(int(match.source.atom[known[0]]))
    if source is None or len(source) != len(known):
        return False
    graph = match.target.graph
    named = (*graph.inputs, *(name for name in graph.outputs if name in graph.schema.outputs))
    outer = [layout for name in named for layout in match.target.tensors[name]]
    return not any(np.isin(column[:1], c).any() for layout in outer for s in layout for c in s)


def _hearers(match: Match, side: Side, atoms: set[Class]) -> dict[Class, list[bool]]:
    """Say of every op that hears an atom's units whether it hears copies alike."""
    axes, found = match.target.axes, dict[Class, list[bool]]()
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
                found.setdefault(atom, []).append(evenly and all(heard))
    return found


def _evenly(match: Match, member: Class, atoms: set[Class]) -> bool:
    """Whether all entries of an axis would come equally often."""
    often = np.ones(match.target.count, np.int64)
    for atom in atoms:
        column = match.target.columns[atom]
        often[column] = len(column) // np.count_nonzero(match.partner[column] >= 0)
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
