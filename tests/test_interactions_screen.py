"""Interaction maps and their answers on the screen and as JSON: golden text, nothing lost."""

from __future__ import annotations

import json
import re
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import dota
import suture
from dota import Sizes
from pages import ROOT
from refusals import error, refused
from suture import Categorical, Interactions, Schema, Subject
from suture._asked import ask
from suture._phi import Touched
from suture._phi_json import answers_to_json, to_json
from suture._phi_render import render_answer
from suture._plan import Tensor as Described
from suture._sets import Sets


class Battle(nn.Module):
    """Two heroes through one encoder, an item by number, a clock, and parameters that see none."""

    def __init__(self) -> None:
        super().__init__()
        self.heroes = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5))
        self.items = nn.Embedding(7, 2)
        self.norm = nn.BatchNorm1d(5)
        self.head = nn.Linear(8, 2)
        self.spread = nn.Parameter(torch.zeros(2))
        self.critics = nn.ModuleList([nn.Linear(8, 1), nn.Linear(8, 1)])

    def forward(self, hero: Tensor, item: Tensor, clock: Tensor) -> tuple[Tensor, Tensor]:
        heroes = self.heroes(hero).amax(dim=1)
        known = torch.cat([self.norm(heroes), self.items(item), clock], dim=-1)
        return self.head(known), self.spread.exp()


SCHEMA = Schema(
    inputs={
        "hero": {1: ["0", "1"], 2: ["x", "y", "health"]},
        "item": Categorical(["bow", "axe", "orb", "gem", "map", "key", "rod"]),
        "clock": ["time"],
    }
)


@pytest.fixture(scope="module")
def battle() -> Interactions:
    seen = torch.randn(5, 2, 3), torch.zeros(5, dtype=torch.long), torch.randn(5, 1)
    return suture.interactions(suture.trace(Subject(Battle(), seen, schema=SCHEMA)))


@pytest.fixture(scope="module")
def replica() -> Interactions:
    return suture.interactions(suture.trace(dota.subject(Sizes(), "meta")))


def feature(phi: Interactions, name: str) -> str:
    return render_answer(phi, *ask(phi, [name], []))


def parameter(phi: Interactions, name: str) -> str:
    return render_answer(phi, *ask(phi, [], [name]))


# --- the map -------------------------------------------------------------------

MAP = """
Interactions

  x.{a..b} each of x.a to x.b

features
       6   hero.{0..1}.{x, y, health}
       7   item.{bow, axe, orb, ... 4 more}
       1   clock.time

parameters                type       groups   features   interactions
  spread                  f32[2]          1       none              0
  heroes.0.weight         f32[4,3]        3          2             24
  heroes.0.bias           f32[4]          1          6             24
  heroes.2.weight         f32[5,4]        1          6            120
  heroes.2.bias           f32[5]          1          6             30
  items.weight            f32[7,2]        7          1             14
  norm.weight             f32[5]          1          6             30
  norm.bias               f32[5]          1          6             30
  head.weight             f32[2,8]        3     1 to 7             90
  head.bias               f32[2]          1        all             28
  critics.{0..1}.weight   f32[1,8]                none              0   no call reaches it
  critics.{0..1}.bias     f32[1]                  none              0   no call reaches it

buffers               type     groups   features   interactions
  norm.running_mean   f32[5]        1          6             30
  norm.running_var    f32[5]        1          6             30

14 features
14 parameters with 103 entries: 9 reached by features, 5 by none
390 interactions"""


def test_a_map(battle: Interactions) -> None:
    """Every tensor has its line, also those that nothing reaches; the counts stand last."""
    assert str(battle) == MAP.strip("\n")


def test_a_map_in_short(battle: Interactions) -> None:
    """Where a map is one value among others, its counts are enough."""
    assert repr(battle) == "Interactions(14 features, 14 parameters, 390 interactions)"


def test_a_network_without_parameters() -> None:
    """There is nothing to list, and that is said."""
    subject = Subject(nn.Tanh(), (torch.randn(5, 2),), schema=Schema(inputs={"input": ["x", "y"]}))
    assert str(suture.interactions(suture.trace(subject))) == error(
        """
        Interactions

        features
               2   input.{x, y}

        2 features
        0 parameters with 0 entries
        0 interactions
        """
    )


