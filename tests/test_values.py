"""What integers index, where they are moved, cut into parts and laid side by side."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import suture
from coupled import spelled, units_of
from small import Does, planned, x
from suture import Categorical, Schema, Subject

TAKE = {
    "columns": lambda ids: (ids[:, 0], ids[:, 1]),
    "unbind": lambda ids: ids.unbind(1),
    "split": lambda ids: [part[:, 0] for part in ids.split(1, dim=1)],
    "columns of columns": lambda ids: (ids[:, :2][:, 0], ids[:, :2].flip(1)[:, 0]),
    "list": lambda ids: (ids[:, [0]][:, 0], ids[:, [1]][:, 0]),
}


def looking(take: Any, first: int, second: int) -> tuple[nn.Module, Tensor]:
    def forward(model: Any, ids: Tensor) -> Any:
        one, other = take(ids)
        return model.layer(model.one(one) + model.other(other))

    tables = {"one": nn.Embedding(first, 3), "other": nn.Embedding(second, 3)}
    return Does(forward, **tables), torch.tensor([[0, 1], [2, 3], [4, 0], [1, 1]])


@pytest.mark.parametrize("take", TAKE.values(), ids=TAKE)
@pytest.mark.parametrize("second", [5, 6])
def test_columns_with_a_table_each(take: Any, second: int) -> None:
    """Rows of two tables are different units, of equal or other number."""
    texts = spelled(units_of(*looking(take, 5, second)))
    rows = [texts[name].split()[0] for name in ("one.weight", "other.weight")]
    assert len(set(rows)) == 2


def test_columns_of_one_table() -> None:
    """The tensor as a whole indexes the table, and its values may have names."""

    def forward(model: Any, ids: Tensor) -> Any:
        return model.layer(model.one(ids[:, 0]) + model.one(ids[:, 1]))

    texts = spelled(units_of(Does(forward, one=nn.Embedding(5, 3)), torch.tensor([[0, 1], [2, 3]])))
    assert texts[":args.0"] == texts["one.weight"].split()[0]


def test_texts_read_and_told() -> None:
    """Parts that overlap index one axis: what is read here is told there."""

    def forward(model: Any, ids: Tensor) -> Any:
        told = model.head(model.layer(model.one(ids[:, :-1])))
        return told.gather(-1, ids[:, 1:, None])

    parts = {"one": nn.Embedding(7, 3), "head": nn.Linear(4, 7)}
    texts = spelled(units_of(Does(forward, **parts), torch.arange(6).view(2, 3)))
    assert texts["head.bias"] == texts["one.weight"].split()[0] == texts[":args.0"]


@pytest.mark.parametrize("asked", [0, 1, 2])
@pytest.mark.parametrize("second", [4, 6])
def test_choices_of_two_heads_side_by_side(second: int, asked: int) -> None:
    """What two heads choose is laid side by side, and taken apart to look each choice up again."""

    def forward(model: Any, x: Tensor) -> Any:
        y = model.layer(x), model.other(x)
        both = torch.stack([scores.argmax(-1) for scores in y], dim=1)
        chances = [scores.log_softmax(-1) for scores in y]
        chosen = [c.gather(-1, both[:, at : at + 1]) for at, c in enumerate(chances[:asked])]
        return both, sum(chosen)

    texts = spelled(units_of(Does(forward, other=nn.Linear(3, second)), x()))
    assert texts["layer.bias"] != texts["other.bias"]


def test_a_table_that_grows_among_others() -> None:
    """Its neighbours stay, and nothing is said of what the whole tensor indexes."""
    source, target = (looking(TAKE["columns"], 5, rows) for rows in (5, 8))
    plan = planned(Subject(source[0], (source[1],)), Subject(target[0], (target[1],)))
    assert plan.exact
    assert [t.target.name for t in plan.tensors if t.target.shape != t.source.shape] == [  # type: ignore[union-attr]
        "other.weight"
    ]


def test_a_part_that_is_looked_up() -> None:
    """It speaks for the whole: names of values reach the table."""

    def forward(model: Any, ids: Tensor) -> Any:
        return model.layer(model.one(ids[:, 1:]))

    def subject(names: list[str]) -> Subject:
        model, schema = (
            Does(forward, one=nn.Embedding(len(names), 3)),
            Schema(inputs={"args.0": Categorical(names)}),
        )
        return Subject(model, (torch.zeros(2, 3, dtype=torch.long),), schema=schema)

    old, new = subject(["sword", "bow"]), subject(["axe", "bow", "sword"])
    suture.transfer(old, new)
    assert torch.equal(new.model.one.weight[2], old.model.one.weight[0])
