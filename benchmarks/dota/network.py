"""The network: sets pooled to vectors, one layer and one LSTM that all agents share, and heads.

Knows layers. What there is to see and to answer, and in which order, is `observation`'s.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from dota.observation import (
    BINS,
    DELAYS,
    OFFSETS,
    TABLES,
    WORLD,
    Group,
    Sizes,
    actions,
    groups,
    maps,
    previous_action,
    things,
)

Seen = Mapping[str, Tensor]
"""An observation, every input `[batch, time, ...]`."""


def process_set(features: int, width: int) -> nn.Sequential:
    """Embed every element of a set by itself: `... N K -> ... N S`."""
    return nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width))


def process_map(channels: int, inner: int, outer: int) -> nn.Sequential:
    """Embed a map: `B C Y X -> B (outer Y X)`."""
    return nn.Sequential(
        nn.Conv2d(channels, inner, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(inner, outer, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
    )


def unit_width(group: Group, width: int) -> int:
    """Count what is known of a unit: floats, and embeddings of categories and of what it has."""
    return len(group.features) + width * (len(group.categories) + len(group.carries))


def agent_width(sizes: Sizes) -> int:
    """Count what an agent knows: pooled groups, pickups, its own hero, the world and the maps."""
    embeddings = len(groups(sizes)) + 2
    cells = sum(side**2 for _, side in maps(sizes).values())
    floats = len(WORLD) + len(previous_action(sizes))
    return embeddings * sizes.width + floats + cells * sizes.channels[-1]


class OpenAIFive(nn.Module):
    """Agents with the same weights, each of which sees its own hero beside what all see."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, hidden = sizes.width, sizes.hidden
        self.groups, self.things = groups(sizes), things(sizes)
        self.tables = nn.ModuleDict({name: nn.Embedding(n, width) for name, n in TABLES.items()})
        self.sets = nn.ModuleDict(
            {name: process_set(len(t.features) + width, width) for name, t in self.things.items()}
        )
        self.units = nn.ModuleDict(
            {name: process_set(unit_width(g, width), width) for name, g in self.groups.items()}
        )
        self.maps = nn.ModuleDict(
            {name: process_map(len(c), *sizes.channels) for name, (c, _) in maps(sizes).items()}
        )
        self.agent = nn.Linear(agent_width(sizes), hidden)
        self.lstm = nn.LSTM(hidden, hidden)
        self.heads = Heads(sizes)

    def forward(self, **seen: Tensor) -> dict[str, Tensor]:
        """Answer an observation from an empty memory; see `observation` for what comes and goes."""
        units = {group: self.embedded(group, seen) for group in self.groups}
        heroes = units["allied_hero"]
        world = self.world(seen, units).unsqueeze(2).expand(-1, -1, heroes.shape[2], -1)
        agents = self.agent(torch.cat([world, heroes], dim=-1)).relu()
        answers: dict[str, Tensor] = self.heads(
            self.remembered(shared(agents)), torch.cat([*units.values()], dim=2)
        )
        return answers

    def embedded(self, group: str, seen: Seen) -> Tensor:
        """Embed every unit of a group: f32[batch, time, N, S]."""
        known = self.groups[group]
        parts = [
            seen[group],
            *(self.tables[table](seen[f"{group}_{it}"]) for it, table in known.categories.items()),
            *(self.pooled(kind, f"{group}_{what}", seen) for what, kind in known.carries.items()),
        ]
        embedded: Tensor = self.units[group](torch.cat(parts, dim=-1))
        return embedded

    def pooled(self, kind: str, name: str, seen: Seen) -> Tensor:
        """Embed named things and keep the largest of each entry: f32[batch, time, ..., S]."""
        names = self.tables[self.things[kind].table](seen[f"{name}_name"])
        embedded: Tensor = self.sets[kind](torch.cat([seen[name], names], dim=-1))
        return embedded.amax(dim=-2)

    def world(self, seen: Seen, units: Seen) -> Tensor:
        """Lay end to end what all agents see alike: f32[batch, time, K]."""
        parts = [
            *(embedded.amax(dim=2) for embedded in units.values()),
            self.pooled("pickup", "pickup", seen),
            seen["world"],
            seen["previous_action"],
            *(self.mapped(name, seen[name]) for name in self.maps),
        ]
        return torch.cat(parts, dim=-1)

    def mapped(self, name: str, seen: Tensor) -> Tensor:
        """Embed a map, f32[batch, time, C, Y, X], step by step: f32[batch, time, K]."""
        embedded: Tensor = self.maps[name](seen.flatten(0, 1))
        return embedded.view(*seen.shape[:2], -1)

    def remembered(self, agents: Tensor) -> Tensor:
        """Run the LSTM over time, every agent by itself: f32[batch, time, heroes, hidden]."""
        steps = agents.transpose(0, 1)
        states: Tensor = self.lstm(steps.flatten(1, 2))[0]
        return states.view_as(steps).transpose(0, 1)


def shared(agents: Tensor) -> Tensor:
    """Give all agents the largest of each entry in the first quarter: `B T heroes hidden`."""
    quarter = agents.shape[-1] // 4
    common, own = agents.split([quarter, agents.shape[-1] - quarter], dim=-1)
    return torch.cat([common.amax(dim=2, keepdim=True).expand_as(common), own], dim=-1)


class Heads(nn.Module):
    """What every agent does, by its state and the embeddings of all units."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.actions = nn.Embedding(len(actions(sizes)), sizes.width)
        self.action = nn.Linear(sizes.hidden, sizes.width)
        self.target = nn.Linear(sizes.hidden, sizes.width)
        self.offset = nn.Linear(sizes.hidden, len(OFFSETS) * len(BINS))
        self.delay = nn.Linear(sizes.hidden, len(DELAYS))
        self.value = nn.Linear(sizes.hidden, 1)

    def forward(self, state: Tensor, units: Tensor) -> dict[str, Tensor]:
        """Give the logits and the value.

        Nothing is sampled: there are logits of the target for every action that may be taken.

        Args:
            state: f32[batch, time, heroes, hidden].
            units: f32[batch, time, units, S].

        Returns:
            Each f32[batch, time, heroes, ...].
        """
        actions = self.actions.weight
        wanted = self.target(state).unsqueeze(-2) * actions.sigmoid()
        return {
            "action": linear(self.action(state), actions),
            "target": torch.einsum("bthas,btus->bthau", wanted, units),
            "offset": self.offset(state).unflatten(-1, (len(OFFSETS), len(BINS))),
            "delay": self.delay(state),
            "value": self.value(state).squeeze(-1),
        }
