"""Policies of Stable-Baselines3, built from its own classes, each at any width.

Knows what each is called with. A target network is a twin, twin critics are reached by a `call`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.dqn.policies import CnnPolicy, DQNPolicy, MultiInputPolicy
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import TD3Policy
from torch import Tensor

from suture import Subject

POLICIES: dict[str, Callable[[int], Subject]] = {}
OBS, PICTURE = spaces.Box(-1, 1, (5,), np.float32), spaces.Box(0, 255, (4, 36, 36), np.uint8)
TWO, THREE = spaces.Box(-1, 1, (2,), np.float32), spaces.Discrete(3)


def policy(build: Callable[[int], Subject]) -> Callable[[int], Subject]:
    POLICIES[build.__name__] = build
    return build


def rate(_: float) -> float:
    return 1e-3


def values(model: Any, obs: Any) -> Any:
    return model.q_net(obs)


def twins(model: Any, obs: Tensor, action: Tensor) -> Any:
    """Reach what acts, and both critics."""
    return model.actor(obs), model.critic(obs, action)


def densities(model: Any, obs: Tensor, action: Tensor) -> Any:
    """Reach both heads of what acts, and both critics."""
    return model.actor.get_action_dist_params(obs)[:2], model.critic(obs, action)


def judged(model: Any, obs: Tensor, action: Tensor) -> Any:
    """Reach the values, the chance of actions and the entropy."""
    return model.evaluate_actions(obs, action)


Q_TARGET = {"q_net_target": "q_net"}


@policy
def dqn(width: int) -> Subject:
    model = DQNPolicy(OBS, THREE, rate, net_arch=[width, width + 1])
    return Subject(model, (torch.randn(7, 5),), call=values, mirror=Q_TARGET)


@policy
def dqn_pictures(width: int) -> Subject:
    features = {"features_dim": 2 * width}
    model = CnnPolicy(PICTURE, THREE, rate, net_arch=[width], features_extractor_kwargs=features)
    pictures = torch.randint(0, 255, (2, 4, 36, 36), dtype=torch.uint8)
    return Subject(model, (pictures,), call=values, mirror=Q_TARGET)


@policy
def dqn_dict(width: int) -> Subject:
    space = spaces.Dict(body=OBS, item=spaces.Discrete(4))
    model = MultiInputPolicy(space, THREE, rate, net_arch=[width])
    obs = {"body": torch.randn(7, 5), "item": torch.arange(7) % 4}
    return Subject(model, (obs,), call=values, mirror=Q_TARGET)


@policy
def sac(width: int) -> Subject:
    model = SACPolicy(OBS, TWO, rate, net_arch=[width, width + 1])
    args, mirror = (torch.randn(7, 5), torch.randn(7, 2)), {"critic_target": "critic"}
    return Subject(model, args, call=densities, mirror=mirror)


@policy
def td3(width: int) -> Subject:
    model = TD3Policy(OBS, TWO, rate, net_arch=[width, width + 1])
    mirror = {"actor_target": "actor", "critic_target": "critic"}
    return Subject(model, (torch.randn(7, 5), torch.randn(7, 2)), call=twins, mirror=mirror)


@policy
def ppo(width: int) -> Subject:
    model = ActorCriticPolicy(OBS, THREE, rate, net_arch={"pi": [width], "vf": [width + 1]})
    return Subject(model, (torch.randn(7, 5), torch.arange(7) % 3), call=judged)


@policy
def ppo_continuous(width: int) -> Subject:
    model = ActorCriticPolicy(OBS, TWO, rate, net_arch=[width])
    return Subject(model, (torch.randn(7, 5), torch.randn(7, 2)), call=judged)


@policy
def ppo_explores(width: int) -> Subject:
    model = ActorCriticPolicy(OBS, TWO, rate, net_arch=[width], use_sde=True)
    return Subject(model, (torch.randn(7, 5), torch.randn(7, 2)), call=judged)


@policy
def ppo_several_actions(width: int) -> Subject:
    model = ActorCriticPolicy(OBS, spaces.MultiDiscrete([3, 4]), rate, net_arch=[width])
    return Subject(model, (torch.randn(7, 5),), call=lambda m, obs: m(obs, deterministic=True))
