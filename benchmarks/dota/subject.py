"""Subjects: the network on a device with all its names, a random situation, generic weights.

Knows devices and chance. Does not know layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import suture
from dota.network import OpenAIFive
from dota.observation import TABLES, Input, Sizes, inputs, outputs


def subject(
    sizes: Sizes,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    games: int = 2,
    steps: int = 3,
) -> suture.Subject:
    """Make the network, named from end to end, with a situation to run it on.

    Args:
        sizes: how many there are of everything.
        device: of the model and the situation; `"meta"` holds no number at all.
        dtype: of the weights and of what is no category.
        seed: of the situation.
        games: how many games there are.
        steps: how many steps of each.
    """
    with torch.device(device):
        model = OpenAIFive(sizes).to(dtype)
    drawn = situation(sizes, dtype, seed, games, steps)
    seen = {name: tensor.to(device) for name, tensor in drawn.items()}
    return suture.Subject(model, kwargs=seen, schema=schema(sizes))


def schema(sizes: Sizes) -> suture.Schema:
    """Name every entry of every input and output behind batch and time."""
    return suture.Schema(
        inputs={name: dict(enumerate(seen.dims, 2)) for name, seen in inputs(sizes).items()},
        outputs={name: dict(enumerate(dims, 2)) for name, dims in outputs(sizes).items()},
    )


def situation(
    sizes: Sizes, dtype: torch.dtype = torch.float32, seed: int = 0, games: int = 2, steps: int = 3
) -> dict[str, Tensor]:
    """Draw what is seen in some steps of some games: floats N(0, 1), any row of each table."""
    chance = torch.Generator().manual_seed(seed)
    shapes = {name: (games, steps, *seen.shape) for name, seen in inputs(sizes).items()}
    return {name: _drawn(seen, shapes[name], dtype, chance) for name, seen in inputs(sizes).items()}


def _drawn(
    seen: Input, shape: tuple[int, ...], dtype: torch.dtype, chance: torch.Generator
) -> Tensor:
    if seen.table is None:
        return torch.randn(shape, dtype=dtype, generator=chance)
    return torch.randint(TABLES[seen.table], shape, generator=chance)


@torch.no_grad()
def generic(model: nn.Module, seed: int = 0) -> None:
    """Overwrite the weights of a model on the CPU: matrices N(0, 1/fan_in), vectors N(0, 1)."""
    chance = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        spread = weight[0].numel() ** 0.5 if weight.ndim > 1 else 1.0
        weight.copy_(torch.randn(weight.shape, dtype=weight.dtype, generator=chance) / spread)
