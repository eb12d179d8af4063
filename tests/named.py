"""Plans between small layers whose inputs and outputs have names.

Knows how a plan is made of names alone. Does not know what is carried by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

import suture
from nets import Net
from suture import Categorical, Graph, Plan, Schema, Subject

NAMES = "abcdefg"


def layer(features: Sequence[str] | int, actions: Sequence[str] | int = 2) -> Graph:
    """Trace one layer from `obs` to `output`; numbers are entries without names."""
    into, out = (each if isinstance(each, int) else len(each) for each in (features, actions))
    net = Net(lambda m, x: m.one(x), one=nn.Linear(into, out))
    inputs: dict[str, Any] = {} if isinstance(features, int) else {"obs": [*features]}
    outputs: dict[str, Any] = {} if isinstance(actions, int) else {"output": [*actions]}
    schema = Schema(inputs=inputs, outputs=outputs)
    given = Subject(net, (torch.zeros(5, into),), schema=schema, call=called)
    return suture.trace(given)


def called(model: Any, obs: Any) -> Any:
    return model(obs)


def between(old: Sequence[str] | int, new: Sequence[str] | int, **settings: Any) -> Plan:
    """Plan from features to features."""
    return suture.plan(layer(old), layer(new), **settings)


def actions(old: Sequence[str] | int, new: Sequence[str] | int) -> Plan:
    """Plan from actions to actions."""
    return suture.plan(layer(3, old), layer(3, new))


def categories(old: Sequence[str], new: Sequence[str]) -> Plan:
    """Plan from items to items that a table knows."""

    def table(names: Sequence[str]) -> Graph:
        net = Net(lambda m, x: m.one(x), one=nn.Embedding(len(names), 3))
        schema = Schema(inputs={"obs": Categorical(names)})
        example = torch.zeros(5, dtype=torch.long)
        return suture.trace(Subject(net, (example,), schema=schema, call=called))

    return suture.plan(table(old), table(new))


def pictures(old: Sequence[str], new: Sequence[str]) -> Plan:
    """Plan from channels to channels of pictures of 4 by 5."""

    def convolution(names: Sequence[str]) -> Graph:
        net = Net(lambda m, x: m.one(x), one=nn.Conv2d(len(names), 3, 2))
        schema = Schema(inputs={"obs": {1: [*names]}})
        example = torch.zeros(7, len(names), 4, 5)
        return suture.trace(Subject(net, (example,), schema=schema, call=called))

    return suture.plan(convolution(old), convolution(new))


def selections() -> st.SearchStrategy[tuple[list[str], list[str]]]:
    """Draw features before and after, at least one of them shared."""
    chosen = st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True)
    pairs = st.tuples(chosen, chosen)
    return pairs.filter(lambda pair: bool({*pair[0]} & {*pair[1]}))
