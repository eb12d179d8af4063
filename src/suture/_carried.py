"""Carried entries: which entries of a planned tensor continue which of the source, and by what.

Knows the plan's words. An entry is *carried* where its block reads one of the source's: a copy,
times a scale, with or without something added (`b + W c`). All others are fresh to whatever follows
a parameter entry by entry: values, means, the target's own, new outputs that begin as copies.

An entry w that the target reads in several places, s_1 w, s_2 w, ... is one cause with several
effects: by the chain rule its gradient g is s_1 g_1 + s_2 g_2 + ... of theirs. Read once, theirs is
g / s, exactly. Copies of units are read with shares by whoever reads them, and see equal inputs:
all g_i are g / (s_1 + s_2 + ...), exactly. Those that write the copies have that on average.

Does not know optimizers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
from numpy.typing import NDArray

from suture._arrays import positions
from suture._fill import runs
from suture._plan import Block, Plan, Runs, Sum, TensorPlan, Term
from suture._plan_check import term_shape


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """How often each entry of a source tensor is read.

    Attributes:
        kinds: i64, per dim, of each position: those of one kind are read alike.
        total: f64, by kinds: the sum of the scales with which it is carried.
        times: i64, by kinds: how often it is read at all, in means and in what is added too.
    """

    kinds: tuple[NDArray[np.int64], ...]
    total: NDArray[np.float64]
    times: NDArray[np.int64]


Readings = Mapping[str, Reading]


def principal(tensor: TensorPlan, block: Block) -> Term | None:
    """Give the term whose entries a block continues, None where its entries are fresh.

    Example:
        >>> from suture._plan import Tensor
        >>> half = Block((((0, 3),),), Sum((Term("b", (((0, 3),),), 0.5),)))
        >>> tensor = TensorPlan(Tensor("b", (3,), "f32"), None, "parameter", (half,))
        >>> principal(tensor, half).scale
        0.5
    """
    if not isinstance(block.fill, Sum) or _is_new(tensor, block):
        return None
    whole = (term for term in block.fill.terms if term.scale and not term.reductions)
    return next((term for term in whole if term_shape(term) == block.shape), None)


def _is_new(tensor: TensorPlan, block: Block) -> bool:
    """Whether a block holds new outputs or categories alone: they may begin as copies of others."""
    new: dict[int, set[int]] = defaultdict(set)
    for label in tensor.labels:
        if label.source is None and label.target is not None:
            new[label.dim].add(label.target)
    return any(new[dim].issuperset(positions(block.region[dim]).tolist()) for dim in [*new])


def readings(plan: Plan) -> dict[str, Reading]:
    """Find how often each entry of each source tensor is read."""
    read: dict[str, list[tuple[Term, float]]] = defaultdict(list)
    for tensor in plan.tensors:
        for block in tensor.blocks:
            first = principal(tensor, block)
            # What begins a new output or a new category as a copy does not tie it to the old one.
            for term in _terms(block) if first is not None or not _is_new(tensor, block) else ():
                read[term.source].append((term, term.scale if term is first else 0.0))
    sources = {t.source.name: t.source.shape for t in plan.tensors if t.source is not None}
    sources |= {tensor.name: tensor.shape for tensor in plan.unpaired}
    return {name: _reading(sources[name], terms) for name, terms in read.items()}


def _terms(block: Block) -> tuple[Term, ...]:
    return block.fill.terms if isinstance(block.fill, Sum) else ()


def _reading(shape: tuple[int, ...], read: Sequence[tuple[Term, float]]) -> Reading:
    counts = [
        np.stack([np.bincount(positions(term.index[dim]), minlength=size) for term, _ in read])
        for dim, size in enumerate(shape)
    ]
    numbers, firsts = zip(*map(kinds, counts), strict=True) if counts else ((), ())
    total = np.zeros([len(first) for first in firsts])
    times = np.zeros(total.shape, np.int64)
    for at, (_, scale) in enumerate(read):
        along = (count[at, first] for count, first in zip(counts, firsts, strict=True))
        often = reduce(np.multiply.outer, along, np.array(1))
        times += often
        total += scale * often
    return Reading(tuple(numbers), total, times)


def kinds(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tell columns apart by number: the number of each, and where each number comes first.

    Example:
        >>> kinds(np.array([[1, 1, 0, 1], [0, 0, 2, 1]]))
        (array([1, 1, 0, 2]), array([2, 0, 3]))
    """
    number = np.zeros(counts.shape[1], np.int64)
    for row in counts:
        _, number = np.unique(number * (row.max() + 1) + row, return_inverse=True)
    return number, np.unique(number, return_index=True)[1]


@dataclass(frozen=True, slots=True)
class Carried:
    """Entries that continue one entry of the source each, by the same factors.

    Attributes:
        region: where they are in the target.
        source: the tensor that they come from.
        index: where they are in it.
        scale: what the weight is multiplied by.
        gradient: what its gradient is multiplied by.
        alone: whether their entries are read nowhere else, so that this is exact.
    """

    region: tuple[Runs, ...]
    source: str
    index: tuple[Runs, ...]
    scale: float
    gradient: float
    alone: bool = True


def carried(tensor: TensorPlan, read: Readings) -> tuple[Carried, ...]:
    """List what is carried of a tensor, cut where the gradient's factor changes.

    Args:
        tensor: what becomes of it.
        read: how often the source's entries are read, over the whole plan.
    """
    found: list[Carried] = []
    for block in tensor.blocks:
        term = principal(tensor, block)
        if term is not None:
            found += _cut(block, term, read[term.source])
    return tuple(found)


def _cut(block: Block, term: Term, reading: Reading) -> Iterator[Carried]:
    kinds = [kind[positions(r)] for kind, r in zip(reading.kinds, term.index, strict=True)]
    inside = [np.unique(kind) for kind in kinds]
    known = np.stack([table[np.ix_(*inside)] for table in (reading.total, reading.times)])
    pieces = [
        _pieces(kind, chosen, (known == known.take([0], dim + 1)).all())
        for dim, (kind, chosen) in enumerate(zip(kinds, inside, strict=True))
    ]
    for choice in product(*pieces):
        at = tuple(kind for kind, _ in choice)
        yield Carried(
            tuple(taken(r, where) for r, (_, where) in zip(block.region, choice, strict=True)),
            term.source,
            tuple(taken(r, where) for r, (_, where) in zip(term.index, choice, strict=True)),
            term.scale,
            # Scales that cancel say nothing of the gradient: each is taken as if it stood alone.
            1 / (float(reading.total[at]) or term.scale),
            bool(reading.times[at] == 1),
        )


Piece = tuple[int, NDArray[np.int64] | None]


def _pieces(kind: NDArray[np.int64], inside: NDArray[np.int64], is_alike: bool) -> list[Piece]:
    """Cut the positions of a dim by kind: one of the kind, and where; None for all of them."""
    if is_alike:
        return [(int(inside[0]), None)]
    return [(int(one), np.flatnonzero(kind == one)) for one in inside]


def taken(whole: Runs, at: NDArray[np.int64] | None) -> Runs:
    """Take some of the positions of runs; None for all of them."""
    return whole if at is None else runs(positions(whole)[at])
