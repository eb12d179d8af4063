"""The paper's matcher: entries go where the features that reach them are."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import nn

import suture
from laws import law
from modules import build
from networks import Draw, extended, recipes, rewritten
from recipes import Recipe, TiedHead
from refusals import error, refused
from suture import Interactions, Plan, Schema, Subject
from suture._phi import Touched
from worlds import subject as built


def network(*features: str) -> Subject:
    """A network of two layers on named features, its weights of order one."""
    torch.manual_seed(len(features))
    model = nn.Sequential(nn.Linear(len(features), 7), nn.Tanh(), nn.Linear(7, 2))
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    example = torch.randn(5, len(features))
    return Subject(model, (example,), schema=Schema(inputs={"input": features}))


def fills(plan: Plan, name: str) -> list[Any]:
    """What fills a parameter of a plan."""
    (tensor,) = [tensor for tensor in plan.tensors if tensor.target.name == name]
    return [(block.region, block.fill) for block in tensor.blocks]


def blind(phi: Interactions) -> Interactions:
    """A map that has found nothing."""
    nothing = {
        name: Touched(touched.tensor, touched.kind, np.zeros_like(touched.sets))
        for name, touched in phi.touched.items()
    }
    return Interactions(phi.features, phi.sets, nothing)


@st.composite
def with_other_features(draw: Draw) -> tuple[Recipe, Recipe]:
    """Draw a network with other features, and categories where no output is called like them."""
    recipe = draw(recipes())
    tied = any(isinstance(head, TiedHead) for head in recipe.heads)
    changing = ["features", *["categories"] * (not tied)]
    return recipe, rewritten(draw, recipe, dict.fromkeys(changing, extended), "b")


@law(with_other_features())
def test_only_features_change(chain: tuple[Recipe, Recipe]) -> None:
    """Law: on pure feature changes it and the coupling matcher give one plan."""
    source, target = (
        suture.trace(built(recipe, build(recipe, seed, torch.float64)))
        for seed, recipe in enumerate(chain)
    )
    plan = suture.plan(source, target)
    assert suture.plan(source, target, matcher="interactions") == plan


def test_features_come_and_move() -> None:
    """Columns move with their features, and new ones are not read."""
    source, target = network("x", "v"), network("v", "wind", "x")
    plan = suture.plan(suture.trace(source), suture.trace(target), matcher="interactions")
    target.model.load_state_dict(
        suture.apply(plan, source.model.state_dict(), target.model.state_dict())
    )
    assert plan.exact
    assert suture.verify(plan, source, target).equal


def test_a_key_that_the_source_lacks() -> None:
    """What only new features reach is fresh; so is what is reached by an old one no more."""
    source, target = suture.trace(network("x", "v")), suture.trace(network("u", "x"))
    plan = suture.plan(source, target, matcher="interactions")
    assert [region for region, _ in fills(plan, "0.weight")] == [
        (((0, 7),), ((1, 2),)),
        (((0, 7),), ((0, 1),)),
    ]


def test_a_map_that_found_nothing() -> None:
    """Where no difference is seen leading entries are copied; the plan says that it is wrong."""
    source, target = suture.trace(network("x", "v")), suture.trace(network("wind", "x", "v"))
    phi = blind(suture.interactions(source)), blind(suture.interactions(target))
    plan = suture.plan(source, target, matcher="interactions", phi=phi)
    copied = fills(plan, "0.weight")[0]
    assert copied[0] == (((0, 7),), ((0, 2),))
    assert not plan.exact
    inexact = [f"{note.subject}: {note.reason}" for note in plan.notes if note.kind == "inexact"]
    assert "0.weight dim 1: its feature groups lie elsewhere than its units" in inexact


def test_the_map_of_either_method() -> None:
    """The gradient mapping, repaired, gives the plan of the boolean one."""
    source, target = network("x", "v"), network("v", "wind", "x")
    phi = suture.gradient_interactions(source), suture.gradient_interactions(target)
    graphs = suture.trace(source), suture.trace(target)
    plan = suture.plan(*graphs, matcher="interactions", phi=phi)
    assert plan == suture.plan(*graphs, matcher="interactions")


def test_features_that_the_maps_do_not_share() -> None:
    """A map of a sample of the features tells the others not apart."""
    source, target = network("x", "v"), network("wind", "x", "v")
    one, other = (suture.gradient_interactions(s, features=["input.v"]) for s in (source, target))
    graphs = suture.trace(source), suture.trace(target)
    plan = suture.plan(*graphs, matcher="interactions", phi=(one, other))
    (moved, *_) = fills(plan, "0.weight")
    assert moved[1].terms[0].index[1] == ((0, 2),)


def test_a_matcher_that_there_is_not() -> None:
    """The error names those that there are."""
    graph = suture.trace(network("x", "v"))
    matcher: Any = "interaction"
    assert refused(lambda: suture.plan(graph, graph, matcher=matcher)) == error(
        """
        PlanError: There is no matcher 'interaction'.
          known    coupling, interactions

        hint: did you mean 'interactions'?
        """
    )


def test_interactions_for_the_coupling_matcher() -> None:
    """It finds its own, and says so rather than leave what it was given."""
    graph = suture.trace(network("x", "v"))
    phi = suture.interactions(graph)
    assert refused(lambda: suture.plan(graph, graph, phi=(phi, phi))) == error(
        """
        PlanError: The coupling matcher finds its own interactions.

        hint: give matcher="interactions" to plan by phi alone
        """
    )


def test_the_interactions_of_other_networks() -> None:
    """In the wrong order they are refused, with both sides."""
    source, target = suture.trace(network("x", "v")), suture.trace(network("wind", "x", "v"))
    phi = suture.interactions(target), suture.interactions(source)
    action = partial(suture.plan, source, target, matcher="interactions", phi=phi)
    assert refused(action) == error(
        """
        PlanError: The interactions are those of other networks.
          source   0.weight is f32[7,3] in phi, f32[7,2] in the source
          target   0.weight is f32[7,2] in phi, f32[7,3] in the target

        hint: give phi=(of source, of target)
        """
    )


def test_the_interactions_of_one_network_alone() -> None:
    """Both are needed."""
    graph = suture.trace(network("x", "v"))
    phi: Any = suture.interactions(graph)
    assert refused(lambda: suture.plan(graph, graph, matcher="interactions", phi=phi)) == error(
        """
        PlanError: The matcher needs the interactions of the source and of the target.
          phi      is Interactions

        hint: give phi=(of source, of target)
        """
    )
