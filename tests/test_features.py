"""Interactions of features of every kind: categories, states, entities, places without names.

Wherever `exact` stands, the map is required to be what perturbation of the real network shows.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from interacting import compared, exact
from nets import BATCH, Net, given, subject, weights
from perturbed import positions
from suture import Categorical, Schema, Subject

ABC, DEF = ["a", "b", "c"], ["d", "e", "f"]
PETS = Categorical(["ant", "bee", "cat", "dog"])


def tokens() -> Tensor:
    return torch.randn(BATCH, 5, 3)


# Integers


def ids(*shape: int) -> Tensor:
    return torch.randint(4, (BATCH, *shape))


def test_a_table_of_named_categories() -> None:
    """A category reaches its row, and all that comes after."""
    net = Net(lambda m, x: m.out(m.table(x)), table=nn.Embedding(4, 3), out=nn.Linear(3, 5))
    phi = exact(subject(net, ids(), inputs={"x": PETS}))
    assert phi.mask("table.weight", "x.cat").tolist() == [[False], [False], [True], [False]]
    assert phi.parameters("x.cat") == {"table.weight": 3, "out.weight": 15, "out.bias": 5}


@pytest.mark.parametrize(
    "chosen",
    [
        lambda w, x: w[x],
        lambda w, x: w.index_select(0, x),
        lambda w, x: w.t().gather(1, x[None].expand(3, -1)),
        lambda w, x: F.embedding_bag(x[:, None], w, mode="sum"),
        lambda w, x: F.one_hot(x, 4).to(w.dtype) @ w,
        lambda w, x: torch.zeros(BATCH, 4, dtype=w.dtype).scatter(1, x[:, None], 1.0) @ w,
    ],
)
def test_rows_that_are_chosen(chosen: Any) -> None:
    """However a row is chosen, a category reaches its row."""
    net = Net(lambda m, x: chosen(m.w, x), w=weights(4, 3))
    phi = exact(subject(net, ids(), inputs={"x": PETS}))
    assert phi.mask("w", "x.dog").tolist() == [[False], [False], [False], [True]]


@pytest.mark.parametrize(
    "chosen",
    [
        lambda w, x: w[x.clamp(0, 3)],
        lambda w, x: w[(x + 1) % 4],
        lambda w, x: (x[:, None] == torch.arange(4)).to(w.dtype) @ w,
    ],
    ids=["clamp", "sum", "comparison"],
)
def test_rows_that_are_computed(chosen: Any) -> None:
    """What is computed from a category may choose any row: the map follows no such numbers."""
    net = Net(lambda m, x: chosen(m.w, x), w=weights(4, 3))
    phi, missed, surplus = compared(subject(net, ids(), inputs={"x": PETS}))
    assert missed == []
    assert surplus == [f"w x {name}: 9 of 12 entries" for name in phi.features]


def test_two_choices_from_one_table() -> None:
    """Each reaches its row of the table, and what reads its own place after."""

    def pair(m: Any, x: Tensor, y: Tensor) -> Any:
        return m.out(m.table(torch.stack([x, y], dim=1)).flatten(1))

    net = Net(pair, table=nn.Embedding(4, 3), out=nn.Linear(6, 5))
    phi = exact(subject(net, ids(), ids(), inputs={"x": PETS, "y": PETS}))
    assert phi.parameters("y.ant") == {"table.weight": 3, "out.weight": 15, "out.bias": 5}
    assert phi.mask("out.weight", "y.ant").tolist() == [[False] * 3 + [True] * 3]


def test_a_table_of_categories_without_names() -> None:
    """What chooses is one feature: it reaches every row."""
    net = Net(lambda m, x: m.table(x), table=nn.Embedding(4, 3))
    tried = subject(net, ids())
    phi = exact(tried, features=positions(tried, "x", [0]), high={"x": 4})
    assert phi.features == ("x",)
    assert phi.total == 12


# What a network holds twice, again and again, or not as a parameter


def test_a_weight_used_twice() -> None:
    """Tied weights, under their first name, meet what any of their uses meets."""
    one, two = nn.Linear(3, 4), nn.Linear(3, 4)
    two.weight = one.weight
    net = Net(lambda m, x, y: m.one(x) + torch.tanh(m.two(y)), one=one, two=two)
    phi = exact(subject(net, given(), given(), inputs={"x": ABC, "y": DEF}))
    assert phi.parameters("x.a") == {"one.weight": 4, "one.bias": 4}
    assert phi.parameters("y.d") == {"one.weight": 4, "two.bias": 4}


def test_one_encoder_for_several_entities() -> None:
    """The encoder meets both, in one column; behind it each entity has its own columns."""
    net = Net(
        lambda m, x: m.out(torch.tanh(m.encoder(x)).flatten(1)),
        encoder=nn.Linear(3, 4),
        out=nn.Linear(8, 5),
    )
    x = torch.randn(BATCH, 2, 3)
    phi = exact(subject(net, x, inputs={"x": {1: ["me", "foe"], 2: ABC}}))
    assert phi.features[:2] == ("x.me.a", "x.me.b")
    assert phi.mask("encoder.weight", "x.foe.b").tolist() == [[False, True, False]]
    assert phi.mask("out.weight", "x.foe.b").tolist() == [[False] * 4 + [True] * 4]


def test_a_recurrent_net() -> None:
    """The input weights meet a feature in its column, what carries on meets it everywhere."""
    net = Net(lambda m, x: m.net(x)[0], net=nn.LSTM(3, 4, batch_first=True))
    phi = exact(subject(net, tokens(), inputs={"x": ABC}))
    assert phi.mask("net.weight_ih_l0", "x.b").tolist() == [[False, True, False]]
    assert phi.mask("net.weight_hh_l0", "x.b").all()


def test_the_last_step_of_a_recurrent_net() -> None:
    """What is seen in the last step is carried on no more."""
    net = Net(lambda m, x: m.net(x)[0], net=nn.GRU(3, 4, batch_first=True))
    phi = exact(subject(net, tokens(), inputs={"x": {1: [*"pqrst"], 2: ABC}}))
    assert phi.mask("net.weight_hh_l0", "x.s.a").all()
    assert not phi.mask("net.weight_hh_l0", "x.t.a").all()


class Step(nn.Module):
    """One step of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> Any:
        return self.cell(x, (h, c))


