"""Windows: a pixel interacts with what reads it, tap by tap, and with nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

import suture
from small import Does
from suture import Graph, Interactions, Schema, Subject

Held = NDArray[np.bool_]
Linear, Conv1d, Conv2d, Conv3d = nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d


def image(*shape: int) -> Tensor:
    return torch.zeros(1, *shape, dtype=torch.float64)


def stack(*layers: nn.Module) -> nn.Module:
    """Put layers with generic weights one after another."""
    model = nn.Sequential(*layers).double()
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=generator)
    return model


def traced(model: nn.Module, x: Tensor) -> Graph:
    return suture.trace(Subject(model, (x,)))


def phi_of(model: nn.Module, x: Tensor) -> Interactions:
    return suture.interactions(traced(model, x))


def said(phi: Interactions, model: nn.Module, name: str) -> Held:
    """What Φ says of one parameter, pixel by pixel in C order."""
    shape = model.get_parameter(name).shape
    return np.stack([np.broadcast_to(phi.mask(name, pixel), shape) for pixel in phi.features])


def one_by_one(x: Tensor) -> Tensor:
    """Images in each of which one pixel alone is not zero."""
    return torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape)


def shown(model: nn.Module, name: str, x: Tensor) -> Held:
    """What a linear network shows: a weight counts where one pixel alone gives it a gradient."""
    for other, parameter in model.named_parameters():
        if other.endswith("bias"):
            nn.init.zeros_(parameter)
    weight, found = model.get_parameter(name), []
    for alone in one_by_one(x):
        out = model(alone)
        toward = torch.randn(out.shape, generator=torch.Generator().manual_seed(2), dtype=out.dtype)
        [gradient] = torch.autograd.grad((out * toward).sum(), [weight])
        found.append(gradient.abs().numpy() > 1e-12)
    return np.stack(found)


def reached(model: nn.Module, x: Tensor, step: float) -> Held:
    """Which entries of the output each pixel moves, features × outputs."""
    base = model(x + 1).detach()
    moved = [(model(x + 1 + step * alone) - base).abs() > 1e-12 for alone in one_by_one(x)]
    return torch.stack(moved).flatten(1).numpy()


def test_a_corner_tap_of_a_padded_convolution() -> None:
    """It lies above and left of what it is laid on: it never meets the last row or column."""
    x = image(2, 6, 5)
    phi = phi_of(stack(Conv2d(2, 3, 3, padding=1)), x)
    corner = {name for name in phi.features if phi.mask("0.weight", name)[0, 0, 0, 0]}
    assert corner == {f"input.0.{row}.{column}" for row in range(5) for column in range(4)}
    assert phi.mask("0.weight", "input.1.5.4")[0, :, 1:, 1:].tolist() == [
        [[False, False], [False, False]],
        [[True, True], [True, True]],
    ]


CONVOLUTIONS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "padded": (Conv2d(2, 3, (3, 2), padding=1), (2, 5, 4)),
    "strided": (Conv2d(1, 2, (2, 3), stride=(3, 2)), (1, 8, 10)),
    "dilated": (Conv2d(2, 1, (3, 2), dilation=(2, 3), padding=(1, 2)), (2, 6, 5)),
    "grouped": (Conv2d(4, 6, (2, 3), groups=2, stride=(1, 2)), (4, 3, 6)),
    "depthwise": (Conv1d(3, 3, 4, groups=3, padding=2, stride=3), (3, 9)),
    "same": (Conv2d(1, 2, (4, 3), padding="same", dilation=(2, 1)), (1, 6, 5)),
    "circular": (Conv2d(1, 2, 3, padding=1, padding_mode="circular", stride=2), (1, 5, 6)),
    "one tap that jumps": (Conv2d(2, 3, 1, stride=(2, 3)), (2, 5, 6)),
    "along a volume": (Conv3d(1, 2, (2, 1, 3), stride=(1, 2, 2), padding=(0, 1, 1)), (1, 3, 4, 5)),
    "transposed": (nn.ConvTranspose2d(2, 3, (3, 2), stride=(1, 2), padding=(2, 1)), (2, 4, 3)),
    "transposed and spread": (
        nn.ConvTranspose1d(2, 3, 3, stride=3, padding=4, dilation=2, output_padding=2),
        (2, 5),
    ),
}


@pytest.mark.parametrize("situation", CONVOLUTIONS)
def test_a_convolution(situation: str) -> None:
    """Each tap holds the pixels that it is ever laid on."""
    layer, shape = CONVOLUTIONS[situation]
    model, x = stack(layer), image(*shape)
    assert (said(phi_of(model, x), model, "0.weight") == shown(model, "0.weight", x)).all()


def linear_nets() -> dict[str, tuple[nn.Module, tuple[int, ...], str]]:
    """Linear networks, the shapes of their images, and a parameter behind windows."""
    flat = nn.Flatten()
    return {
        "receptive fields": (
            stack(Conv2d(1, 2, (3, 2), 2), Conv2d(2, 3, 2), Conv2d(3, 1, (1, 2))),
            (1, 9, 8),
            "2.weight",
        ),
        "down and up": (
            stack(
                Conv2d(1, 2, 2, 2), nn.ConvTranspose2d(2, 2, 3, 2, padding=1), Conv2d(2, 1, (2, 1))
            ),
            (1, 6, 8),
            "2.weight",
        ),
        "means over the end": (
            stack(nn.AvgPool2d((3, 2), (2, 3), (1, 0), ceil_mode=True), flat, Linear(12, 3)),
            (1, 6, 8),
            "2.weight",
        ),
        "means of some length": (
            stack(nn.AdaptiveAvgPool2d((3, 2)), flat, Linear(12, 3)),
            (2, 7, 5),
            "2.weight",
        ),
        "windows as columns": (
            stack(nn.Unfold((2, 3), (2, 1), (0, 1), (1, 2)), Conv1d(12, 1, 3, stride=2)),
            (2, 5, 6),
            "1.weight",
        ),
        "columns added back": (
            stack(Conv1d(6, 6, 1, groups=6), nn.Fold((4, 5), (2, 3)), flat, Linear(20, 2)),
            (6, 9),
            "3.weight",
        ),
        "overlapping windows": (
            stack(Does(lambda _, x: x.unfold(2, 4, 3)), Conv2d(2, 1, (2, 3))),
            (2, 10),
            "1.weight",
        ),
        "a finer image": (
            stack(nn.Upsample((5, 7), mode="bilinear"), flat, Linear(35, 2)),
            (1, 3, 4),
            "2.weight",
        ),
        "a coarser image": (
            stack(nn.Upsample((3, 4), mode="bicubic", align_corners=True), flat, Linear(12, 2)),
            (1, 9, 7),
            "2.weight",
        ),
        "a smoothed image": (
            stack(
                Does(lambda _, x: F.interpolate(x, (3, 4), mode="bilinear", antialias=True)),
                flat,
                Linear(12, 2),
            ),
            (1, 9, 7),
            "2.weight",
        ),
    }


@pytest.mark.parametrize("situation", linear_nets())
def test_what_lies_behind_windows(situation: str) -> None:
    """Each entry holds the pixels that its inputs were read from, through all layers."""
    model, shape, name = linear_nets()[situation]
    x = image(*shape)
    assert (said(phi_of(model, x), model, name) == shown(model, name, x)).all()


POOLS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "two by three": (nn.MaxPool2d((2, 3), (3, 2)), (1, 8, 7)),
    "padded": (nn.MaxPool2d(3, 2, padding=1), (2, 5, 6)),
    "spread, over the end": (nn.MaxPool2d(2, (2, 3), dilation=(3, 2), ceil_mode=True), (1, 8, 9)),
    "of some length": (nn.AdaptiveMaxPool2d((2, 3)), (1, 5, 7)),
    "along a volume": (nn.MaxPool3d((1, 2, 2), (2, 1, 2)), (1, 3, 4, 5)),
    "along a line": (nn.MaxPool1d(3, 2), (2, 8)),
}


@pytest.mark.parametrize("situation", POOLS)
def test_the_column_of_a_pooled_place(situation: str) -> None:
    """It holds just the pixels of its window: those that move the place when they grow."""
    pool, shape = POOLS[situation]
    x = image(*shape)
    moved = reached(stack(pool, nn.Flatten()), x, step=5.0)
    model = stack(pool, nn.Flatten(), Linear(moved.shape[1], 3))
    phi = phi_of(model, x)
    assert (said(phi, model, "2.weight") == moved[:, None]).all()
    assert (said(phi, model, "2.bias") == moved.any(axis=1, keepdims=True)).all()


def test_a_pixel_that_no_window_reads() -> None:
    """It interacts with nothing, not even with a bias."""
    phi = phi_of(stack(Conv2d(1, 2, 2, stride=3)), image(1, 5, 6))
    assert phi.parameters("input.0.2.0") == phi.parameters("input.0.4.5") == {}
    assert phi.parameters("input.0.4.4") == {"0.weight": 2, "0.bias": 2}


class Gains(nn.Module):
    """Gains of an image's pixels, made of parameters by a kernel that leaves places out."""

    def __init__(self) -> None:
        super().__init__()
        self.held, self.taps = nn.Parameter(torch.ones(1, 4, 2)), nn.Parameter(torch.ones(4, 3, 2))
        self.shift = nn.Parameter(torch.ones(3))

    def forward(self, input: Tensor) -> Tensor:
        return input * F.conv_transpose1d(self.held, self.taps, self.shift, stride=5)


def test_what_is_added_behind_a_window() -> None:
    """It meets every pixel, those too that no tap is laid on."""
    names = {1: ["red", "green", "blue"], 2: list("abcdefg")}
    schema = Schema(inputs={"input": names})
    phi = suture.interactions(suture.trace(Subject(Gains(), (torch.zeros(1, 3, 7),), None, schema)))
    assert phi.parameters("input.green.d") == {"shift": 1}
    assert phi.parameters("input.green.g") == {"held": 4, "taps": 4, "shift": 1}


def bare(graph: Graph) -> Graph:
    """Leave the windows of a graph out."""
    nodes = (replace(node, bound=replace(node.bound, windows=())) for node in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def test_windows_are_for_features_and_taps() -> None:
    """Where no kernel grows, a plan reads `!` as before: it is the same without windows."""
    old, new = (
        traced(stack(Conv2d(1, c, 3, padding=1), nn.MaxPool2d(2), Conv2d(c, 2, 2)), image(1, 8, 6))
        for c in (3, 5)
    )
    assert suture.plan(old, new).to_json() == suture.plan(bare(old), bare(new)).to_json()
    wide, narrow = (suture.interactions(graph).total for graph in (bare(old), old))
    assert narrow < wide
