"""Replay buffers of Stable-Baselines3, filled with steps that were drawn, and what learns from it.

Knows its classes. Does not know what is carried from one buffer to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer
from torch import nn

import suture
from nets import Net
from suture import Schema, Subject

OLD, NEW = ["x", "v", "angle"], ["wind", "angle", "x", "v"]
PUSHES, MORE = ["left", "right"], ["brake", "right", "left"]
UNSHARED: dict[str, Any] = {"handle_timeout_termination": False, "optimize_memory_usage": True}


def network(features: Sequence[str], pushes: Sequence[str]) -> suture.Graph:
    """Trace what learns from a buffer: values of actions."""
    schema = Schema(inputs={"obs": features}, outputs={"output": pushes})
    net = Net(lambda m, x: m.one(x), one=nn.Linear(len(features), len(pushes)))
    example = (torch.zeros(5, len(features)),)
    return suture.trace(Subject(net, example, schema=schema, call=lambda model, obs: model(obs)))


PLAN = suture.plan(network(OLD, PUSHES), network(NEW, MORE))
SAME = suture.plan(network(OLD, PUSHES), network(NEW, PUSHES))


def filled(buffer: Any, steps: int, seed: int = 0) -> Any:
    """Store steps that were drawn, as a run does."""
    rng = np.random.default_rng(seed)
    space, actions = buffer.observation_space, buffer.action_space
    for _ in range(steps):
        seen = [drawn(space, buffer.n_envs, rng) for _ in range(2)]
        done = rng.random(buffer.n_envs) < 0.3
        told = [{"TimeLimit.truncated": bool(one)} for one in done]
        acts = drawn(actions, buffer.n_envs, rng)
        buffer.add(*seen, acts, rng.normal(size=buffer.n_envs), done, told)
    return buffer


def drawn(space: spaces.Space[Any], count: int, rng: np.random.Generator) -> Any:
    match space:
        case spaces.Dict():
            return {key: drawn(one, count, rng) for key, one in space.spaces.items()}
        case spaces.Discrete():
            return rng.integers(0, int(space.n), count)
        case _:
            return rng.normal(size=(count, *(space.shape or ()))).astype(space.dtype)


def buffer(
    width: int, acts: spaces.Space[Any], kind: Any = ReplayBuffer, **settings: Any
) -> ReplayBuffer:
    box = spaces.Box(-9, 9, (width,), np.float32)
    made: ReplayBuffer = kind(10, box, acts, "cpu", n_envs=2, **settings)
    return made


def batch(of: Any, seed: int = 3) -> Any:
    np.random.seed(seed)  # noqa: NPY002  (Stable-Baselines3 draws from it)
    return of.sample(16)


def continuous(pushes: Sequence[str], low: Sequence[float]) -> spaces.Box:
    return spaces.Box(np.array(low, np.float32), np.ones(len(pushes), np.float32))
