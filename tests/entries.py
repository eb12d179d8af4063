"""Single entries of plans and state dicts: which are carried, how often planned, which are equal.

Knows plans and tensors. Does not know networks, nor any law.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from suture import Plan
from suture._plan import Fill, Runs, Sum, TensorPlan


def same(ones: dict[str, Tensor], others: dict[str, Tensor]) -> None:
    """Require the same names and the same bits."""
    assert ones.keys() == others.keys()
    changed = [name for name, one in ones.items() if not torch.equal(one, others[name])]
    assert changed == []


def restored(ones: dict[str, Tensor], others: dict[str, Tensor], *plans: Plan) -> None:
    """Require the same bits, to rounding where some plan scales; no factor is but rounding."""
    assert ones.keys() == others.keys()
    tensors = (tensor for plan in plans for tensor in plan.tensors if scales(tensor))
    scaled = {name for tensor in tensors for name in (tensor.target.name, *tensor.tied)}
    changed = [
        name
        for name, one in ones.items()
        if not torch.equal(one, others[name])
        and not (name in scaled and torch.allclose(one, others[name], rtol=1e-12, atol=0))
    ]
    assert changed == []


def scales(tensor: TensorPlan) -> bool:
    """Whether some entries of a tensor are scaled."""
    fills = (block.fill for block in tensor.blocks)
    return any(term.scale != 1 for fill in fills if isinstance(fill, Sum) for term in fill.terms)


def marked(state: dict[str, Tensor], start: int, sign: int) -> dict[str, Tensor]:
    """Replace every real number by one of its own; tied tensors stay one tensor."""
    marks: dict[int, Tensor] = {}
    for value in state.values():
        if value.is_floating_point() and value.data_ptr() not in marks:
            numbers = torch.arange(start, start + value.numel()).reshape(value.shape)
            marks[value.data_ptr()] = sign * numbers.double()
            start += value.numel()
    return {name: marks.get(value.data_ptr(), value) for name, value in state.items()}


def carried_entries(plan: Plan, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Say which entries of the target a plan takes one by one: bool, as the tensor."""
    return {
        tensor.target.name: painted(
            tensor, (block.region for block in tensor.blocks if is_taken(block.fill))
        )
        == 1
        for tensor in plan.tensors
        if tensor.target.name in state
    }


def is_taken(fill: Fill) -> bool:
    """Whether every entry comes from one of the source."""
    return isinstance(fill, Sum) and all(not term.reductions for term in fill.terms)


def painted(tensor: TensorPlan, regions: Iterator[tuple[Runs, ...]]) -> Tensor:
    """Count how many of the regions hold each entry of a tensor: i64, as the tensor."""
    counts = np.zeros(tensor.target.shape, dtype=np.int64)
    for region in regions:
        counts[np.ix_(*map(positions, region))] += 1
    return torch.from_numpy(counts)


def positions(runs: Runs) -> list[int]:
    """Spell runs out."""
    return [place for start, stop in runs for place in range(start, stop)]


def tied_names(state: dict[str, Tensor]) -> list[tuple[str, str]]:
    """Pair up the names of a state dict that hold the same memory."""
    places = {name: value.data_ptr() for name, value in state.items()}
    return [(one, other) for one, other in combinations(state, 2) if places[one] == places[other]]