def test_a_map_of_many_names(replica: Interactions) -> None:
    """Lines are counted by inputs and parameters, not by features, and none is too wide."""
    lines = str(replica).splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) < 130
    row = "     340   enemy_hero.{0..4}.{position_x, position_y, position_z, ... 65 more}"
    assert row in lines
    assert lines[-3:] == [
        "15,626 features",
        "72 parameters with 157,721,467 entries",
        "2,129,843,000,174 interactions",
    ]


# --- what a feature reaches ----------------------------------------------------


def test_what_a_feature_reaches(battle: Interactions) -> None:
    """Each tensor says how many of its entries are reached, and where they are."""
    assert feature(battle, "item.orb") == error(
        """
        Feature item.orb

          a..b from a up to b, without b   : a whole dim

        parameters       type       entries
          items.weight   f32[7,2]         2   [2, :]
          head.weight    f32[2,8]         4   [:, 5..7]
          head.bias      f32[2]           2   all

        3 parameters, 8 entries
        """
    )


def test_what_all_features_of_an_entity_reach(battle: Interactions) -> None:
    """A beginning that several names share asks for all of them; buffers are told, not counted."""
    assert feature(battle, "hero.1") == error(
        """
        3 features under hero.1

          a..b from a up to b, without b   : a whole dim

        parameters          type       entries
          heroes.0.weight   f32[4,3]        12   all
          heroes.0.bias     f32[4]           4   all
          heroes.2.weight   f32[5,4]        20   all
          heroes.2.bias     f32[5]           5   all
          norm.weight       f32[5]           5   all
          norm.bias         f32[5]           5   all
          head.weight       f32[2,8]        10   [:, 0..5]
          head.bias         f32[2]           2   all

        buffers               type     entries
          norm.running_mean   f32[5]         5   all
          norm.running_var    f32[5]         5   all

        8 parameters, 63 entries
        """
    )


def test_a_beginning_is_every_feature_below_it(battle: Interactions) -> None:
    """Entries that any of the features reaches, and the features whose parts begin so."""
    below = [name for name in battle.features if name.startswith("hero.1.")]
    for name, touched in battle.touched.items():
        each = [battle.mask(name, one) for one in below]
        assert np.array_equal(battle.mask(name, "hero.1"), np.any(each, axis=0)), touched
    assert battle.parameters("hero.1")["heroes.0.weight"] == 12


def test_a_feature_that_reaches_nothing() -> None:
    """An input that no parameter reads has no lines, and the counts are zero."""

    class Half(nn.Linear):
        def forward(self, x: Tensor, unread: Tensor) -> Tensor:  # type: ignore[override]
            return super().forward(x)

    subject = Subject(Half(3, 4), (torch.randn(5, 3), torch.randn(5, 2)))
    phi = suture.interactions(suture.trace(subject))
    assert feature(phi, "unread") == "Feature unread\n\n0 parameters, 0 entries"


def test_the_page_on_interactions(replica: Interactions) -> None:
    """Its screens of a network with 15,626 features are these."""
    shown = (ROOT / "docs" / "interactions.md").read_text(encoding="utf-8")
    assert f"\n{feature(replica, 'enemy_hero.3.health')}\n" in shown
    assert f"\n{parameter(replica, 'tables.item.weight')}\n" in shown


def scattered() -> Interactions:
    """Make a map of two features on the diagonals of a square piece of a parameter."""
    sets = Sets(2)
    ids = np.array([[1, 2, 0], [2, 1, 0]])
    touched = Touched(Described("mixed\x1b[31m", (2, 3), "f32"), "parameter", ids)
    return Interactions(("left", "right"), sets, {"mixed": touched})


def test_entries_that_are_no_block() -> None:
    """Where no product of runs has the entries they are counted; names cannot move the cursor."""
    assert feature(scattered(), "left") == error(
        """
        Feature left

        parameters     type       entries
          mixed?[31m   f32[2,3]         2   in several places

        1 parameter, 2 entries
        """
    )


# --- what reaches a parameter --------------------------------------------------


def test_what_reaches_a_parameter(battle: Interactions) -> None:
    """Its groups stand in order of their entries, their features in few words."""
    assert parameter(battle, "head.weight") == error(
        """
        Parameter head.weight f32[2,8]

          * every name there   a..b from a up to b, without b   : a whole dim

        groups        entries   features
          [:, 0..5]        10          6   hero.*
          [:, 5..7]         4          7   item.*
          [:, 7]            2          1   clock.time

        3 groups, 90 interactions
        """
    )


