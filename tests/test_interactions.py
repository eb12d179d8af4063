"""Interactions: the map beside what perturbation of the real network shows.

Wherever `exact` stands, the two are required to be equal, entry by entry.
"""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
from hypothesis import assume
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import suture
import worlds
from interacting import compared, exact
from laws import law
from modules import build
from nets import BATCH, Net, given, subject, weights
from networks import recipes
from recipes import Choice, Recipe, ports
from suture import Categorical, Schema, Subject

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")

ABC, DEF = ["a", "b", "c"], ["d", "e", "f"]

# The law, over generated networks


def told_apart(recipe: Recipe) -> Schema:
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
    return Schema(inputs=names)


def network(recipe: Recipe, schema: Schema) -> Subject:
    """Build a network that is run on many states at once."""
    many = worlds.between(recipe, recipe, batch=23)
    return Subject(build(recipe, 0), (worlds.inputs(many, recipe),), schema=schema)


def shows_all(recipe: Recipe, model: nn.Module) -> bool:
    """Whether all that a map may hold can show: one entry, or one value, cannot be told by itself.

    A norm over a single entry makes it a sign or a zero, and a category that has no other is
    always there.
    """
    norms = [m for m in model.modules() if isinstance(m, (nn.LayerNorm, nn.RMSNorm))]
    chosen = [port.names for port in ports(recipe).values() if isinstance(port, Choice)]
    entries = [prod(m.normalized_shape) for m in norms]
    return all(count > 1 for count in [*entries, *map(len, chosen)])


@law(recipes(), few=15)
def test_a_generated_network(recipe: Recipe) -> None:
    """Law 8: the map holds all that perturbation shows."""
    _, missed, _ = compared(network(recipe, worlds.schema(recipe)), draws=1)
    assert missed == []


@law(recipes(), few=15)
def test_a_generated_network_with_every_place_told_apart(recipe: Recipe) -> None:
    """Law 8: on generic weights the map holds nothing else."""
    tried = network(recipe, told_apart(recipe))
    assume(shows_all(recipe, tried.model))
    exact(tried)


# Parameters behind views and arithmetic


def test_a_weight_that_is_turned_over() -> None:
    """A feature reaches its column."""
    phi = exact(subject(Net(lambda m, x: x @ m.w.t(), w=weights(4, 3)), given(), inputs={"x": ABC}))
    assert phi.mask("w", "x.b").tolist() == [[False, True, False]]
    assert phi.total == 12


def test_a_weight_that_is_kept_flat() -> None:
    """A feature reaches its stretch of the vector."""
    net = Net(lambda m, x: x @ m.w.view(3, 4), w=weights(12))
    phi = exact(subject(net, given(), inputs={"x": ABC}))
    assert phi.mask("w", "x.b").tolist() == [False] * 4 + [True] * 4 + [False] * 4


def test_one_weight_for_two_maps() -> None:
    """Each half of a fused weight meets what it is applied to."""

    def halves(m: Any, x: Tensor, y: Tensor) -> Any:
        left, right = m.w.chunk(2)
        return torch.tanh(x @ left.t()) + y @ right.t()

    net = Net(halves, w=weights(8, 3))
    phi = exact(subject(net, given(), given(), inputs={"x": ABC, "y": DEF}))
    assert phi.mask("w", "y.d")[:, 0].tolist() == [False] * 4 + [True] * 4


@pytest.mark.parametrize(
    "made",
    [
        lambda w: w.flip(0),
        lambda w: w[torch.tensor([2, 0, 1])],
        lambda w: torch.cat([w[1:], w[:1]]),
        lambda w: torch.diag(w[:, 1]),
        lambda w: w.softmax(dim=1),
        lambda w: w / w.norm(dim=0, keepdim=True),
        lambda w: w.new_zeros(3, 4).index_copy(0, torch.tensor([2, 0, 1]), w),
    ],
)
def test_a_weight_that_is_made_of_another(made: Any) -> None:
    """A feature reaches what the weight that it meets is made of."""
    net = Net(lambda m, x: x @ made(m.w), w=weights(3, 4))
    exact(subject(net, given(), inputs={"x": ABC}))


def test_a_weight_that_is_written_in_parts() -> None:
    """What is written into a new tensor is reached through it."""

    def written(m: Any, x: Tensor) -> Tensor:
        whole = torch.zeros(3, 4, dtype=x.dtype)
        whole[:2], whole[2] = m.above, m.below
        return x @ whole

    net = Net(written, above=weights(2, 4), below=weights(4))
    phi = exact(subject(net, given(), inputs={"x": ABC}))
    assert phi.parameters("x.c") == {"below": 4}


