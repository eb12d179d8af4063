"""The replica of OpenAI Five: its size, its names, and the change of Table 3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch

import dota
import suture
from dota import EXTRA, Sizes
from measured import fates, fills, notes

SMALL = Sizes(
    allied_heroes=3,
    enemy_heroes=2,
    allied_nonheroes=4,
    enemy_nonheroes=7,
    neutrals=6,
    hero_modifiers=8,
    nonhero_modifiers=5,
    abilities=9,
    items=10,
    pickups=11,
    history=4,
    terrain=2,
    minimap=5,
    nearby_map=4,
    width=12,
    hidden=20,
    channels=(13, 14),
)


def scalars(sizes: Sizes) -> tuple[int, int]:
    """Count the floats and the categories that are seen per step."""
    seen = dota.inputs(sizes).values()
    floats = sum(one.count for one in seen if one.table is None)
    return floats, sum(one.count for one in seen if one.table is not None)


def subject(sizes: Sizes, seed: int) -> suture.Subject:
    """Make a network with generic weights."""
    made = dota.subject(sizes, dtype=torch.float64, seed=seed)
    dota.generic(made.model, seed)
    return made


@pytest.mark.parametrize(("extra", "floats"), [((), 14_554), (EXTRA, 14_554 + 12 * 10)])
def test_the_published_observation(extra: tuple[str, ...], floats: int) -> None:
    """As many floats and categories are seen as the paper lists, twelve more per hero with more."""
    assert scalars(Sizes(extra=extra)) == (floats, 1_072)


def test_the_published_network() -> None:
    """It has between 150 and 160 million parameters, 84 to 86% of them in the LSTM."""
    model = dota.subject(Sizes(), "meta").model
    count = sum(weight.numel() for weight in model.parameters())
    remembering = sum(weight.numel() for weight in model.lstm.parameters())
    assert 150e6 < count < 160e6
    assert 0.84 < remembering / count < 0.86


def test_names_of_everything() -> None:
    """Every dim behind batch and time is named, and no name has a dot."""
    schema = dota.schema(Sizes(extra=EXTRA))
    graph = suture.trace(dota.subject(Sizes(extra=EXTRA), "meta"))
    for group, tensors in ((schema.inputs, graph.inputs), (schema.outputs, graph.outputs)):
        assert group.keys() == tensors.keys()
        for name, labels in group.items():
            assert isinstance(labels, Mapping)
            assert [*labels] == [*range(2, len(graph.tensor(name).shape))]
            assert not any("." in entry for names in labels.values() for entry in names)


def test_more_features_of_every_hero_at_full_size() -> None:
    """All but the layers that read a hero's features is copied whole, and the plan is exact."""
    old, new = dota.subject(Sizes(), "meta"), dota.subject(Sizes(extra=EXTRA), "meta")
    plan = suture.plan(suture.trace(old), suture.trace(new))
    changed = {name for name, fate in fates(plan).items() if fate != "copied"}
    assert changed == {"units.allied_hero.0.weight", "units.enemy_hero.0.weight"}
    assert fills(plan, "units.enemy_hero.0.weight") == [
        ("[0..128, {0..58, 70..720}]", "copy"),
        ("[0..128, 58..70]", 0.0),
    ]
    assert plan.notes == ()


def test_more_features_of_every_hero() -> None:
    """The old answers are kept whatever the new features are, and so is the way back."""
    old, new, again = subject(SMALL, 1), subject(replace(SMALL, extra=EXTRA), 2), subject(SMALL, 3)
    plan = suture.transfer(old, new)
    assert plan.exact
    assert suture.verify(plan, old, new).equal
    suture.transfer(new, again)
    before, after = old.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_one_more_ability() -> None:
    """Its action is inserted by name; only the larger sets of abilities are not exact."""
    old, new = subject(SMALL, 1), subject(replace(SMALL, abilities=SMALL.abilities + 1), 2)
    plan = suture.plan(suture.trace(old), suture.trace(new))
    assert fills(plan, "heads.actions.weight") == [
        ("[{0..17, 18..28}, 0..12]", "copy"),
        ("[17, 0..12]", "own"),
    ]
    assert notes(plan, "inexact") == [
        *(
            f"{sets} dim 3, {sets}_name dim 3: fresh units are reduced by amax"
            for sets in ("allied_hero_ability", "enemy_hero_ability")
        ),
        "action, target, offset, delay, value: new features reach it, first through amax",
    ]


def test_what_an_agent_remembers() -> None:
    """Its answers depend on what it saw before, not on what it will see, nor on other games."""
    model, seen = subject(SMALL, 1).model, dota.situation(SMALL, torch.float64)
    other = {name: tensor.clone() for name, tensor in seen.items()}
    other["world"][0, 1] += 1
    with torch.no_grad():
        before, after = model(**seen)["value"], model(**other)["value"]
    apart = (before != after).all(dim=2)
    assert apart.tolist() == [[False, True, True], [False, False, False]]
