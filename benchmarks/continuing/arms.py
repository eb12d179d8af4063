"""Arms: the ways from the old network into the new one, and what is done about the time after.

Knows weights, optimizers and parts of recovery. Does not know tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

import suture
from suture import Plan, Subject

Part = Callable[[Plan, "Learner"], object]
"""Something of `suture.recovery`, asked for a network that was just changed."""

Parts = Mapping[str, Part]


@dataclass(frozen=True, slots=True, eq=False)
class Learner:
    """A network, what it is called with, and the optimizer that trains it."""

    subject: Subject
    optimizer: torch.optim.Optimizer


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to go on.

    Attributes:
        weights: `"exact"` as `suture.transfer` does, or `"slices"` as people do by hand: each old
            tensor into the leading slice of the new one, the rest as it is initialised.
        moments: the optimizer's state, as `suture.transfer_optimizer` carries it with either choice
            for fresh entries, or none: an optimizer that begins anew.
        parts: of recovery, by name.
    """

    name: str
    weights: Literal["exact", "slices"]
    moments: Literal["mean", "zero", "none"]
    parts: tuple[str, ...] = ()


def arms_of(parts: Parts) -> list[Arm]:
    """List all ways to go on: three without recovery and with all of it, one with each part."""
    every = tuple(parts)
    return [
        Arm("carried", "exact", "mean"),
        Arm("reset", "exact", "none"),
        Arm("naive", "slices", "none"),
        Arm("carried + recovery", "exact", "mean", every),
        Arm("reset + recovery", "exact", "none", every),
        Arm("naive + recovery", "slices", "none", every),
        *(Arm(f"carried + {part}", "exact", "mean", (part,)) for part in every),
        Arm("carried, fresh from 0", "exact", "zero"),
    ]


def cross(arm: Arm, old: Learner, new: Learner) -> Plan:
    """Bring the weights over, and the optimizer's state if the arm has any."""
    plan = suture.plan(suture.trace(old.subject), suture.trace(new.subject))
    match arm.weights:
        case "exact":
            suture.transfer(old.subject, new.subject)
        case "slices":
            slices(old.subject.model, new.subject.model)
    if arm.moments != "none":
        given: tuple[Any, ...] = (old.optimizer, new.optimizer, old.subject, new.subject)
        suture.transfer_optimizer(plan, *given, fresh=arm.moments)
    return plan


def recover(arm: Arm, plan: Plan, new: Learner, parts: Parts) -> None:
    """Ask for the arm's parts of recovery."""
    for name in arm.parts:
        parts[name](plan, new)


@torch.no_grad()
def slices(old: nn.Module, new: nn.Module) -> None:
    """Copy every tensor into the leading slice of the one with its name."""
    ours = new.state_dict()
    for name, tensor in old.state_dict().items():
        ours[name][tuple(map(slice, tensor.shape))] = tensor
