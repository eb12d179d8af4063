"""New actions and new features that enter little by little."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import suture
from nets import Net, generic, subject
from recovering import hooks, step
from suture import Plan, Subject, recovery
from suture.recovery import Ramp

SENSORS = ["wind", "angle", "rain", "speed"]
ACTIONS = ["left", "brake", "right"]


def driver(sensors: list[str], actions: list[str]) -> Subject:
    model = generic(Net(lambda m, x: m.out(x), out=nn.Linear(len(sensors), len(actions))))
    given: dict[str, Any] = {"x": sensors}
    said: dict[str, Any] = {"output": actions}
    return subject(
        model.double(), torch.randn(7, len(sensors)).double(), inputs=given, outputs=said
    )


def carried() -> tuple[Plan, Subject, torch.optim.Optimizer]:
    old, new = driver(["angle", "speed"], ["left", "right"]), driver(SENSORS, ACTIONS)
    plan = suture.transfer(old, new)
    return plan, new, torch.optim.SGD(new.model.parameters(), lr=0.1)


def observed(*leading: int) -> Tensor:
    return torch.randn(*leading, 4, generator=torch.Generator().manual_seed(1)).double()


def test_a_bias_that_goes() -> None:
    """It lies on the new action alone, by the ramp, and is nothing at the end: the same tensor."""
    plan, new, optimizer = carried()
    ramp = Ramp(hold=1, over=3)
    bias = recovery.new_actions(plan, optimizer, "output", -6.0, ramp)
    for made in range(6):
        logits = new.model(observed(7)).detach()
        before, found = logits.clone(), bias(logits)
        assert torch.equal(logits, before)
        assert torch.equal(found[:, [0, 2]], logits[:, [0, 2]])
        assert torch.equal(found[:, 1], logits[:, 1] - 6 * (1 - ramp.share(made)))
        assert (found is logits) == (made >= ramp.end)
        step(new.model, optimizer, made)


def test_a_gate_that_opens() -> None:
    """Closed it shows the given number, then more and more, at the end the same tensor."""
    plan, new, optimizer = carried()
    ramp = Ramp(hold=1, over=3)
    closed = {"x.rain": 0.5, "x.wind": -2.0}
    gate = recovery.new_features(plan, optimizer, "x", closed, ramp)
    start = torch.tensor([-2.0, 0.5]).double()
    for made in range(6):
        x = observed(7)
        found, share = gate(x), ramp.share(made)
        assert torch.equal(x, observed(7))
        assert torch.equal(found[:, [1, 3]], x[:, [1, 3]])
        expected = start + share * (x[:, [0, 2]] - start)
        assert torch.allclose(found[:, [0, 2]], expected, rtol=0, atol=1e-15)
        assert (found is x) == (made >= ramp.end)
        step(new.model, optimizer, made)


def test_a_closed_gate_before_what_is_no_number() -> None:
    """Infinities and NaN are not seen either."""
    plan, _, optimizer = carried()
    gate = recovery.new_features(plan, optimizer, "x", 0.5, Ramp(hold=1))
    found = gate(np.array([np.nan, 1.0, np.inf, 2.0]))
    assert found.tolist() == [0.5, 1.0, 0.5, 2.0]


@pytest.mark.parametrize("leading", [(), (5,), (2, 5)], ids=str)
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, np.float32], ids=str)
def test_arrays_of_any_kind(kind: Any, leading: tuple[int, ...]) -> None:
    """Torch's and numpy's keep their dtype, whatever dims stand before."""
    plan, _, optimizer = carried()
    gate = recovery.new_features(plan, optimizer, "x", {"x.rain": 2.0}, Ramp(hold=1))
    x = observed(*leading)
    given = x.to(kind) if isinstance(kind, torch.dtype) else x.numpy().astype(kind)
    found = gate(given)
    assert (type(found), found.dtype) == (type(given), given.dtype)
    assert (found[..., 2] == 2).all()
    assert (found[..., [0, 1, 3]] == given[..., [0, 1, 3]]).all()


def test_modules_that_call_them() -> None:
    """Behind and before a module they do what a call does, and gradients flow through."""
    plan, new, optimizer = carried()
    gate = recovery.new_features(plan, optimizer, "x", 0.0, Ramp(over=3))
    bias = recovery.new_actions(plan, optimizer, "output", {"output.brake": -4.0}, Ramp(over=3))
    x = observed(7).requires_grad_()
    expected = bias(new.model(gate(x)))
    handles = gate.onto(new.model), bias.onto(new.model.out)
    found = new.model(x)
    assert torch.equal(found, expected)
    found.sum().backward()
    slope = new.model.out.weight.detach().sum(0) * torch.tensor([0.25, 1, 0.25, 1])
    assert x.grad is not None
    assert torch.allclose(x.grad, slope.expand(7, 4), rtol=0, atol=1e-12)
    for handle in handles:
        handle.remove()
    assert torch.equal(new.model(x), new.model.out(x))


def test_the_old_function_behind_a_closed_gate() -> None:
    """What the source computed is computed, whatever new features are."""
    plan, new, optimizer = carried()
    gate = recovery.new_features(plan, optimizer, "x", 0.0, Ramp(hold=1))
    x, y = observed(7), observed(7)
    y[:, [0, 2]] = 99
    assert torch.equal(new.model(gate(x)), new.model(gate(y)))


def test_new_names_along_another_dim() -> None:
    """Channels stand before the extent of a picture; whatever stands before them is free."""
    old, new = (
        subject(
            nn.Conv2d(len(names), 2, 3),
            torch.randn(7, len(names), 5, 6),
            inputs={"input": {1: names}},
        )
        for names in (["red", "blue"], ["red", "depth", "blue", "heat"])
    )
    plan = suture.transfer(old, new)
    optimizer = torch.optim.SGD(new.model.parameters())
    closed = {"input.heat": 3.0, "input.depth": 1.0}
    gate = recovery.new_features(plan, optimizer, "input", closed, Ramp(hold=1))
    x = torch.randn(4, 8, 9)
    found = gate(x)
    assert torch.equal(found[[0, 2]], x[[0, 2]])
    assert torch.equal(found[[1, 3]], torch.tensor([1.0, 3.0]).view(2, 1, 1).expand(2, 8, 9))


class Two(nn.Module):
    """A network that may see another input besides."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 2) for _ in range(inputs)])

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        found: Tensor = self.layers[0](x)
        return found if y is None else found + self.layers[1](y)


