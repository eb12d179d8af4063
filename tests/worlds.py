"""World states: a value for every named feature, and each network's inputs and schema made of them.

Knows names and values. Does not know networks beyond their ports, nor what a plan promises.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from recipes import Choice, Names, Port, Recipe, outputs, ports
from suture import Categorical, Schema, Subject


@dataclass(frozen=True, slots=True)
class World:
    """A random value of every feature; those named in `absent` are zero.

    `choices` names, per integer input, the categories that occur; every one does.
    """

    seed: int
    batch: int
    absent: frozenset[str]
    choices: dict[str, Names]

    def value(self, port: str, names: Names, sizes: tuple[int, ...]) -> Tensor:
        """The value of one feature, named along each named dim: f64[batch, *sizes]."""
        if self.absent.intersection(f"{port}.{name}" for name in names):
            return torch.zeros(self.batch, *sizes, dtype=torch.float64)
        key = crc32("/".join((port, *names)).encode())
        drawn = np.random.default_rng([self.seed, key]).normal(size=(self.batch, *sizes))
        return torch.from_numpy(2 * drawn)

    def chosen(self, port: str, names: Names) -> Tensor:
        """The category that each state is in, as its position in `names`: i64[batch]."""
        shown = self.choices[port]
        turn = np.random.default_rng(self.seed).permutation(max(self.batch, len(shown)))
        return torch.tensor([names.index(shown[i % len(shown)]) for i in turn[: self.batch]])


def feature_names(recipe: Recipe) -> set[str]:
    """The full names of all features of real inputs."""
    return {
        f"{name}.{feature}"
        for name, port in ports(recipe).items()
        if isinstance(port, Port)
        for names in port.dims
        if isinstance(names, tuple)
        for feature in names
    }


def choices(recipe: Recipe) -> dict[str, Names]:
    """The categories of each integer input."""
    return {name: port.names for name, port in ports(recipe).items() if isinstance(port, Choice)}


def between(source: Recipe, target: Recipe, seed: int = 0, batch: int = 3) -> World:
    """Draw a world that both know: features only the target has are free, removed ones zero."""
    known = choices(source)
    shared = {
        port: tuple(name for name in names if name in known.get(port, names))
        for port, names in choices(target).items()
    }
    absent = feature_names(source) - feature_names(target)
    return World(seed, batch, frozenset(absent), known | shared)


def stacked(world: World, name: str, dims: tuple[Names | int, ...]) -> Tensor:
    """Lay one input's features out along its named dims: f64[batch, *dims]."""
    named = [dim for dim in dims if isinstance(dim, tuple)]
    sizes = tuple(dim for dim in dims if isinstance(dim, int))
    values = torch.stack([world.value(name, names, sizes) for names in product(*named)])
    values = values.reshape(*map(len, named), world.batch, *sizes)
    front = [i for i, dim in enumerate(dims, 1) if isinstance(dim, tuple)]
    rest = [0, *(i for i, dim in enumerate(dims, 1) if isinstance(dim, int))]
    return values.permute(*np.argsort([*front, *rest]).tolist())


def inputs(world: World, recipe: Recipe, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """Build the inputs of a network from a world state."""
    return {
        name: world.chosen(name, port.names)
        if isinstance(port, Choice)
        else stacked(world, name, port.dims).to(dtype)
        for name, port in ports(recipe).items()
    }


def schema(recipe: Recipe) -> Schema:
    """Name everything that a recipe names."""
    read = {f"world.{name}": input_names(port) for name, port in ports(recipe).items()}
    return Schema(inputs=read, outputs=outputs(recipe))


def input_names(port: Port | Choice) -> Categorical | dict[int, Names]:
    """Name the values of an integer input, or the dims of a real one counted from the last."""
    if isinstance(port, Choice):
        return Categorical(port.names)
    return {at - len(port.dims): dim for at, dim in enumerate(port.dims) if isinstance(dim, tuple)}


def subject(recipe: Recipe, model: nn.Module) -> Subject:
    """Say how a network built from a recipe is run."""
    example = inputs(between(recipe, recipe), recipe, next(model.parameters()).dtype)
    return Subject(model, (example,), schema=schema(recipe))


def answers(recipe: Recipe, model: nn.Module, world: World) -> dict[str, Tensor]:
    """Run a network on a world state: each named output's value, f[batch]."""
    dtype = next(model.parameters()).dtype
    heads = model(inputs(world, recipe, dtype))
    return {
        f"{head}.{name}": column
        for head, names in outputs(recipe).items()
        for name, column in zip(names, heads[head].unbind(-1), strict=True)
    }
