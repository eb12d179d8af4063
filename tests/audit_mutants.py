"""Mutants: rules that are wrong in one place, which the audit must refuse.

Knows which changes of a bound spec or an algebra change its meaning. Does not know the audit.

No mutant is made where nothing could tell: on axes of size one, of an axis that only one tensor has
(renamed, or its `!`), of two contracted axes merged or parted that no operand pair tells apart, and
of `!` on an axis that no second tensor has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf

import numpy as np
from numpy.typing import NDArray

from audit_claims import names, shared
from suture._algebra import Algebra, Meeting, Neutral
from suture._bind import Bound, BoundOperand, Part, Window
from suture._spec import Axis

Index = NDArray[np.int64]

FRESH = "renamed"
MEETINGS: tuple[Meeting | None, ...] = (None, "add", "mul")
NEUTRALS: tuple[Neutral | None, ...] = (None, 0.0, 1.0, -inf, inf, "mean")


@dataclass(frozen=True, slots=True, eq=False)
class Mutant:
    """A bound spec that is wrong, and what was done to it."""

    change: str
    bound: Bound


def mutants(bound: Bound, floats: Collection[int], constants: Collection[int]) -> Iterator[Mutant]:
    """Make every mutant of a bound spec.

    Args:
        bound: the spec.
        floats: the operands that hold no integers.
        constants: the operands whose values the rule has read: they say nothing in the spec.
    """
    alive = [k for k in range(len(bound.inputs)) if k not in constants]
    yield from _renamed(bound, alive)
    yield from _merged(bound, alive)
    yield from _mixing(bound, floats, alive)
    yield from _swapped_factors(bound)
    yield from _swapped_parts(bound)
    yield from _other_picks(bound)
    yield from _other_windows(bound, alive)


def _tensors(bound: Bound) -> tuple[BoundOperand, ...]:
    return (*bound.inputs, *bound.outputs)


def _axes(tensor: BoundOperand) -> list[Axis]:
    return [axis for dim in tensor.dims for part in dim for axis in part]


def _rewritten(tensor: BoundOperand, change: Callable[[Part], Part]) -> BoundOperand:
    dims = tuple(tuple(change(part) for part in dim) for dim in tensor.dims)
    return replace(tensor, dims=dims)


def _with(bound: Bound, place: int, tensor: BoundOperand) -> Bound:
    """Put another tensor at a place, operands before results."""
    tensors = [*_tensors(bound)]
    tensors[place] = tensor
    count = len(bound.inputs)
    return replace(bound, inputs=tuple(tensors[:count]), outputs=tuple(tensors[count:]))


def _name_changed(tensor: BoundOperand, old: str, new: str) -> BoundOperand:
    def change(part: Part) -> Part:
        return tuple(replace(axis, name=new) if axis.name == old else axis for axis in part)

    values = new if tensor.values == old else tensor.values
    return replace(_rewritten(tensor, change), values=values)


def _renamed(bound: Bound, alive: Collection[int]) -> Iterator[Mutant]:
    """Rename an axis in one operand, so that it is shared no more."""
    sizes = bound.sizes
    for k, operand in ((k, bound.inputs[k]) for k in alive):
        for name in sorted(names(operand) & _told(bound)):
            if sizes.get(name, 2) > 1:
                changed = _with(bound, k, _name_changed(operand, name, FRESH))
                given = {**sizes, FRESH: sizes[name]} if name in sizes else sizes
                yield Mutant(f"{name} renamed in operand {k}", replace(changed, sizes=given))


def _merged(bound: Bound, alive: Collection[int]) -> Iterator[Mutant]:
    """Give two axes of one size one name, everywhere."""
    for one, other in combinations(sorted(bound.sizes), 2):
        if bound.sizes[one] == bound.sizes[other] > 1 and _meet(bound, alive, one, other):
            changed = bound
            for place, tensor in enumerate(_tensors(bound)):
                changed = _with(changed, place, _name_changed(tensor, other, one))
            yield Mutant(f"{one} and {other} merged", changed)


def _meet(bound: Bound, alive: Collection[int], one: str, other: str) -> bool:
    """Say whether two names are both alive, one in an operand, and neither is picked."""
    picked = {name for pick in bound.picks for name in (pick.axis, pick.source)}
    inputs = {name for k in alive for name in names(bound.inputs[k])}
    everything = inputs.union(*map(names, bound.outputs)) - picked - _dropped(bound)
    return bool({one, other} & inputs) and {one, other} <= everything


def _told(bound: Bound) -> set[str]:
    """Name the axes that other tensors have too, or that are picked somewhere but for constants."""
    constant = {pick.axis for pick in bound.picks if pick.index.max(initial=-1) < 0}
    return shared(bound) - constant


def _dropped(bound: Bound) -> set[str]:
    """Name the axes that are parts of one sum alone: nothing there meets anything."""
    parts = (p for t in _tensors(bound) for dim in t.dims if len(dim) > 1 for p in dim)
    return {axis.name for part in parts for axis in part} - shared(bound)


def _mixing(bound: Bound, floats: Collection[int], alive: Collection[int]) -> Iterator[Mutant]:
    """Drop or add one `!`."""
    for k, operand in ((k, bound.inputs[k]) for k in alive):
        for name in sorted({axis.name for axis in _axes(operand)} & _told(bound)):
            if bound.sizes[name] > 1 and _tells_mixing(bound, k, name, floats):
                yield Mutant(
                    f"{name}: ! turned in operand {k}", _with(bound, k, _turned(operand, name))
                )


def _tells_mixing(bound: Bound, k: int, name: str, floats: Collection[int]) -> bool:
    """Say whether a result has the axis, or else another floating operand, not mixed itself."""
    if any(axis.name in _linked(bound, name) for out in bound.outputs for axis in _axes(out)):
        return True
    others = [axis for y in floats if y != k for axis in _axes(bound.inputs[y])]
    meeting = [axis for axis in others if axis.name == name]
    return k in floats and bool(meeting) and not any(axis.mixed for axis in meeting)


def _linked(bound: Bound, name: str) -> set[str]:
    """Name an axis and those that are picked from it, or it from them."""
    ends = [{pick.axis, pick.source} for pick in bound.picks]
    return {name}.union(*(pair for pair in ends if name in pair))


def _turned(operand: BoundOperand, name: str) -> BoundOperand:
    def change(part: Part) -> Part:
        return tuple(replace(a, mixed=not a.mixed) if a.name == name else a for a in part)

    return _rewritten(operand, change)


def _swapped_factors(bound: Bound) -> Iterator[Mutant]:
    """Swap two neighbouring factors in one product of one tensor."""
    for place, tensor in enumerate(_tensors(bound)):
        for dim, parts in enumerate(tensor.dims):
            for which, part in enumerate(parts):
                for at in range(len(part) - 1):
                    pair = part[at : at + 2]
                    if min(bound.sizes[axis.name] for axis in pair) > 1 and _seen(bound, pair):
                        swapped = (*part[:at], pair[1], pair[0], *part[at + 2 :])
                        new = (*parts[:which], swapped, *parts[which + 1 :])
                        yield _exchanged(bound, place, dim, new, "factors")


def _seen(bound: Bound, axes: Part) -> bool:
    """Say whether another tensor has one of the axes."""
    return bool({axis.name for axis in axes} & shared(bound))


def _exchanged(bound: Bound, place: int, dim: int, parts: tuple[Part, ...], what: str) -> Mutant:
    tensor = _tensors(bound)[place]
    dims = (*tensor.dims[:dim], parts, *tensor.dims[dim + 1 :])
    changed = _with(bound, place, replace(tensor, dims=dims))
    return Mutant(f"{what} swapped in tensor {place}, dim {dim}", changed)


def _swapped_parts(bound: Bound) -> Iterator[Mutant]:
    """Swap two neighbouring parts of one sum of one tensor."""
    for place, tensor in enumerate(_tensors(bound)):
        for dim, parts in enumerate(tensor.dims):
            for at in range(len(parts) - 1):
                pair = parts[at : at + 2]
                if pair[0] != pair[1] and _seen(bound, pair[0] + pair[1]):
                    swapped = (*parts[:at], pair[1], pair[0], *parts[at + 2 :])
                    yield _exchanged(bound, place, dim, swapped, "parts")


def _other_picks(bound: Bound) -> Iterator[Mutant]:
    """Let an axis be picked by a shifted index."""
    for which, pick in enumerate(bound.picks):
        shifted = np.roll(pick.index, 1)
        if (shifted != pick.index).any():
            changed = replace(pick, index=shifted)
            picks = (*bound.picks[:which], changed, *bound.picks[which + 1 :])
            yield Mutant(f"{pick.axis} picked by another index", replace(bound, picks=picks))


def _other_windows(bound: Bound, alive: Collection[int]) -> Iterator[Mutant]:
    """Let a window read other entries, where two tensors tell."""
    tensors = [bound.inputs[k] for k in alive] + [*bound.outputs]
    for which, window in enumerate(bound.windows):
        for change, index in _other_indices(window.index, bound.sizes[window.source]):
            changed = replace(window, index=index)
            if _told_pairs(changed, tensors) != _told_pairs(window, tensors):
                windows = (*bound.windows[:which], changed, *bound.windows[which + 1 :])
                yield Mutant(
                    f"window of {window.source}: {change}", replace(bound, windows=windows)
                )


def _other_indices(index: Index, size: int) -> Iterator[tuple[str, Index]]:
    """Shift a window by one, change its stride or dilation, lose taps, read other ends."""
    place, tap = np.indices(index.shape)
    for change, by in (("shifted", 1), ("stride", place), ("dilation", tap)):
        for sign in (1, -1):
            at = index + sign * by
            yield change, np.where((index >= 0) & (at >= 0) & (at < size), at, -1)
    for lost in range(index.shape[1]):
        yield f"tap {lost} missing", np.where(tap == lost, -1, index)
    yield "first place missing", np.where(place == 0, -1, index)
    yield "taps turned", index[:, ::-1]
    yield "places turned", index[::-1]
    yield "padding read", np.where(index < 0, 0, index)


def _told_pairs(window: Window, tensors: Sequence[BoundOperand]) -> list[object]:
    """Say what a window says of every two tensors, as rows of their axes."""
    taken = np.nonzero(window.index >= 0)
    rows = dict(zip(window.axes, taken, strict=True)) | {window.source: window.index[taken]}
    held = [sorted(names(tensor) & rows.keys()) for tensor in tensors]
    return [
        {*zip(*(rows[name].tolist() for name in (*one, *other)), strict=True)}
        for one, other in combinations(held, 2)
        if one and other
    ]


def algebra_mutants(stated: Algebra) -> Iterator[tuple[str, Algebra]]:
    """Drop, add or replace every word of an algebra."""
    yield "idempotent turned", replace(stated, idempotent=not stated.idempotent)
    yield "moves turned", replace(stated, moves=not stated.moves)
    yield "linear turned", replace(stated, linear=not stated.linear, zero=True)
    if not stated.linear:
        yield "zero turned", replace(stated, zero=not stated.zero)
    for meeting in MEETINGS:
        if meeting != stated.meeting:
            yield f"{stated.meeting} replaced by {meeting}", replace(stated, meeting=meeting)
    for neutral in NEUTRALS:
        if neutral != stated.neutral:
            yield (
                f"neutral={stated.neutral} replaced by {neutral}",
                replace(stated, neutral=neutral),
            )
