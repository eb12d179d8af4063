"""Torch's optimizers: whose state is whose, and how a state is loaded.

Knows parameters as objects. Does not know plans, nor slots.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer

from suture._errors import demand, no_optimizer
from suture._held import Parameter
from suture._subject import Subject
from suture._torch._state import StateDict
from suture._torch._wrapped import seen_through


def parameters(model: nn.Module) -> tuple[Parameter, ...]:
    """List a model's parameters in its order, wrappers seen through."""
    state = StateDict.of(seen_through(Subject(model)).model)
    return tuple(
        Parameter((name, *state.tied.get(name, ())), tensor.detach(), tensor.requires_grad)
        for name, tensor in state.tensors.items()
        if name in state.parameters
    )


def held(optimizer: Optimizer, model: nn.Module) -> tuple[str | None, ...]:
    """Name the parameters that an optimizer holds, in its order; None for what is not the model's.

    They are known as objects: order and shape say nothing.
    """
    state = StateDict.of(seen_through(Subject(model)).model)
    names = {id(tensor): name for name, tensor in state.tensors.items()}
    return tuple(
        names.get(id(each)) for group in optimizer.param_groups for each in group["params"]
    )


def optimizer_state(optimizer: Optimizer) -> dict[str, Any]:
    """Give an optimizer's state dict; its arrays are the optimizer's own."""
    demand(optimizer, Optimizer, no_optimizer(optimizer))
    return optimizer.state_dict()


def optimizer_load(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Load a state dict into an optimizer, which casts it as it does."""
    optimizer.load_state_dict(state)
