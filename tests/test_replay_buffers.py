"""Replay buffers of Stable-Baselines3: every step that was stored is the step that it was."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import DQN, SAC
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv
from stable_baselines3.her.her_replay_buffer import HerReplayBuffer
from torch import nn

import suture
from nets import Net
from stored import (
    MORE,
    NEW,
    OLD,
    PLAN,
    PUSHES,
    SAME,
    UNSHARED,
    batch,
    buffer,
    continuous,
    filled,
    network,
)
from suture import Affine, Categorical, Plan, Schema, Subject

SHARED = [NEW.index(name) for name in OLD]
RENUMBERED = torch.tensor([MORE.index(name) for name in PUSHES])
SETTINGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "plain": (ReplayBuffer, {}),
    "observations shared by steps": (ReplayBuffer, UNSHARED),
    "several steps ahead": (NStepReplayBuffer, {"n_steps": 2}),
}


@pytest.mark.parametrize("steps", [1, 3, 5, 7])
@pytest.mark.parametrize("name", SETTINGS)
def test_batches_are_the_batches_they_were(name: str, steps: int) -> None:
    """Before the buffer is full, just then, and when steps are overwritten: by name, no change."""
    kind, settings = SETTINGS[name]
    run = filled(buffer(3, spaces.Discrete(2), kind, **settings), steps)
    new = buffer(4, spaces.Discrete(3), kind, **settings)
    told = suture.transfer_replay_buffer(PLAN, run, new, actions="output", fresh={"obs.wind": 2.5})
    assert told is new
    assert (new.pos, new.full, new.size()) == (run.pos, run.full, run.size())
    before, after = batch(run), batch(new)
    for old, now in zip(before[::2], after[::2], strict=True):
        if old.shape[1] == 3:
            assert torch.equal(now[:, SHARED], old)
            assert (now[:, NEW.index("wind")] == 2.5).all()
        else:
            assert torch.equal(now, old)
    assert torch.equal(after.actions, RENUMBERED[before.actions])
    assert torch.equal(after.dones, before.dones)


def test_a_run_goes_on_in_it() -> None:
    """Steps are added behind the old ones; the old buffer is not changed, nor shared."""
    run = filled(buffer(3, spaces.Discrete(2)), 4)
    before = deepcopy(run)
    new = buffer(4, spaces.Discrete(2))
    filled(
        suture.transfer_replay_buffer(SAME, run, new, fresh={"obs": 0.0}, actions="output"),
        3,
        seed=1,
    )
    assert new.full
    assert np.array_equal(new.rewards[2:4], before.rewards[2:4])
    assert np.array_equal(run.rewards, before.rewards)
    assert np.array_equal(run.observations, before.observations)


def test_features_in_other_units() -> None:
    """A buffer holds what the environment gave, so it is put into the new units."""
    run = filled(buffer(3, spaces.Discrete(2)), 4)
    new = suture.transfer_replay_buffer(
        SAME,
        run,
        buffer(4, spaces.Discrete(2)),
        fresh={"obs.wind": 0.0},
        rescaled={"obs.v": Affine(3.6, 1.0)},
        actions="output",
    )
    assert np.allclose(new.observations[:4, :, 3], run.observations[:4, :, 1] * 3.6 + 1)
    assert np.array_equal(new.next_observations[:4, :, 2], run.next_observations[:4, :, 0])


def test_continuous_actions() -> None:
    """Each lies where the new model has it; one that is new has the value given."""
    run = filled(buffer(3, continuous(PUSHES, [-1, -2])), 4)
    new = suture.transfer_replay_buffer(
        PLAN,
        run,
        buffer(4, continuous(MORE, [-3, -2, -1])),
        actions="output",
        fresh={"obs.wind": 0.0, "output.brake": -1.0},
    )
    assert np.array_equal(new.actions[:4, :, 1:], run.actions[:4, :, ::-1])
    assert (new.actions[:4, :, 0] == -1).all()


def test_actions_that_changed_places_in_the_same_space() -> None:
    """No size tells it: only the names do."""
    plan = suture.plan(network(OLD, PUSHES), network(NEW, PUSHES[::-1]))
    run = filled(buffer(3, spaces.Discrete(2)), 4)
    new = buffer(4, spaces.Discrete(2))
    suture.transfer_replay_buffer(plan, run, new, actions="output", fresh={"obs": 0.0})
    assert np.array_equal(new.actions[:4], 1 - run.actions[:4])


def rooms(features: int, items: int, **more: spaces.Space[Any]) -> spaces.Dict:
    body = spaces.Box(-9, 9, (features,), np.float32)
    return spaces.Dict({"body": body, "item": spaces.Discrete(items), **more})


def rooms_plan() -> Plan:
    """Plan a network that reads features and an item, both with names."""

    def graph(features: Sequence[str], items: Sequence[str]) -> suture.Graph:
        net = Net(
            lambda m, x: m, body=nn.Linear(len(features), 3), item=nn.Embedding(len(items), 3)
        )
        schema = Schema(inputs={"obs.body": features, "obs.item": Categorical(items)})
        example = {"body": torch.zeros(5, len(features)), "item": torch.arange(5) % 2}
        given = Subject(net, (example,), schema=schema, call=reads)
        return suture.trace(given)

    return suture.plan(graph(OLD, ["sword", "bow"]), graph(NEW, ["axe", "bow", "sword"]))


def reads(model: Any, obs: Any) -> Any:
    return model.body(obs["body"]) + model.item(obs["item"])


def test_observations_that_are_a_dict() -> None:
    """Each key by its names, categories by theirs, a key that is new at its value."""
    act = spaces.Discrete(2)
    run = filled(DictReplayBuffer(8, rooms(3, 2), act, "cpu", n_envs=2), 4)
    eye = spaces.Box(-9, 9, (2,), np.float32)
    new = DictReplayBuffer(8, rooms(4, 3, eye=eye), act, "cpu", n_envs=2)
    known = {"obs.body.wind": 1.5, "obs.eye": 0.5}
    suture.transfer_replay_buffer(rooms_plan(), run, new, fresh=known, actions=None)
    for old, now in (
        (run.observations, new.observations),
        (run.next_observations, new.next_observations),
    ):
        assert np.array_equal(now["body"][..., SHARED], old["body"])
        assert (now["body"][..., 0] == 1.5).all()
        assert np.array_equal(now["item"], np.array([2, 1])[old["item"]])
        assert (now["eye"] == 0.5).all()


class Goals(gym.Env[Any, Any]):
    """What hindsight asks of an environment."""

    def __init__(self, width: int) -> None:
        goal = spaces.Box(-9, 9, (2,), np.float32)
        held = spaces.Box(-9, 9, (width,), np.float32)
        parts: dict[str, spaces.Space[Any]] = {
            "observation": held,
            "achieved_goal": goal,
            "desired_goal": goal,
        }
        self.observation_space = spaces.Dict(parts)
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)

    def compute_reward(self, achieved: Any, desired: Any, told: Any) -> Any:
        return -np.abs(achieved - desired).sum(-1)


def hindsight(width: int) -> HerReplayBuffer:
    venv = DummyVecEnv([lambda: Goals(width)] * 2)
    space: Any = venv.observation_space
    return HerReplayBuffer(12, space, venv.action_space, venv, "cpu", n_envs=2)


def test_hindsight() -> None:
    """Episodes stay where they are, so that goals are drawn from the same steps."""
    names = ["desired_goal", "achieved_goal"]

    def graph(features: Sequence[str]) -> suture.Graph:
        net = Net(lambda m, x: m, one=nn.Linear(len(features) + 4, 3))
        goals = {f"obs.{name}": ["north", "east"] for name in names}
        schema = Schema(inputs={"obs.observation": features, **goals})
        example = {"observation": torch.zeros(5, len(features))}
        example |= {name: torch.zeros(5, 2) for name in names}
        given = Subject(net, (example,), schema=schema, call=joined)
        return suture.trace(given)

    run = filled(hindsight(3), 6)
    plan = suture.plan(graph(OLD), graph(NEW))
    known = {"obs.observation.wind": 0.0}
    new = suture.transfer_replay_buffer(plan, run, hindsight(4), fresh=known, actions=None)
    before, after = batch(run), batch(new)
    assert torch.equal(after.rewards, before.rewards)
    old, now = before.observations, after.observations
    assert torch.equal(now["desired_goal"], old["desired_goal"])
    assert torch.equal(now["observation"][:, SHARED], old["observation"])


def joined(model: Any, obs: Any) -> Any:
    return model.one(torch.cat([*obs.values()], dim=1))


def test_a_file_of_a_run(tmp_path: Path) -> None:
    """What `save_replay_buffer` of a real DQN wrote is read, without trust."""

    def learner(features: Sequence[str], count: int) -> DQN:
        class Walk(gym.Env[Any, Any]):
            observation_space = spaces.Box(-9, 9, (len(features),), np.float32)
            action_space = spaces.Discrete(count)

            def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
                super().reset(seed=seed)
                return self.observation_space.sample(), {}

            def step(self, action: Any) -> Any:
                return self.observation_space.sample(), float(action), False, False, {}

        settings: dict[str, Any] = {"buffer_size": 40, "learning_starts": 10}
        return DQN("MlpPolicy", Walk(), policy_kwargs={"net_arch": [5]}, seed=3, **settings)

    old, new = learner(OLD, 2), learner(NEW, 3)
    old.learn(28)
    old.save_replay_buffer(str(tmp_path / "steps.pkl"))
    assert isinstance(old.replay_buffer, ReplayBuffer)
    assert isinstance(new.replay_buffer, ReplayBuffer)
    path = tmp_path / "steps.pkl"
    settings: dict[str, Any] = {"actions": "output", "fresh": {"obs.wind": 0.0}}
    suture.transfer_replay_buffer(PLAN, path, new.replay_buffer, **settings)
    assert new.replay_buffer.size() == 28
    theirs = old.replay_buffer.observations[:28]
    assert np.array_equal(new.replay_buffer.observations[:28, :, SHARED], theirs)
    new.learn(16, reset_num_timesteps=False)
    assert new.replay_buffer.size() == 40


def test_a_buffer_of_sac() -> None:
    """Its target is the one that a new model made for itself."""
    assert isinstance(SAC.policy_aliases, dict)
    run = filled(buffer(3, continuous(PUSHES, [-1, -1])), 2)
    model = SAC(
        "MlpPolicy",
        DummyVecEnv([lambda: Empty(4, 2)] * 2),
        buffer_size=10,
        policy_kwargs={"net_arch": [5]},
    )
    assert isinstance(model.replay_buffer, ReplayBuffer)
    suture.transfer_replay_buffer(
        SAME, run, model.replay_buffer, fresh={"obs.wind": 0.0}, actions="output"
    )
    assert model.replay_buffer.size() == 2


class Empty(gym.Env[Any, Any]):
    def __init__(self, width: int, acts: int) -> None:
        self.observation_space = spaces.Box(-9, 9, (width,), np.float32)
        self.action_space = spaces.Box(-1, 1, (acts,), np.float32)
