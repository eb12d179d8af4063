"""Agents of Stable-Baselines3 in a world that shows some numbers: built, and asked.

Knows how each kind is traced. Does not know files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

import policies
import suture
from suture._plan import Plan


class Seeing(gymnasium.Env[Any, Any]):
    """A world that shows some numbers, and takes one of three actions, or pushes."""

    def __init__(self, features: int, pushes: int = 0) -> None:
        self.observation_space = spaces.Box(-1, 1, (features,), np.float32)
        taken = spaces.Box(-1, 1, (pushes,), np.float32) if pushes else spaces.Discrete(3)
        self.action_space: spaces.Space[Any] = taken

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.left = 5
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.left -= 1
        reward = float(np.asarray(action).sum())
        return self.observation_space.sample(), reward, self.left == 0, False, {}


QUICK: dict[Any, dict[str, Any]] = {
    PPO: {"n_steps": 8, "batch_size": 8, "n_epochs": 1},
    DQN: {"learning_starts": 4, "batch_size": 4, "buffer_size": 50, "train_freq": 2},
    SAC: {"learning_starts": 4, "batch_size": 4, "buffer_size": 50},
    A2C: {"n_steps": 8},
    TD3: {"learning_starts": 4, "batch_size": 4, "buffer_size": 50},
    DDPG: {"learning_starts": 4, "batch_size": 4, "buffer_size": 50},
}
"""A kind of agent -> settings with which it learns within a few steps."""


PUSHING = (SAC, TD3, DDPG)


class Looking(BaseFeaturesExtractor):
    """What looks before anything acts or judges, with parameters of its own."""

    def __init__(self, observation_space: Any) -> None:
        super().__init__(observation_space, 7)
        self.look = torch.nn.Linear(observation_space.shape[0], 7)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        seen: torch.Tensor = self.look(observations).tanh()
        return seen


ALONE: dict[str, Any] = {"features_extractor_class": Looking}
SHARED: dict[str, Any] = {**ALONE, "share_features_extractor": True}
"""How a policy looks: each part with eyes of its own, or all with the same."""


def agent(kind: Any, features: int, hidden: int, pushes: int = 1, **how: Any) -> Any:
    net = {"net_arch": [hidden, 5], **how}
    world = Seeing(features, pushes if kind in PUSHING else 0)
    return kind("MlpPolicy", world, policy_kwargs=net, device="cpu", seed=1, **QUICK[kind])


def planned(old: Any, new: Any) -> Plan:
    return suture.plan(suture.trace(subject(old)), suture.trace(subject(new)))


def subject(model: Any) -> suture.Subject:
    return SUBJECTS[type(model)](model, torch.zeros(4, *model.observation_space.shape))


def _named(obs: torch.Tensor) -> suture.Schema:
    return suture.Schema(inputs={"obs": [f"x{i}" for i in range(obs.shape[1])]})


def _ppo(model: PPO, obs: torch.Tensor) -> suture.Subject:
    return suture.Subject(model.policy, (obs,), schema=_named(obs), call=both)


def _dqn(model: DQN, obs: torch.Tensor) -> suture.Subject:
    told: dict[str, Any] = {"call": policies.values, "mirror": policies.Q_TARGET}
    return suture.Subject(model.policy, (obs,), schema=_named(obs), **told)


def _sac(model: SAC, obs: torch.Tensor) -> suture.Subject:
    mirror = {"critic_target": "critic"}
    if model.policy.share_features_extractor:  # which then has its first name below the actor
        mirror = {f"critic_target.qf{number}": f"critic.qf{number}" for number in range(2)}
        mirror["critic_target.features_extractor"] = "actor.features_extractor"
    told: dict[str, Any] = {"call": policies.densities, "mirror": mirror}
    return suture.Subject(model.policy, (obs, _taken(model)), schema=_named(obs), **told)


def _td3(model: TD3, obs: torch.Tensor) -> suture.Subject:
    mirror = {"actor_target": "actor", "critic_target": "critic"}
    told: dict[str, Any] = {"call": policies.twins, "mirror": mirror}
    return suture.Subject(model.policy, (obs, _taken(model)), schema=_named(obs), **told)


def _taken(model: SAC | TD3) -> torch.Tensor:
    return torch.zeros(4, *model.action_space.shape or ())


SUBJECTS: dict[Any, Callable[[Any, torch.Tensor], suture.Subject]] = {
    PPO: _ppo,
    A2C: _ppo,
    DQN: _dqn,
    SAC: _sac,
    TD3: _td3,
    DDPG: _td3,
}


def both(policy: Any, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Ask what acts and what judges."""
    latent_pi, latent_vf = policy.mlp_extractor(policy.extract_features(obs))
    return policy.action_net(latent_pi), policy.value_net(latent_vf)
