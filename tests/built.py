"""Torch networks built from the grammar, in the idioms that people use to fold and join.

Knows torch and how each part computes. Does not know what may grow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn

from grammar import (
    Dense,
    Depthwise,
    Net,
    Norm,
    Parallel,
    Part,
    Parts,
    Refold,
    Regroup,
    Repeat,
    Shuffle,
    Siamese,
    Skip,
    Split,
    Weigh,
    after,
)
from modules import ACTIVATIONS, generic_
from recipes import Encoder, Entities, Head, Image, Lookup, TiedHead, Vector


@dataclass(frozen=True, slots=True)
class Space:
    """Where a network's axis is, what maps it entry by entry, and what layers look around."""

    dim: int
    linear: Callable[[int, int], nn.Module]
    layer: Callable[[int, int], nn.Module]


def window(incoming: int, out: int) -> nn.Module:
    """Build a convolution that keeps the extent."""
    return nn.Conv2d(incoming, out, 3, padding=1)


VECTOR = Space(-1, nn.Linear, nn.Linear)
PICTURE = Space(1, lambda incoming, out: nn.Conv2d(incoming, out, 1), window)


def joined(join: str, values: list[Tensor], dim: int) -> Tensor:
    """Join what branches give."""
    match join:
        case "add":
            return reduce(torch.add, values)
        case "mul":
            return reduce(torch.mul, values)
        case _:
            return torch.cat(values, dim)


class Shuffled(nn.Module):
    """Groups of channels, laid out again with the channels first."""

    def __init__(self, part: Shuffle, width: int, space: Space) -> None:
        super().__init__()
        self.read, self.dim = space.layer(width, part.groups * part.each), space.dim
        self.groups = part.groups

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.read(x).unflatten(self.dim, (self.groups, -1))
        if self.dim == 1:
            return torch.flatten(y.transpose(1, 2), 1, 2)
        return y.transpose(-1, -2).flatten(-2)


class Regrouped(nn.Module):
    """Layers within groups, then a linear map over groups."""

    def __init__(self, part: Regroup, width: int, space: Space) -> None:
        super().__init__()
        self.read = nn.Linear(width, part.groups * part.each)
        self.inside = built_parts(part.inside, part.each, space)
        self.over = nn.Linear(part.groups, part.lanes)
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        y = self.read(x)
        y = self.inside(y.view(*y.shape[:-1], self.part.groups, self.part.each))
        y = torch.tanh(self.over(y.movedim(-2, -1)))
        if self.part.first == "lanes":
            y = y.permute(*range(y.dim() - 2), -1, -2)
        return y.reshape(*x.shape[:-1], -1)


class Refolded(nn.Module):
    """One axis folded in two ways, a map along each."""

    def __init__(self, part: Refold, width: int) -> None:
        super().__init__()
        self.read = nn.Linear(width, part.groups * part.each * part.last)
        self.late, self.early = nn.Linear(part.last, part.last), nn.Linear(part.groups, part.lanes)
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        y = self.read(x).unflatten(-1, (-1, self.part.last))
        y = torch.tanh(self.late(y)).flatten(-2)
        y = y.unflatten(-1, (self.part.groups, -1))
        return torch.tanh(self.early(y.mT)).mT.flatten(-2)


class Weighed(nn.Module):
    """Groups that compete, and their sum."""

    def __init__(self, part: Weigh, width: int) -> None:
        super().__init__()
        self.read = nn.Linear(width, part.groups * part.width)
        self.score, self.groups = nn.Linear(part.width, 1), part.groups

    def forward(self, x: Tensor) -> Tensor:
        y = self.read(x).unflatten(-1, (self.groups, -1))
        weights = torch.softmax(self.score(y).squeeze(-1), -1)
        return torch.einsum("...g,...gh->...h", weights, y)


class Cut(nn.Module):
    """One linear map cut in two, and laid together the other way round."""

    def __init__(self, part: Split, width: int, space: Space) -> None:
        super().__init__()
        self.read = space.layer(width, part.width + part.rest)
        self.inside = built_parts(part.inside, part.width, space)
        self.sizes, self.dim = [part.width, part.rest], space.dim

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.read(x).split(self.sizes, self.dim)
        return torch.cat([b, self.inside(a)], self.dim)


class Way(nn.Module):
    """Layers, then a linear map to a width that is given."""

    def __init__(self, inside: Parts, width: int, out: int, space: Space) -> None:
        super().__init__()
        self.inside = built_parts(inside, width, space)
        self.back = space.linear(after(inside, width), out)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.back(self.inside(x))
        return y


class Joined(nn.Module):
    """Branches from one axis, joined."""

    def __init__(self, part: Parallel, width: int, space: Space) -> None:
        super().__init__()
        self.ways = nn.ModuleDict(
            {
                branch.name: built_parts(branch.inside, width, space)
                if part.join == "cat"
                else Way(branch.inside, width, part.width, space)
                for branch in part.branches
            }
        )
        self.join, self.dim = part.join, space.dim

    def forward(self, x: Tensor) -> Tensor:
        return joined(self.join, [way(x) for way in self.ways.values()], self.dim)


class Skipped(nn.Module):
    """The stream joined by what a way makes of it."""

    def __init__(self, part: Skip, width: int, space: Space) -> None:
        super().__init__()
        self.way, self.join = Way(part.inside, width, width, space), part.join

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.way(x)
        return x + y if self.join == "add" else x * y


