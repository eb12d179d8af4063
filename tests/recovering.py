"""Carried networks that are stepped by fixed gradients, with parts of recovery and without.

Knows optimizers and plans. Does not know what recovery promises.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

import suture
from entries import painted
from nets import given, mlp, subject
from suture import Plan, Subject
from suture._plan import Sum

Make = Callable[[Iterable[nn.Parameter]], Optimizer]


class Lion(Optimizer):
    """Steps of one size: an optimizer that torch does not have."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float = 0.1) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                momentum = self.state[parameter].setdefault("m", torch.zeros_like(parameter))
                parameter.sub_((0.9 * momentum + 0.1 * parameter.grad).sign(), alpha=group["lr"])
                momentum.mul_(0.99).add_(parameter.grad, alpha=0.01)


OPTIMIZERS: dict[str, Make] = {
    "sgd": partial(torch.optim.SGD, lr=0.1),
    "momentum": partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True),
    "adam": partial(torch.optim.Adam, lr=0.1, foreach=False),
    "adam, foreach": partial(torch.optim.Adam, lr=0.1, foreach=True),
    "adam, fused": partial(torch.optim.Adam, lr=0.1, fused=True),
    "adam, amsgrad": partial(torch.optim.Adam, lr=0.1, amsgrad=True),
    "adamw": partial(torch.optim.AdamW, lr=0.1, weight_decay=0.3),
    "nadam": partial(torch.optim.NAdam, lr=0.1),
    "radam": partial(torch.optim.RAdam, lr=0.1),
    "adamax": partial(torch.optim.Adamax, lr=0.1),
    "rmsprop": partial(torch.optim.RMSprop, lr=0.1, momentum=0.9, centered=True),
    "adagrad": partial(torch.optim.Adagrad, lr=0.1),
    "adadelta": partial(torch.optim.Adadelta, lr=0.1),
    "lion": Lion,
}
"""Optimizers whose steps along an entry ask nothing of other entries, nor moments of weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """A network that received weights, the plan, and which entries came from the source."""

    plan: Plan
    subject: Subject

    @property
    def model(self) -> nn.Module:
        model: nn.Module = self.subject.model
        return model

    @property
    def preserved(self) -> dict[str, Tensor]:
        return masks(self.plan, self.model)

    def twin(self) -> Grown:
        """Copy the network."""
        return Grown(self.plan, copy.deepcopy(self.subject))


def masks(plan: Plan, model: nn.Module) -> dict[str, Tensor]:
    """Say which entries of a model's parameters a plan fills from the source."""
    names = {name for name, _ in model.named_parameters()}
    return {
        tensor.target.name: painted(
            tensor, (block.region for block in tensor.blocks if isinstance(block.fill, Sum))
        )
        == 1
        for tensor in plan.tensors
        if tensor.target.name in names
    }


def grown() -> Grown:
    """Carry a network into one with a feature, an output and two units more, in between."""
    x = given().double()
    source = subject(
        mlp(4).double(), x, inputs={"x": [*"abc"]}, outputs={"output": ["left", "right"]}
    )
    target = subject(
        mlp(6, features=4, outputs=3).double(),
        given(4).double(),
        inputs={"x": [*"abnc"]},
        outputs={"output": ["left", "brake", "right"]},
    )
    return Grown(suture.transfer(source, target), target)


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Copy the parameters."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def step(model: nn.Module, optimizer: Optimizer, seed: int) -> None:
    """Make one step along gradients of order one that the weights do not decide."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    optimizer.step()


def slots(optimizer: Optimizer) -> list[Tensor]:
    """List an optimizer's state, parameter by parameter."""
    states = optimizer.state_dict()["state"].values()
    return [value for state in states for value in state.values() if isinstance(value, Tensor)]


def hooks(optimizer: Optimizer) -> int:
    """Count what runs before and after a step."""
    return len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks)
