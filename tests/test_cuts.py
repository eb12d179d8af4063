"""Inputs without names that networks take apart: their parts are told apart by position."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

import suture
from laws import law
from modules import generic_
from networks import Draw
from plain_families import dlrm
from small import planned
from suture import Schema, Subject

ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Shop:
    """What a recommender reads: features of one input, columns of another with a table each."""

    dense: int
    rows: tuple[int, ...]

    def subject(self, seed: int, *, named: bool) -> Subject:
        """Build it with weights of order one."""
        found = dlrm(dense=self.dense, rows=self.rows)
        model = generic_(found.model.double(), seed)
        features = [f"feature {at}" for at in range(self.dense)]
        tables = [f"table {at}" for at in range(len(self.rows))]
        schema = Schema({"dense": features, "chosen": tables}) if named else None
        return Subject(model, (found.args[0].double(), found.args[1]), schema=schema)


@st.composite
def shops(draw: Draw) -> tuple[Shop, Shop, bool]:
    """Draw a recommender and a larger one, with names or without."""
    rows = draw(st.lists(st.integers(2, 12), min_size=2, max_size=4, unique=True))
    new = draw(st.lists(st.integers(13, 20), max_size=2, unique=True))
    dense, more, longer = draw(st.integers(2, 6)), draw(st.integers(0, 2)), draw(st.booleans())
    after = [rows[0] + 30 * longer, *rows[1:], *new]
    return Shop(dense, tuple(rows)), Shop(dense + more, tuple(after)), draw(st.booleans())


@law(shops())
def test_a_recommender_with_new_tables_and_features(drawn: tuple[Shop, Shop, bool]) -> None:
    """What met before meets again in its own column, and the old function is kept."""
    before, after, named = drawn
    source, target = (shop.subject(seed, named=named) for seed, shop in enumerate((before, after)))
    plan = suture.transfer(source, target)
    assert plan.exact
    assert suture.verify(plan, source, target).max_rel_diff < ROUNDING


def test_a_table_that_goes() -> None:
    """It never goes by a value of its own: the plan says that what it gave is lost."""
    source, target = (
        Shop(6, rows).subject(1, named=False) for rows in ((11, 9, 10, 7), (11, 9, 10))
    )
    plan = planned(source, target)
    said = {note.subject for note in plan.notes if note.kind == "inexact"}
    assert said == {"tables.3.weight", "top.0.weight dim 1"}


class Parts(nn.Module):
    """An observation cut into parts, each read by an encoder of its own, laid end to end."""

    def __init__(self, sizes: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.sizes = sizes
        self.read = nn.ModuleList(nn.Linear(size, width) for size in sizes)
        self.out = nn.Linear(width * len(sizes), 2)

    def forward(self, observation: Tensor) -> Tensor:
        parts = zip(self.read, observation.split(self.sizes, 1), strict=True)
        out: Tensor = self.out(torch.cat([layer(part) for layer, part in parts], 1).tanh())
        return out


def cut(sizes: tuple[int, ...], seed: int) -> Subject:
    """Build it with weights of order one."""
    model = generic_(Parts(sizes, 5).double(), seed)
    return Subject(model, (torch.randn(3, sum(sizes), dtype=torch.float64),))


def test_parts_of_other_sizes() -> None:
    """Parts pair one by one; entries that the new parts have no place for count as 0."""
    source, target = cut((4, 6), 1), cut((3, 7, 2), 2)
    plan = suture.transfer(source, target)
    said = [(note.kind, note.reason) for note in plan.notes]
    assert ("condition", "is gone: the old function as if it were 0") in said
    assert plan.exact
    assert suture.verify(plan, source, target).max_rel_diff < ROUNDING
