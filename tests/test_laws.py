"""The laws of surgery over generated networks: identity, names, growth, composition, and the rest.

Weights are generic and of order one, in float64: a structural fault is as large as an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from torch import Tensor, nn

import suture
from carried import carry, carry_on, difference, plan_between
from entries import carried_entries, marked, painted, positions, restored, same, tied_names
from laws import law
from modules import build
from networks import (
    CUTTING,
    GROWING,
    REPLACING,
    SHUFFLING,
    STRETCHING,
    chains,
    recipe_with,
    recipes,
)
from recipes import Recipe, Shared, mixed
from suture import Plan
from suture._plan import Sum
from worlds import answers, between, subject

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")

ROUNDING = 1e-10
"""What summing in another order may change, relative to the largest answer."""

Chain = tuple[Recipe, ...]


def promised(recipes: Chain) -> bool:
    """Whether nothing that a network mixes along its axis has changed."""
    return len({mixed(recipe) for recipe in recipes}) == 1


@law(recipes())
def test_a_network_carried_into_itself(recipe: Recipe) -> None:
    """Law 1: every bit of parameters and buffers is copied, and the plan promises exactness."""
    carried = carry(recipe, recipe)
    assert carried.plan.exact
    same(carried.target.state_dict(), carried.source.state_dict())


@law(chains(SHUFFLING))
def test_names_in_another_order(chain: Chain) -> None:
    """Law 2: the weights are permuted, and every named output is what it was."""
    before, after = chain
    carried = carry(before, after)
    old, new = carried.source.state_dict(), carried.target.state_dict()
    same(
        {name: value.flatten().sort().values for name, value in old.items()},
        {name: value.flatten().sort().values for name, value in new.items()},
    )
    assert carried.plan.exact
    assert difference(carried) < ROUNDING


@law(chains(REPLACING), few=25)
def test_any_mix_of_growth_in_one_step(chain: Chain) -> None:
    """Law 3: old outputs stay for any value of the new features; so it is promised."""
    before, after = chain
    carried = carry(before, after)
    assert carried.plan.exact or not promised(chain), carried.plan.notes
    assume(carried.plan.exact)
    assert max(difference(carried, seed) for seed in range(2)) < ROUNDING


@law(chains(GROWING))
def test_growth_in_single_precision(chain: Chain) -> None:
    """Law 3: in float32 old outputs stay within 1e-5."""
    before, after = chain
    carried = carry(before, after, torch.float32)
    assume(carried.plan.exact)
    assert difference(carried) < 1e-5


@law(chains(STRETCHING) | chains(CUTTING), few=25)
def test_changes_that_may_cost_something(chain: Chain) -> None:
    """Law 3: a plan that says nothing is exact, also where mixed axes or hidden units change."""
    before, after = chain
    carried = carry(before, after)
    assume(carried.plan.exact)
    assert difference(carried) < ROUNDING


@law(chains(STRETCHING) | chains(CUTTING))
def test_a_difference_measured_by_verify(chain: Chain) -> None:
    """`verify` finds no difference where the plan is exact, and one where the answers differ."""
    before, after = chain
    carried = carry(before, after)
    source, target = subject(before, carried.source), subject(after, carried.target)
    report = suture.verify(carried.plan, source, target)
    measured = difference(carried)
    assert not carried.plan.exact or report.max_rel_diff < ROUNDING
    assert not carried.plan.exact or all(one.max_rel < ROUNDING for one in report.generic)
    assert report.generic_states == 2
    assert not report.apart or report.parted.startswith("at "), report.parted
    assert measured < 1e-3 or report.max_abs_diff > ROUNDING


def test_most_generated_growth_is_promised() -> None:
    """Law 3 says something: most changes that are drawn touch no mixed axis."""
    kept: list[bool] = []

    @settings(max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(chains(REPLACING))
    def sample(chain: Chain) -> None:
        kept.append(promised(chain))

    sample()
    assert np.mean(kept) > 0.6


def related(before: Recipe, after: Recipe) -> bool:
    """Whether every encoder of several inputs keeps a feature.

    Where all are other ones, nothing tells which of the inputs of one encoder lies where, and the
    match says so.
    """
    old = {each.name: {*each.features} for each in before.encoders if isinstance(each, Shared)}
    new = {each.name: {*each.features} for each in after.encoders if isinstance(each, Shared)}
    return all(old[name] & new[name] for name in old.keys() & new.keys())


@law(chains(REPLACING, REPLACING))
def test_two_steps_and_one_step(chain: Chain) -> None:
    """Law 4: on entries that live in the middle network, two plans one after the other are one."""
    assume(related(chain[0], chain[2]))
    models = [build(recipe, seed) for seed, recipe in enumerate(chain)]
    once, first, then = (
        plan_between(chain[i], models[i], chain[j], models[j]) for i, j in ((0, 2), (0, 1), (1, 2))
    )
    assume(once.exact == (first.exact and then.exact))  # not copies one way, others another
    source, middle, own = (
        marked(model.state_dict(), 1000 * 10**power, sign)
        for model, power, sign in zip(models, (0, 0, 5), (1, -1, -1), strict=True)
    )
    direct = suture.apply(once, source, own)
    composed = suture.apply(then, suture.apply(first, source, middle), own)
    for name, carried in carried_entries(then, own).items():
        came, made = composed[name][carried], direct[name][carried]
        came, made = came.clamp(min=-1), made.clamp(min=-1)
        assert torch.allclose(came, made, rtol=1e-12, atol=0), name


@law(chains(GROWING))
def test_growing_and_shrinking_back(chain: Chain) -> None:
    """Law 5: what has grown and shrunk back is what it was, bit by bit if never scaled."""
    small, large = chain
    grown = carry(small, large)
    back = carry_on(large, grown.target, small)
    plans = grown.plan, back.plan
    restored(back.target.state_dict(), grown.source.state_dict(), *plans)


@law(chains(CUTTING))
def test_every_entry_is_planned_once(chain: Chain) -> None:
    """Law 6: the blocks of a tensor are a partition, and every tensor of the target is planned."""
    before, after = chain
    carried = carry(before, after)
    state, tensors = carried.target.state_dict(), carried.plan.tensors
    planned = [name for tensor in tensors for name in (tensor.target.name, *tensor.tied)]
    assert sorted(planned) == sorted(state)
    for tensor in tensors:
        assert tensor.target.shape == tuple(state[tensor.target.name].shape)
        assert bool((painted(tensor, (block.region for block in tensor.blocks)) == 1).all())


@law(chains(STRETCHING))
def test_tied_parameters_stay_tied(chain: Chain) -> None:
    """Law 6: names of one tensor get one plan and the same values."""
    before, after = chain
    carried = carry(before, after)
    untouched = build(after, 2).state_dict()
    state = suture.apply(carried.plan, carried.source.state_dict(), untouched)
    groups = [{tensor.target.name, *tensor.tied} for tensor in carried.plan.tensors]
    for one, other in tied_names(untouched):
        assert any({one, other} <= group for group in groups)
        assert torch.equal(state[one], state[other])


def smooth(recipe: Recipe) -> Recipe:
    """Replace what may be flat over a whole batch, and so teach nothing."""
    return recipe_with(recipe, lambda _, old: "tanh" if old in ("relu", "prelu") else old)


def gradients(recipe: Recipe, model: nn.Module) -> dict[str, Tensor]:
    """Gradients of a generic loss: the squared distance of all outputs to random goals."""
    world = between(recipe, recipe, seed=5, batch=24)
    stream = torch.Generator().manual_seed(0)
    outputs = torch.stack(list(answers(recipe, model, world).values()))
    goals = torch.randn(outputs.shape, generator=stream, dtype=torch.float64)
    loss = (outputs - goals).square().sum()
    names, weights = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, weights), strict=True))


def learned(recipe: Recipe, model: nn.Module) -> dict[str, Tensor]:
    """Take two steps of gradient descent; sum up the size of each entry's gradients."""
    seen: dict[str, Tensor] = {}
    for _ in range(2):
        found = gradients(recipe, model)
        largest = max(float(gradient.abs().max()) for gradient in found.values())
        for name, weight in model.named_parameters():
            weight.data.sub_(found[name], alpha=0.1 / largest)
            seen[name] = seen.get(name, 0) + found[name].abs() / largest
    return seen


