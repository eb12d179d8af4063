"""Two small networks of which one is trained, and their optimizers carried over.

Knows the public face of optimizer transfer. Does not know what a slot should become.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

import suture
from nets import given, mlp, subject
from suture import OptimizerError, Plan, Subject

WIDER = (4, 7)
NAMES = ["into.weight", "into.bias", "out.weight", "out.bias"]
"""The parameters of each, in their order."""


def pair(widths: tuple[int, int] = WIDER) -> tuple[Subject, Subject]:
    old, new = (subject(mlp(width), given()) for width in widths)
    return old, new


def train(model: nn.Module, optimizer: Optimizer, steps: int = 3, seed: int = 0) -> None:
    """Take some steps on random goals."""
    chance = torch.Generator().manual_seed(seed)
    weight = next(model.parameters())
    for _ in range(steps):
        x = torch.randn(7, 3, generator=chance).to(weight.dtype)
        optimizer.zero_grad()
        (model(x)[:, :2] - torch.randn(7, 2, generator=chance)).square().sum().backward()
        optimizer.step()


def averages(model: nn.Module, optimizer: Optimizer, slot: str = "exp_avg") -> dict[str, Tensor]:
    return {name: optimizer.state[weight][slot] for name, weight in model.named_parameters()}


def planned(old: Subject, new: Subject) -> Plan:
    plan = suture.plan(suture.trace(old), suture.trace(new))
    state = suture.apply(plan, old.model.state_dict(), new.model.state_dict())
    new.model.load_state_dict(state)
    return plan


def moved(old: Subject, new: Subject, before: Optimizer, after: Optimizer, **options: Any) -> Any:
    return suture.transfer_optimizer(planned(old, new), before, after, old, new, **options)


def refused(plan: Plan, *given: Any, **options: Any) -> str:
    """Give the text of the error that a transfer raises."""
    with pytest.raises(OptimizerError) as caught:
        suture.transfer_optimizer(plan, *given, **options)
    return "\n".join(f"{label}: {text}" for label, text in caught.value.facts)
