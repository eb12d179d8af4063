"""Carry out a plan on arrays.

Knows what each word of a plan does. Does not know a framework (`_arrays`), nor where plans come
from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suture._arrays import Array, Arrays, arrays_of
from suture._errors import PlanError
from suture._plan import Block, Own, Plan, Sum, Tensor, TensorPlan, Term, Value
from suture._plan_check import check, is_copy, source_tensors, term_shape
from suture._wrappers import counters, plain_names

State = Mapping[str, Array]
Fact = tuple[str, str]


def apply(plan: Plan, source_state: State, target_state: State) -> dict[str, Any]:
    """Compute the target's new arrays.

    Args:
        plan: a whole plan.
        source_state: the source's arrays by name; none is changed. What wrappers put before names
            (`module.`, `_orig_mod.`, Lightning's `model.`) is seen through, on both sides; what
            they count themselves (`n_averaged`) is carried where both have it.
        target_state: the target's arrays by name as they were initialised; none is changed.

    Returns:
        New arrays under the target's names, in its order, each of the target's framework, dtype and
        device. Names that are tied share one array. A plain copy is bit by bit; what is calculated
        is calculated in f64 (in f32 on a device without) and then cast.

    Raises:
        PlanError: if the plan is not whole, or listing every array that it was not made for.
            Nothing is computed then.

    Example:
        >>> from suture._plan import Own
        >>> bias = Tensor("bias", (3,), "f32")
        >>> old = Block((((0, 2),),), Sum((Term("bias", (((0, 2),),)),)))
        >>> new = Block((((2, 3),),), Own())
        >>> paired = TensorPlan(bias, Tensor("bias", (2,), "f32"), "parameter", (old, new))
        >>> before = {"bias": np.array([1, 2], "f4")}
        >>> apply(Plan("a1", "b2", (paired,)), before, {"bias": np.array([7, 8, 9], "f4")})
        {'bias': array([1., 2., 9.], dtype=float32)}
    """
    check(plan)
    sides = source_tensors(plan), [tensor.target.name for tensor in plan.tensors]
    theirs, ours = counters(source_state, sides[0]), counters(target_state, sides[1])
    counted = {
        name: _counted(target_state[name], source_state, theirs, ours[name]) for name in ours
    }
    order = list(target_state)
    given = plain_names([name for name in order if name not in ours], sides[1])
    read = plain_names([name for name in source_state if name not in theirs], sides[0])
    source_state, target_state = _named(source_state, read), _named(target_state, given)
    misfits = [*_source_misfits(plan, source_state), *_target_misfits(plan, target_state)]
    if misfits:
        count = "one of the arrays" if len(misfits) == 1 else f"{len(misfits)} of the arrays"
        raise PlanError(
            f"The plan was not made for {count}.", misfits, "make a plan for these two models"
        )
    new: dict[str, Array] = {}
    for tensor in plan.tensors:
        names = [name for name in (tensor.target.name, *tensor.tied) if name in target_state]
        new |= dict.fromkeys(names, carried(tensor, source_state, target_state[names[0]]))
    named = {name: new[plain] for name, plain in given.items()} | counted
    return {name: named[name] for name in order}


def _counted(initial: Array, sources: State, theirs: Mapping[str, str], step: str) -> Array:
    """Carry what a wrapper counts: a mean that forgot of how many weights would start over."""
    kind = _arrays(initial)
    new = kind.copy(initial)
    for name in (name for name in theirs if theirs[name] == step):
        value, own = sources[name], _arrays(sources[name])
        whole = [((0, size),) for size in new.shape]
        kind.put(new, whole, value if own is kind else own.numpy(value))
    return new


def _named(state: State, names: Mapping[str, str]) -> State:
    return {plain: state[name] for name, plain in names.items()}


def _source_misfits(plan: Plan, state: State) -> Iterator[Fact]:
    known = source_tensors(plan)
    needed = {tensor.source.name for tensor in plan.tensors if tensor.source is not None}
    needed |= _read(plan)
    for name, tensor in known.items():
        if name in state:
            yield from _differs("source", name, state[name], tensor)
        elif name in needed:
            yield "source", f"{name} is missing; the plan reads {tensor.type}"
    noted = {note.subject for note in plan.notes}
    strangers = [name for name in state if name not in known and name not in noted]
    # A state dict holds tied arrays under each name, of which a plan may know one.
    places = {_place(state[name]) for name in known if name in state} if strangers else set()
    for name in strangers:
        if _place(state[name]) not in places:
            yield "source", f"{name} is unexpected"


def _read(plan: Plan) -> set[str]:
    """Name the source tensors that terms read."""
    fills = (block.fill for tensor in plan.tensors for block in tensor.blocks)
    return {term.source for fill in fills if isinstance(fill, Sum) for term in fill.terms}


def _place(array: Array) -> int | None:
    kind = arrays_of(array)
    return None if kind is None else kind.place(array)


def _target_misfits(plan: Plan, state: State) -> Iterator[Fact]:
    known = set()
    for tensor in plan.tensors:
        names = [name for name in (tensor.target.name, *tensor.tied) if name in state]
        known.update(names)
        if not names:
            yield "target", f"{tensor.target.name} is missing; the plan makes {tensor.target.type}"
        for name in names:
            yield from _differs("target", name, state[name], tensor.target)
    for name in state:
        if name not in known:
            yield "target", f"{name} is unexpected"


def _differs(side: str, name: str, array: Array, wanted: Tensor) -> Iterator[Fact]:
    kind = arrays_of(array)
    if kind is None:
        yield side, f"{name} is a {type(array).__name__}, not an array"
        return
    found = Tensor(name, tuple(array.shape), kind.dtype(array))
    if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
        yield side, f"{name} is {found.type}; the plan was made for {wanted.type}"


def carried(plan: TensorPlan, sources: State, initial: Array) -> Array:
    """Make the new array of one tensor, beginning with its own initialisation."""
    kind = _arrays(initial)
    new = kind.copy(initial)
    for block in plan.blocks:
        match block.fill:
            case Own(scale=1):
                pass
            case Own(scale):
                kind.put(new, block.region, kind.widen(kind.take(initial, block.region)) * scale)
            case Value():
                kind.put(new, block.region, _constant(block.fill, block))
            case Sum(own=own):
                begun = kind.take(initial, block.region) if own else None
                kind.put(new, block.region, _sum(block.fill, sources, kind, begun))
    return new


def _constant(fill: Value, block: Block) -> NDArray[np.float64]:
    """Make values that broadcast to a block: one, or a diagonal across two of its dims."""
    if fill.diagonal is None:
        return np.array(fill.value)
    first, second = sorted(fill.diagonal)
    shape = [size if dim in fill.diagonal else 1 for dim, size in enumerate(block.shape)]
    diagonal = np.eye(shape[first], shape[second], dtype=np.bool_)
    return np.where(diagonal, fill.value, 0.0).reshape(shape)


def _sum(fill: Sum, sources: State, target: Arrays, own: Array | None) -> Array:
    """Add up terms: as arrays of their framework, or as numpy's where the target has another.

    So too where the target's `own` is added, which may be on another device than the source.
    """
    read = _copied if is_copy(fill) else _calculated
    values = [
        read(_arrays(sources[term.source]), sources[term.source], term) for term in fill.terms
    ]
    kinds = [_arrays(value) for value in values]
    if own is not None or any(kind is not target for kind in kinds):
        values = [kind.numpy(value) for kind, value in zip(kinds, values, strict=True)]
    if own is not None:
        values.append(target.numpy(target.widen(own)) * fill.own)
    return reduce(add, values)


def _copied(kind: Arrays, source: Array, term: Term) -> Array:
    return kind.take(source, term.index)


def _calculated(kind: Arrays, source: Array, term: Term) -> Array:
    values = kind.widen(kind.take(source, term.index))
    for reduction in term.reductions:
        if reduction.weights is None:
            values = kind.mean(values, reduction.dim)
        else:
            values = kind.fold(values, reduction.dim, reduction.weights)
    return values.reshape(term_shape(term)) * term.scale


def _arrays(array: Array) -> Arrays:
    kind = arrays_of(array)
    assert kind is not None, "a state with something else is refused before"
    return kind