@pytest.mark.parametrize("dim", [0, 1])
def test_weight_norm(dim: int) -> None:
    """A gain meets the features of its slice; so does every entry that shares its norm."""
    layer: nn.Module = parametrizations.weight_norm(nn.Linear(3, 4), dim=dim)
    phi = exact(subject(Net(lambda m, x: m.layer(x), layer=layer), given(), inputs={"x": ABC}))
    gain, direction = (f"layer.parametrizations.weight.original{number}" for number in (0, 1))
    assert phi.mask(gain, "x.b").tolist() == ([[True]] if dim == 0 else [[False, True, False]])
    assert phi.interactions(direction) == (36 if dim == 0 else 12)


def test_a_product_of_parameters() -> None:
    """Of a low-rank map, the first factor meets a feature in its row, the second everywhere."""
    net = Net(lambda m, x: x @ (m.a @ m.b), a=weights(3, 2), b=weights(2, 5))
    phi = exact(subject(net, given(), inputs={"x": ABC}))
    assert phi.mask("a", "x.b").tolist() == [[False], [True], [False]]
    assert phi.mask("b", "x.b").tolist() == [[True]]


def test_an_adapter() -> None:
    """A low-rank term beside a weight is reached as the weight is."""
    net = Net(
        lambda m, x: F.linear(x, m.w + m.b @ m.a), a=weights(2, 3), b=weights(4, 2), w=weights(4, 3)
    )
    assert exact(subject(net, given(), inputs={"x": ABC})).total == 6 + 8 * 3 + 12


# Parameters beside data


def tokens() -> Tensor:
    return torch.randn(BATCH, 5, 3)


def test_a_learned_token() -> None:
    """Being laid beside data is no meeting; a table of places is met by what it is added to."""

    def classified(m: Any, x: Tensor) -> Any:
        joined = torch.cat([m.token.expand(len(x), 1, 3), x], dim=1)
        return m.out(joined + m.places(torch.arange(6)))

    net = Net(classified, token=weights(1, 1, 3), places=nn.Embedding(9, 3), out=nn.Linear(3, 4))
    phi = exact(subject(net, tokens(), inputs={"x": {1: [*"pqrst"], 2: ABC}}))
    assert not phi.mask("token", "x.p.a").any()
    places = phi.mask("places.weight", "x.q.b")
    assert places.nonzero()[0].tolist() == [2]
    assert places.nonzero()[1].tolist() == [1]


def test_a_learned_token_that_meets_data_later() -> None:
    """It is reached where it first meets data: in a sum over tokens, entry by entry."""

    def summed(m: Any, x: Tensor) -> Any:
        joined = torch.cat([m.token.expand(len(x), 1, 3), x], dim=1)
        return m.out(torch.tanh(joined.sum(dim=1)))

    net = Net(summed, token=weights(1, 1, 3), out=nn.Linear(3, 4))
    seen = subject(net, tokens(), inputs={"x": {1: [*"pqrst"], 2: ABC}})
    phi = suture.interactions(suture.trace(seen))
    assert phi.mask("token", "x.q.b").tolist() == [[[False, True, False]]]
    assert phi.interactions("token") == 3 * 5


def test_a_learned_token_and_what_is_computed_of_it_alone() -> None:
    """A layer that reads it before it meets data is reached through it, one read apart is not."""

    def read(m: Any, x: Tensor) -> Any:
        layer = m.into(torch.cat([m.token.expand(len(x), 1, 3), x[..., :1].expand_as(x)], dim=1))
        return m.out(layer)[:, :1] + m.last(x.sum(dim=1))[:, None]

    net = Net(
        read,
        token=weights(1, 1, 3),
        into=nn.Linear(3, 5),
        out=nn.Linear(5, 4),
        last=nn.Linear(3, 4),
    )
    phi = suture.interactions(suture.trace(subject(net, tokens(), inputs={"x": {2: ABC}})))
    assert phi.mask("token", "x.b").all()
    assert phi.mask("into.weight", "x.b").all()
    assert phi.mask("last.weight", "x.b").tolist() == [[False, True, False]]


