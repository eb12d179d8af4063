"""Optimizers of policies: target networks, several optimizers a model, and spreads of actions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

import suture
from nets import given
from policies import POLICIES
from suture import OptimizerReport, Subject
from training import planned


class Gaussian(nn.Module):
    """What to do on average, and a spread of each action that no input decides."""

    def __init__(self, features: int, actions: int) -> None:
        super().__init__()
        self.mean = nn.Linear(features, actions)
        self.log_std = nn.Parameter(torch.arange(actions) - 0.5)

    def forward(self, x: Tensor) -> Tensor:
        mean: Tensor = self.mean(x)
        return mean + self.log_std.exp() * torch.ones_like(mean)


def gaussian(features: str, actions: str) -> Subject:
    schema = suture.Schema(inputs={"x": [*features]}, outputs={"output": [*actions]})
    return Subject(Gaussian(len(features), len(actions)), (given(len(features)),), schema=schema)


def stepped(optimizer: Optimizer) -> None:
    """Take a step on random gradients."""
    chance = torch.Generator().manual_seed(0)
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = torch.randn(weight.shape, generator=chance)
    optimizer.step()


def test_spreads_of_actions() -> None:
    """They and their moments go by the actions' names, like any other parameter."""
    old, new = gaussian("pq", "ab"), gaussian("qrp", "bca")
    before, after = (Adam(each.model.parameters()) for each in (old, new))
    stepped(before)
    suture.transfer_optimizer(suture.transfer(old, new), before, after, old, new)
    assert torch.equal(new.model.log_std[[2, 0]], old.model.log_std)
    was, now = (one.state[each.model.log_std] for one, each in ((before, old), (after, new)))
    for slot in ("exp_avg", "exp_avg_sq"):
        assert torch.equal(now[slot][[2, 0]], was[slot])
    assert now["exp_avg"][1] == 0
    assert torch.allclose(now["exp_avg_sq"][1], was["exp_avg_sq"].mean())


def carried(kind: str, part: str) -> OptimizerReport:
    """Widen a policy of Stable-Baselines3, and carry one of its optimizers."""
    old, new = POLICIES[kind](6), POLICIES[kind](9)
    before, after = (each.model.get_submodule(part).optimizer for each in (old, new))
    stepped(before)
    report = suture.transfer_optimizer(planned(old, new), before, after, old, new)
    stepped(after)
    return report


@pytest.mark.parametrize("kind", ["dqn", "ppo_continuous", "ppo_several_actions"])
def test_one_optimizer(kind: str) -> None:
    """Every parameter that it trains goes on, and a target network is not its business."""
    report = carried(kind, "")
    assert all(each.slots and each.carried for each in report.parameters)
    assert all(name.startswith("q_net_target.") for name in report.unheld)
    assert bool(report.unheld) == (kind == "dqn")


@pytest.mark.parametrize("part", ["actor", "critic"])
def test_an_optimizer_of_an_actor_and_one_of_a_critic(part: str) -> None:
    """Each is carried by itself; the report says what the other must train."""
    report = carried("sac", part)
    assert {each.name.split(".")[0] for each in report.parameters} == {part}
    assert all(each.slots and each.carried for each in report.parameters)
    assert not any(name.startswith(f"{part}.") for name in report.unheld)