def test_one_step_of_a_recurrent_net() -> None:
    """A state that an output carries on is no feature: it carries what it was made of."""

    def three(model: Step, x: Tensor, h: Tensor, c: Tensor) -> Any:
        for _ in range(3):
            h, c = model(x, h, c)
        return h, c

    schema = Schema(inputs={"x": ABC}, state={"0": "h", "1": "c"})
    start = torch.zeros(BATCH, 4), torch.zeros(BATCH, 4)
    phi = exact(Subject(Step(), (given(), *start), schema=schema), call=three)
    assert phi.features == ("x.a", "x.b", "x.c")
    assert phi.mask("cell.weight_hh", "x.a").all()


def test_running_statistics() -> None:
    """Buffers meet features too, and count in no total."""
    net = Net(lambda m, x: m.out(m.norm(x)), norm=nn.BatchNorm1d(3), out=nn.Linear(3, 4))
    phi = exact(subject(net, given(), inputs={"x": ABC}))
    assert phi.mask("norm.running_var", "x.b").tolist() == [False, True, False]
    assert phi.parameters("x.b") == {
        "norm.weight": 1, "norm.bias": 1, "out.weight": 4, "out.bias": 4,
    }  # fmt: skip
    assert phi.total == 3 * (1 + 1 + 4 + 4)


def test_a_mirrored_module() -> None:
    """A twin that no call reaches meets what its twin meets."""
    net = Net(lambda m, x: m.q(x), q=nn.Linear(3, 4), q_target=nn.Linear(3, 4))
    tried = subject(net, given(), inputs={"x": ABC}, mirror={"q_target": "q"})
    phi, missed, _ = compared(tried)
    assert missed == []
    for feature in phi.features:
        for name in ("weight", "bias"):
            reached = phi.mask(f"q.{name}", feature)
            assert phi.mask(f"q_target.{name}", feature).tolist() == reached.tolist()


# Inputs without names


def test_a_batch_that_only_repeats() -> None:
    """Its rows are one feature; places along other dims are told apart by number."""
    tried = subject(Net(lambda m, x: m.norm(m.out(x)), out=nn.Linear(3, 4), norm=nn.BatchNorm1d(4)),
                    given())  # fmt: skip
    phi = exact(tried, features=positions(tried, "x", [0]))
    assert phi.features == ("x.0", "x.1", "x.2")


def test_a_batch_that_is_mixed() -> None:
    """Where rows of a batch meet, each is a feature of its own."""
    tried = subject(Net(lambda m, x: m.out(x.softmax(dim=0)), out=nn.Linear(3, 4)), given())
    phi = exact(tried, features=positions(tried, "x"))
    assert phi.features[:4] == ("x.0.0", "x.0.1", "x.0.2", "x.1.0")


@pytest.mark.parametrize(
    "seen",
    [
        nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), nn.Tanh(), nn.Conv1d(3, 4, 2, stride=2)),
        nn.Sequential(
            nn.Conv1d(2, 4, 2, groups=2, dilation=3), nn.AvgPool1d(2), nn.Conv1d(4, 2, 1)
        ),
        nn.Sequential(nn.ConvTranspose1d(2, 3, 3, stride=2), nn.MaxPool1d(3), nn.Conv1d(3, 4, 2)),
    ],
)
def test_single_places_of_a_signal(seen: nn.Module) -> None:
    """A place reaches what its windows read, whatever stride, padding, dilation and group."""
    tried = subject(Net(lambda m, x: m.out(m.seen(x).flatten(1)), seen=seen, out=nn.LazyLinear(5)),
                    torch.randn(11, 2, 8))  # fmt: skip
    tried.model(*tried.args)
    exact(tried, features=positions(tried, "x", [0]))


def test_a_number() -> None:
    """A tensor without dims is one feature, and a parameter without dims one entry."""
    tried = subject(Net(lambda m, x: x * m.a + m.b, a=weights(), b=weights()), torch.randn(()))
    phi = exact(tried, features=positions(tried, "x"))
    assert phi.features == ("x",)
    assert phi.mask("a", "x").shape == ()
    assert phi.total == 2


def test_a_part_without_entries() -> None:
    """What is laid beside a parameter, and is nothing, brings nothing to its entries."""

    def beside(m: Any, x: Tensor) -> Any:
        return torch.cat([m.w, m.w[5:]])[:, 1:3] * x

    phi = exact(subject(Net(beside, w=weights(5, 3)), torch.randn(5, 2), inputs={"x": {
        0: [*"pqrst"], 1: [*"ab"],
    }}))  # fmt: skip
    assert phi.total == 10


def test_nothing_along_a_dim() -> None:
    """A parameter may have no entries, and an input none to see."""
    net = Net(lambda m, x, y: torch.cat([x @ m.none, x @ m.w, y], dim=1), none=weights(3, 0))
    net.w = weights(3, 2)
    phi = exact(subject(net, given(), torch.ones(BATCH, 0), inputs={"x": ABC, "y": []}))
    assert phi.interactions("none") == 0
    assert phi.total == 6
