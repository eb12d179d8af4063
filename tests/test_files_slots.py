"""Slots of optimizers in files: what is written a stretch at a time, and whose it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import suture
from nets import Net
from resumed import Case
from stepped import same
from suture._errors import FileError
from suture._files import _made as making

STATES: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "adam": lambda each: torch.optim.Adam(each, amsgrad=True),
    "adagrad": lambda each: torch.optim.Adagrad(each, initial_accumulator_value=0.5),
    "adafactor": lambda each: torch.optim.Adafactor(each, lr=0.1),
    "adadelta": torch.optim.Adadelta,
    "adamax": torch.optim.Adamax,
    "rmsprop": lambda each: torch.optim.RMSprop(each, centered=True, momentum=0.9),
    "rprop": torch.optim.Rprop,
    "fused momentum": lambda each: torch.optim.SGD(each, momentum=0.9, fused=True),
    "half precision": lambda each: torch.optim.Adam([p.data.bfloat16() for p in each]),
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("limit", [16, making.LIMIT], ids=["in steps", "whole"])
def test_what_is_written_is_what_is_calculated(
    name: str, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stretch at a time or all at once, slots are those of a transfer in memory, bit by bit."""
    monkeypatch.setattr(making, "LIMIT", limit)
    case = Case()
    case.before, after = STATES[name](case.old.model.parameters()), STATES[name]
    for group in case.before.param_groups:
        for number, weight in enumerate(group["params"]):
            torch.manual_seed(number)
            weight.grad = torch.randn(weight.shape).to(weight.dtype)
    case.before.step()
    found = case.carried(tmp_path, case.nested())["optimizer"]
    told = case.plan, case.before.state_dict(), after(case.new.model.parameters()).state_dict()
    sides = ([n for n, _ in each.model.named_parameters()] for each in (case.old, case.new))
    same(found, suture.transfer_optimizer(*told, *sides).state)


def test_weights_in_another_order_than_their_model(tmp_path: Path) -> None:
    """Positions would say nothing: three layers of one shape, written backwards."""

    def deep(width: int) -> suture.Subject:
        torch.manual_seed(width)
        parts = {name: nn.Linear(width, width) for name in "abc"}
        ends = {"into": nn.Linear(3, width), "out": nn.Linear(width, 2)}
        net = Net(
            lambda m, x: m.out(m.c(m.b(m.a(m.into(x).tanh()).tanh()).tanh())), **parts, **ends
        )
        return suture.Subject(net, (torch.randn(7, 3),))

    case = Case()
    case.old, case.new = deep(4), deep(5)
    case.plan = suture.plan(suture.trace(case.old), suture.trace(case.new))
    case.before = torch.optim.Adam(case.old.model.parameters())
    case.old.model(case.old.args[0]).square().mean().backward()
    case.before.step()
    state = case.old.model.state_dict()
    backwards = {
        f"{at}.{part}": state[f"{at}.{part}"] for at in "cba" for part in ("weight", "bias")
    }
    whole = case.nested() | {"model": {**backwards, **state}}
    assert case.refusal(tmp_path, whole) == (
        "folder/old holds the state of optimizers that cannot be carried.\n"
        "  optimizer the weights stand in another order than in the model, and its states say none"
        "\n\nhint: begin them anew: --reset-optimizer"
    )
    assert case.carried(tmp_path, case.nested())["optimizer"]["state"]


def test_buffers_that_some_parameters_lack(tmp_path: Path) -> None:
    """Older versions of torch write None where nothing was gathered."""
    case = Case()
    sgd = torch.optim.SGD(case.old.model.parameters(), momentum=0.9)
    sgd.step()
    state = sgd.state_dict()
    state["state"][1]["momentum_buffer"] = None
    found = case.carried(tmp_path, {**case.nested(), "optimizer": state})["optimizer"]["state"]
    old = state["state"][0]["momentum_buffer"]
    assert found[0]["momentum_buffer"][:4, 1:].equal(old.flip(1))
    assert 1 not in found


def test_moments_that_are_no_numbers(tmp_path: Path) -> None:
    """A step that went wrong is not carried on in silence, and the slot is named."""
    case = Case()
    case.before.state[case.old.model.into.weight]["exp_avg"][2, 1] = float("nan")
    with pytest.raises(FileError) as caught:
        case.carried(tmp_path, case.nested())
    assert caught.value.facts == (("tensor", "exp_avg of into.weight"),)
    assert not (tmp_path / "new").exists()
    found = case.carried(tmp_path, case.nested(), allow_nan=True)["optimizer"]
    assert found["state"][0]["exp_avg"].isnan().sum() == 1
