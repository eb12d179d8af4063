"""Which axis integers index, and how that moves with them: back to inputs, then on.

Knows moves of whole tensors, of parts, and of parts laid side by side. A part speaks for the whole
as long as no other part says otherwise: the columns of one tensor of ids may each have a table of
their own. Does not know entries of the axes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suture._bind import Bound, BoundOperand
from suture._graph import Graph, Node

if TYPE_CHECKING:
    from suture._axes import Axes, Class

INTEGERS = frozenset({"i64", "i32", "i16", "i8", "u8"})


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some places along one dim of a tensor."""

    dim: int
    places: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """Integers that an op only moves.

    `taken` is the part that goes on, `laid` where it comes to lie; None where it is the whole.
    `dims` says which dim of the result is which of the source, of those that stay.
    """

    source: int
    result: int
    taken: Part | None
    laid: Part | None
    dims: Mapping[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A part of a tensor whose entries index an axis."""

    part: Part
    axis: Class


Claims = dict[int, list[Claim]]


def pass_values(found: Axes, graph: Graph) -> None:
    """Find out what integers index that are moved from, or to, those of which an op says it."""
    moves = [move for node in graph.nodes for move in _moves(node, graph)]
    claims: Claims = defaultdict(list)
    for move in reversed(moves):
        _back(found, claims, move)
    for value in [*claims]:
        _settle(found, claims, value)
    sources: dict[int, list[int]] = defaultdict(list)
    for move in moves:
        sources[move.result].append(move.source)
    for result in sources:  # in order of use: each finds what those before it were told
        _on(found, sources[result], result)


def _back(found: Axes, claims: Claims, move: Move) -> None:
    """Let a source have what is said of the result."""
    moved = [_through(claim, move) for claim in claims[move.result]]
    if move.result in found.values or None in moved:
        _settle(found, claims, move.result)
    if move.result not in found.values:
        claims[move.source] += (c for c in moved if c is not None and c.part.places.size)
    elif move.taken is None:
        found.index(move.source, found.values[move.result])
    else:
        claims[move.source].append(Claim(move.taken, found.values[move.result]))


def _through(claim: Claim, move: Move) -> Claim | None:
    """See a claim on a part of the result as one on the source, if there is a dim for it."""
    dim, places = claim.part.dim, claim.part.places
    if move.taken is not None and move.taken.dim == dim:
        return Claim(Part(dim, move.taken.places[places]), claim.axis)
    if move.laid is not None and move.laid.dim == dim:
        inside = np.flatnonzero(np.isin(move.laid.places, places))
        return Claim(Part(dim, inside), claim.axis)
    return Claim(Part(move.dims[dim], places), claim.axis) if dim in move.dims else None


def _settle(found: Axes, claims: Claims, value: int) -> None:
    """Tie the claims on a tensor that overlap; one axis for all of them is that of the tensor."""
    if value in found.values:
        for claim in claims.pop(value, ()):
            found.tie(claim.axis, found.values[value])
        return
    said: dict[tuple[Class, int], list[NDArray[np.int64]]] = defaultdict(list)
    for claim in claims.get(value, ()):
        said[found.find(claim.axis), claim.part.dim].append(claim.part.places)
    each = [(axis, dim, np.concatenate(places)) for (axis, dim), places in said.items()]
    for (one, dim, here), (other, across, there) in combinations(each, 2):
        if dim != across or np.isin(here, there).any():
            found.tie(one, other)
    axes = {found.find(axis) for axis, _ in said}
    if len(axes) == 1:
        found.index(value, axes.pop())
        claims.pop(value)


def _on(found: Axes, sources: Sequence[int], result: int) -> None:
    """Let a result have what all that is laid in it index."""
    axes = {found.find(found.values[source]) for source in sources if source in found.values}
    if len(axes) == 1:
        found.index(result, axes.pop())


def _moves(node: Node, graph: Graph) -> Iterator[Move]:
    """List the integers that a node only moves."""
    for result, shown in zip(node.outputs, node.bound.outputs, strict=True):
        operands = zip(node.inputs, node.bound.inputs, node.algebra, strict=True)
        for source, operand, algebra in operands:
            counted = {graph.values[value].dtype for value in (source, result)} <= INTEGERS
            if algebra.moves and counted and operand.values is None:
                taken, laid = (
                    _part(*pair, node.bound) for pair in ((operand, shown), (shown, operand))
                )
                yield Move(source, result, taken, laid, _staying(operand, shown))


def _staying(source: BoundOperand, result: BoundOperand) -> dict[int, int]:
    """Find the dims of a result that are dims of the source."""
    names = [[[axis.name for axis in part] for part in dim] for dim in source.dims]
    shown = [[[axis.name for axis in part] for part in dim] for dim in result.dims]
    return {at: names.index(dim) for at, dim in enumerate(shown) if any(dim) and dim in names}


def _part(whole: BoundOperand, part: BoundOperand, bound: Bound) -> Part | None:
    """Find the places along a dim of one operand that another holds too; None if it holds all."""
    there = {axis.name for dim in part.dims for each in dim for axis in each}
    for place, dim in enumerate(whole.dims):
        sizes = [prod(bound.sizes[axis.name] for axis in each) for each in dim]
        ends = np.cumsum([0, *sizes])
        held = [all(axis.name in there for axis in each) for each in dim]
        if len(dim) > 1 and any(held) and not all(held):
            places = [np.arange(ends[i], ends[i + 1]) for i, is_held in enumerate(held) if is_held]
            return Part(place, np.concatenate(places))
        names = {axis.name for each in dim for axis in each}
        for pick in bound.picks:
            if pick.source in names and pick.axis in there and len(dim) == 1:
                return Part(place, pick.index) if (pick.index >= 0).all() else None
    return None