class Repeated(nn.Module):
    """The same way back and back again."""

    def __init__(self, part: Repeat, width: int, space: Space) -> None:
        super().__init__()
        self.way, self.times = Way(part.inside, width, width, space), part.times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = torch.tanh(self.way(x))
        return x


class Twins(nn.Module):
    """Two maps of one axis read by the same layers, joined."""

    def __init__(self, part: Siamese, width: int, space: Space) -> None:
        super().__init__()
        self.left, self.right = (space.linear(width, part.width) for _ in "lr")
        self.inside = built_parts(part.inside, part.width, space)
        self.join, self.dim = part.join, space.dim

    def forward(self, x: Tensor) -> Tensor:
        values = [self.inside(self.left(x)), self.inside(self.right(x))]
        return joined(self.join, values, self.dim)


def norm(part: Norm, width: int) -> nn.Module:
    """Build a norm of the last dim."""
    return nn.LayerNorm(width) if part.kind == "layer" else nn.RMSNorm(width)


def built_part(part: Part, width: int, space: Space) -> nn.Module:
    """Build a part that reads `width` entries."""
    match part:
        case Dense(out, activation):
            return nn.Sequential(space.layer(width, out), ACTIVATIONS[activation]())
        case Norm():
            return norm(part, width)
        case Shuffle():
            return Shuffled(part, width, space)
        case Regroup():
            return Regrouped(part, width, space)
        case Refold():
            return Refolded(part, width)
        case Weigh():
            return Weighed(part, width)
        case Depthwise():
            alone = nn.Conv2d(width, width, 3, padding=1, groups=width)
            return nn.Sequential(alone, nn.BatchNorm2d(width))
        case Split():
            return Cut(part, width, space)
        case Skip():
            return Skipped(part, width, space)
        case Parallel():
            return Joined(part, width, space)
        case Repeat():
            return Repeated(part, width, space)
        case Siamese():
            return Twins(part, width, space)


def built_parts(parts: Parts, width: int, space: Space) -> nn.Sequential:
    """Build parts, the first of which reads `width` entries."""
    widths = [after(parts[:done], width) for done in range(len(parts))]
    return nn.Sequential(*(built_part(p, w, space) for p, w in zip(parts, widths, strict=True)))


class Teamed(nn.Module):
    """Layers on every row, then flattened or summed over rows."""

    def __init__(self, inside: nn.Module, join: str) -> None:
        super().__init__()
        self.inside, self.join = inside, join

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inside(x)
        return y.flatten(1) if self.join == "flatten" else y.sum(1)


class Pooled(nn.Module):
    """Layers on a picture, then flattened, or averaged over places."""

    def __init__(self, inside: nn.Module, join: str) -> None:
        super().__init__()
        self.inside, self.join = inside, join

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inside(x)
        return y.flatten(1) if self.join == "flatten" else y.mean((2, 3))


def stem(read: Encoder, parts: Parts) -> tuple[nn.Module, int]:
    """Build what reads one input; say how many entries it leaves."""
    match read:
        case Vector(features=features):
            width = len(features)
            return built_parts(parts, width, VECTOR), after(parts, width)
        case Lookup(categories=categories, width=width):
            table = nn.Embedding(len(categories), width)
            return nn.Sequential(table, built_parts(parts, width, VECTOR)), after(parts, width)
        case Entities(entities=entities, features=features, join=join):
            inside, out = built_parts(parts, len(features), VECTOR), after(parts, len(features))
            return Teamed(inside, join), out * (len(entities) if join == "flatten" else 1)
        case Image(features=features, extent=(height, breadth), join=join):
            out = after(parts, len(features))
            places = height * breadth if join == "flatten" else 1
            return Pooled(built_parts(parts, len(features), PICTURE), join), out * places
        case _:
            raise AssertionError(read)


class Network(nn.Module):
    """Stems laid end to end, a trunk, and a dict of heads."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        built = {
            read.name: stem(read, parts)
            for read, parts in zip(net.face.encoders, net.stems, strict=True)
        }
        width = sum(width for _, width in built.values())
        self.stems = nn.ModuleDict({name: module for name, (module, _) in built.items()})
        self.trunk = built_parts(net.trunk, width, VECTOR)
        top = after(net.trunk, width)
        self.heads = nn.ModuleDict({head.name: self.head(head, top) for head in net.face.heads})

    def head(self, head: Head | TiedHead, width: int) -> nn.Module:
        """Build a head; a tied one scores by the rows of its table."""
        if isinstance(head, Head):
            return nn.Linear(width, len(head.outputs))
        table = self.stems[head.table].get_submodule("0")
        assert isinstance(table, nn.Embedding)
        scores = nn.Linear(table.embedding_dim, table.num_embeddings)
        scores.weight = table.weight
        return nn.Sequential(nn.Linear(width, table.embedding_dim), scores)

    def forward(self, world: dict[str, Tensor]) -> dict[str, Tensor]:
        x = self.trunk(torch.cat([stem(world[name]) for name, stem in self.stems.items()], -1))
        return {name: head(x) for name, head in self.heads.items()}


def build(net: Net, seed: int, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Build a network in evaluation mode, with generic weights."""
    return generic_(Network(net).to(dtype), seed).eval()