def test_a_feature_of_every_entity(battle: Interactions) -> None:
    """What a shared encoder reads is named once for all entities."""
    groups = parameter(battle, "heroes.0.weight").splitlines()[5:8]
    assert [line.split()[-1] for line in groups] == ["hero.*.x", "hero.*.y", "hero.*.health"]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("head.bias", "  all          2         14   all"),
        ("spread", "  all          2          0   none"),
        ("norm.running_mean", "  all          5          6   hero.*"),
    ],
)
def test_one_group_everywhere(battle: Interactions, name: str, row: str) -> None:
    """All features, none, or some of them reach a whole parameter or buffer."""
    assert row in parameter(battle, name).splitlines()


def test_many_groups_of_many_features(replica: Interactions) -> None:
    """Thousands of features are a few patterns with their counts, however they are cut."""
    text = parameter(replica, "agent.weight")
    assert "allied_nonhero.* (3,526)" in text
    assert re.search(r"^\s+nearby_map\.\*\.\{0\.\.3\}\.\{1\.\.5\}$", text, re.MULTILINE)
    assert text.endswith("\n502 groups, 11,274,862,592 interactions")


# --- bad input -----------------------------------------------------------------


def test_names_that_are_not_there(battle: Interactions) -> None:
    """The nearest name is the hint, a beginning among them."""
    assert refused(lambda: ask(battle, ["hero.1.helth"], [])) == error(
        """
        SchemaError: No feature is called 'hero.1.helth'.
          features 14, e.g. hero.0.x, hero.0.y, hero.0.health

        hint: did you mean 'hero.1.health'?
        """
    )
    assert refused(lambda: battle.parameters("heroe.1")).endswith("did you mean 'hero.1'?")
    assert refused(lambda: ask(battle, [], ["head.wieght"])) == error(
        """
        SchemaError: No parameter is called 'head.wieght'.
          known    12 that a call reaches

        hint: did you mean 'head.weight'?
        """
    )


def test_a_parameter_that_no_call_reaches(battle: Interactions) -> None:
    """It is there, but there is nothing to say of it."""
    assert refused(lambda: battle.groups("critics.1.weight")) == error(
        """
        SchemaError: No call reaches the parameter 'critics.1.weight'.

        hint: give the Subject a call that does
        """
    )


# --- JSON ----------------------------------------------------------------------


HEAD = {"name": "head.weight", "shape": [2, 8], "dtype": "f32", "kind": "parameter"}


def test_a_map_as_json(battle: Interactions) -> None:
    """It says what the screen says."""
    read = json.loads(to_json(battle))
    assert (read["format"], read["version"]) == ("suture-interactions", 1)
    assert read["features"] == [*battle.features]
    [weight] = [tensor for tensor in read["tensors"] if tensor["name"] == "head.weight"]
    told = {"groups": 3, "fewest": 1, "most": 7, "interactions": 90}
    assert weight == HEAD | told
    assert read["unreached"][0] == {"name": "critics.0.weight", "shape": [1, 8], "dtype": "f32"}
    assert read["total"] == battle.total == 390


def test_answers_as_json(battle: Interactions) -> None:
    """They stand in the order of the questions; features and regions are runs."""
    text = answers_to_json(battle, ask(battle, ["hero.1"], ["items.weight"]))
    [below, grouped] = json.loads(text)["answers"]
    assert (below["feature"], below["features"]) == ("hero.1", [[3, 6]])
    assert HEAD | {"entries": 10, "region": [[[0, 2]], [[0, 5]]]} in below["tensors"]
    assert grouped["parameter"] == "items.weight"
    orb = {"entries": 2, "region": [[[2, 3]], [[0, 2]]], "features": [[8, 9]]}
    assert grouped["groups"][2] == orb
    [answer] = json.loads(answers_to_json(scattered(), ask(scattered(), ["left"], [])))["answers"]
    assert answer["tensors"][0]["region"] is None


# --- the map itself ------------------------------------------------------------


def test_masks_and_groups_say_the_same(battle: Interactions) -> None:
    """A feature reaches the entries of the groups that list it."""
    for name, each in product(battle.touched, battle.features):
        masks = [group.mask for group in battle.groups(name) if each in group.features]
        shape = battle.touched[name].sets.shape
        expected = np.any(masks, axis=0) if masks else np.zeros(shape, bool)
        assert np.array_equal(battle.mask(name, each), expected)