def test_an_input_that_is_new_as_a_whole() -> None:
    """It needs no names of entries: it goes by its own."""
    old, new = Subject(Two(1), (torch.randn(5, 3),)), Subject(Two(2), (torch.randn(5, 3),) * 2)
    plan = suture.transfer(old, new)
    optimizer = torch.optim.SGD(new.model.parameters())
    for closed in (0.5, {"y": 0.5}):
        gate = recovery.new_features(plan, optimizer, "y", closed, Ramp(hold=1))
        assert torch.equal(gate(torch.randn(5, 3)), torch.full((5, 3), 0.5))


@pytest.mark.parametrize("stopped", [0, 2, 4, 5])
def test_an_introduction_that_is_interrupted(stopped: int) -> None:
    """What is loaded goes on at the step that was saved."""
    plan, new, optimizer = carried()
    parts = both(plan, optimizer)
    for seed in range(stopped):
        step(new.model, optimizer, seed)
    other = torch.optim.SGD(new.model.parameters())
    again = both(plan, other)
    for one, part in zip(again, parts, strict=True):
        one.load_state_dict(part.state_dict())
    for seed in range(stopped, 6):
        pairs = zip(again, parts, strict=True)
        assert all(torch.equal(one(x), part(x)) for one, part in pairs for x in [torch.ones(4)])
        step(new.model, optimizer, seed)
        other.step()
    assert hooks(other) <= hooks(optimizer)


def both(plan: Plan, optimizer: torch.optim.Optimizer) -> list[Any]:
    """Make two gates, one of which opens later."""
    ramps = Ramp(over=4), Ramp(hold=3, over=2)
    return [recovery.new_features(plan, optimizer, "x", 0.5, ramp) for ramp in ramps]
