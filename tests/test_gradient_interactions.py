"""Interactions by gradients: repaired, the map of boolean logic but for products of data."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import assume
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import suture
import worlds
from laws import law
from maps import Pair, lost
from modules import build
from nets import BATCH, Net, given, subject, weights
from networks import recipes
from recipes import Attention, Choice, Recipe, Recurrent, ports
from suture import Categorical, Interactions, Schema, Subject

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")

ABC, DEF = ["a", "b", "c"], ["d", "e", "f"]
X, Y = ["x.a", "x.b", "x.c"], ["y.d", "y.e", "y.f"]


def both(given: Subject) -> tuple[Interactions, Interactions]:
    """Find the map of a network by gradients with all repairs, and by boolean logic."""
    return suture.gradient_interactions(given), suture.interactions(suture.trace(given))


def equal(given: Subject) -> Interactions:
    """Require both maps to be one."""
    found, known = both(given)
    assert lost(found, known) == {}
    return found


# Law 8, over generated networks


def answers_at_the_start(recipe: Recipe) -> bool:
    """Whether a net of two directions is read at its last step alone.

    There the way back has made one step: its other steps reach no output, and its memory is the
    constant zero from which it began.
    """
    nets = [part for part in recipe.encoders if isinstance(part, Recurrent)]
    return any(net.bidirectional and net.join == "last" for net in nets)


@law(recipes(), few=15)
def test_features_in_every_row_and_step(recipe: Recipe) -> None:
    """Gates and attention too: all factors carry all features where a feature is in every step."""
    assume(not answers_at_the_start(recipe))
    equal(worlds.subject(recipe, build(recipe, 0)))


def told_apart(recipe: Recipe) -> Subject:
    """Name all that an input holds: channels and places, features and steps, values."""
    names = {
        f"world.{name}": Categorical(port.names)
        if isinstance(port, Choice)
        else {
            at: dim if isinstance(dim, tuple) else tuple(map(str, range(dim)))
            for at, dim in enumerate(port.dims, start=1)
        }
        for name, port in ports(recipe).items()
    }
    world = worlds.inputs(worlds.between(recipe, recipe), recipe)
    return Subject(build(recipe, 0), (world,), schema=Schema(inputs=names))


def multiplies_steps(recipe: Recipe) -> bool:
    """Whether data of one step or token meets that of another in a product: gates, attention."""
    return any(
        isinstance(part, Attention) or (isinstance(part, Recurrent) and part.kind != "RNN")
        for part in recipe.encoders
    )


@law(recipes(), few=10)
def test_every_place_told_apart(recipe: Recipe) -> None:
    """Each place, step and category alone; where steps are multiplied, nothing more is found."""
    found, known = both(told_apart(recipe))
    less = lost(found, known)
    assert less == {} or multiplies_steps(recipe) or answers_at_the_start(recipe)


# What the gradient misses: products of data with disjoint features


def pairs(parameters: Iterable[str], features: Iterable[str]) -> set[Pair]:
    return set(product(parameters, features))


def layer(name: str) -> list[str]:
    return [f"{name}.weight", f"{name}.bias"]


def gated(forward: Any, wide: int = 3) -> Subject:
    """Two layers on inputs of their own, or the second on both, and a third behind."""
    net = Net(forward, a=nn.Linear(3, 4), b=nn.Linear(wide, 4), out=nn.Linear(4, 5))
    return subject(net, given(), given(), inputs={"x": ABC, "y": DEF})


def missed(given: Subject) -> set[Pair]:
    return {*lost(*both(given))}


def test_a_gate_of_its_own_data() -> None:
    """Each factor is zero where only the other carries a feature, and so is the product."""
    found, known = both(gated(lambda m, x, y: m.out(m.a(x) * m.b(y).sigmoid())))
    assert found.total == 0
    assert known.total == 3 * (4 + 4) * 2 + 6 * 25  # each layer three features, the last one six


def test_a_gate_beside_what_it_gates() -> None:
    """What is gated goes on beside the gate, so only the gate's features are missed."""
    net = gated(lambda m, x, y: m.out(m.a(x) + m.a(x) * m.b(y).sigmoid()))
    assert missed(net) == pairs(layer("b") + layer("out"), Y)


def test_a_gate_that_sees_what_it_gates() -> None:
    """What both factors carry is found in all of both; the rest of the gate is missed."""
    net = gated(lambda m, x, y: m.out(m.a(x) * m.b(torch.cat([x, y], 1)).tanh()), wide=6)
    assert missed(net) == pairs(layer("b") + layer("out"), Y)


