"""Moments: the plan of a parameter rewritten as the plan of what an optimizer keeps beside it.

Knows the plan's words and those of slots. Does not know optimizers, nor arrays. What is carried of
the parameter is carried of the slot, times what the slot's word says; extra terms of a sum are
not, for the gradient of `b + W c` is that of b. What is fresh has the slot's own beginning, or the
mean of what is carried beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import copysign, prod
from typing import Any

import numpy as np

from suture._arrays import positions
from suture._carried import Carried, kinds, principal, taken
from suture._fill import runs
from suture._partition import length
from suture._plan import Block, Own, Reduction, Runs, Sum, Tensor, TensorPlan, Term
from suture._slots import POWERS, Slot


def factor(slot: Slot, piece: Carried) -> float:
    """Say what a slot's carried entries are multiplied by.

    Example:
        >>> from suture._slots import slot_of
        >>> half = Carried((((0, 3),),), "b", (((0, 3),),), 0.5, 2.0)
        >>> [factor(slot_of(name, ()), half) for name in ("exp_avg", "exp_avg_sq", "acc_delta")]
        [2.0, 4.0, 0.25]
    """
    power, sign = POWERS[slot.follows]
    size = abs(piece.gradient) ** -power if power < 0 else abs(piece.scale) ** power
    return copysign(size, piece.scale) if sign else size


def moments(
    tensor: TensorPlan, pieces: Sequence[Carried], slot: Slot, *, fresh: str, kept: bool = True
) -> TensorPlan:
    """Plan a slot of a parameter.

    Args:
        tensor: what becomes of the parameter.
        pieces: what is carried of it.
        slot: how the slot follows.
        fresh: how fresh entries begin where the slot is one of sizes: `"mean"` or `"zero"`.
        kept: whether the dim that the slot is a mean over, if any, stands in it with size 1.

    Returns:
        The plan of the slot's array, in terms of the slots of the source's tensors. Fresh entries
        are `Own`: they begin as the array that the plan is carried out on.
    """
    if slot.follows == "weight":
        return replace(tensor, blocks=tuple(_as_weight(tensor, block) for block in tensor.blocks))
    shape = tensor.target.shape
    held = [
        Block(each.region, Sum((Term(each.source, each.index, factor(slot, each)),)))
        for each in pieces
    ]
    if slot.over is not None:
        shape, held = averaged(shape, held, len(shape) + slot.over, kept=kept)
    rest = unheld(shape, held)
    if slot.is_mean and fresh == "mean" and held:
        rest = [Block(each.region, Sum((mean(each, held),))) for each in rest]
    target = Tensor(tensor.target.name, shape, tensor.target.dtype)
    return TensorPlan(target, None, "parameter", (*held, *rest))


def _as_weight(tensor: TensorPlan, block: Block) -> Block:
    """Follow the weight in all that is added to it; what is fresh is the weight as it is."""
    if principal(tensor, block) is None or not isinstance(block.fill, Sum):
        return Block(block.region, Own())
    # Noise that copies begin with is the target's initialisation, and no average has seen it.
    return Block(block.region, Sum(block.fill.terms))


def unheld(shape: Sequence[int], held: Sequence[Block]) -> list[Block]:
    """Cut what some regions leave of a tensor into products.

    Example:
        >>> corner = Block((((0, 2),), ((0, 3),)), Own())
        >>> [block.region for block in unheld((2, 4), [corner])]
        [(((0, 2),), ((3, 4),))]
    """
    if prod(shape) == 0 or not held:
        return [Block(tuple(((0, size),) * (size > 0) for size in shape), Own())]
    cut = [_cut([block.region[dim] for block in held], size) for dim, size in enumerate(shape)]
    return [
        Block(tuple(cell.at for cell in cells), Own())
        for cells in product(*cut)
        if not frozenset.intersection(*(cell.inside for cell in cells), frozenset(range(len(held))))
    ]


@dataclass(frozen=True, slots=True)
class _Cell:
    """Positions along a dim, and the regions that they are inside of."""

    at: Runs
    inside: frozenset[int]


def _cut(regions: Sequence[Runs], size: int) -> list[_Cell]:
    """Cut a dim into positions that are inside of the same regions."""
    counts = np.stack([np.bincount(positions(each), minlength=size) for each in regions])
    number, firsts = kinds(counts)
    inside = (frozenset(np.flatnonzero(counts[:, first]).tolist()) for first in firsts)
    return [_Cell(runs(np.flatnonzero(number == one)), each) for one, each in enumerate(inside)]


def mean(block: Block, held: Sequence[Block]) -> Term:
    """Average what is carried beside fresh entries: in the same places, along dims that have any.

    A fresh column gets the means of rows, a fresh row those of columns, what is fresh along both
    the mean of all.
    """
    beside = [
        {at for at, one in enumerate(held) if _covers(one.region[dim], wanted)}
        for dim, wanted in enumerate(block.region)
    ]
    same = [dim for dim, found in enumerate(beside) if found]
    while same and not set[int].intersection(*(beside[dim] for dim in same)):
        same.pop()  # rows count more than columns
    known = set(range(len(held))).intersection(*(beside[dim] for dim in same))
    one = held[max(known, key=lambda at: held[at].size)]
    term = _term(one)
    index = [
        _found(one.region[dim], whole, block.region[dim]) if dim in same else whole
        for dim, whole in enumerate(term.index)
    ]
    others = [Reduction(dim, keep=True) for dim in range(len(index)) if dim not in same]
    return replace(term, index=tuple(index), reductions=tuple(others))


def _covers(region: Runs, wanted: Runs) -> bool:
    return bool(np.isin(positions(wanted), positions(region)).all())


def _found(region: Runs, index: Runs, wanted: Runs) -> Runs:
    """Say where in the source some positions of a region come from."""
    here = positions(region)
    order = np.argsort(here)
    return taken(index, order[np.searchsorted(here, positions(wanted), sorter=order)])


def averaged(
    shape: Sequence[int], held: Sequence[Block], over: int, *, kept: bool
) -> tuple[tuple[int, ...], list[Block]]:
    """Carry means over a dim: those of rows of which something is carried stay what they are.

    That is right where entries that come or go along the dim are as large as the others.
    """
    small = tuple(1 if dim == over else size for dim, size in enumerate(shape))
    cut = [
        [_Cell(((0, 1),), frozenset(range(len(held))))]
        if dim == over
        else _cut([block.region[dim] for block in held], size)
        for dim, size in enumerate(shape)
    ]
    found = []
    for cells in product(*cut) if held else ():
        inside = frozenset.intersection(*(cell.inside for cell in cells))
        if inside:
            region = tuple(cell.at for cell in cells)
            found.append(Block(region, Sum((_summary([held[at] for at in inside], region, over),))))
    if kept:
        return small, found
    return _left_out(small, over), [_dropped(block, over) for block in found]


def _summary(held: Sequence[Block], region: tuple[Runs, ...], over: int) -> Term:
    """Read the mean of the largest part, with the factor of all that come from its tensor."""
    parts = sorted(((block, _term(block)) for block in held), key=lambda pair: -pair[0].size)
    largest, term = parts[0]
    sizes = [(length(b.region[over]), t.scale) for b, t in parts if t.source == term.source]
    scale = sum(size * scale for size, scale in sizes) / sum(size for size, _ in sizes)
    index = [
        ((0, 1),) if dim == over else _found(there, here, wanted)
        for dim, (there, here, wanted) in enumerate(
            zip(largest.region, term.index, region, strict=True)
        )
    ]
    return Term(term.source, tuple(index), scale)


def _dropped(block: Block, over: int) -> Block:
    """Leave a dim out, of the slot and of what it is read from."""
    term = _term(block)
    index = Term(term.source, _left_out(term.index, over), term.scale)
    return Block(_left_out(block.region, over), Sum((index,)))


def _left_out(dims: tuple[Any, ...], over: int) -> tuple[Any, ...]:
    return dims[:over] + dims[over + 1 :]


def _term(block: Block) -> Term:
    assert isinstance(block.fill, Sum), "what is carried is a sum of one term"
    return block.fill.terms[0]
