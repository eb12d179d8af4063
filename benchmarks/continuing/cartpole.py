"""CartPole: an agent that gains sensors, actions and width while it learns.

Knows Gymnasium's environment and Stable-Baselines3's PPO. Does not know what is made of the curves.

What is new stands behind what is old, so that a leading slice is in its right place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.policies import ActorCriticPolicy

import suture
from continuing.arms import Learner, Parts, arms_of, cross, recover
from continuing.tasks import Task
from suture import recovery
from suture.recovery import Ramp

Array = NDArray[Any]

SENSORS = ("cart_position", "cart_velocity", "pole_angle", "pole_velocity")
FORCES = {"left": -10.0, "right": 10.0, "hard_left": -30.0, "hard_right": 30.0}
"""What an action pushes with, in newtons; CartPole-v1 knows the first two."""

ENVS, ROLLOUT, EPISODES = 8, 1024, 60
BEFORE, AFTER = 20, 15
"""Rollouts before and after the surgery."""

PPO_SETTINGS: dict[str, Any] = {
    "n_steps": ROLLOUT // ENVS,
    "batch_size": 256,
    "n_epochs": 10,
    "learning_rate": 1e-3,
}
A_ROLLOUT = 10 * ROLLOUT // 256
"""Optimizer steps between two rollouts."""

MEASURED = tuple(A_ROLLOUT * rollouts for rollouts in range(AFTER + 1))
WINDOW = 5 * A_ROLLOUT

PARTS: Parts = {
    "warm-up": lambda plan, new: recovery.warm_up(
        plan, new.optimizer, new.subject, Ramp(hold=A_ROLLOUT, over=2 * A_ROLLOUT)
    ),
    "pull": lambda plan, new: recovery.pull(
        plan, new.optimizer, new.subject, 10.0, Ramp(over=5 * A_ROLLOUT)
    ),
    "gate": lambda plan, new: recovery.new_features(
        plan, new.optimizer, "obs", 0.0, Ramp(over=5 * A_ROLLOUT)
    ).onto(new.subject.model.features_extractor),
    "bias": lambda plan, new: recovery.new_actions(
        plan, new.optimizer, "logits", -5.0, Ramp(over=10 * A_ROLLOUT)
    ).onto(new.subject.model.action_net),
}


@dataclass(frozen=True, slots=True)
class Design:
    """What an agent sees and does, in this order, and how wide its hidden layers are."""

    sensors: tuple[str, ...]
    actions: tuple[str, ...]
    width: int

    @property
    def columns(self) -> list[int]:
        return [SENSORS.index(sensor) for sensor in self.sensors]

    @property
    def forces(self) -> Array:
        return np.array([FORCES[action] for action in self.actions])


OLD = Design(("pole_angle", "pole_velocity"), ("left", "right"), width=32)
NEW = Design((*OLD.sensors, "cart_position", "cart_velocity"), tuple(FORCES), width=48)


class Cart(gym.Wrapper[Array, int, Array, int]):
    """CartPole with an agent's sensors and actions."""

    def __init__(self, env: gym.Env[Array, int], design: Design) -> None:
        super().__init__(env)
        whole = env.observation_space
        assert isinstance(whole, gym.spaces.Box)
        self.columns, self.forces = design.columns, design.forces
        self.observation_space = gym.spaces.Box(whole.low[self.columns], whole.high[self.columns])
        self.action_space = gym.spaces.Discrete(len(design.actions))

    def reset(self, **settings: Any) -> Any:
        observed, told = self.env.reset(**settings)
        return observed[self.columns], told

    def step(self, action: int) -> Any:
        inner: Any = self.env.unwrapped
        inner.force_mag = abs(self.forces[action])
        observed, *rest = self.env.step(int(self.forces[action] > 0))
        return observed[self.columns], *rest


def run(seed: int) -> dict[str, list[float]]:
    """Train an agent, and go on with all of its heirs."""
    old = agent(OLD, seed)
    curves = {"before": [*trained(old, OLD, BEFORE)]}
    for arm in arms_of(PARTS):
        new = agent(NEW, seed)
        heir = learner(new, NEW)
        plan = cross(arm, learner(old, OLD), heir)
        recover(arm, plan, heir, PARTS)
        curves[arm.name] = [*trained(new, NEW, AFTER)]
    curves["no surgery"] = [*trained(old, OLD, AFTER)]
    return curves


def agent(design: Design, seed: int) -> PPO:
    """Make an untrained agent and its environments."""
    envs = make_vec_env(lambda: Cart(gym.make("CartPole-v1"), design), ENVS, seed=seed)
    layers = {"net_arch": [design.width, design.width]}
    return PPO("MlpPolicy", envs, seed=seed, device="cpu", policy_kwargs=layers, **PPO_SETTINGS)


def learner(ours: PPO, design: Design) -> Learner:
    schema = suture.Schema(
        inputs={"obs": design.sensors},
        outputs={"logits": design.actions, "value": ["return"]},
    )
    obs = torch.zeros(5, len(design.sensors))
    subject = suture.Subject(ours.policy, (obs,), schema=schema, call=reach)
    return Learner(subject, ours.policy.optimizer)


def reach(policy: ActorCriticPolicy, obs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Compute what the policy computes before it samples."""
    for_actor, for_critic = policy.mlp_extractor(policy.extract_features(obs))
    return {"logits": policy.action_net(for_actor), "value": policy.value_net(for_critic)}


def trained(ours: PPO, design: Design, rollouts: int) -> Iterator[float]:
    """Train, and give the mean return at first and after each rollout."""
    yield mean_return(ours, design)
    for _ in range(rollouts):
        ours.learn(ROLLOUT, reset_num_timesteps=False)
        yield mean_return(ours, design)


@torch.no_grad()
def mean_return(ours: PPO, design: Design) -> float:
    """Play episodes side by side, with the same starts and the same luck for everybody.

    Actions are sampled as in training: what a new action does to an agent is that it is tried.
    """
    envs: Any = gym.make_vec("CartPole-v1", EPISODES, vectorization_mode="vector_entry_point")
    luck = torch.Generator().manual_seed(0)
    seen, _ = envs.reset(seed=0)
    alive, returns = np.ones(EPISODES, dtype=bool), np.zeros(EPISODES)
    while alive.any():
        logits = reach(ours.policy, torch.as_tensor(seen[:, design.columns]))["logits"]
        drawn = torch.multinomial(logits.softmax(dim=1), 1, generator=luck).numpy()[:, 0]
        envs.unwrapped.force_mag = abs(design.forces[drawn])
        seen, _, fallen, over, _ = envs.step((design.forces[drawn] > 0).astype(int))
        returns += alive
        alive &= ~(fallen | over)
    return float(returns.mean())


TASK = Task(
    "CartPole, PPO: 2 → 4 sensors, 2 → 4 actions, hidden layers 32 → 48 units",
    "return",
    "higher",
    MEASURED,
    WINDOW,
    run,
)