def fresh_slices(plan: Plan) -> Iterator[tuple[str, int, list[int]]]:
    """Per parameter that has a source and per dim: the positions where nothing is carried."""
    for tensor in plan.tensors:
        if tensor.kind == "parameter" and tensor.source is not None:
            regions = [block.region for block in tensor.blocks if isinstance(block.fill, Sum)]
            for dim, size in enumerate(tensor.target.shape):
                old = {place for region in regions for place in positions(region[dim])}
                yield tensor.target.name, dim, [place for place in range(size) if place not in old]


@law(chains(GROWING), few=25)
def test_fresh_units_learn(chain: Chain) -> None:
    """Law 9: in two steps every fresh slice gets a gradient wherever generic weights would."""
    assume(promised(chain))
    recipe = smooth(chain[-1])
    carried = carry(smooth(chain[0]), recipe)
    usual, seen = learned(recipe, build(recipe, 2)), learned(recipe, carried.target)
    dead = [
        (name, dim, place)
        for name, dim, places in fresh_slices(carried.plan)
        for place in places
        if float(usual[name].select(dim, place).max()) > 1e-6
        and not seen[name].select(dim, place).any()
    ]
    assert dead == []


@law(chains(GROWING))
def test_fresh_units_differ(chain: Chain) -> None:
    """Law 9: after two steps no two fresh slices of a parameter are equal."""
    assume(promised(chain))
    before, after = map(smooth, chain)
    carried = carry(before, after)
    learned(carried.after, carried.target)
    weights = dict(carried.target.named_parameters())
    twins = [
        (name, dim, one, other)
        for name, dim, places in fresh_slices(carried.plan)
        for one, other in combinations(places, 2)
        if torch.equal(weights[name].select(dim, one), weights[name].select(dim, other))
    ]
    assert twins == []
