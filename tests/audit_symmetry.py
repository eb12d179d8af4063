"""The audit of names: two axes that are permuted together, or not at all, are one.

Knows how a permutation of an axis acts on operands and results. It tells what influence cannot:
that in `a b! -> a b` the mixed `b` of the operand is the `b` of the result (softmax), or that keys
and values are along one axis (attention). Does not see names in ops that know positions
(convolution, scans).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import prod

import numpy as np
import torch
from torch import Tensor

from audit_experiment import REFUSALS, Experiment, Ints, differ, real
from suture._bind import Bound, BoundOperand, Part


def symmetry_findings(run: Experiment, bound: Bound) -> Iterator[str]:
    """Find two axes of one size that the op treats as one though the spec gives them two names."""
    picked = {name for pick in bound.picks for name in (pick.axis, pick.source)}
    names = sorted(name for name, size in bound.sizes.items() if size > 1 and name not in picked)
    for one, other in combinations(names, 2):
        if bound.sizes[one] == bound.sizes[other] and _are_one(run, bound, one, other):
            yield f"{one} and {other} are permuted together or not at all: they are one axis."


def _are_one(run: Experiment, bound: Bound, one: str, other: str) -> bool:
    return is_symmetric(run, bound, {one, other}) and not is_symmetric(run, bound, {one})


def is_carried(run: Experiment, bound: Bound, name: str) -> bool:
    """Say whether permuting or rotating an axis in the operands does so in the results."""
    order = np.roll(np.arange(bound.sizes[name]), 1)
    return any(
        is_symmetric(run, bound, {name}, order=chosen)
        for chosen in (_exchanged(bound.sizes[name]), order)
    )


def _exchanged(size: int) -> Ints:
    """Move every entry where that is possible without a rotation: convolutions know those."""
    order = np.arange(size)
    even = size - size % 2
    order[:even] = order[:even].reshape(-1, 2)[:, ::-1].reshape(-1)
    if size % 2 and size > 3:
        order[-3:] = [size - 2, size - 1, size - 3]
    return order


def are_aligned(run: Experiment, bound: Bound, name: str, k: int) -> bool:
    """Say whether a contracted axis must be permuted in operand k if it is in the others."""
    others = set(range(len(run.operands))) - {k}
    return is_symmetric(run, bound, {name}) and not is_symmetric(run, bound, {name}, others)


def is_symmetric(
    run: Experiment,
    bound: Bound,
    names: set[str],
    only: set[int] | None = None,
    order: Ints | None = None,
    results: int | None = None,
) -> bool:
    """Say whether permuting axes in operands does so in results.

    Args:
        run: the experiment.
        bound: the spec that says where the axes are.
        names: the axes, of one size.
        only: the operands to permute; else all.
        order: the permutation; else one without rotations.
        results: how many results to look at; else all.
    """
    order = _exchanged(bound.sizes[min(names)]) if order is None else order
    given = [
        permuted(tensor, said, bound, names, order) if only is None or k in only else tensor
        for k, (tensor, said) in enumerate(zip(run.operands, bound.inputs, strict=True))
    ]
    pairs = zip(run.results, bound.outputs, strict=True)
    expected = [permuted(tensor, said, bound, names, order) for tensor, said in pairs]
    try:
        found = run.outputs(given)
    except REFUSALS:
        return False
    compared = zip(found[:results], expected[:results], strict=True)
    return not any(_differ(x, y) for x, y in compared)


def _differ(left: Tensor, right: Tensor) -> bool:
    flat = [real(tensor).flatten().numpy() for tensor in (left, right)]
    return left.shape != right.shape or bool(differ(flat[0], flat[1]).any())


def permuted(
    tensor: Tensor, said: BoundOperand, bound: Bound, names: set[str], order: Ints
) -> Tensor:
    """Permute a tensor along the dims, factors and parts with a name, and values that index one."""
    for place, dim in enumerate(said.dims):
        index = torch.from_numpy(_reordered(dim, bound, names, order))
        tensor = tensor.index_select(place, index)
    if said.values in names:
        place_of = torch.from_numpy(np.argsort(order))
        known = (tensor >= 0) & (tensor < len(order))
        tensor = torch.where(known, place_of[tensor.clamp(0, len(order) - 1)], tensor)
    return tensor


def _reordered(dim: Sequence[Part], bound: Bound, names: set[str], order: Ints) -> Ints:
    """Positions along one dim, in the new order."""
    start, positions = 0, [np.zeros(0, np.int64)]
    for part in dim:
        shape = [bound.sizes[axis.name] for axis in part]
        grid = start + np.arange(prod(shape)).reshape(shape)
        for factor, axis in enumerate(part):
            if axis.name in names:
                grid = grid.take(order, axis=factor)
        positions.append(grid.reshape(-1))
        start += prod(shape)
    return np.concatenate(positions)
