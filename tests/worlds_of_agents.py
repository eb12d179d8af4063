"""Environments whose features have names: one world, observed in any order and selection.

Knows gymnasium and Stable-Baselines3's vectors. Does not know what carries anything from one
observation to another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

Names = Sequence[str]
LIMIT = 30.0

SPREAD = {"x": (2.0, 3.0), "v": (-1.0, 0.5), "angle": (0.0, 1.0), "wind": (5.0, 4.0)}
"""Feature -> mean and standard deviation in the world."""


class World(gym.Env[Any, Any]):
    """A walk that is moved by actions by name, and observed by name; units may be others."""

    def __init__(
        self, features: Names, actions: Names, units: Mapping[str, float] | None = None
    ) -> None:
        self.features, self.actions, self.units = features, actions, units or {}
        self.observation_space = self._space()
        self.action_space = spaces.Box(-1, 1, (len(actions),), np.float32)

    def _space(self) -> spaces.Space[Any]:
        return spaces.Box(-np.inf, np.inf, (len(self.features),), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begin where the seed says, and nowhere else."""
        super().reset(seed=seed)
        self.steps = 0
        self.state = {name: mean for name, (mean, _) in SPREAD.items()}
        return self.observed(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Move by what was done, by name, and by chance that no feature or action changes."""
        moved = dict(zip(self.actions, np.asarray(action, float).ravel(), strict=True))
        self.steps += 1
        for number, (name, (mean, deviation)) in enumerate(SPREAD.items()):
            chance = np.sin(1.7 * self.steps + 2.3 * number)
            pushed = 0.3 * moved.get(f"push {name}", 0.0)
            self.state[name] += 0.2 * (mean - self.state[name]) + deviation * chance + pushed
        return self.observed(), float(self.state["x"]), False, self.steps >= LIMIT, {}

    def observed(self) -> Any:
        """Give the features in the order in which this world observes them."""
        return self.seen(self.features)

    def seen(self, features: Names) -> NDArray[np.float32]:
        values = [self.state[name] * self.units.get(name, 1.0) for name in features]
        return np.array(values, np.float32)


class Rooms(World):
    """The same world, observed as a dict: what a body feels, and what else."""

    def _space(self) -> spaces.Space[Any]:
        body = spaces.Box(-np.inf, np.inf, (len(self.features),), np.float32)
        return spaces.Dict({"body": body, "room": spaces.Discrete(4)})

    def observed(self) -> Any:
        return {"body": self.seen(self.features), "room": self.steps % 4}


def vector(
    features: Names, actions: Names, kind: type[World] = World, **settings: Any
) -> DummyVecEnv:
    """Make a vector of two such worlds."""
    return DummyVecEnv([lambda: kind(features, actions, **settings)] * 2)


def normalised(venv: DummyVecEnv, steps: int = 40, **settings: Any) -> Any:
    """Normalise a vector, and let it run for a while."""
    wrapper = VecNormalize(venv, **settings)
    wrapper.reset()
    done = np.zeros((2, *(venv.action_space.shape or ())), np.float32)
    for _ in range(steps):
        wrapper.step(done)
    return wrapper
