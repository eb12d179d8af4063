"""Networks in the styles that people write themselves: agents, recommenders, images, sequences.

Knows plain torch and Stable-Baselines3. Does not know what changes, nor what is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.dqn.policies import DQNPolicy
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import TD3Policy
from torch import Tensor, nn

from suture import Subject

ROWS = 7
"""The size of a batch."""


class UNet(nn.Module):
    """Two scales, joined by concatenation, with group norms."""

    def __init__(self, channels: int, width: int, deep: int, classes: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.deep = nn.Conv2d(width, deep, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(deep, width, 2, stride=2)
        self.join = nn.Conv2d(2 * width, width, 3, padding=1)
        self.out = nn.Conv2d(width, classes, 1)

    def forward(self, image: Tensor) -> Any:
        wide = self.norm(self.down(image)).relu()
        up = self.up(self.deep(wide).relu())
        return self.out(self.join(torch.cat([wide, up], dim=1)).relu())


class DLRM(nn.Module):
    """Tables of categories and a dense part meet by inner products."""

    def __init__(self, dense: int, rows: tuple[int, ...], width: int, top: int) -> None:
        super().__init__()
        self.bottom = nn.Sequential(nn.Linear(dense, 20), nn.ReLU(), nn.Linear(20, width))
        self.tables = nn.ModuleList(nn.EmbeddingBag(count, width, mode="sum") for count in rows)
        parts = len(rows) + 1
        self.top = nn.Sequential(
            nn.Linear(width + parts * (parts - 1) // 2, top), nn.ReLU(), nn.Linear(top, 1)
        )

    def forward(self, dense: Tensor, chosen: Tensor) -> Any:
        x = self.bottom(dense)
        looked = [table(chosen[:, i : i + 1]) for i, table in enumerate(self.tables)]
        parts = torch.stack([x, *looked], dim=1)
        first, second = torch.tril_indices(parts.shape[1], parts.shape[1], -1)
        meetings = (parts @ parts.transpose(1, 2))[:, first, second]
        return self.top(torch.cat([x, meetings], dim=1))


class Reader(nn.Module):
    """Words, two layers of LSTM, and a class per text."""

    def __init__(self, words: int, width: int, hidden: int, layers: int, classes: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.lstm = nn.LSTM(width, hidden, layers, batch_first=True)
        self.out = nn.Linear(hidden, classes)

    def forward(self, text: Tensor) -> Any:
        read, _ = self.lstm(self.words(text))
        return self.out(read[:, -1])


def unet(**numbers: Any) -> Subject:
    sizes: dict[str, Any] = {"channels": 3, "width": 8, "deep": 12, "classes": 5} | numbers
    return Subject(UNet(**sizes).eval(), (torch.randn(2, sizes["channels"], 12, 16),))


def dlrm(**numbers: Any) -> Subject:
    sizes: dict[str, Any] = {"dense": 6, "rows": (11, 9, 10), "width": 8, "top": 14} | numbers
    chosen = torch.zeros(ROWS, len(sizes["rows"]), dtype=torch.long)
    return Subject(DLRM(**sizes), (torch.randn(ROWS, sizes["dense"]), chosen))


def lstm(**numbers: Any) -> Subject:
    sizes: dict[str, Any] = {
        "words": 30,
        "width": 9,
        "hidden": 8,
        "layers": 2,
        "classes": 5,
    } | numbers
    return Subject(Reader(**sizes), (torch.zeros(ROWS, 4, dtype=torch.long),))


def box(size: int) -> gym.spaces.Box:
    return gym.spaces.Box(-1.0, 1.0, (size,), np.float32)


def agent(
    policy: Callable[..., nn.Module], call: Callable[..., Any], twins: dict[str, str], acts: bool
) -> Callable[..., Subject]:
    """Say how policies of a kind are built and called, and which of their parts are twins."""

    def build(**numbers: Any) -> Subject:
        sizes: dict[str, Any] = {"features": 6, "actions": 3, "net_arch": [10, 12]} | numbers
        seen, does = box(sizes["features"]), box(sizes["actions"])
        space = does if acts else gym.spaces.Discrete(sizes["actions"])
        model = policy(seen, space, lambda _: 1e-3, net_arch=sizes["net_arch"])
        args = [torch.randn(ROWS, sizes["features"]), torch.randn(ROWS, sizes["actions"])]
        return Subject(model.eval(), args[: 1 + acts], call=call, mirror=twins)

    return build


def judged(policy: Any, seen: Tensor) -> Any:
    """Ask an actor-critic for its distribution and the value."""
    return policy.get_distribution(seen).distribution.logits, policy.predict_values(seen)


def valued(policy: Any, seen: Tensor) -> Any:
    """Ask for the value of every action."""
    return policy.q_net(seen)


def acted(policy: Any, seen: Tensor, action: Tensor) -> Any:
    """Ask the actor what it does, and the critics what they think of an action."""
    return policy.actor(seen), policy.critic(seen, action)


def likeliest(policy: Any, seen: Tensor, action: Tensor) -> Any:
    """Ask the actor for its likeliest action and its spread, and the critics for their opinion."""
    mean, spread, _ = policy.actor.get_action_dist_params(seen)
    return mean, spread, policy.critic(seen, action)


CRITICS = {"critic_target": "critic"}
PLAIN: dict[str, Callable[..., Subject]] = {
    "sb3 ppo": agent(ActorCriticPolicy, judged, {}, acts=False),
    "sb3 dqn": agent(DQNPolicy, valued, {"q_net_target": "q_net"}, acts=False),
    "sb3 sac": agent(SACPolicy, likeliest, CRITICS, acts=True),
    "sb3 td3": agent(TD3Policy, acted, {"actor_target": "actor"} | CRITICS, acts=True),
    "u-net": unet,
    "dlrm": dlrm,
    "lstm": lstm,
}
"""Every kind by its name; a builder takes those of its sizes that are to be others."""
