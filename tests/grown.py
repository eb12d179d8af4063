"""Networks of any kind with generic weights, and the weights of one carried into another.

Knows builders by name, and values of order one. Does not know what a plan should say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import suture
from families import FAMILIES
from growable import GROWING
from modules import generic_
from suture import Plan, Subject

Numbers = dict[str, Any]
Case = tuple[str, Numbers, Numbers]
"""A kind of network, its numbers before, and those that are others after."""

KINDS: dict[str, Callable[..., Subject]] = {**FAMILIES, "hf resnet": FAMILIES["resnet"], **GROWING}


def built(kind: str, numbers: Numbers, seed: int, dtype: torch.dtype) -> Subject:
    """Build a network with generic weights, and its example arguments in the same dtype."""
    torch.manual_seed(0)
    made = KINDS[kind](**numbers)
    made.model.to(dtype)
    generic_(made.model, seed)

    def cast(value: Tensor) -> Tensor:
        return value.to(dtype) if value.is_floating_point() else value

    args = tuple(map(cast, made.args))
    kwargs = {name: cast(value) for name, value in (made.kwargs or {}).items()}
    return Subject(made.model, args, kwargs, schema=made.schema)


def grown(case: Case, dtype: torch.dtype) -> tuple[Plan, Subject, Subject]:
    """Carry the weights of a case over."""
    kind, before, after = case
    source, target = built(kind, before, 1, dtype), built(kind, {**before, **after}, 2, dtype)
    plan = suture.plan(suture.trace(source), suture.trace(target))
    state = suture.apply(plan, source.model.state_dict(), target.model.state_dict())
    target.model.load_state_dict(state)
    return plan, source, target