def test_data_written_over_and_beside_parameters() -> None:
    """Of one tensor, each entry is what was written last; what reads all brings all together."""

    def written(m: Any, x: Tensor) -> Any:
        y = torch.zeros(len(x), 5, dtype=x.dtype)
        y[:, :3], y[:, 3:] = x, m.p
        y[:, 1] = m.q
        y[:, 0] += m.r
        return m.out(y)

    net = Net(written, p=weights(2), q=weights(), r=weights(), out=nn.Linear(5, 4))
    phi = exact(subject(net, given(), inputs={"x": ABC}))
    assert phi.parameters("x.a") == {"p": 2, "q": 1, "r": 1, "out.weight": 4, "out.bias": 4}
    assert phi.parameters("x.b") == {}


def test_a_choice_that_data_makes() -> None:
    """A parameter meets what decides whether it is taken, not what is taken in its place."""
    net = Net(lambda m, x, y: torch.where(x > 0, m.p, y), p=weights(3))
    phi = exact(subject(net, given(), given(), inputs={"x": ABC, "y": DEF}))
    assert phi.parameters("x.a") == {"p": 1}
    assert phi.parameters("y.d") == {}


def test_a_mask_among_the_inputs() -> None:
    """What a mask hides and the mask both reach what comes after."""
    net = Net(lambda m, x, y: m.out(x.masked_fill(y, 0.0)), out=nn.Linear(3, 2))
    exact(subject(net, given(), given() > 0, inputs={"x": ABC, "y": DEF}))


@pytest.mark.parametrize(
    "met",
    [
        torch.add,
        torch.sub,
        torch.mul,
        torch.div,
        torch.maximum,
        torch.atan2,
        lambda x, p: torch.addcmul(x, p, p),
        lambda x, p: torch.lerp(x, p, p),
        lambda x, p: torch.lerp(p, p * p, x),
        lambda x, p: torch.stack([x, p.expand_as(x)]) * p,
        lambda x, p: torch.outer(x[:, 0], p),
        lambda x, p: (x * p).prod(dim=1),
        F.prelu,
        lambda x, p: torch.einsum("na,a,b->nb", x, p, p),
    ],
)
def test_a_vector_that_meets_data(met: Any) -> None:
    """Every entry meets what it is added to, multiplied with, or compared with."""
    net = Net(lambda m, x: met(x, m.p), p=weights(3))
    exact(subject(net, given(), inputs={"x": ABC}))


def test_queries_that_are_learned() -> None:
    """A query that attends to tokens meets all that its scores are made of."""
    net = Net(
        lambda m, x: F.scaled_dot_product_attention(m.q.expand(len(x), 2, 3), x, x), q=weights(2, 3)
    )
    assert exact(subject(net, tokens(), inputs={"x": ABC})).total == 6


def test_no_feature_of_influence() -> None:
    """A network may look at none of its inputs, or at one alone."""
    deaf = Net(lambda m, x: m.p.expand(len(x), 4), p=weights(4))
    assert exact(subject(deaf, given(), inputs={"x": ABC})).total == 0
    half = Net(lambda m, x, y: m.out(x), out=nn.Linear(3, 4))
    phi = exact(subject(half, given(), given(), inputs={"x": ABC, "y": DEF}))
    assert phi.parameters("y.d") == {}


# What a map holds and nobody sees: it reads no numbers, and asks no values


ZERO = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64)


@pytest.mark.parametrize(
    ("computed", "surplus"),
    [
        (lambda m, x: x.cumsum(dim=1) @ m.w, {"x.b": 4, "x.c": 8}),
        (lambda m, x: x @ m.w.triu(), {"x.b": 1, "x.c": 2}),
        (lambda m, x: (x * ZERO) @ m.w, {"x.a": 4}),
        (lambda m, x: torch.where(ZERO > 0, x, 1.0) @ m.w, {"x.a": 4}),
        (lambda m, x: torch.full_like(x, 2.0) @ m.w, dict.fromkeys(["x.a", "x.b", "x.c"], 4)),
        (lambda m, x: (x - x) @ m.w, dict.fromkeys(["x.a", "x.b", "x.c"], 4)),
    ],
    ids=["scan", "triangle", "zero", "mask", "filled", "difference"],
)
def test_more_than_shows(computed: Any, surplus: dict[str, int]) -> None:
    """A scan mixes its axis, and that a number is 0 or covers another is not seen."""
    net = Net(computed, w=weights(3, 4))
    _, missed, found = compared(subject(net, given(), inputs={"x": ABC}))
    assert missed == []
    assert found == [f"w x {name}: {count} of 12 entries" for name, count in surplus.items()]
