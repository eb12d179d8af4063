"""What torch offers besides plain layers, each in a small model at any width.

Knows models, and what each is called with. Does not know what is right about them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from suture import Subject

TRICKS: dict[str, Callable[[int], Subject]] = {}


def trick(build: Callable[[int], Subject]) -> Callable[[int], Subject]:
    TRICKS[build.__name__] = build
    return build


@trick
def weight_norm(width: int) -> Subject:
    first, second = nn.Linear(3, width), nn.Conv1d(width, 2, 3, padding=1)
    normed = parametrizations.weight_norm(first), parametrizations.weight_norm(second, dim=1)
    return Subject(
        nn.ModuleList(normed),
        (torch.randn(2, 5, 3),),
        call=lambda m, x: m[1](m[0](x).relu().transpose(1, 2)),
    )


@trick
def spectral_norm(width: int) -> Subject:
    first = parametrizations.spectral_norm(nn.Linear(3, width))
    return Subject(nn.Sequential(first, nn.Tanh(), nn.Linear(width, 2)), (torch.randn(7, 3),))


class Lists(nn.Module):
    """Parameters in lists and dicts."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = [3, width, width, 2]
        self.weights = nn.ParameterList(
            [nn.Parameter(torch.randn(i, o)) for i, o in pairwise(sizes)]
        )
        self.terms = nn.ParameterDict(
            {str(at): nn.Parameter(torch.randn(n)) for at, n in enumerate(sizes[1:])}
        )

    def forward(self, x: Tensor) -> Tensor:
        for at, weight in enumerate(self.weights):
            x = torch.tanh(x @ weight + self.terms[str(at)])
        return x


@trick
def lists(width: int) -> Subject:
    return Subject(Lists(width), (torch.randn(7, 3),))


@trick
def lazy(width: int) -> Subject:
    layers = (
        nn.LazyConv1d(width, 3),
        nn.LazyBatchNorm1d(),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(2),
    )
    model, x = nn.Sequential(*layers), torch.randn(2, 3, 7)
    model(x)
    return Subject(model, (x,))


class Shared(nn.Module):
    """One layer for every step, one encoder for two inputs, and a tied head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(11, width)
        self.step = nn.Linear(width, width)
        self.head = nn.Linear(width, 11, bias=False)
        self.head.weight = self.table.weight

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        x = self.table(left) * self.table(right)
        for _ in range(3):
            x = x + torch.tanh(self.step(x))
        found: Tensor = self.head(x)
        return found


@trick
def shared(width: int) -> Subject:
    return Subject(Shared(width), (torch.arange(6).view(2, 3), torch.arange(6).view(2, 3)))


class Flowing(nn.Module):
    """Control flow that depends on shapes, on the config and on small integers."""

    def __init__(self, width: int, *, deep: bool = True) -> None:
        super().__init__()
        self.deep, self.width = deep, width
        self.inner, self.outer = nn.Linear(3, width), nn.Linear(width, 2)
        self.extra = nn.ModuleDict({"a": nn.Linear(width, width), "b": nn.Linear(width, width)})

    def forward(self, x: Tensor, lengths: Tensor, mask: Tensor) -> Any:
        y = self.inner(x)
        if x.shape[1] > 2 and self.deep:
            y = torch.relu(self.extra["a"](y))
        for _ in range(int(lengths.max())):
            y = y + self.extra["b"](y)
        if not mask.all():
            y = y.masked_fill(~mask[..., None], 0.0)
        packed = nn.utils.rnn.pad_sequence(
            [row[:end] for row, end in zip(y, lengths.tolist(), strict=True)], batch_first=True
        )
        return self.outer(packed[:, : lengths.min().item()]), y[mask]


@trick
def flowing(width: int) -> Subject:
    mask = torch.arange(5) < torch.tensor([2, 3, 4])[:, None]
    return Subject(Flowing(width), (torch.randn(3, 5, 3), torch.tensor([2, 3, 4]), mask))


class Round(torch.autograd.Function):
    """A step with the gradient of a line."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.scale = scale
        return torch.round(x * scale) / scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return gradients[0], None


class Scaled(torch.autograd.Function):
    """A product whose context is set up apart."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor) -> Tensor:
        return x @ weight

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)


rounded: Callable[..., Tensor] = Round.apply
scaled: Callable[..., Tensor] = Scaled.apply


class Custom(nn.Module):
    """Functions of its own, a plain tensor, buffers of every kind, constants on the way."""

    hidden: Tensor
    kept: Tensor
    order: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(3, width), nn.Parameter(torch.randn(width, 2))
        self.plain = torch.linspace(0.5, 1.5, 5)
        self.register_buffer("kept", torch.ones(width))
        self.register_buffer("hidden", torch.arange(5.0), persistent=False)
        self.register_buffer("order", torch.tensor([4, 0, 3, 1, 2]))

    def forward(self, x: Tensor) -> Tensor:
        y = rounded(self.inner(x), 4.0) * self.kept
        y = y[:, self.order] * (self.plain + self.hidden)[:, None]
        y = y + torch.full((1,), 0.1) * torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])[:, None]
        return scaled(y, self.outer)


@trick
def custom(width: int) -> Subject:
    return Subject(Custom(width), (torch.randn(2, 5, 3),))
