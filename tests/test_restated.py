"""Inputs that are restated: constants folded into biases, scales that the first weights undo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume
from torch import Tensor, nn

import suture
from laws import law
from modules import build
from nets import Net, generic, given, listed, mlp, subject
from networks import REPLACING, chains
from recipes import Names, Port, Recipe, ports
from suture import Affine, Plan, PlanError, Subject
from worlds import World, answers, between
from worlds import subject as subject_of

ROUNDING = 1e-10

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")


@pytest.fixture(autouse=True)
def double_precision() -> Any:
    """Rounding is as small as it can be."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@dataclass(frozen=True, slots=True)
class OldWorld(World):
    """A world as the old model sees it: what is gone is constant, scales are those of before."""

    constants: Mapping[str, float] = field(default_factory=dict)
    rescaled: Mapping[str, Affine] = field(default_factory=dict)

    def value(self, port: str, names: Names, sizes: tuple[int, ...]) -> Tensor:
        """Give the value of one feature."""
        (full, *_) = [f"{port}.{name}" for name in names[-1:]]
        plain = World(self.seed, self.batch, self.absent, self.choices)
        drawn = plain.value(port, names, sizes)
        if full in self.constants:
            return torch.full_like(drawn, self.constants[full])
        return self.rescaled[full].old(drawn) if full in self.rescaled else drawn


def carried_over(
    chain: tuple[Recipe, ...], constants: dict[str, float], rescaled: dict[str, Affine]
) -> tuple[Plan, nn.Module, nn.Module]:
    before, after = chain
    source, target = build(before, 1), build(after, 2)
    plan = suture.plan(
        suture.trace(subject_of(before, source)),
        suture.trace(subject_of(after, target)),
        constants={f"world.{name}": value for name, value in constants.items()},
        rescaled={f"world.{name}": affine for name, affine in rescaled.items()},
    )
    target.load_state_dict(suture.apply(plan, source.state_dict(), target.state_dict()))
    return plan, source, target


def shared_difference(
    chain: tuple[Recipe, ...], source: nn.Module, target: nn.Module, old: World
) -> float:
    new = World(old.seed, old.batch, frozenset(), old.choices)
    with torch.no_grad():
        theirs, ours = answers(chain[0], source, old), answers(chain[1], target, new)
    shared = theirs.keys() & ours.keys()
    largest = max(float(theirs[name].abs().max()) for name in shared)
    return max(float((theirs[n] - ours[n]).abs().max()) for n in shared) / max(largest, 1.0)


def features(recipe: Recipe) -> set[str]:
    """Name the features along the last named dim of each input: those of others cross them."""
    named = {
        name: [dim for dim in port.dims if isinstance(dim, tuple)]
        for name, port in ports(recipe).items()
        if isinstance(port, Port)
    }
    return {f"{name}.{each}" for name, dims in named.items() if dims for each in dims[-1]}


def statements(chain: tuple[Recipe, ...]) -> tuple[dict[str, float], dict[str, Affine]]:
    """Say something of all features that are gone, and of some others; alike of namesakes."""
    gone, kept = features(chain[0]) - features(chain[1]), features(chain[0]) & features(chain[1])
    sizes = {name: len(name.partition(".")[2]) for name in gone | kept}
    constants = {name: sizes[name] - 3.5 for name in sorted(gone)}
    rescaled = {
        name: Affine(1.5 + sizes[name], 0.5 * (sizes[name] % 3))
        for name in sorted(kept)
        if sizes[name] % 2
    }
    return constants, rescaled


@law(chains(REPLACING), few=25)
def test_constants_and_scales_in_any_network(chain: tuple[Recipe, ...]) -> None:
    """Law 3: where the plan is exact, old outputs stay with all that is said of features."""
    constants, rescaled = statements(chain)
    assume(constants or rescaled)
    plan, source, target = carried_over(chain, constants, rescaled)
    assume(plan.exact)
    world = between(chain[0], chain[1])
    absent = world.absent - constants.keys()
    old = OldWorld(world.seed, world.batch, absent, world.choices, constants, rescaled)
    assert shared_difference(chain, source, target, old) < ROUNDING


def named(features: str, width: int = 4) -> Subject:
    count = len(features)
    return subject(mlp(width, count), given(count), inputs={"x": listed(features)})


def measured(plan: Plan, source: Subject, target: Subject) -> float:
    report = suture.verify(plan, source, target)
    return max([report.max_rel_diff, *(each.max_rel for each in report.generic)])


def reasons(plan: Plan) -> list[tuple[str, str, str]]:
    return [(n.kind, n.subject, n.reason) for n in plan.notes if n.subject.startswith("x.")]


