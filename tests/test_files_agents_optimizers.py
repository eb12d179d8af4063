"""Optimizers of agents of Stable-Baselines3: their states go along, and the library learns on."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.save_util import save_to_zip_file

import suture
from agents import ALONE, PUSHING, SHARED, Seeing, agent, planned
from commands import said
from stepped import same
from suture._errors import FileError, OptimizerError
from suture._files import Written, carry_file, open_checkpoint
from suture._torch._beside import settings

AGENTS = [(PPO, {}), (PPO, SHARED), (A2C, {}), (DQN, {}), (DQN, ALONE)]
AGENTS += [(kind, how) for kind in (SAC, TD3) for how in ({}, ALONE, SHARED)]


@pytest.mark.parametrize(("kind", "how"), AGENTS)
def test_an_agent_goes_on_learning(tmp_path: Path, kind: Any, how: dict[str, Any]) -> None:
    """Its file holds what live optimizers would, bit by bit, and the library loads it."""
    old, new = agent(kind, 2, 6, **how), agent(kind, 4, 9, **how)
    old.learn(16)
    old.save(tmp_path / "old.zip")
    plan = planned(old, new)
    written = carried_agent(tmp_path, plan, new)
    assert written.left_out == ()
    loaded = kind.load(tmp_path / "new.zip", env=Seeing(4, kind in PUSHING), device="cpu")
    expected = ["actor.optimizer", "critic.optimizer"] if kind in PUSHING else ["policy.optimizer"]
    assert [found.keypath for found in written.optimizers] == expected
    for found in written.optimizers:
        held = attrgetter(found.keypath.removeprefix("policy."))
        before, after = held(old.policy), held(new.policy)
        report = suture.transfer_optimizer(plan, before, after, old.policy, new.policy)
        same(held(loaded.policy).state_dict(), report.state)
        assert 0 < found.carried < found.size
        assert found.size == sum(p.numel() for g in after.param_groups for p in g["params"])
    loaded.learn(8, reset_num_timesteps=False)


def carried_agent(folder: Path, plan: suture.Plan, new: Any, **how: Any) -> Written:
    names = ("observation_space", "action_space", "policy_kwargs")
    live = {name: getattr(new, name) for name in names}
    told = {"fresh": new.policy.state_dict(), "settings": live} | how
    return carry_file(plan, open_checkpoint(folder / "old.zip"), folder / "new.zip", **told)


def test_an_agent_is_carried_twice(tmp_path: Path) -> None:
    """What was written holds its weights in the order in which its optimizer counts them."""
    first, second, third = (agent(PPO, *sizes) for sizes in ((2, 6), (4, 9), (5, 11)))
    first.learn(16)
    first.save(tmp_path / "old.zip")
    carried_agent(tmp_path, planned(first, second), second)
    middle = PPO.load(tmp_path / "new.zip", env=Seeing(4), device="cpu")
    (tmp_path / "new.zip").replace(tmp_path / "old.zip")
    plan = planned(second, third)
    carried_agent(tmp_path, plan, third)
    loaded = PPO.load(tmp_path / "new.zip", env=Seeing(5), device="cpu")
    optimizers = middle.policy.optimizer, third.policy.optimizer
    report = suture.transfer_optimizer(plan, *optimizers, middle.policy, third.policy)
    same(loaded.policy.optimizer.state_dict(), report.state)


def test_what_no_agent_writes(tmp_path: Path) -> None:
    """An archive's member is called as an optimizer is, and holds none; or one nobody knows of."""
    old, new = agent(PPO, 2, 6), agent(PPO, 4, 9)
    plan = planned(old, new)
    for name, held, text in (
        ("policy.optimizer", [3], "is not as optimizers of torch write it"),
        (
            "judge.optimizer",
            old.policy.optimizer.state_dict(),
            "which of the policy's parameters it holds is not known",
        ),
    ):
        params = {**old.get_parameters(), name: held}
        save_to_zip_file(tmp_path / "old.zip", data={}, params=params)
        with pytest.raises(OptimizerError) as caught:
            carried_agent(tmp_path, plan, new)
        assert caught.value.facts == ((name, text),)


