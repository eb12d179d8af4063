"""Interactions by gradients: what each repair shows, what is left alone, and what is refused."""

from __future__ import annotations

import copy
import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import suture
from maps import lost
from nets import Net, given, mlp, subject
from refusals import error, refused
from suture import Interactions, Subject, TraceError
from suture._torch import _probe

ABC = ["a", "b", "c"]


def named(net: nn.Module, *args: Tensor) -> Subject:
    """Run a network on a batch of three features."""
    return subject(net, *(args or (given(),)), inputs={"x": ABC})


def found(net: nn.Module, **options: Any) -> Interactions:
    return suture.gradient_interactions(named(net), **options)


def known(net: nn.Module) -> Interactions:
    return suture.interactions(suture.trace(named(net)))


# What each repair shows


def better(pick: Any) -> Net:
    """The better of two layers."""
    return Net(lambda m, x: pick(m.a(x), m.b(x)), a=nn.Linear(3, 8, bias=False),
               b=nn.Linear(3, 8, bias=False))  # fmt: skip


def test_a_maximum_hides_what_it_does_not_pick() -> None:
    """Of two layers each unit shows one, and an average shows both."""
    net = better(torch.maximum)
    picked = found(net, pooling="max")
    for feature in picked.features:
        seen = [picked.mask(name, feature).any(axis=1) for name in ("a.weight", "b.weight")]
        assert (np.broadcast_to(seen[0], 8) ^ np.broadcast_to(seen[1], 8)).all()
    assert lost(found(net), known(net)) == {}


@pytest.mark.parametrize(
    "pick",
    [
        lambda a, b: torch.stack([a, b]).amax(0),
        lambda a, b: torch.stack([a, b]).max(0).values,
        lambda a, b: torch.stack([a, b]).sort(0).values[0],
        lambda a, b: torch.stack([a, b]).topk(1, 0).values[0],
        lambda a, b: torch.stack([a, b]).median(0).values,
        lambda a, b: nn.functional.max_pool1d(torch.stack([a, b], dim=-1), 2)[..., 0],
        lambda a, b: nn.functional.adaptive_max_pool1d(torch.stack([a, b], dim=-1), 1)[..., 0],
    ],
)
def test_every_way_to_pick_the_larger(pick: Any) -> None:
    """It hides a half, whatever it is called."""
    net = better(pick)
    assert 2 * found(net, pooling="max").total == found(net).total == known(net).total


def deep(act: nn.Module, width: int = 50) -> Net:
    """Three layers of many units."""
    first, second, third = (nn.Linear(a, b) for a, b in pairwise((3, width, width, 2)))
    return Net(lambda m, x: m.third(act(m.second(act(m.first(x))))), first=first, second=second,
               third=third)  # fmt: skip


class Larger(nn.Module):
    """What thousands of inputs would make."""

    def forward(self, x: Tensor) -> Tensor:
        return 60 * x


@pytest.mark.parametrize("act", [nn.Tanh(), nn.Sigmoid(), nn.Softsign(), nn.Hardtanh()])
def test_what_saturates_hides_all_before_it(act: nn.Module) -> None:
    """Large sums of positive values lie where floats show no slope."""
    net = deep(nn.Sequential(Larger(), act))
    raw, repaired = found(net, saturation="raw"), found(net)
    assert repaired.total == known(net).total
    hides = not isinstance(act, nn.Softsign)  # its slope falls, and stays
    hidden = [raw.interactions(f"{name}.weight") == 0 for name in ("first", "second", "third")]
    assert hidden == [hides, hides, False]


def test_random_weights_leave_units_dead() -> None:
    """About a half of all units is off for a feature alone, and so is what they read and give."""
    net = deep(nn.ReLU())
    share = found(net, init="random").total / known(net).total
    assert 0.1 < share < 0.5
    assert lost(found(net), known(net)) == {}


def test_random_weights_differ_by_seed() -> None:
    """The same seed finds the same."""
    net = deep(nn.ReLU())
    totals = [found(net, init="random", seed=seed).total for seed in (1, 1, 2)]
    assert totals[0] == totals[1] != totals[2]


@pytest.mark.parametrize(
    "cancels",
    [
        lambda h: h - h,
        lambda h: h + (-h),
        lambda h: h.softmax(dim=1).sum(dim=1, keepdim=True) * torch.ones(2),
    ],
)
def test_what_cancels_is_found_with_positive_weights(cancels: Any) -> None:
    """With random ones, and ops as they are, it is not."""
    net = Net(lambda m, x: cancels(m.a(x)), a=nn.Linear(3, 2))
    assert found(net).total == known(net).total == 12
    assert found(net, init="random", pooling="max", saturation="raw").interactions("a.bias") == 0


# What is left alone