def test_a_constant_that_is_gone() -> None:
    """It is folded into the bias, and the states of verification hold it there."""
    source, target = named("abc"), named("axc", 6)
    plan = suture.transfer(source, target, constants={"x.b": 0.7})
    assert plan.exact
    assert measured(plan, source, target) < ROUNDING
    report = suture.verify(plan, source, target)
    assert str(report).splitlines()[0] == "8 world states, x.b held at 0.7"
    assert reasons(plan) == [
        ("condition", "x.b", "is gone: the old function as if it were 0.7"),
    ]
    old, new = (each.model.get_parameter("into.bias") for each in (source, target))
    column = source.model.get_parameter("into.weight")[:, 1]
    assert torch.allclose(new[:4], old + 0.7 * column, atol=1e-12)


def test_a_mean_that_is_gone() -> None:
    """The same, and the plan says that it is an approximation."""
    source, target = named("abc"), named("ac")
    plan = suture.transfer(source, target, means={"x.b": 1.3})
    assert not plan.exact
    assert measured(plan, source, target) < ROUNDING
    assert reasons(plan)[0] == (
        "approximate",
        "x.b",
        "is gone: approximate, exact where it is its mean 1.3",
    )


def test_kilometres_an_hour() -> None:
    """Weights are divided by the scale, and the shift goes into the bias."""
    source, target = named("abc"), named("cab", 6)
    plan = suture.transfer(source, target, rescaled={"x.b": Affine(3.6, -2.0)})
    assert plan.exact
    assert measured(plan, source, target) < ROUNDING
    assert reasons(plan) == [("condition", "x.b", "is 3.6 x the old one - 2: its weights undo it")]


def test_a_plan_with_all_of_it_as_json() -> None:
    """What is said of features is part of the plan."""
    source, target = named("abcd"), named("xca", 6)
    graphs = suture.trace(source), suture.trace(target)
    said: Any = {"constants": {"x.b": 0.5}, "means": {"x.d": 2}, "rescaled": {"x.a": Affine(2, 1)}}
    plan = suture.plan(*graphs, **said)
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.inputs[0].rescaled[0].affine == Affine(2, 1)
    assert [(one.name, one.value) for one in plan.inputs[0].held] == [("x.b", 0.5), ("x.d", 2.0)]


def test_several_readers() -> None:
    """Every parameter that reads the feature takes its part, weights laid either way round."""

    def net(features: str) -> Subject:
        count = len(features)
        model = Net(
            lambda m, x: m.a(x).relu() + (x @ m.b + m.c).tanh(),
            a=nn.Linear(count, 5),
            b=nn.Parameter(torch.ones(count, 5)),
            c=nn.Parameter(torch.ones(5)),
        )
        return subject(generic(model), given(count), inputs={"x": listed(features)})

    source, target = net("abc"), net("ca")
    said: Any = {"constants": {"x.b": 0.7}, "rescaled": {"x.a": Affine(0.5, 3.0)}}
    plan = suture.transfer(source, target, **said)
    assert plan.exact
    assert measured(plan, source, target) < ROUNDING


def recurrent(features: str) -> Subject:
    count = len(features)
    model = Net(lambda m, x: m.core(x)[0], core=nn.LSTM(count, 5, batch_first=True))
    return subject(generic(model), torch.randn(4, 3, count), inputs={"x": listed(features)})


def image(channels: str, padding: int = 0) -> Subject:
    conv = nn.Conv2d(len(channels), 5, 3, padding=padding)
    model = Net(lambda m, x: m.conv(x).relu().mean((2, 3)), conv=conv)
    pixels = torch.randn(4, len(channels), 6, 7)
    return subject(generic(model), pixels, inputs={"x": {1: listed(channels)}})


def flattened(channels: str) -> Subject:
    model = Net(lambda m, x: m.out(x.flatten(1)), out=nn.Linear(len(channels) * 6, 2))
    pixels = torch.randn(4, len(channels), 2, 3)
    return subject(generic(model), pixels, inputs={"x": {1: listed(channels)}})


@pytest.mark.parametrize("net", [recurrent, image, flattened])
def test_other_first_layers(net: Any) -> None:
    """Gates, kernels and products of axes sum over all that read the feature."""
    source, target = net("abc"), net("ca")
    said: Any = {"constants": {"x.b": 0.7}, "rescaled": {"x.a": Affine(2.5, 1.5)}}
    plan = suture.transfer(source, target, **said)
    assert plan.exact, plan.notes
    assert measured(plan, source, target) < ROUNDING


def test_a_convolution_that_pads() -> None:
    """At the border a constant reads less of the kernel: only scales are exact."""
    plan = suture.transfer(image("abc", 1), image("ab", 1), rescaled={"x.a": Affine(2.5)})
    assert plan.exact
    said: Any = {"constants": {"x.c": 0.7}, "rescaled": {"x.a": Affine(2.5, 1)}}
    plan = suture.transfer(image("abc", 1), image("ab", 1), **said)
    why = "convolution in conv pads with something else"
    assert reasons(plan)[:2] == [
        ("inexact", "x.c", f"is gone, and no bias takes up 0.7: {why}"),
        ("inexact", "x.a", f"is shifted, and no bias takes it up: {why}"),
    ]