def test_attention_to_something_else() -> None:
    """Queries of one input and keys of another carry nothing together."""

    def attends(m: Any, x: Tensor, y: Tensor) -> Tensor:
        seen = F.scaled_dot_product_attention(m.a(x)[:, None], m.b(y), m.b(y))
        return torch.cat([m.out(seen)[:, 0], x], dim=1)

    net = Net(attends, a=nn.Linear(3, 4), b=nn.Linear(3, 4), out=nn.Linear(4, 5))
    seen = subject(net, given(), torch.randn(BATCH, 2, 3), inputs={"x": ABC, "y": DEF})
    everything = pairs(layer("a"), X) | pairs(layer("b"), Y) | pairs(layer("out"), X + Y)
    assert missed(seen) == everything


def test_scores_of_things_by_a_state() -> None:
    """A product at the end: a state and what it scores each hide the other."""

    def scored(m: Any, x: Tensor, y: Tensor) -> list[Tensor]:
        state, things = m.a(x), m.b(y)
        return [torch.einsum("bd,bnd->bn", m.target(state), things), m.out(state)]

    parts = {"a": nn.Linear(3, 4), "b": nn.Linear(3, 6), "target": nn.Linear(4, 6)}
    net = Net(scored, **parts, out=nn.Linear(4, 5))
    seen = subject(net, given(), torch.randn(BATCH, 2, 3), inputs={"x": ABC, "y": DEF})
    assert missed(seen) == pairs(layer("target"), X) | pairs(layer("b"), Y)


def test_steps_of_an_lstm() -> None:
    """A forget gate meets a memory that does not know the step that it sees, only earlier ones."""
    net = Net(lambda m, x: m.net(x)[0][:, -1], net=nn.LSTM(3, 4, batch_first=True))
    steps = ["p", "q", "r"]
    found, known = both(subject(net, torch.randn(2, 3, 3), inputs={"x": {1: steps, 2: ABC}}))
    seen = pairs(["net.weight_ih_l0", "net.bias_ih_l0"], known.features)
    assert lost(found, known) == dict.fromkeys(seen, 4)
    rows = found.mask("net.weight_ih_l0", "x.q.a")[:, 0]
    assert rows.tolist() == [True] * 4 + [False] * 4 + [True] * 8


def test_a_norm_by_the_root_of_squares() -> None:
    """Every entry is multiplied with a number that all make: an entry of zero shows nothing."""
    net = Net(lambda m, x: m.out(m.norm(x)), norm=nn.RMSNorm(3), out=nn.Linear(3, 5))
    less = lost(*both(subject(net, given(), inputs={"x": ABC})))
    assert less == dict.fromkeys(pairs(["norm.weight"], X), 2) | dict.fromkeys(
        pairs(["out.weight"], X), 10
    )


# What reaches no output


def test_a_layer_that_answers_nothing() -> None:
    """What comes to no output has no gradient, though it meets data."""
    net = Net(lambda m, x: (m.unused(x), m.out(x))[1], unused=nn.Linear(3, 4), out=nn.Linear(3, 5))
    assert missed(subject(net, given(), inputs={"x": ABC})) == pairs(layer("unused"), X)


# Parameters behind others, and beside data


@pytest.mark.parametrize("dim", [0, 1])
def test_weight_norm(dim: int) -> None:
    """Gain and direction are reached as the weight that they make."""
    norm: nn.Module = parametrizations.weight_norm(nn.Linear(3, 4), dim=dim)
    equal(subject(Net(lambda m, x: m.layer(x), layer=norm), given(), inputs={"x": ABC}))


def test_parts_of_one_projection() -> None:
    """A fused weight is reached in the parts that are read."""
    net = Net(lambda m, x: m.w[:4] @ x.t() + (m.w[4:] @ x.t()).relu(), w=weights(8, 3))
    assert equal(subject(net, given(), inputs={"x": ABC})).total == 24


def test_a_layer_used_twice() -> None:
    """A weight is reached by what it meets at any of its places."""
    net = Net(lambda m, x, y: m.out(torch.cat([m.a(x), m.a(y)], 1)), a=nn.Linear(3, 4),
              out=nn.Linear(8, 5))  # fmt: skip
    found = equal(subject(net, given(), given(), inputs={"x": ABC, "y": DEF}))
    assert found.mask("a.weight", "y.f").tolist() == [[False, False, True]]
    assert found.mask("out.weight", "y.f").tolist() == [[False] * 4 + [True] * 4]


