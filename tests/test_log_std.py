"""The spread of continuous actions: a parameter of its own, and it follows actions by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor

import suture
from small import planned
from suture import Schema, Subject

OLD = ["throttle", "steer", "brake"]
CHANGES = {
    "others came between": ["lights", "steer", "throttle", "horn", "brake"],
    "they changed places": ["brake", "throttle", "steer"],
    "one is gone": ["brake", "throttle"],
    "one went, one came": ["horn", "brake", "steer"],
}
FEATURES = 5
EXACT = 1e-5
"""Policies are f32."""


def policy(pushes: Sequence[str], **settings: Any) -> ActorCriticPolicy:
    """Make a policy of PPO, with weights of order one."""
    torch.manual_seed(len(pushes))
    box = spaces.Box(-1, 1, (FEATURES,), np.float32)
    acts = spaces.Box(-1, 1, (len(pushes),), np.float32)
    made = ActorCriticPolicy(box, acts, lambda _: 1e-3, net_arch=[9], **settings)
    with torch.no_grad():
        for weight in made.parameters():
            weight.copy_(torch.randn_like(weight) / max(1.0, weight[0].numel() ** 0.5))
    return made


def chances(model: Any, obs: Tensor) -> dict[str, Any]:
    """Give what is drawn from, and the value."""
    drawn = model.get_distribution(obs).distribution
    return {"mean": drawn.mean, "spread": drawn.stddev, "value": model.predict_values(obs)}


def subject(model: ActorCriticPolicy, pushes: Sequence[str]) -> Subject:
    """Name the actions at the mean: what is their spread is found, where an op joins the two.

    A spread that depends on the state is computed beside it, and joined to it by chance alone.
    """
    named = ["mean", "spread"] if model.use_sde else ["mean"]
    schema = Schema(outputs=dict.fromkeys(named, pushes))
    return Subject(model, (torch.randn(7, FEATURES),), schema=schema, call=chances)


@pytest.mark.parametrize("settings", [{}, {"use_sde": True}], ids=["one each", "by state"])
@pytest.mark.parametrize("change", CHANGES)
def test_an_action_keeps_its_spread(change: str, settings: dict[str, Any]) -> None:
    """Every action that stays is drawn as it was, by name."""
    new = CHANGES[change]
    old_policy, new_policy = policy(OLD, **settings), policy(new, **settings)
    plan = suture.transfer(subject(old_policy, OLD), subject(new_policy, new))
    assert plan.exact
    seen = torch.randn(7, FEATURES)
    before, after = chances(old_policy, seen), chances(new_policy, seen)
    for name in (name for name in new if name in OLD):
        for part in ("mean", "spread"):
            theirs, ours = before[part][:, OLD.index(name)], after[part][:, new.index(name)]
            assert torch.allclose(theirs, ours, rtol=0, atol=EXACT)
    assert torch.allclose(before["value"], after["value"], rtol=0, atol=EXACT)
    width = old_policy.log_std.ndim - 1
    kept = [(OLD.index(name), new.index(name)) for name in new if name in OLD]
    theirs, ours = zip(*kept, strict=True)
    assert torch.equal(
        new_policy.log_std.index_select(width, torch.tensor(ours)),
        old_policy.log_std.index_select(width, torch.tensor(theirs)),
    )


def judged(model: Any, obs: Tensor, action: Tensor) -> Any:
    return model.evaluate_actions(obs, action)


def test_actions_that_are_named_where_they_are_judged() -> None:
    """The actions that PPO is given lie along the same axis, so their names will do as well."""

    def side(pushes: Sequence[str]) -> Subject:
        example = torch.randn(7, FEATURES), torch.randn(7, len(pushes))
        schema = Schema(inputs={"action": pushes})
        return Subject(policy(pushes), example, schema=schema, call=judged)

    new = CHANGES["they changed places"]
    source, target = side(OLD), side(new)
    assert suture.transfer(source, target).exact
    assert torch.equal(target.model.log_std, source.model.log_std[[OLD.index(n) for n in new]])


def test_a_new_action_begins_with_its_own_spread() -> None:
    """As the new policy was initialised, unless something is said of how it begins."""
    new = CHANGES["others came between"]
    source, target = subject(policy(OLD), OLD), subject(policy(new), new)
    before = target.model.log_std.detach().clone()
    suture.transfer(source, target)
    fresh = [new.index("lights"), new.index("horn")]
    assert torch.equal(target.model.log_std[fresh], before[fresh])


def test_a_spread_that_nobody_reaches() -> None:
    """A call that leaves it out cannot name it: it is not carried in silence."""

    def mean(model: Any, obs: Tensor) -> Any:
        return model.action_net(model.mlp_extractor.forward_actor(obs))

    def side(pushes: Sequence[str]) -> Subject:
        example = torch.randn(7, FEATURES)
        schema = Schema(outputs={"output": pushes})
        return Subject(policy(pushes), (example,), schema=schema, call=mean)

    plan = planned(side(OLD), side(CHANGES["others came between"]))
    told = {note.subject for note in plan.notes if note.kind == "unreached"}
    assert "log_std" in told
