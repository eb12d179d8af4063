"""Starts: how a new output, or a new row of a table, begins, in the user's words.

Knows the words, and what each makes of the rows of one planned tensor. Does not know which rows are
meant (`_begun`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from suture._absorb import part, spelled, term_dim
from suture._plan import Block, Fill, Own, Reduction, Sum, Term, Value


@dataclass(frozen=True, slots=True)
class OwnInit:
    """A new entry keeps what the target was initialised with."""


@dataclass(frozen=True, slots=True)
class Bias:
    """A new output begins as a constant: its weights are 0, its bias is `value`.

    Example:
        >>> rare = {"logits.new_action": Bias(-5.0)}  # as `fill` of suture.plan
    """

    value: float = 0.0


@dataclass(frozen=True, slots=True)
class CopyOf:
    """A new entry begins as a copy of an old one, by its full name.

    Example:
        >>> twin = {"logits.sprint": CopyOf("logits.run")}  # as `fill` of suture.plan
    """

    name: str


@dataclass(frozen=True, slots=True)
class MeanOfOld:
    """A new entry begins as the mean of all old ones."""


Start = OwnInit | Bias | CopyOf | MeanOfOld


def filled(blocks: Sequence[Block], dim: int, row: int, fill: Fill) -> tuple[Block, ...]:
    """Fill one position along a dim of a planned tensor."""
    return (*_without(blocks, dim, row), *(_laid(b, dim, row, fill) for b in _of(blocks, dim, row)))


def copied(blocks: Sequence[Block], dim: int, row: int, old: int) -> tuple[Block, ...]:
    """Fill a position as another one is."""
    rows = [_laid(block, dim, row, block.fill) for block in _of(blocks, dim, old)]
    return (*_without(blocks, dim, row), *rows)


def averaged(
    blocks: Sequence[Block], dim: int, row: int, old: Collection[int]
) -> tuple[Block, ...]:
    """Fill a position with the mean of others."""
    pieces = [piece for block in blocks for piece in _rows(block, dim, old)]
    groups: dict[tuple[object, ...], list[Block]] = {}
    for piece in _refined(pieces, dim):
        key = tuple(runs for at, runs in enumerate(piece.region) if at != dim)
        groups.setdefault(key, []).append(piece)
    rows = [_laid(each[0], dim, row, _mean(each, dim, len(old))) for each in groups.values()]
    return (*_without(blocks, dim, row), *rows)


def _laid(block: Block, dim: int, row: int, fill: Fill) -> Block:
    region = list(block.region)
    region[dim] = ((row, row + 1),)
    return Block(tuple(region), fill)


def _rows(block: Block, dim: int, rows: Collection[int]) -> Iterator[Block]:
    """Take what a block holds of some positions."""
    chosen = np.flatnonzero(np.isin(spelled(block.region[dim]), [*rows]))
    if len(chosen):
        yield part(block, dim, chosen)


def _of(blocks: Sequence[Block], dim: int, row: int) -> Iterator[Block]:
    return (piece for block in blocks for piece in _rows(block, dim, [row]))


def _without(blocks: Sequence[Block], dim: int, row: int) -> Iterator[Block]:
    for block in blocks:
        positions = spelled(block.region[dim])
        if row not in positions:
            yield block
        elif len(positions) > 1:
            yield part(block, dim, np.flatnonzero(positions != row))


def _refined(blocks: Sequence[Block], dim: int) -> list[Block]:
    """Cut blocks so that along all other dims any two cover the same or nothing in common."""
    pieces = list(blocks)
    for other in range(len(blocks[0].region) if blocks else 0):
        if other != dim:
            held = [frozenset(spelled(block.region[other]).tolist()) for block in pieces]
            pieces = [each for block in pieces for each in _cut(block, other, held)]
    return pieces


def _cut(block: Block, dim: int, held: Sequence[frozenset[int]]) -> Iterator[Block]:
    positions = spelled(block.region[dim]).tolist()
    marks = [tuple(position in each for each in held) for position in positions]
    for mark in dict.fromkeys(marks):
        yield part(block, dim, np.array([at for at, one in enumerate(marks) if one == mark]))


def _mean(blocks: Sequence[Block], dim: int, count: int) -> Fill:
    """Add up what blocks of rows hold, divided by the number of all rows."""
    fills = [block.fill for block in blocks]
    values = [fill.value * block.shape[dim] for block in blocks for fill in _values(block.fill)]
    if any(isinstance(fill, Own) for fill in fills) or (any(values) and len(values) < len(fills)):
        return Own()
    terms = [
        _summed(term, dim, block, count)
        for block in blocks
        if isinstance(block.fill, Sum)
        for term in block.fill.terms
    ]
    return Sum(tuple(terms)) if terms else Value(sum(values) / count)


def _values(fill: Fill) -> Iterator[Value]:
    if isinstance(fill, Value):
        yield fill


def _summed(term: Term, dim: int, block: Block, count: int) -> Term:
    rows, at = block.shape[dim], term_dim(term, dim, block)
    if at is None or len(spelled(term.index[at])) != rows or _is_reduced(term, at):
        return replace(term, scale=term.scale * rows / count)
    weights = None if rows == count else (1 / count,) * rows
    return replace(term, reductions=(*term.reductions, Reduction(at, weights, keep=True)))


def _is_reduced(term: Term, dim: int) -> bool:
    return any(reduction.dim == dim for reduction in term.reductions)
