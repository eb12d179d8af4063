"""The table of stand-ins: op name and option -> what is run instead.

Knows how one is registered and found. Does not know any op: the modules beside it fill the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor
from torch._ops import OpOverload

from suture._repairs import Repairs

StandIn = Callable[..., Any]
When = Literal["always", "positive", "average", "normalised"]
Registered = TypeVar("Registered", bound=StandIn)

_TABLE: dict[tuple[str, When], StandIn] = {}
_SCALED: dict[str, When] = {}


def stand_in(op: OpOverload, repairs: Repairs) -> StandIn:
    """Find what is run in an op's place: a function of its arguments by name, or the op itself.

    Its results are those results of the op that are floats, from the first one on.
    """
    op = _plain(op)
    packet = str(op).rpartition(".")[0]
    done = _done(repairs)
    keys = [(name, when) for when in done for name in (str(op), packet)]
    found = next((_TABLE[key] for key in keys if key in _TABLE), op)
    return _on_order_one(found) if _SCALED.get(packet) in done else found


@cache
def _plain(op: OpOverload) -> OpOverload:
    """Find the op that gives the same, as a view or with checks: `vmap` knows more of those."""
    packet, _, overload = str(op).removeprefix("aten.").partition(".")
    plain = re.sub(r"^_?unsafe_|_copy$", "", packet)
    found = getattr(torch.ops.aten, plain, None)
    if plain == packet or found is None or overload not in found.overloads():
        return op
    same: OpOverload = getattr(found, overload)
    return same


def _done(repairs: Repairs) -> list[When]:
    options: dict[When, bool] = {
        "positive": repairs.init == "positive",
        "average": repairs.pooling == "average",
        "normalised": repairs.saturation == "normalised",
        "always": True,
    }
    return [when for when, done in options.items() if done]


def instead(ops: str, when: When = "always") -> Callable[[Registered], Registered]:
    """Register what is run in the place of ops, under the option that asks for it."""

    def register(function: Registered) -> Registered:
        _TABLE.update({(op, when): function for op in ops.split()})
        return function

    return register


def scale(ops: str, when: When) -> None:
    """Register ops of which inputs are scaled to order one."""
    _SCALED.update(dict.fromkeys(ops.split(), when))


def _on_order_one(op: StandIn) -> StandIn:
    """Give an op the input over twice its largest entry; what is divided by counts as constant."""

    def run(self: Tensor, **settings: Any) -> Any:
        peak = self.detach().abs().amax() if self.numel() else self.new_ones(())
        return op(self=self / (2 * peak + (peak == 0)), **settings)

    return run


def same(**arguments: Any) -> Tensor:
    """Pass the first argument on."""
    first: Tensor = next(iter(arguments.values()))
    return first
