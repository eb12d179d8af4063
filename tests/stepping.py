"""Optimizers with their options, and steps that two networks take on the same situations.

Knows torch's optimizers and recipes. Does not know plans beyond which entries they carry, nor laws.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn, optim
from torch.optim import Optimizer

from recipes import Recipe
from worlds import World, answers

Make = Callable[..., Optimizer]


class Lion(Optimizer):
    """Somebody's own optimizer: signs of a mixture of the gradient and its average."""

    def __init__(self, params: Any, lr: float = 0.01, betas: tuple[float, float] = (0.9, 0.99)):
        super().__init__(params, {"lr": lr, "betas": betas})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            (one, two), lr = group["betas"], group["lr"]
            for weight in group["params"]:
                if weight.grad is not None:
                    state = self.state[weight]
                    average = state.setdefault("exp_avg", torch.zeros_like(weight))
                    mixed = average * one + weight.grad * (1 - one)
                    weight.data.sub_(lr * mixed / (mixed.abs() + 1e-8))
                    average.mul_(two).add_(weight.grad, alpha=1 - two)


CENTERED = {"lr": 0.01, "momentum": 0.9, "centered": True, "eps": 1e-6}
"""The buffer holds steps without their rate: of a gradient that is rounding, eps would show."""

ELEMENTWISE: dict[str, tuple[Make, dict[str, Any]]] = {
    "sgd": (optim.SGD, {"lr": 0.001}),
    "sgd momentum": (optim.SGD, {"lr": 0.001, "momentum": 0.9, "dampening": 0.3}),
    "sgd nesterov": (optim.SGD, {"lr": 0.001, "momentum": 0.9, "nesterov": True, "foreach": True}),
    "sgd fused": (optim.SGD, {"lr": 0.001, "momentum": 0.8, "weight_decay": 0.1, "fused": True}),
    "adam": (optim.Adam, {"lr": 0.01, "foreach": False}),
    "adam amsgrad": (optim.Adam, {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1}),
    "adam foreach": (optim.Adam, {"lr": 0.01, "foreach": True, "maximize": True}),
    "adam fused": (optim.Adam, {"lr": 0.01, "fused": True, "amsgrad": True}),
    "adamw": (optim.AdamW, {"lr": 0.01, "weight_decay": 0.2}),
    "adamw fused": (optim.AdamW, {"lr": 0.01, "fused": True}),
    "nadam": (optim.NAdam, {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    "radam": (optim.RAdam, {"lr": 0.01, "betas": (0.8, 0.9)}),
    "rmsprop": (optim.RMSprop, {"lr": 0.01}),
    "rmsprop centered": (optim.RMSprop, CENTERED),
    "adagrad": (optim.Adagrad, {"lr": 0.01, "lr_decay": 0.1, "eps": 1e-8}),
    "adagrad begun": (optim.Adagrad, {"lr": 0.01, "initial_accumulator_value": 0.5}),
    "adadelta": (optim.Adadelta, {"lr": 0.5, "maximize": True}),
    "adamax": (optim.Adamax, {"lr": 0.01}),
    "asgd": (optim.ASGD, {"lr": 0.01, "t0": 1.0}),
    "rprop": (optim.Rprop, {"lr": 0.01}),
    "lion": (Lion, {}),
}
"""Optimizers that treat entries one by one, with what may change what they keep."""


def made(name: str, model: nn.Module) -> Optimizer:
    """Make an optimizer of a model's parameters."""
    make, options = ELEMENTWISE[name]
    return make(model.parameters(), **options)


def step(recipe: Recipe, model: nn.Module, optimizer: Optimizer, world: World, shared: Any) -> None:
    """Take one step on the squared distance of some outputs to goals that they are all given."""
    optimizer.zero_grad(set_to_none=False)
    found = answers(recipe, model, world)
    goals = torch.Generator().manual_seed(world.seed)
    loss = torch.zeros((), dtype=torch.float64)
    for name in sorted(shared):
        goal = torch.randn(found[name].shape, generator=goals, dtype=torch.float64)
        loss = loss + (found[name] - goal).square().mean()
    loss.backward()
    optimizer.step()
