"""Growth by kind of network, written out: everything at once, and each change by itself.

Old outputs stay within 1e-5 in float32, with arbitrary values of the new features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from carried import carry, difference
from recipes import (
    Attention,
    Conv,
    Dense,
    Encoder,
    Entities,
    Head,
    Image,
    Lookup,
    Recipe,
    Recurrent,
    Residual,
    Shared,
    TiedHead,
    Vector,
)

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}

ACT = Head("policy", ("left", "right"))
ACT_MORE = Head("policy", ("wait", "right", "left", "jump"))
VALUE = Head("value", ("value",))

OLD = ("x", "theta", "v")
ADDED = ("a", "x", "b", "theta", "v", "c")
FEWER = ("x", "theta")
REORDERED = ("v", "x", "theta")
ALL = ("a", "theta", "b", "x")


def mlp(features: tuple[str, ...], width: int) -> Encoder:
    return Vector("obs", features, (Dense(width), Dense(width + 6, "relu")))


def lstm(features: tuple[str, ...], width: int) -> Encoder:
    return Recurrent("obs", features, "LSTM", width, steps=6, depth=2)


def projected_lstm(features: tuple[str, ...], width: int) -> Encoder:
    return Recurrent("obs", features, "LSTM", width, steps=6, beyond=width + 1)


def gru(features: tuple[str, ...], width: int) -> Encoder:
    return Recurrent("obs", features, "GRU", width, steps=6, bidirectional=True)


def convolved(features: tuple[str, ...], width: int) -> Encoder:
    convs = (Conv(width, (3, 1), "batch"), Conv(width + 2, (3, 1)))
    return Image("obs", features, (7, 2), convs, "flatten")


def attention(features: tuple[str, ...], heads: int) -> Encoder:
    return Attention("obs", features, 5, heads, 7, 6, "sdpa")


def multihead(features: tuple[str, ...], heads: int) -> Encoder:
    return Attention("obs", features, 5, heads, 7, 6, "module")


def looked_up(features: tuple[str, ...], width: int) -> Encoder:
    return Lookup("obs", features, width)


def shared(features: tuple[str, ...], width: int) -> Encoder:
    return Shared("obs", ("me", "foe"), features, (Dense(width),))


KINDS = (
    mlp,
    lstm,
    projected_lstm,
    gru,
    convolved,
    attention,
    multihead,
    looked_up,
    shared,
)


def network(encoder: Encoder, trunk: int, *heads: Head | TiedHead) -> Recipe:
    return Recipe((encoder,), (Dense(trunk), Residual((Dense(trunk + 3),))), heads)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("small", "large"), [(2, 5), (1, 3)])
@pytest.mark.parametrize("kind", KINDS)
def test_everything_changes_at_once(
    kind: Callable[[tuple[str, ...], int], Encoder], small: int, large: int, dtype: torch.dtype
) -> None:
    """Features come, go and move, everything widens, outputs and a head join: nothing is lost."""
    before = network(kind(OLD, small), 11, ACT)
    after = network(kind(ALL, large), 17, VALUE, ACT_MORE)
    carried = carry(before, after, dtype)
    assert carried.plan.exact
    assert max(difference(carried, seed) for seed in range(5)) < TOLERANCE[dtype]


CHANGES = {
    "wider": (5, OLD, 11, (ACT,)),
    "added": (2, ADDED, 11, (ACT,)),
    "removed": (2, FEWER, 11, (ACT,)),
    "reordered": (2, REORDERED, 11, (ACT,)),
    "trunk": (2, OLD, 17, (ACT,)),
    "outputs": (2, OLD, 11, (ACT_MORE,)),
    "head": (2, OLD, 11, (VALUE, ACT)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", KINDS)
def test_one_thing_changes(kind: Callable[[tuple[str, ...], int], Encoder], change: str) -> None:
    """Each change by itself loses nothing."""
    width, features, trunk, heads = CHANGES[change]
    carried = carry(network(kind(OLD, 2), 11, ACT), network(kind(features, width), trunk, *heads))
    assert carried.plan.exact
    assert difference(carried) < TOLERANCE[torch.float64]


def test_several_networks_in_one() -> None:
    """All kinds of encoders beside each other grow in one step."""
    old = tuple(replace(kind(OLD, 2), name=kind.__name__) for kind in KINDS if kind is not shared)
    new = tuple(replace(kind(ALL, 5), name=kind.__name__) for kind in KINDS if kind is not shared)
    before = Recipe(old, (Dense(11),), (ACT, TiedHead("word", "looked_up")))
    after = Recipe(new, (Dense(17),), (VALUE, TiedHead("word", "looked_up"), ACT_MORE))
    carried = carry(before, after)
    assert carried.plan.exact
    assert difference(carried) < TOLERANCE[torch.float64]


FEW, MANY = ("me",), ("foe", "me", "ally")


@pytest.mark.parametrize(
    ("old", "new"), [((FEW, 3), (MANY, 3)), ((FEW, 3), (MANY, 4)), ((FEW, 1), (MANY, 2))]
)
def test_one_entity_becomes_several(
    old: tuple[tuple[str, ...], int], new: tuple[tuple[str, ...], int]
) -> None:
    """The only entity keeps its place among others, whose order and width are free."""
    before, after = (
        network(Entities("obs", entities, OLD, (Dense(width),), "flatten"), 11, ACT)
        for entities, width in (old, new)
    )
    carried = carry(before, after)
    assert carried.plan.exact
    assert difference(carried) < TOLERANCE[torch.float64]