def test_layers_without_a_bias() -> None:
    """A constant of 0 and a scale need none."""

    def net(features: str) -> Subject:
        layer = nn.Linear(len(features), 4, bias=False)
        model = generic(Net(lambda m, x: m.layer(x).tanh(), layer=layer))
        return subject(model, given(len(features)), inputs={"x": listed(features)})

    source, target = net("abc"), net("ac")
    plan = suture.transfer(
        source, target, constants={"x.b": 0.0}, rescaled={"x.c": Affine(scale=-2.0)}
    )
    assert plan.exact
    assert measured(plan, source, target) < ROUNDING
    plan = suture.transfer(source, target, constants={"x.b": 1.0})
    told = "is gone, and no bias takes up 1: nothing is added to what layer.weight gives"
    assert reasons(plan)[0] == ("inexact", "x.b", told)


def test_features_that_go_elsewhere_too() -> None:
    """What is not a product with weights is named."""

    def net(features: str) -> Subject:
        model = Net(
            lambda m, x: m.layer(x) * x.square().mean(-1, keepdim=True),
            layer=nn.Linear(len(features), 4),
        )
        return subject(generic(model), given(len(features)), inputs={"x": listed(features)})

    plan = suture.transfer(net("ab"), net("ab"), rescaled={"x.a": Affine(2.0)})
    why = "pow reads it otherwise than a product with weights"
    assert reasons(plan) == [
        ("inexact", "x.a", f"is on another scale, and no weight takes it up: {why}")
    ]


def test_weights_that_two_inputs_share() -> None:
    """What is said of one input must be true of the other."""

    def net() -> Subject:
        model = Net(lambda m, x, y: m.layer(x) + m.layer(y), layer=nn.Linear(3, 4))
        inputs: Any = {"x": listed("abc"), "y": listed("abc")}
        return subject(generic(model), given(), given(), inputs=inputs)

    plan = suture.transfer(net(), net(), rescaled={"x.a": Affine(2.0)})
    assert not plan.exact
    assert "it is one unit with an entry of y" in reasons(plan)[0][2]
    both = {"x.a": Affine(2.0, 1.0), "y.a": Affine(2.0, 1.0)}
    source, target = net(), net()
    plan = suture.transfer(source, target, rescaled=both)
    assert plan.exact
    assert measured(plan, source, target) < ROUNDING


def test_an_input_that_is_gone() -> None:
    """A whole input may be a constant, and entries of it by name."""

    def both(m: Any, x: Tensor, y: Tensor) -> Any:
        return m.layer(torch.cat([x, y], -1)).tanh()

    def old() -> Subject:
        inputs: Any = {"x": listed("abc"), "y": listed("de")}
        model = generic(Net(both, layer=nn.Linear(5, 4)))
        return subject(model, given(), given(2), inputs=inputs)

    def new() -> Subject:
        model = generic(Net(lambda m, x: m.layer(x).tanh(), layer=nn.Linear(3, 4)))
        return subject(model, given(), inputs={"x": listed("abc")})

    for constants in ({"y": 0.5}, {"y.d": 0.5, "y.e": -2.0}):
        source, target = old(), new()
        plan = suture.transfer(source, target, constants=constants)
        assert plan.exact, plan.notes
        assert measured(plan, source, target) < ROUNDING


def test_features_along_two_dims() -> None:
    """An entry would be of both: that is refused."""

    def net() -> Subject:
        model = generic(Net(lambda m, x: m.layer(x), layer=nn.Linear(3, 4)))
        named: Any = {"x": {1: ["me", "foe"], 2: listed("abc")}}
        return subject(model, torch.randn(5, 2, 3), inputs=named)

    with pytest.raises(PlanError, match=r"x\.a +lies along another dim than x\.me: say it of one"):
        suture.transfer(net(), net(), rescaled={"x.a": Affine(2.0), "x.me": Affine(2.0)})


def test_names_that_do_not_fit() -> None:
    """Every one is listed, and what was meant is guessed."""
    said: Any = {
        "constants": {"x.c": 0.7, "x.q": 1},
        "means": {"x.b": np.nan},
        "rescaled": {"x.bb": Affine(0, 1.5), "x.a": 3},
    }
    with pytest.raises(PlanError) as caught:
        suture.transfer(named("abc"), named("ac"), **said)
    assert str(caught.value) == (
        "What is said of features does not fit the models.\n"
        "  x.c      is in the new model too\n"
        "  x.q      is no feature of the old model\n"
        "  x.b      is held at nan, which is no finite number\n"
        "  x.bb     a scale of 0 and a shift of 1.5 cannot be undone\n"
        "  x.bb     is no feature of real numbers that both models have\n"
        "  x.a      3 is no Affine: write suture.Affine(scale=3.6, shift=0.0)\n\n"
        "hint: did you mean 'x.b'?"
    )