def by_hand(new: Any, **how: Any) -> dict[str, Any]:
    """Build a policy without its agent, and give what its file will say."""
    spaces = new.observation_space, new.action_space
    policy = type(new.policy)(*spaces, lambda _: 7e-4, net_arch=[9, 5], **how)
    return settings(policy)


REFUSED = """
    {}/old.zip has optimizers of another kind than the new agent's policy makes.
      optimizer {}

    hint: build TARGET's policy with the agent's optimizer_class and optimizer_kwargs
    """
FOREIGN = [
    (A2C, {}, ["policy.optimizer.pth lacks betas of Adam; has alpha, centered, momentum"]),
    (
        TD3,
        {"optimizer_class": torch.optim.RMSprop},
        [
            f"{part}.optimizer.pth lacks alpha of RMSprop; has amsgrad, betas, "
            "decoupled_weight_decay, fused"
            for part in ("actor", "critic")
        ],
    ),
]


@pytest.mark.parametrize("optimizer", ["carry", "reset"])
@pytest.mark.parametrize(("kind", "how", "texts"), FOREIGN, ids=["A2C", "TD3"])
def test_a_policy_with_optimizers_of_another_kind(
    tmp_path: Path, kind: Any, how: dict[str, Any], texts: list[str], optimizer: str
) -> None:
    """The library would load the old groups and fail to learn, with or without their states."""
    old, new = agent(kind, 2, 6), agent(kind, 4, 9)
    old.learn(16)
    old.save(tmp_path / "old.zip")
    told = {"settings": by_hand(new, **how), "optimizer": optimizer}
    with pytest.raises(FileError) as caught:
        carried_agent(tmp_path, planned(old, new), new, **told)
    listed = "\n      optimizer ".join(texts)
    assert str(caught.value) == said(REFUSED.format(tmp_path, listed)).rstrip()
    assert not (tmp_path / "new.zip").exists()


@pytest.mark.parametrize("optimizer", ["carry", "reset"])
def test_a_policy_with_optimizers_of_the_same_kind(tmp_path: Path, optimizer: str) -> None:
    """Built by hand or by its agent, it learns on."""
    old, new = agent(A2C, 2, 6), agent(A2C, 4, 9)
    old.learn(16)
    old.save(tmp_path / "old.zip")
    how = {name: new.policy_kwargs[name] for name in ("optimizer_class", "optimizer_kwargs")}
    told = {"settings": by_hand(new, **how), "optimizer": optimizer}
    carried_agent(tmp_path, planned(old, new), new, **told)
    loaded = A2C.load(tmp_path / "new.zip", env=Seeing(4), device="cpu")
    loaded.learn(8, reset_num_timesteps=False)


def test_optimizers_of_an_agent_that_an_older_torch_wrote(tmp_path: Path) -> None:
    """Options that torch got since are added when they are loaded: they are not missing."""
    old, new = agent(PPO, 2, 6), agent(PPO, 4, 9)
    old.learn(16)
    held = old.get_parameters()
    for group in held["policy.optimizer"]["param_groups"]:
        del group["decoupled_weight_decay"], group["fused"], group["capturable"]
    data = {name: getattr(old, name) for name in ("policy_class", "policy_kwargs", "action_space")}
    save_to_zip_file(tmp_path / "old.zip", data=data, params=held)
    carried_agent(tmp_path, planned(old, new), new, settings=settings(new.policy))


def test_an_optimizer_of_another_kind_that_is_given(tmp_path: Path) -> None:
    """What a function gives is what counts, not what it takes the place of."""
    old, new = agent(A2C, 2, 6), agent(A2C, 4, 9)
    old.learn(16)
    old.save(tmp_path / "old.zip")
    begun = torch.optim.Adam(new.policy.parameters()).state_dict()
    told = {"settings": by_hand(new), "optimizer": lambda *_: begun}
    carried_agent(tmp_path, planned(old, new), new, **told)
    loaded = A2C.load(tmp_path / "new.zip", env=Seeing(4), device="cpu")
    loaded.learn(8, reset_num_timesteps=False)
