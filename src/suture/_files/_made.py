"""Tensors in the making: a plan's tensor as a stream of stretches, none of them large.

Knows how a plan is carried out without holding a tensor. Does not know files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suture._arrays import NUMPY, Array
from suture._dtypes import DTYPES
from suture._entries import arrays_for, calculated, put
from suture._partition import length
from suture._plan import Block, Own, Sum, Tensor, TensorPlan, Term
from suture._plan_check import is_copy, term_shape
from suture._planned import Planned
from suture._slabs import Part, chosen_of, narrowed, part, slabs

LIMIT = 4 << 20
"""Bytes of a stretch: as much as a processor's caches hold, so that it is not fetched twice."""

Sources = Mapping[str, Array]


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A tensor that a plan makes.

    Attributes:
        tensor: its first name in the new file, shape and dtype.
        names: all of its names there.
        plan: what becomes of it.
        sources: the source's arrays by plain name.
        initial: its own initialisation, None where nothing of it is kept.
    """

    tensor: Tensor
    names: tuple[str, ...]
    plan: TensorPlan
    sources: Sources
    initial: Array | None

    def held_in(self, old: Collection[str]) -> tuple[str, ...]:
        """Choose the names that an old file used, or the first if it used none."""
        return tuple(name for name in self.names if name in old) or self.names[:1]

    def called(self, *names: str) -> Made:
        """See it under some of its names."""
        return replace(self, tensor=replace(self.tensor, name=names[0]), names=names)

    def stretches(self) -> Iterator[NDArray[Any]]:
        """Give the entries, flat, in the order in which they lie.

        Each array is good until the next one is asked for.
        """
        dtype = DTYPES[self.tensor.dtype]
        limit = max(1, LIMIT // dtype.itemsize)
        blocks, sources = reduced(self.plan.blocks, self.sources, limit)
        room = np.empty(min(limit, self.tensor.size), dtype)
        for box in slabs(self.tensor.shape, limit):
            shape = tuple(stop - start for start, stop in box)
            parts = [found for block in blocks if (found := part(block, box)) is not None]
            seen = self._seen(parts[0], sources) if len(parts) == 1 else None
            if seen is None or seen.shape != shape:
                seen = room[: prod(shape)].reshape(shape)
                for each in parts:
                    put(seen, each, sources, self.initial)
            yield seen.reshape(-1)

    def _seen(self, only: Part, sources: Sources) -> NDArray[Any] | None:
        """See a copy of one stretch where it lies already, if it does."""
        if any(len(runs) != 1 for runs in only.placed):  # it is written in another order
            return None
        match only.fill:
            case Own(scale=1):
                array, index = self.initial, only.region
            case Sum(terms=[term]) if is_copy(only.fill):
                array, index = sources[term.source], narrowed(term, only.chosen).index
            case _:
                return None
        if not isinstance(array, np.ndarray) or array.dtype != DTYPES[self.tensor.dtype]:
            return None
        found: NDArray[Any] = NUMPY.take(array, index)
        return found if found.flags.c_contiguous else None


def made_of(slot: str, planned: Planned) -> Made:
    """See what an optimizer will keep beside a parameter as a tensor in the making."""
    tensor = planned.tensor
    sources = {name: arrays_for(array).numpy(array) for name, array in planned.sources.items()}
    own = (
        np.array(planned.begins, DTYPES[tensor.dtype]) if planned.weight is None else planned.weight
    )
    name = f"{slot} of {tensor.name}"
    initial = np.broadcast_to(own, tensor.shape)
    return Made(replace(tensor, name=name), (name,), planned.plan, sources, initial)


def reduced(
    blocks: Sequence[Block], sources: Sources, limit: int
) -> tuple[Sequence[Block], Sources]:
    """Calculate the terms that are reduced once, as arrays that plain terms read instead.

    A stretch of a block may need all that is reduced, which may be a whole tensor.
    """
    more: dict[str, Array] = {}
    changed = [
        replace(block, fill=_all_once(block.fill, sources, limit, more))
        if isinstance(block.fill, Sum)
        else block
        for block in blocks
    ]
    return changed, {**sources, **more}


def _all_once(fill: Sum, sources: Sources, limit: int, more: dict[str, Array]) -> Sum:
    return replace(fill, terms=tuple(_once(term, sources, limit, more) for term in fill.terms))


def _once(term: Term, sources: Sources, limit: int, more: dict[str, Array]) -> Term:
    if not term.reductions:
        return term
    values = _in_steps(sources[term.source], replace(term, scale=1.0), limit)
    name = f"\0{len(more)}"  # which no tensor is called
    more[name] = values
    index = tuple(((0, size),) for size in values.shape)
    return Term(name, index, term.scale)


def _in_steps(source: Array, term: Term, limit: int) -> NDArray[Any]:
    """Calculate a reduced term from at most about `limit` entries at a time."""
    kind = arrays_for(source)
    gone = {reduction.dim for reduction in term.reductions}
    kept = [dim for dim in range(len(term.index)) if dim not in gone]
    sizes = [length(runs) for runs in term.index]
    if prod(sizes) > limit and not kept and len(gone) > 1:
        return _last(_in_steps(source, _but_last(term), limit), term)
    if prod(sizes) <= limit or not kept:
        return kind.numpy(calculated(kind, source, term))
    longest = max(kept, key=lambda dim: sizes[dim])
    step = max(1, limit * sizes[longest] // prod(sizes))
    dropped = {reduction.dim for reduction in term.reductions if not reduction.keep}
    steps = []
    for start in range(0, sizes[longest], step):
        index = list(term.index)
        index[longest] = chosen_of(index[longest], ((start, min(start + step, sizes[longest])),))
        narrow = replace(term, index=tuple(index))
        steps.append(kind.numpy(calculated(kind, source, narrow)))
    return np.concatenate(steps, axis=longest - sum(dim < longest for dim in dropped))


def _but_last(term: Term) -> Term:
    """Leave the last reduction out: where all dims are reduced, one is kept until then."""
    return replace(term, reductions=tuple(replace(r, keep=True) for r in term.reductions[:-1]))


def _last(values: NDArray[Any], term: Term) -> NDArray[Any]:
    """Reduce what is left by the last reduction."""
    index = tuple(((0, size),) for size in values.shape)
    reduced = Term(term.source, index, 1.0, (replace(term.reductions[-1], keep=True),))
    return np.reshape(calculated(NUMPY, values, reduced), term_shape(term))