def test_a_model_is_as_it_was() -> None:
    """Weights, buffers, mode, gradients, attributes and all random states."""
    net = mlp(4, norm=nn.BatchNorm1d(4), drop=nn.Dropout(0.5)).train()
    before, mode = copy.deepcopy(net.state_dict()), [m.training for m in net.modules()]
    seen = named(net)
    states = random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state()  # noqa: NPY002
    suture.gradient_interactions(seen)
    assert random.getstate() == states[0]
    assert str(np.random.get_state(legacy=False)) == str(states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])
    assert [m.training for m in net.modules()] == mode
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_weights_are_never_read() -> None:
    """A model of zeros, or of shapes alone, has the same map."""
    net = mlp(4, act=nn.Tanh())
    total = found(net).total
    for weight in net.parameters():
        nn.init.zeros_(weight)
    assert found(net).total == total
    assert found(net.to("meta")).total == total


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_model_of_any_precision(dtype: torch.dtype) -> None:
    """Half precision is probed in single."""
    net = mlp(4, act=nn.Tanh()).to(dtype)
    half = suture.gradient_interactions(named(net, given().to(dtype)))
    assert half.total == known(mlp(4, act=nn.Tanh())).total


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_where_gradients_are_off(mode: Any) -> None:
    """It is found all the same."""
    net = mlp(4)
    with mode():
        assert found(net).total == known(net).total


# How many at once


def test_more_features_than_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of features add up to all."""
    net, at_once = mlp(4, norm=nn.LayerNorm(4)), []
    for most in (1, 2, 64):
        monkeypatch.setattr(_probe, "MOST", most)
        at_once.append(found(net))
    assert [lost(one, at_once[-1]) for one in at_once] == [{}, {}, {}]


def test_some_features_alone() -> None:
    """They are the features of the map, in the order given; of the others nothing is said."""
    phi = found(mlp(4), features=["x.c", "x.a"])
    assert phi.features == ("x.c", "x.a")
    assert phi.mask("into.weight", "x.c").tolist() == [[False, False, True]]
    assert phi.total == 2 * (4 + 4 + 8 + 2)
    assert found(mlp(4), features=[]).total == 0


def test_values_of_any_size() -> None:
    """A hundred layers and more leave no value out of the range of floats."""
    layers = nn.Sequential(nn.Linear(3, 60), *(nn.Linear(60, 60) for _ in range(150)))
    net = Net(lambda m, x: m.layers(x), layers=layers)
    assert found(net).total == known(net).total
    shrinking = Net(lambda m, x: [m.a(x * 1e-30 * 1e-30), m.a(x).exp() * 1e30 * 1e30],
                    a=nn.Linear(3, 2))  # fmt: skip
    assert found(shrinking).total == known(shrinking).total


# What is refused


def test_options_that_there_are_not() -> None:
    """All of them at once, with what each may be."""
    wrong: Any = {"init": "positiv", "pooling": "mean", "saturation": "raw"}
    assert refused(lambda: found(mlp(4), **wrong)) == error(
        """
        SutureError: Repairs of a gradient are chosen by name.
          init     is 'positiv', and may be 'positive' or 'random'
          pooling  is 'mean', and may be 'average' or 'max'

        hint: did you mean 'positive'?
        """
    )


def test_features_that_there_are_not() -> None:
    """Unknown ones, and those that stand twice."""
    wrong = ["x.a", "x.d", "x.b", "x.a"]
    assert refused(lambda: found(mlp(4), features=wrong)) == error(
        """
        SchemaError: Features to probe are full names, each once.
          x.d      is none of the 3 features
          x.a      stands twice

        hint: did you mean 'x.c'?
        """
    )


def test_a_model_that_is_no_subject() -> None:
    """It is refused as by a trace."""
    wrong: Any = mlp(4)
    with pytest.raises(TraceError, match="Only a Subject can be traced, not Net"):
        suture.gradient_interactions(wrong)


@torch.library.custom_op("suture_tests::twice", mutates_args=())
def twice(x: Tensor) -> Tensor:
    """Double, without a gradient."""
    return x * 2


@twice.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


suture.rule("suture_tests.twice.default", "... -> ...", "linear")


def test_an_op_without_a_gradient() -> None:
    """Boolean logic needs none."""
    net = Net(lambda m, x: m.out(twice(m.a(x))), a=nn.Linear(3, 4), out=nn.Linear(4, 2))
    assert known(net).total == 3 * (4 + 4 + 8 + 2)
    assert refused(lambda: found(net)) == error(
        """
        TraceError: An op has no gradient.
          torch    Trying to backward through suture_tests.twice.default but no autograd formula was registered. Please use register_autograd to add one.

        hint: find the interactions without gradients: suture.interactions(suture.trace(subject))
        """  # noqa: E501
    )
