"""The map of interactions: masks, groups, counts and the ways to ask agree with each other."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import nn

import suture
import worlds
from laws import law
from modules import build
from networks import recipes
from recipes import Recipe
from refusals import error, refused
from suture import Interactions, Schema, Subject


def shape(phi: Interactions, parameter: str) -> tuple[int, ...]:
    return phi.touched[parameter].tensor.shape


def entries(phi: Interactions, parameter: str, feature: str) -> int:
    """Count the entries of a parameter that a feature reaches, one by one."""
    return int(np.broadcast_to(phi.mask(parameter, feature), shape(phi, parameter)).sum())


@law(recipes(), few=8)
def test_a_generated_network(recipe: Recipe) -> None:
    """Every way of asking gives what counting the masks of single features does."""
    model = build(recipe, 0)
    phi = suture.interactions(suture.trace(worlds.subject(recipe, model)))
    named = dict(model.named_parameters())
    counts = {(name, f): entries(phi, name, f) for name in phi.touched for f in phi.features}
    assert phi.total == sum(counts[name, feature] for name in named for feature in phi.features)
    for name in phi.touched:
        assert phi.interactions(name) == sum(counts[name, feature] for feature in phi.features)
        groups_partition(phi, name)
    for feature in phi.features:
        found = {name: counts[name, feature] for name in named if counts[name, feature]}
        assert phi.parameters(feature) == found


def groups_partition(phi: Interactions, parameter: str) -> None:
    """Require every entry to be in one group, with the features whose masks hold it."""
    groups, whole = phi.groups(parameter), shape(phi, parameter)
    masks = [np.broadcast_to(group.mask, whole) for group in groups]
    assert (np.sum(masks, axis=0) == 1).all()
    assert [group.entries for group in groups] == [int(mask.sum()) for mask in masks]
    assert sum(group.entries for group in groups) == prod(whole)
    assert len({group.features for group in groups}) == len(groups)
    for group, mask in zip(groups, masks, strict=True):
        assert len(group.features) == group.size
        for feature in phi.features:
            held = np.broadcast_to(phi.mask(parameter, feature), whole)[mask]
            assert (held == (feature in group.features)).all()


def test_masks_broadcast() -> None:
    """A mask has the parameter's dims, of size one where the answer is the same."""
    schema = Schema(inputs={"input": ["x", "v"]})
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    phi = suture.interactions(suture.trace(Subject(model, (torch.zeros(5, 2),), schema=schema)))
    assert {name: phi.mask(name, "input.v").shape for name in phi.touched} == {
        "0.weight": (1, 2),
        "0.bias": (1,),
        "1.weight": (1, 1),
        "1.bias": (1,),
    }


def test_a_map_of_something_that_is_no_graph() -> None:
    """A subject has to be traced first."""
    subject = Subject(nn.Linear(2, 3), (torch.zeros(5, 2),))
    assert refused(lambda: suture.interactions(subject)) == error(  # type: ignore[arg-type]
        """
        TraceError: Interactions are found in a Graph, not in Subject.

        hint: trace it first: interactions(trace(subject))
        """
    )


def test_two_features_of_one_name() -> None:
    """Names joined by dots may come to be one."""
    schema = Schema(inputs={"input": {1: ["me", "me.left"], 2: ["left.hand", "hand", "foot"]}})
    graph = suture.trace(Subject(nn.Linear(3, 4), (torch.zeros(5, 2, 3),), schema=schema))
    assert refused(lambda: suture.interactions(graph)) == error(
        """
        SchemaError: Features have one full name.
          input.me.left.hand 2 features

        hint: leave dots out of the names of a schema
        """
    )
