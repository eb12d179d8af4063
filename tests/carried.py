"""Carry weights between two built recipes, and compare what the networks answer.

Knows the public face of the library. Does not know what a plan should say.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

import suture
from modules import build
from recipes import Recipe
from suture import Plan
from worlds import answers, between, subject


@dataclass(frozen=True, slots=True)
class Carried:
    """Two networks and the plan between them; `target` has received the weights."""

    before: Recipe
    after: Recipe
    source: nn.Module
    target: nn.Module
    plan: Plan


def plan_between(before: Recipe, source: nn.Module, after: Recipe, target: nn.Module) -> Plan:
    """Plan from one built network to another."""
    old, new = subject(before, source), subject(after, target)
    return suture.plan(suture.trace(old), suture.trace(new))


def carry(before: Recipe, after: Recipe, dtype: torch.dtype = torch.float64) -> Carried:
    """Build both recipes with generic weights and carry the source's into the target."""
    return carry_on(before, build(before, 1, dtype), after)


def carry_on(before: Recipe, source: nn.Module, after: Recipe) -> Carried:
    """Carry the weights that `source` has into a fresh build of the recipe `after`."""
    target = build(after, 2, next(source.parameters()).dtype)
    plan = plan_between(before, source, after, target)
    target.load_state_dict(suture.apply(plan, source.state_dict(), target.state_dict()))
    return Carried(before, after, source, target, plan)


def difference(carried: Carried, seed: int = 0) -> float:
    """The largest change of an output that both networks have, relative to the largest output."""
    world = between(carried.before, carried.after, seed)
    with torch.no_grad():
        old = answers(carried.before, carried.source, world)
        new = answers(carried.after, carried.target, world)
    shared = old.keys() & new.keys()
    largest = max(float(old[name].abs().max()) for name in shared)
    return max(float((old[name] - new[name]).abs().max()) for name in shared) / max(largest, 1.0)
