"""Carry out a plan on arrays.

Knows which arrays a plan reads and makes. Does not know what its words do (`_entries`), a framework
(`_arrays`), nor where plans come from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suture._arrays import Array, arrays_of
from suture._dtypes import DTYPES
from suture._entries import arrays_for, put
from suture._errors import PlanError
from suture._plan import Own, Plan, Sum, Tensor, TensorPlan
from suture._plan_check import check, source_tensors
from suture._slabs import whole
from suture._wrappers import counters, plain_names

State = Mapping[str, Array]
SHOWN = 8
"""How many arrays an error names that a plan was not made for."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """An array that is not what a plan reads or makes.

    Attributes:
        side: the source or the target.
        text: what is wrong.
        dtype: the array's, where nothing but that is wrong.
    """

    side: str
    text: str
    dtype: str | None = None


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
        >>> import numpy as np
        >>> from suture._plan import Block, Term
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
    order = list(target_state)
    given = plain_names([name for name in order if name not in ours], sides[1])
    read = plain_names([name for name in source_state if name not in theirs], sides[0])
    sources, initial = _named(source_state, read), _named(target_state, given)
    demand_fit(source_misfits(plan, sources), target_misfits(plan, initial, sides[1]))
    new: dict[str, Array] = {}
    for tensor in plan.tensors:
        names = [name for name in (tensor.target.name, *tensor.tied) if name in initial]
        new |= dict.fromkeys(names, carried(tensor, sources, initial[names[0]]))
    named = {name: new[plain] for name, plain in given.items()}
    for name, step in ours.items():
        named[name] = _counted(target_state[name], source_state, theirs, step)
    return {name: named[name] for name in order}


def _counted(initial: Array, sources: State, theirs: Mapping[str, str], step: str) -> Array:
    """Carry what a wrapper counts: a mean that forgot of how many weights would start over."""
    kind = arrays_for(initial)
    new = kind.copy(initial)
    for name in (name for name in theirs if theirs[name] == step):
        value, own = sources[name], arrays_for(sources[name])
        every = [((0, size),) for size in new.shape]
        kind.put(new, every, value if own is kind else own.numpy(value))
    return new


def demand_fit(*misfits: Iterable[Misfit]) -> None:
    """Refuse arrays that a plan was not made for.

    Raises:
        PlanError: listing them.
    """
    found = [misfit for each in misfits for misfit in each]
    if found:
        count = "one of the arrays" if len(found) == 1 else f"{len(found)} of the arrays"
        facts = [(misfit.side, misfit.text) for misfit in found[:SHOWN]]
        if len(found) > SHOWN:
            facts.append(("and", f"{len(found) - SHOWN} more"))
        raise PlanError(f"The plan was not made for {count}.", facts, _remedy(found))


def _remedy(misfits: Sequence[Misfit]) -> str:
    """Say what to do: where only dtypes are others, the same models would make the same plan."""
    if not all(misfit.dtype for misfit in misfits):
        return "make a plan for these two models"
    read = [misfit.dtype for misfit in misfits if misfit.side == "source"]
    if not read:
        return "give the target's weights in the dtype that the plan was made for"
    numpy = DTYPES.get(read[0] or "")
    such = f", with `model.to(torch.{numpy.name})`," if numpy is not None else ""
    return f"build both models in the dtype of the trained weights{such} and plan again"


def _named(state: State, names: Mapping[str, str]) -> State:
    return {plain: state[name] for name, plain in names.items()}


def source_misfits(plan: Plan, state: State) -> Iterator[Misfit]:
    """List the source's arrays that are not what the plan reads, by plain names."""
    known = source_tensors(plan)
    needed = {tensor.source.name for tensor in plan.tensors if tensor.source is not None}
    needed |= _read(plan)
    for name, tensor in known.items():
        if name in state:
            yield from _differs("source", name, state[name], tensor)
        elif name in needed:
            yield Misfit("source", f"{name} is missing; the plan reads {tensor.type}")
    noted = {note.subject for note in plan.notes}
    strangers = [name for name in state if name not in known and name not in noted]
    # A state dict holds tied arrays under each name, of which a plan may know one.
    places = {_place(state[name]) for name in known if name in state} if strangers else set()
    for name in strangers:
        if _place(state[name]) not in places:
            yield Misfit("source", f"{name} is unexpected")


def _read(plan: Plan) -> set[str]:
    """Name the source tensors that terms read."""
    fills = (block.fill for tensor in plan.tensors for block in tensor.blocks)
    return {term.source for fill in fills if isinstance(fill, Sum) for term in fill.terms}


def _place(array: Array) -> int | None:
    kind = arrays_of(array)
    return None if kind is None else kind.place(array)


def target_misfits(plan: Plan, state: State, needed: Collection[str]) -> Iterator[Misfit]:
    """List the target's arrays that are not what the plan makes, and those needed that lack."""
    known = set()
    for tensor in plan.tensors:
        names = [name for name in (tensor.target.name, *tensor.tied) if name in state]
        known.update(names)
        if not names and tensor.target.name in needed:
            text = f"{tensor.target.name} is missing; the plan makes {tensor.target.type}"
            yield Misfit("target", text)
        for name in names:
            yield from _differs("target", name, state[name], tensor.target)
    for name in state:
        if name not in known:
            yield Misfit("target", f"{name} is unexpected")


def _differs(side: str, name: str, array: Array, wanted: Tensor) -> Iterator[Misfit]:
    kind = arrays_of(array)
    if kind is None:
        yield Misfit(side, f"{name} is a {type(array).__name__}, not an array")
        return
    found = Tensor(name, tuple(array.shape), kind.dtype(array))
    if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
        dtype = found.dtype if found.shape == wanted.shape else None
        yield Misfit(side, f"{name} is {found.type}; the plan was made for {wanted.type}", dtype)


def carried(plan: TensorPlan, sources: State, initial: Array) -> Array:
    """Make the new array of one tensor, beginning with its own initialisation."""
    kind = arrays_for(initial)
    new = kind.copy(initial)
    for block in plan.blocks:
        if block.fill != Own():
            put(new, whole(block), sources, initial)
    return new
