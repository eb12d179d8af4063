"""Claims: what a bound spec says may move what, entry by entry.

Knows the meaning of the notation. Does not know ops.

An entry of a tensor stands at one coordinate of each axis that its place in the dims chooses. A
*root* is an axis, or the source that it is picked from. Entries of an operand and of a result may
be related where they stand at the same coordinate of every root that both tensors have, `!`
excepted; where a part of a sum is not chosen, its axes have no coordinate, which equals no other.

A part of a sum that no other tensor has is *dropped*: it meets nothing (what a slice leaves out,
what padding adds). Of one entry it is free: `select` keeps such a part without keeping its axis.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from suture._bind import Bound, BoundOperand, Pick

Coordinates = NDArray[np.int64]
Relation = NDArray[np.bool_]

NOWHERE = -1
CONSTANT = -2
TORN = -3
"""An entry of which one axis stands at two places, off the diagonal of `a a`: nothing is there."""


@dataclass(frozen=True, slots=True, eq=False)
class Occurrence:
    """One axis where it stands in a dim of a tensor, with each flat entry's coordinate on it."""

    name: str
    mixed: bool
    dim: int
    at: Coordinates
    dropped: bool = False

    def __str__(self) -> str:
        return f"{self.name}{'!' * self.mixed} (dim {self.dim})"


def shared(bound: Bound) -> set[str]:
    """Name the axes that more than one tensor has, or that are picked."""
    count = Counter(name for tensor in (*bound.inputs, *bound.outputs) for name in names(tensor))
    picked = {name for pick in bound.picks for name in (pick.axis, pick.source)}
    return {name for name, times in count.items() if times > 1 or name in picked}


def names(tensor: BoundOperand) -> set[str]:
    """Name the axes of a tensor and of its values."""
    values = set() if tensor.values is None else {tensor.values}
    return {axis.name for dim in tensor.dims for part in dim for axis in part} | values


def occurrences(operand: BoundOperand, bound: Bound) -> list[Occurrence]:
    """List every axis of a tensor with the coordinates of the tensor's flat entries."""
    sizes, common = bound.sizes, shared(bound)
    lengths = [sum(prod(sizes[a.name] for a in part) for part in dim) for dim in operand.dims]
    found = []
    for place, dim in enumerate(operand.dims):
        start = 0
        for part in dim:
            shape = tuple(sizes[axis.name] for axis in part)
            alone = not any(axis.mixed or axis.name in common for axis in part)
            dropped = len(dim) > 1 and prod(shape) > 1 and alone
            for which, axis in enumerate(part):
                along = np.full(lengths[place], NOWHERE)
                along[start : start + prod(shape)] = np.indices(shape)[which].reshape(-1)
                at = _spread(along, place, lengths)
                found.append(Occurrence(axis.name, axis.mixed, place, at, dropped))
            start += prod(shape)
    return found


def _spread(along: Coordinates, dim: int, lengths: Sequence[int]) -> Coordinates:
    shape = [1] * len(lengths)
    shape[dim] = lengths[dim]
    return np.broadcast_to(along.reshape(shape), lengths).reshape(-1)


def roots(name: str, at: Coordinates, picks: Sequence[Pick]) -> dict[str, Coordinates]:
    """Follow an axis to itself and to everything it is picked from."""
    found = {name: at}
    for pick in picks:
        if pick.axis == name and pick.source != name:
            index = np.where(pick.index < 0, CONSTANT, pick.index)
            source = np.where(at >= 0, index[np.maximum(at, 0)] if len(index) else at, at)
            found |= roots(pick.source, source, picks)
    return found


def standing(
    tensor: Sequence[Occurrence], picks: Sequence[Pick], entries: Coordinates
) -> dict[str, Coordinates]:
    """Coordinates of chosen entries along every root that is not mixed."""
    found: dict[str, Coordinates] = {}
    for axis in tensor:
        if axis.mixed:
            continue
        for root, at in roots(axis.name, axis.at[entries], picks).items():
            at = np.where(at >= 0, TORN, at) if axis.dropped else at
            found[root] = _joined(found[root], at) if root in found else at
    return found


def _joined(one: Coordinates, other: Coordinates) -> Coordinates:
    """Combine two occurrences of a root: parts of one sum exclude each other, dims must agree."""
    torn = (one != NOWHERE) & (other != NOWHERE) & (one != other)
    return np.where(torn, TORN, np.where(one == NOWHERE, other, one))


def related(left: dict[str, Coordinates], right: dict[str, Coordinates]) -> Relation:
    """Say which entries of two tensors the notation lets meet; `left` and `right` are `standing`s.

    The answer broadcasts to entries × entries: a tensor without axes says nothing of its entries.
    """
    rows, columns = (_solid(side) for side in (left, right))
    relation = np.asarray(rows[:, None] & columns[None, :])
    for root in left.keys() & right.keys():
        one, other = left[root], right[root]
        relation = relation & (one[:, None] == other[None, :]) & (one != CONSTANT)[:, None]
    return relation


def _solid(side: dict[str, Coordinates]) -> Relation:
    """Say which entries are not torn."""
    torn = [at == TORN for at in side.values()]
    return np.asarray(~np.any(torn, axis=0)) if torn else np.ones(1, bool)