def test_one_tensor_as_weight_and_bias() -> None:
    """It is zero where it is added, and not where it multiplies."""
    net = Net(lambda m, x: m.out(x * m.p + m.p), p=weights(3), out=nn.Linear(3, 5))
    assert equal(subject(net, given(), inputs={"x": ABC})).interactions("p") == 3


def test_running_statistics() -> None:
    """Buffers are reached as parameters are."""
    net = Net(lambda m, x: m.norm(x), norm=nn.BatchNorm1d(3))
    found = equal(subject(net.eval(), given(), inputs={"x": ABC}))
    assert found.mask("norm.running_var", "x.b").tolist() == [False, True, False]


@pytest.mark.parametrize(
    "met",
    [
        torch.add,
        torch.sub,
        torch.mul,
        torch.div,
        torch.maximum,
        lambda x, p: torch.addcmul(x, p, p),
        lambda x, p: torch.lerp(x, p, p),
        lambda x, p: torch.lerp(p, p * p, x),
        lambda x, p: torch.outer(x[:, 0], p),
        lambda x, p: 1 - x / (2 - p),
        F.prelu,
        lambda x, p: torch.einsum("na,a,b->nb", x, p, p),
    ],
)
def test_a_vector_that_meets_data(met: Any) -> None:
    """Every entry is reached by what it is added to, multiplied with, or compared with."""
    net = Net(lambda m, x: met(x, m.p), p=weights(3))
    equal(subject(net, given(), inputs={"x": ABC}))


# Integers


PETS = Categorical(["ant", "bee", "cat", "dog"])


def ids() -> Tensor:
    return torch.arange(BATCH) % 4


@pytest.mark.parametrize(
    "chosen",
    [
        lambda w, x: w[x],
        lambda w, x: F.embedding(x.view(BATCH, 1), w)[:, 0],
        lambda w, x: F.one_hot(x, 4).to(w.dtype) @ w,
        lambda w, x: w.t().gather(1, x[None].expand(3, -1)).t(),
        lambda w, x: F.embedding_bag(x[:, None], w, mode="sum"),
        lambda w, x: w[(x + 1) % 4],
        lambda w, x: torch.where((x > 2)[:, None], w[0], w[1]),
    ],
)
def test_rows_that_are_chosen(chosen: Any) -> None:
    """A category reaches the rows that the boolean map says, and what comes after."""
    net = Net(lambda m, x: m.out(chosen(m.w, x)), w=weights(4, 3), out=nn.Linear(3, 5))
    equal(subject(net, ids(), inputs={"x": PETS}))


def test_places_of_a_text() -> None:
    """Of integers without names every place may choose any row."""
    net = Net(lambda m, x: m.out(m.table(x).flatten(1)), table=nn.Embedding(4, 3),
              out=nn.Linear(6, 5))  # fmt: skip
    found = equal(subject(net, torch.zeros(BATCH, 2, dtype=torch.long), inputs={"x": {1: "pq"}}))
    assert found.mask("table.weight", "x.p").tolist() == [[True]]
    assert found.mask("out.weight", "x.q").tolist() == [[False] * 3 + [True] * 3]


def test_a_mask_among_the_inputs() -> None:
    """It hides nothing; what it does itself, no gradient tells."""
    net = Net(lambda m, x, y: m.out(x.masked_fill(y, 0.0)), out=nn.Linear(3, 2))
    less = missed(subject(net, given(), given() > 0, inputs={"x": ABC, "y": DEF}))
    assert less == pairs(layer("out"), Y)


# States


def test_a_state_that_is_carried_on() -> None:
    """What a state carries comes back in, until nothing new does."""

    def step(m: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        moved = torch.cat([m.a(x), y[:, :2]], dim=1)
        return m.out(y[:, 2:]), moved

    net = Net(step, a=nn.Linear(3, 2), out=nn.Linear(2, 5))
    schema = Schema(inputs={"x": ABC}, state={"1": "y"})
    carried = Subject(net, (given(), torch.zeros(BATCH, 4)), schema=schema)
    reached = {"a.weight": 2, "a.bias": 2, "out.weight": 10, "out.bias": 5}
    assert equal(carried).parameters("x.a") == reached
