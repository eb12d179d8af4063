"""Entries: what each word of a plan puts into an array.

Knows the words, for a whole block or for the part of it that lies within a slab. Does not know a
framework (`_arrays`), nor which arrays belong to a plan (`_apply`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from suture._arrays import Array, Arrays, arrays_of, positions
from suture._partition import length
from suture._plan import Own, Runs, Sum, Term, Value
from suture._plan_check import is_copy, term_shape
from suture._slabs import Part, narrowed


def put(new: Array, part: Part, sources: Mapping[str, Array], initial: Array) -> None:
    """Write the entries of a part.

    Args:
        new: the array to write into, as large as the box that the part was found in.
        part: where, and what; a term that is reduced fills a whole block.
        sources: the source's arrays by name.
        initial: the target's whole initialisation; anything where nothing of it is kept.
    """
    kind = arrays_for(new)
    match part.fill:
        case Own(scale):
            ours = arrays_for(initial)
            values = ours.take(initial, part.region)
            values = values if scale == 1 else ours.widen(values) * scale
            kind.put(new, part.placed, values if ours is kind else ours.numpy(values))
        case Value():
            kind.put(new, part.placed, _constant(part.fill, part.chosen))
        case Sum(terms, own):
            narrow = tuple(t if t.reductions else narrowed(t, part.chosen) for t in terms)
            begun = arrays_for(initial).take(initial, part.region) if own else None
            kind.put(new, part.placed, _sum(Sum(narrow, own), sources, kind, begun))
        case _:
            assert_never(part.fill)


def arrays_for(array: Array) -> Arrays:
    """Give the framework of what is known to be an array."""
    kind = arrays_of(array)
    assert kind is not None, "a state with something else is refused before"
    return kind


def _constant(fill: Value, chosen: Sequence[Runs]) -> NDArray[np.float64]:
    """Make values that broadcast to a part: one, or a diagonal across two of its block's dims."""
    if fill.diagonal is None:
        return np.array(fill.value)
    first, second = sorted(fill.diagonal)
    shape = [length(runs) if dim in fill.diagonal else 1 for dim, runs in enumerate(chosen)]
    diagonal = positions(chosen[first])[:, None] == positions(chosen[second])
    return np.where(diagonal, fill.value, 0.0).reshape(shape)


def _sum(fill: Sum, sources: Mapping[str, Array], target: Arrays, own: Array | None) -> Array:
    """Add up terms: as arrays of their framework, or as numpy's where the target has another.

    So too where the target's `own` is added, which may be on another device than the source.
    """
    read = _copied if is_copy(fill) else calculated
    values = [
        read(arrays_for(sources[term.source]), sources[term.source], term) for term in fill.terms
    ]
    kinds = [arrays_for(value) for value in values]
    if own is not None or any(kind is not target for kind in kinds):
        values = [kind.numpy(value) for kind, value in zip(kinds, values, strict=True)]
    if own is not None:
        ours = arrays_for(own)
        values.append(ours.numpy(ours.widen(own)) * fill.own)
    return reduce(add, values)


def _copied(kind: Arrays, source: Array, term: Term) -> Array:
    return kind.take(source, term.index)


def calculated(kind: Arrays, source: Array, term: Term) -> Array:
    """Calculate a term in the widest dtype."""
    values = kind.widen(kind.take(source, term.index))
    for reduction in term.reductions:
        if reduction.weights is None:
            values = kind.mean(values, reduction.dim)
        else:
            values = kind.fold(values, reduction.dim, reduction.weights)
    return values.reshape(term_shape(term)) * term.scale
