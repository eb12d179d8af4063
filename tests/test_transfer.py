"""Transfers: the whole way in one call, into the target that is there."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import suture
from nets import Net, generic, given, listed, mlp, subject
from suture import Subject, VerifyError


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_a_wider_network() -> None:
    """The target computes what the source does; the source is as it was."""
    source, target = mlp(4), mlp(6)
    before, x = weights(source), given()
    plan = suture.transfer(subject(source, x), subject(target, x))
    assert plan.exact
    with torch.no_grad():
        assert torch.allclose(target(x), source(x), atol=1e-5)
    assert all(torch.equal(before[name], value) for name, value in source.state_dict().items())


def test_an_optimizer_that_holds_the_target() -> None:
    """Parameters are overwritten in place: an optimizer made before steps the right ones."""
    source, target, x = mlp(4), mlp(6), given()
    optimizer = torch.optim.SGD(target.parameters(), lr=0.1)
    parameters = [*target.parameters()]
    suture.transfer(subject(source, x), subject(target, x))
    assert all(one is other for one, other in zip(parameters, target.parameters(), strict=True))
    before = weights(target)
    target(x).square().sum().backward()
    optimizer.step()
    assert not torch.equal(before["into.weight"], target.get_parameter("into.weight"))


def test_gradients_of_the_target() -> None:
    """They and what requires them are left alone."""
    source, target, x = mlp(4), mlp(6), given()
    target.get_parameter("into.bias").requires_grad_(False)
    target(x).sum().backward()
    gradient = target.get_parameter("out.weight").grad
    suture.transfer(subject(source, x), subject(target, x))
    assert target.get_parameter("out.weight").grad is gradient
    assert [p.requires_grad for p in target.parameters()] == [True, False, True, True]


def tied(rows: int, width: int) -> Subject:
    model = Net(
        lambda m, x: m.head(m.up(m.down(m.table(x)))),
        table=nn.Embedding(rows, width),
        down=nn.Linear(width, 3),
        up=nn.Linear(3, width),
        head=nn.Linear(width, rows, bias=False),
    )
    model.get_submodule("head").weight = model.get_parameter("table.weight")
    return subject(generic(model), torch.arange(10).reshape(2, 5) % 4)


def test_tied_parameters() -> None:
    """They are still one parameter afterwards."""
    source, target = tied(5, 4), tied(8, 6)
    suture.transfer(source, target)
    model = target.model
    assert model.get_parameter("head.weight") is model.get_parameter("table.weight")


def test_a_source_and_a_target_that_are_one_model() -> None:
    """Carried into itself, a model keeps every bit."""
    model, x = mlp(4), given()
    before = weights(model)
    suture.transfer(subject(model, x), subject(model, x))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_change_that_cannot_be_exact() -> None:
    """It is carried all the same: the plan has said that it is not exact."""
    source, target, x = mlp(6), mlp(4), given()
    plan = suture.transfer(subject(source, x), subject(target, x))
    assert not plan.exact
    assert torch.equal(target.get_parameter("into.bias"), source.get_parameter("into.bias")[:4])


def test_a_promise_that_is_broken() -> None:
    """The target is bit by bit as it was, its parameters are the same objects and still tied."""

    def scaled(factor: int) -> nn.Module:
        def forward(m: Any, x: Tensor) -> Any:
            return m.layer(x) * (1 if x.is_meta else factor)  # which no trace sees

        layer = nn.Linear(3, 4)
        return generic(Net(forward, layer=layer, again=layer))

    source, target, x = scaled(2), scaled(3), given()
    nn.init.ones_(target.get_parameter("layer.bias"))
    parameters, before = [*target.parameters()], weights(target)
    with pytest.raises(VerifyError):
        suture.transfer(subject(source, x), subject(target, x))
    assert all(torch.equal(before[name], value) for name, value in target.state_dict().items())
    assert all(one is other for one, other in zip(parameters, target.parameters(), strict=True))
    assert target.get_parameter("again.weight") is target.get_parameter("layer.weight")


def test_a_state_that_is_no_tensor() -> None:
    """What a state dict holds beside tensors is the target's own, and is kept."""

    class Counting(nn.Linear):
        count = 0

        def get_extra_state(self) -> int:
            return self.count

        def set_extra_state(self, state: int) -> None:
            self.count = state

    source, target = Counting(3, 4), Counting(3, 4)
    source.count, target.count = 5, 7
    suture.transfer(subject(source, given()), subject(target, given()))
    assert (source.count, target.count) == (5, 7)
    assert torch.equal(source.weight, target.weight)


def test_half_precision() -> None:
    """A target in bfloat16 takes the values, as far as they go."""
    source, x = mlp(4), given()
    target = mlp(6).bfloat16()
    plan = suture.transfer(subject(source, x), subject(target, x.bfloat16()))
    cast = source.get_parameter("into.bias").bfloat16()
    assert torch.equal(target.get_parameter("into.bias")[:4], cast)
    assert {note.kind for note in plan.notes} == {"pairing", "cast"}


def test_a_copy_of_the_target() -> None:
    """Two targets made alike receive the same weights."""
    source, x = mlp(4), given()
    one = mlp(6)
    other = copy.deepcopy(one)
    for target in (one, other):
        suture.transfer(
            subject(source, x, inputs={"x": listed("abc")}),
            subject(target, x, inputs={"x": listed("abc")}),
        )
    assert all(torch.equal(value, other.state_dict()[n]) for n, value in one.state_dict().items())
