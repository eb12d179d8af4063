"""Interactions by gradients: what they share with the boolean map, and what each repair is for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import suture
from laws import law
from modules import build
from networks import recipes
from recipes import Attention, Recipe, Recurrent
from refusals import error, refused
from suture import Interactions, Schema, Subject
from worlds import subject as built

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")


def network(model: nn.Module, width: int = 3, **inputs: tuple[str, ...]) -> Subject:
    """A subject with named features; `input` if no other is given."""
    named = inputs or {"input": tuple(f"x{place}" for place in range(width))}
    seen = {name: torch.randn(5, len(features)) for name, features in named.items()}
    return Subject(model, kwargs=seen, schema=Schema(inputs=named))


class Net(nn.Module):
    """A forward made of a function, and the parts that it uses."""

    def __init__(self, forward: Any, **parts: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, **inputs: Tensor) -> Tensor:
        result: Tensor = self.run(self, **inputs)
        return result


def apart(one: Interactions, other: Interactions) -> dict[str, int]:
    """Count, by parameter, the interactions that one map has and the other has not."""
    found: dict[str, int] = {}
    for name, touched in one.touched.items():
        for feature in one.features:
            left, right = one.mask(name, feature), other.mask(name, feature)
            lacks = np.broadcast_to(left & ~right, touched.tensor.shape)
            found[name] = found.get(name, 0) + int(lacks.sum())
    return {name: count for name, count in found.items() if count}


def both(subject: Subject, **options: Any) -> tuple[Interactions, Interactions]:
    """The boolean map and the one by gradients."""
    return suture.interactions(suture.trace(subject)), suture.gradient_interactions(
        subject, **options
    )


def without_products(recipe: Recipe) -> bool:
    """Whether no two data items meet in a product of which one may be zero without the other."""
    gated = [e for e in recipe.encoders if isinstance(e, Recurrent) and e.kind != "RNN"]
    return not gated and not any(isinstance(e, Attention) for e in recipe.encoders)


@law(recipes().filter(without_products))
def test_networks_without_products_of_inputs(recipe: Recipe) -> None:
    """Law 8: with all repairs both maps are one."""
    boolean, gradient = both(built(recipe, build(recipe, 1, torch.float32)))
    assert apart(boolean, gradient) == {}
    assert apart(gradient, boolean) == {}


@law(recipes())
def test_nothing_but_interactions(recipe: Recipe) -> None:
    """Law 8: what a gradient shows the boolean map holds, also of gates and attention."""
    boolean, gradient = both(built(recipe, build(recipe, 1, torch.float32)))
    assert apart(gradient, boolean) == {}


def test_a_gate_of_other_features() -> None:
    """Footnote 6: behind a product of data with disjoint features nothing is found; before, too."""
    parts = {"a": nn.Linear(2, 4), "b": nn.Linear(3, 4), "out": nn.Linear(4, 2)}
    model = Net(lambda m, x, y: m.out(m.a(x) * torch.sigmoid(m.b(y))), **parts)
    boolean, gradient = both(network(model, x=("p", "q"), y=("r", "s", "t")))
    sizes = {name: touched.tensor.shape for name, touched in boolean.touched.items()}
    assert apart(boolean, gradient) == {
        "a.weight": 8,  # its columns: the other factor is zero where only x is not
        "a.bias": 8,
        "b.weight": 12,
        "b.bias": 12,
        "out.weight": 5 * sizes["out.weight"][0] * sizes["out.weight"][1],
        "out.bias": 10,
    }


def test_a_gate_of_the_same_features() -> None:
    """Where both factors carry a feature it is found."""
    parts = {"a": nn.Linear(3, 4), "b": nn.Linear(3, 4), "out": nn.Linear(4, 2)}
    model = Net(lambda m, x: m.out(m.a(x) * torch.sigmoid(m.b(x))), **parts)
    boolean, gradient = both(network(model, x=("p", "q", "r")))
    assert apart(boolean, gradient) == {}


def test_attention_between_inputs() -> None:
    """Queries and keys of disjoint features never meet in a gradient; values alone do not pass."""
    parts = {name: nn.Linear(3, 4) for name in ("q", "k", "v")}

    def forward(m: Any, x: Tensor, y: Tensor) -> Tensor:
        queries, keys, values = m.q(x[:, None]), m.k(y[:, None]), m.v(y[:, None])
        attended: Tensor = nn.functional.scaled_dot_product_attention(queries, keys, values)
        return attended

    boolean, gradient = both(network(Net(forward, **parts), x=("a", "b", "c"), y=("d", "e", "f")))
    assert {*apart(boolean, gradient)} == {
        f"{n}.{part}" for n in "qkv" for part in ("weight", "bias")
    }
    assert apart(gradient, boolean) == {}


def test_a_maximum_hides_what_it_does_not_pick() -> None:
    """Repair: an average in its place."""
    model = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.MaxPool1d(3), nn.Linear(2, 4))
    boolean, gradient = both(network(model))
    assert apart(boolean, gradient) == {}
    assert {*apart(*both(network(model), pooling="max"))} == {"0.weight", "0.bias"}


def test_saturated_gates_hide_everything_before_them() -> None:
    """Repair: inputs that do not saturate. In single precision the slope of tanh(100) is zero."""
    model = nn.Sequential(nn.Linear(3, 4000), nn.Linear(4000, 5), nn.Tanh(), nn.Linear(5, 2))
    boolean, gradient = both(network(model))
    assert apart(boolean, gradient) == {}
    hidden = apart(*both(network(model), saturation="raw"))
    assert {"0.weight", "0.bias", "1.weight", "1.bias"} == {*hidden}


def test_random_weights_close_rectifiers() -> None:
    """Repair: positive weights. Half of what random ones give is negative."""
    model = nn.Sequential(nn.Linear(3, 40), nn.ReLU(), nn.Linear(40, 2))
    boolean, gradient = both(network(model))
    assert apart(boolean, gradient) == {}
    assert gradient.total - suture.gradient_interactions(network(model), init="random").total > 0


def test_some_features_alone() -> None:
    """Features that are not asked for are not probed; the others are as ever."""
    subject = network(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))
    phi = suture.gradient_interactions(subject, features=["input.x2", "input.x0"])
    assert phi.features == ("input.x2", "input.x0")
    assert phi.mask("0.weight", "input.x2").tolist() == [[False, False, True]]


def test_parameters_behind_a_norm_of_weights() -> None:
    """Touches come back through arithmetic with other parameters."""
    model = nn.Sequential(
        torch.nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.Linear(4, 2)
    )
    boolean, gradient = both(network(model))
    assert apart(boolean, gradient) == {}


def test_the_model_is_left_as_it_was() -> None:
    """Weights, buffers, mode and random state are those from before."""
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    subject = network(model)
    state = torch.get_rng_state()
    suture.gradient_interactions(subject)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training


def test_an_option_that_there_is_not() -> None:
    """The error names those that there are."""
    subject = network(nn.Linear(3, 2))
    init: Any = "positiv"
    assert refused(lambda: suture.gradient_interactions(subject, init=init)) == error(
        """
        SutureError: Repairs of a gradient are chosen by name.
          init     is 'positiv', and may be 'positive' or 'random'

        hint: did you mean 'positive'?
        """
    )


def test_features_that_there_are_not() -> None:
    """All at once, with what was probably meant."""
    subject = network(nn.Linear(3, 2))
    names = ["input.x0", "input.x0", "input.y1"]
    assert refused(lambda: suture.gradient_interactions(subject, features=names)) == error(
        """
        SchemaError: Features to probe are full names, each once.
          input.y1 is none of the 3 features
          input.x0 stands twice

        hint: did you mean 'input.x1'?
        """
    )
