"""Planned slots: what an optimizer will keep beside a parameter, before it is calculated.

Knows how one is calculated in memory. Does not know optimizers, nor files, which write one without
holding it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from suture._apply import carried
from suture._arrays import Array
from suture._entries import arrays_for
from suture._plan import Block, Own, Tensor, TensorPlan


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """An array that a plan makes of others.

    Attributes:
        plan: what becomes of it; its own entries are those that it begins with.
        sources: the source's slots, by the names of its tensors.
        like: one of them: the new one has its dtype, and its framework where it is calculated.
        begins: what its own entries are.
        weight: what they are instead, where that is the parameter's own array.
    """

    plan: TensorPlan
    sources: Mapping[str, Array]
    like: Array
    begins: float = 0.0
    weight: Array | None = None

    @property
    def tensor(self) -> Tensor:
        """The name of the parameter, and the array's shape and dtype."""
        return replace(self.plan.target, dtype=arrays_for(self.like).dtype(self.like))

    def array(self) -> Array:
        """Calculate it."""
        kind, shape = arrays_for(self.like), self.plan.target.shape
        new = kind.full(self.like, shape, self.begins)
        if self.weight is not None:
            kind.put(new, [((0, size),) * (size > 0) for size in shape], self.weight)
        return carried(self.plan, self.sources, new)


def begun(target: Tensor, like: Array) -> Planned:
    """Plan an array of zeros beside a parameter."""
    region = tuple(((0, size),) * (size > 0) for size in target.shape)
    return Planned(TensorPlan(target, None, "parameter", (Block(region, Own()),)), {}, like)


def calculated(state: Mapping[str, Any]) -> dict[str, Any]:
    """Calculate all that is planned in an optimizer's state dict."""
    slots = {
        key: {
            slot: value.array() if isinstance(value, Planned) else value
            for slot, value in each.items()
        }
        for key, each in state["state"].items()
    }
    return {**state, "state": slots}
