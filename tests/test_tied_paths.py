"""Fresh parameters that stand in several new paths: each is one thing, or the plan says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import suture
from measured import carried, fills, notes
from nets import Net, generic, given, subject, weights
from suture import Plan, Subject

WIDTH = 5
ROUNDING = 1e-12

Middle = Callable[[Any, Tensor], Tensor]


def net(bend: Callable[[Tensor], Tensor], middle: Middle | None = None, **parts: Any) -> Subject:
    """Two layers, and between them what only the new network has."""

    def forward(m: Any, x: Tensor) -> Any:
        h = bend(m.into(x))
        return m.out(h if middle is None else middle(m, h))

    layers = {"into": nn.Linear(3, WIDTH), **parts, "out": nn.Linear(WIDTH, 2)}
    return subject(generic(Net(forward, **layers)).double(), given().double())


def inserted(middle: Middle, bend: Any = torch.tanh, **parts: Any) -> tuple[Plan, float, Subject]:
    source, target = net(bend), net(bend, middle, **parts)
    plan, apart = carried(source, target)
    assert not plan.exact or apart < ROUNDING
    return plan, apart, target


def linear(*sizes: int) -> dict[str, nn.Linear]:
    inner, outer = sizes or (WIDTH, WIDTH)
    return {"last": nn.Linear(inner, outer)}


def test_one_last_writer_of_two_blocks() -> None:
    """Both blocks ask it to be 0: it is, and the inner layers keep their own initialisation."""

    def middle(m: Any, h: Tensor) -> Tensor:
        h = h + m.last(torch.tanh(m.a(h)))
        added: Tensor = m.last(torch.tanh(m.b(h)))
        return h + added

    plan, _, _ = inserted(middle, **linear(4, WIDTH), a=nn.Linear(WIDTH, 4), b=nn.Linear(WIDTH, 4))
    assert plan.exact
    assert fills(plan, "last.weight") == [("[0..5, 0..4]", 0.0)]
    assert fills(plan, "a.weight") == [("[0..4, 0..5]", "own")]


def test_one_layer_that_carries_on_twice() -> None:
    """The same layer behind itself is the identity behind the identity."""
    plan, _, target = inserted(
        lambda m, h: m.last(m.last(h).relu()).relu(), bend=torch.relu, **linear()
    )
    assert plan.exact
    assert torch.equal(target.model.last.weight, torch.eye(WIDTH, dtype=torch.float64))


def test_a_last_writer_that_is_a_gate_too() -> None:
    """It cannot give 0 and 1: the first to come is granted, and what that costs is said."""
    torn: dict[str, Middle] = {
        "0": lambda m, h: (h + m.last(h)) * m.last(h + m.last(h)),
        "1": lambda m, h: h * m.last(h) + m.last(h * m.last(h)),
    }
    for granted, middle in torn.items():
        plan, apart, _ = inserted(middle, **linear())
        assert fills(plan, "last.bias") == [("[0..5]", float(granted))]
        assert not plan.exact
        assert apart > 1e-3
        assert any(note.startswith("last.weight: a fresh") for note in notes(plan, "inexact"))


def test_a_vector_that_is_added_and_multiplied() -> None:
    """Neither 0 nor 1 is both: the plan says what each place asks for."""
    plan, apart, _ = inserted(lambda m, h: h * m.g + m.g, g=weights(WIDTH))
    assert notes(plan, "inexact") == [
        "g: would have to begin as 0 for add, and as something else elsewhere"
    ]
    assert apart > 1e-3


@pytest.mark.parametrize("first", ["carry", "add"])
def test_a_layer_that_carries_on_and_writes_last(first: str) -> None:
    """The identity in one place is no 0 in the other."""

    def carry(m: Any, h: Tensor) -> Tensor:
        bent: Tensor = m.last(h).relu()
        return bent

    def add(m: Any, h: Tensor) -> Tensor:
        added: Tensor = m.last(h)
        return h + added

    one, other = (carry, add) if first == "carry" else (add, carry)
    plan, apart, _ = inserted(lambda m, h: other(m, one(m, h)), bend=torch.relu, **linear())
    assert not plan.exact
    assert apart > 1e-3


def test_a_layer_on_sequences() -> None:
    """A layer on more than two dims is laid flat and back: in between it carries on."""

    def sides(middle: bool) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            h = m.into(x).relu()
            return m.out(m.last(h).relu() if middle else h)

        new = linear() if middle else {}
        model = Net(forward, into=nn.Linear(3, WIDTH), **new, out=nn.Linear(WIDTH, 2))
        return subject(generic(model).double(), torch.randn(7, 4, 3, dtype=torch.float64))

    plan, apart = carried(sides(False), sides(True))
    assert plan.exact
    assert apart < ROUNDING


def test_a_block_that_is_one_layer() -> None:
    """That a layer could carry units on does not keep it from being 0, where nothing hears it."""
    plan, _, _ = inserted(lambda m, h: h + m.last(h), **linear())
    assert plan.exact
    assert fills(plan, "last.weight") == [("[0..5, 0..5]", 0.0)]


def test_a_gain_that_scales_a_block_too() -> None:
    """It is 1 for the stream, so another parameter of the block is 0."""
    plan, _, target = inserted(
        lambda m, h: h * m.g + m.g * torch.tanh(m.last(h)), g=weights(WIDTH), **linear()
    )
    assert plan.exact
    assert torch.equal(target.model.g, torch.ones(WIDTH, dtype=torch.float64))
    assert not target.model.last.weight.any()


def test_a_gain_within_its_own_gate() -> None:
    """`g tanh(h) + g` is 1 for no g: asked for two things by one path, it is refused."""
    plan, apart, _ = inserted(lambda m, h: h * (m.g * torch.tanh(h) + m.g), g=weights(WIDTH))
    assert not plan.exact
    assert apart > 1e-3


def test_tied_blocks_in_depth() -> None:
    """One whole block, called three times, begins as nothing every time."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.a = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2 * WIDTH)
            self.b = nn.Linear(2 * WIDTH, WIDTH)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = x + self.b(torch.tanh(self.a(self.norm(x))))
            return y

    plan, _, _ = inserted(lambda m, h: m.block(m.block(m.block(h))), block=Block())
    assert plan.exact
    assert suture.Plan.from_json(plan.to_json()) == plan
