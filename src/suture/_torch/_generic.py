"""Generic weights: a state of order one in the place of a model's own, on tensors of its own.

Knows how each kind of tensor is drawn. Does not know what is run on them. The model is not changed.
"""

from __future__ import annotations

from math import prod, sqrt

import torch
from torch import Tensor

from suture._subject import Subject
from suture._torch._state import StateDict
from suture._torch._wrapped import seen_through


def generic(subject: Subject, seed: int) -> dict[str, Tensor]:
    """Draw a state: matrices N(0, 1/fan_in), vectors N(0, 1), buffers of 0.5 to 1.5 as they sign.

    Small activations, as of fresh weights, hide faults under the tolerance.

    Args:
        subject: the model.
        seed: where chance begins.

    Returns:
        New tensors by every name that a state dict holds, wrappers seen through. Integers, booleans
        and what is not finite are as the model holds them.
    """
    state = StateDict.of(seen_through(subject).model)
    chance = torch.Generator().manual_seed(seed)
    drawn: dict[str, Tensor] = {}
    for name, tensor in state.tensors.items():
        if state.is_carried(name):
            draw = _weights if name in state.parameters else _statistics
            drawn |= dict.fromkeys((name, *state.tied.get(name, ())), draw(tensor.detach(), chance))
    return drawn


def _weights(held: Tensor, chance: torch.Generator) -> Tensor:
    if not (held.is_floating_point() or held.is_complex()):
        return held.clone()
    dtype = torch.complex128 if held.is_complex() else torch.float64
    spread = 1 / sqrt(max(1, prod(held.shape[1:])))
    return (torch.randn(held.shape, generator=chance, dtype=dtype) * spread).to(held)


def _statistics(held: Tensor, chance: torch.Generator) -> Tensor:
    """Keep signs and zeros: a variance is positive, a mask lets pass what it lets pass.

    What holds zeros alone, as a mean before training, may be anything.
    """
    if not held.is_floating_point():
        return held.clone()
    size = torch.rand(held.shape, generator=chance, dtype=torch.float64) + 0.5
    sign = torch.sign(held.double().cpu())
    if not sign.any():
        sign = torch.sign(torch.rand(held.shape, generator=chance, dtype=torch.float64) - 0.5)
    return torch.where(torch.isfinite(held), (sign * size).to(held), held)
