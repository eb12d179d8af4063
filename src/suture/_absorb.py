"""Absorption: planned tensors as if the source's weights had been others.

Knows the plan's words. A change says what stands in the place of a source tensor, so it holds for
every term that reads it, whatever else became of the term: a scale, a mean, copies. Does not know
why the source should have been another (`_restated`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from suture._plan import Block, Fill, Reduction, Runs, Sum, TensorPlan, Term

Positions = NDArray[np.int64]
Along = tuple[str, int]
"""A source tensor and one of its dims."""


@dataclass(frozen=True, slots=True)
class Addition:
    """What is added to a source tensor: a sum over positions of another one.

    Attributes:
        weight: the other one, of this shape.
        dim: the dim that is summed, with `weights` at positions.
        taps: further dims that are summed.
        along: per dim of the tensor the dim of the other one that is the same axis.
    """

    weight: str
    shape: tuple[int, ...]
    dim: int
    weights: tuple[tuple[int, float], ...]
    taps: tuple[int, ...]
    along: tuple[int, ...]


@dataclass(slots=True)
class Changes:
    """What the source's tensors are read as: `scaled` along dims, by position, and `added` to."""

    scaled: dict[Along, dict[int, float]] = field(default_factory=dict)
    added: dict[str, list[Addition]] = field(default_factory=dict)


def absorbed(tensors: Sequence[TensorPlan], changes: Changes) -> tuple[TensorPlan, ...]:
    """Plan the same of a source that is changed, written in terms of the source as it is."""
    if not changes.scaled and not changes.added:
        return tuple(tensors)
    return tuple(
        replace(tensor, blocks=tuple(b for block in tensor.blocks for b in _blocks(block, changes)))
        for tensor in tensors
    )


def _blocks(block: Block, changes: Changes) -> list[Block]:
    """Change what a block reads: scales first, for what is added reads the source as it is."""
    blocks = [block]
    for along, factors in changes.scaled.items():
        blocks = [piece for whole in blocks for piece in _scaled(whole, along, factors)]
    return [replace(each, fill=_summed(each.fill, changes)) for each in blocks]


def _summed(fill: Fill, changes: Changes) -> Fill:
    if not isinstance(fill, Sum):
        return fill
    terms = [
        each
        for term in fill.terms
        for each in (term, *(_added(term, one) for one in changes.added.get(term.source, ())))
    ]
    return replace(fill, terms=tuple(terms))


def _added(term: Term, addition: Addition) -> Term:
    """Write what is added to a source tensor as the term that reads it would read that."""
    index: list[Runs] = [((0, size),) for size in addition.shape]
    index[addition.dim] = runs(np.array([position for position, _ in addition.weights]))
    for place, dim in zip(term.index, addition.along, strict=True):
        index[dim] = place
    sums = [Reduction(addition.dim, tuple(weight for _, weight in addition.weights))]
    sums += [Reduction(tap, (1.0,) * addition.shape[tap]) for tap in addition.taps]
    sums += [replace(each, dim=addition.along[each.dim]) for each in term.reductions]
    return Term(addition.weight, tuple(index), term.scale, tuple(sums))


def _scaled(block: Block, along: Along, factors: Mapping[int, float]) -> list[Block]:
    """Scale what a block reads of positions of a source tensor; it is cut where that varies."""
    if not isinstance(block.fill, Sum):
        return [block]
    blocks = [block]
    for which in range(len(block.fill.terms)):
        blocks = [piece for whole in blocks for piece in _cut(whole, which, along, factors)]
    return blocks


def _cut(block: Block, which: int, along: Along, factors: Mapping[int, float]) -> list[Block]:
    """Scale one term of a block."""
    assert isinstance(block.fill, Sum)
    term, (source, dim) = block.fill.terms[which], along
    if term.source != source:
        return [block]
    each = np.array([factors.get(at, 1.0) for at in spelled(term.index[dim]).tolist()])
    if _reduces(term, dim):
        return [_with_term(block, which, _weighted(term, dim, each))]
    if len({*each.tolist()}) == 1:
        return [_with_term(block, which, replace(term, scale=term.scale * float(each[0])))]
    lies = _block_dim(term, dim, block)
    return [
        _with_term(piece, which, replace(taken, scale=taken.scale * factor))
        for factor in dict.fromkeys(each.tolist())
        for piece in [part(block, lies, np.flatnonzero(each == factor))]
        for taken in [_terms(piece)[which]]
    ]


def _terms(block: Block) -> tuple[Term, ...]:
    return block.fill.terms if isinstance(block.fill, Sum) else ()


def _with_term(block: Block, which: int, term: Term) -> Block:
    terms = list(_terms(block))
    terms[which] = term
    assert isinstance(block.fill, Sum)
    return replace(block, fill=replace(block.fill, terms=tuple(terms)))


def _reduces(term: Term, dim: int) -> bool:
    return any(reduction.dim == dim for reduction in term.reductions)


def _weighted(term: Term, dim: int, each: NDArray[np.float64]) -> Term:
    """Scale the weights with which positions are summed."""
    reductions = tuple(
        replace(one, weights=tuple((_weights(one, len(each)) * each).tolist()))
        if one.dim == dim
        else one
        for one in term.reductions
    )
    return replace(term, reductions=reductions)


def _weights(reduction: Reduction, count: int) -> NDArray[np.float64]:
    if reduction.weights is None:
        return np.full(count, 1 / count)
    return np.array(reduction.weights)


def _block_dim(term: Term, dim: int, block: Block) -> int:
    """Find the dim of a block along which a term lays one of its own."""
    left = [at for at in range(len(term.index)) if not _dropped(term, at)]
    return len(block.region) - len(left) + left.index(dim)


def part(block: Block, dim: int, chosen: Positions) -> Block:
    """Take some positions of a block along one of its dims, by their place in the region."""
    region = list(block.region)
    region[dim] = runs(spelled(region[dim])[chosen])
    if not isinstance(block.fill, Sum):
        return Block(tuple(region), block.fill)
    terms = []
    for term in block.fill.terms:
        at = term_dim(term, dim, block)
        terms.append(term if at is None else _taken(term, at, chosen))
    return Block(tuple(region), replace(block.fill, terms=tuple(terms)))


def term_dim(term: Term, dim: int, block: Block) -> int | None:
    """Find the dim of a term that it lays along a dim of its block; None if it broadcasts there."""
    left = [at for at in range(len(term.index)) if not _dropped(term, at)]
    at = dim - len(block.region) + len(left)
    return None if at < 0 else left[at]


def _dropped(term: Term, dim: int) -> bool:
    return any(reduction.dim == dim and not reduction.keep for reduction in term.reductions)


def _taken(term: Term, dim: int, chosen: Positions) -> Term:
    """Take some positions of a term along one of its dims, unless it has but one for all."""
    positions = spelled(term.index[dim])
    if _reduces(term, dim) or len(positions) == 1:
        return term
    index = list(term.index)
    index[dim] = runs(positions[chosen])
    return replace(term, index=tuple(index))


def spelled(index: Runs) -> Positions:
    """Spell runs out as positions."""
    return np.concatenate([np.empty(0, np.int64), *(np.arange(*run) for run in index)])


def runs(positions: Positions) -> Runs:
    """Write positions as half-open runs, in their order.

    Example:
        >>> runs(np.array([0, 1, 2, 5, 4]))
        ((0, 3), (5, 6), (4, 5))
    """
    if not len(positions):
        return ()
    pieces = np.split(positions, np.flatnonzero(np.diff(positions) != 1) + 1)
    return tuple((int(piece[0]), int(piece[-1]) + 1) for piece in pieces)
