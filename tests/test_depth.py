"""Layers that only the target has begin as the identity, wherever their activation allows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import suture
from dota import generic
from measured import carried, notes
from suture import Subject

ROUNDING = 1e-12

Widths = tuple[int, ...]


def stacked(*widths: int, activation: type[nn.Module] = nn.ReLU, norm: bool = False) -> Subject:
    """Dense layers of some widths, three features before and two outputs behind."""
    layers: list[nn.Module] = []
    for before, after in zip((3, *widths), widths, strict=False):
        layers += [nn.Linear(before, after), *[nn.BatchNorm1d(after)] * norm, activation()]
    return subject(nn.Sequential(*layers, nn.Linear(widths[-1], 2)), torch.randn(5, 3))


def convolved(*middle: nn.Module, width: int = 5) -> Subject:
    """An image through two convolutions, with more between them."""
    first, last = (nn.Conv2d(*sizes, 3, padding=1) for sizes in ((3, width), (width, 4)))
    layers = first, nn.ReLU(), *middle, last, nn.ReLU(), nn.Flatten(), nn.Linear(4 * 42, 2)
    return subject(nn.Sequential(*layers), torch.randn(2, 3, 6, 7))


def subject(model: nn.Module, x: Tensor) -> Subject:
    model.double().eval()
    generic(model, 1 + len(model.state_dict()))
    return Subject(model, (x.double(),))


@pytest.mark.parametrize(
    ("before", "after"),
    [((6,), (6, 6)), ((6,), (9, 9)), ((6,), (9, 7)), ((6,), (6, 6, 6)), ((6, 4), (6, 6, 4))],
)
def test_a_layer_between_others(before: Widths, after: Widths) -> None:
    """A new layer behind a projection carries every unit on: deeper, and wider at once."""
    plan, apart = carried(stacked(*before), stacked(*after))
    assert plan.exact
    assert apart < ROUNDING


def test_a_layer_with_a_batch_norm() -> None:
    """A new batch norm begins with the statistics and the gain at which it does nothing."""
    plan, apart = carried(stacked(6, norm=True), stacked(6, 6, norm=True))
    assert plan.exact
    assert apart < ROUNDING


def test_an_activation_that_is_no_projection() -> None:
    """Twice tanh is not tanh: said, and measured."""
    plan, apart = carried(stacked(6, activation=nn.Tanh), stacked(6, 6, activation=nn.Tanh))
    assert notes(plan, "inexact") == ["ops: the target computes otherwise: + aten.tanh x1"]
    assert apart > 1e-3


@pytest.mark.parametrize("width", [5, 8])
def test_a_convolution_between_others(width: int) -> None:
    """A new kernel is 1 at its centre where a channel meets its copy, 0 around it."""
    middle = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()
    source, target = convolved(), convolved(*middle, width=width)
    plan = suture.transfer(source, target, rename={r"^5\.": "8.", r"^2\.": "5."})
    assert plan.exact
    assert suture.verify(plan, source, target).max_rel_diff < ROUNDING


class Block(nn.Module):
    """A residual block before whose inside a norm stands."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm, self.last = nn.LayerNorm(width), nn.Linear(hidden, width)
        self.first = nn.Linear(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.last(torch.tanh(self.first(self.norm(x))))
        return x + added


def residual(depth: int, width: int) -> Subject:
    blocks = [Block(width, 2 * width) for _ in range(depth)]
    model = nn.Sequential(nn.Linear(3, width), *blocks, nn.LayerNorm(width), nn.Linear(width, 2))
    return subject(model, torch.randn(5, 3))


@pytest.mark.parametrize(("width", "depth"), [(6, 4), (7, 4), (6, 2)])
def test_residual_blocks(width: int, depth: int) -> None:
    """More blocks add nothing at first; fewer cannot compute the same, and the plan says so."""
    rules = {r"^3\.": f"{depth + 1}.", r"^4\.": f"{depth + 2}."}
    source, target = residual(2, 6), residual(depth, width)
    rename = None if depth == 2 else rules
    plan = suture.transfer(source, target, rename=rename)
    assert plan.exact
    assert suture.verify(plan, source, target).max_rel_diff < ROUNDING


class Gated(nn.Module):
    """A hidden layer, and a gate that multiplies it."""

    def __init__(self, opens: Callable[[Tensor], Tensor] | None) -> None:
        super().__init__()
        self.opens, self.into, self.out = opens, nn.Linear(3, 6), nn.Linear(6, 2)
        if opens is not None:
            self.gate = nn.Linear(3, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(self.into(x))
        read: Tensor = self.out(y if self.opens is None else y * self.opens(self.gate(x)))
        return read


@pytest.mark.parametrize(
    ("opens", "exact"),
    [(lambda y: y, True), (lambda y: y + 1, True), (torch.sigmoid, False)],
    ids=["linear", "beside 1", "sigmoid"],
)
def test_a_new_gate(opens: Callable[[Tensor], Tensor], exact: bool) -> None:
    """A gate begins open, if a number makes it so: no sigmoid is ever 1."""
    source, target = (subject(Gated(one), torch.randn(5, 3)) for one in (None, opens))
    plan = suture.transfer(source, target)
    assert plan.exact == exact
    assert (suture.verify(plan, source, target).max_rel_diff < ROUNDING) == exact


class Joined(nn.Module):
    """Two layers laid end to end, normed as one."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.one, self.other = (nn.Linear(3, width) for width in widths)
        self.norm, self.out = nn.LayerNorm(sum(widths)), nn.Linear(sum(widths), 2)

    def forward(self, x: Tensor) -> Tensor:
        read: Tensor = self.out(self.norm(torch.cat([self.one(x), self.other(x)], -1)))
        return read


@pytest.mark.parametrize("widths", [(7, 5), (4, 7), (6, 9)])
def test_parts_that_one_norm_hears(widths: tuple[int, int]) -> None:
    """The mean of one part is not that of all: nothing is promised."""
    plan, apart = carried(*(subject(Joined(*each), torch.randn(5, 3)) for each in ((4, 5), widths)))
    assert not plan.exact
    assert apart > 1e-3


def test_channels_normed_in_groups() -> None:
    """Whole multiples of the channels of a group are copies; others are refused."""

    def net(width: int) -> Subject:
        layers = nn.Conv2d(3, width, 3), nn.GroupNorm(2, width), nn.ReLU(), nn.Conv2d(width, 4, 3)
        return subject(nn.Sequential(*layers), torch.randn(2, 3, 8, 9))

    plan, apart = carried(net(6), net(12))
    assert plan.exact
    assert apart < ROUNDING
    plan, apart = carried(net(6), net(8))
    assert not plan.exact
    assert apart > 1e-3


def test_a_layer_that_is_gone() -> None:
    """A function without a layer is another one."""
    plan, apart = carried(stacked(6, 6), stacked(6))
    assert not plan.exact
    assert apart > 1e-3
