"""Rows of tables that constant indices choose: they pair by the places where they are chosen."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

import suture
from families import FAMILIES
from laws import law
from modules import generic_
from networks import Draw
from small import planned
from suture._match import along

Way = Literal["looked up", "embedded", "picked", "picked in line"]
PLACES, HEADS = 4, 3


@dataclass(frozen=True, slots=True)
class Table:
    """A table of so many rows, and which of them each pair of places chooses."""

    rows: int
    index: tuple[tuple[int, ...], ...]
    way: Way


class Related(nn.Module):
    """Attention whose scores are moved by what a table says of each pair of places."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.read = nn.Linear(5, HEADS)
        self.table = nn.Parameter(torch.randn(table.rows, HEADS))
        self.way, self.index = table.way, torch.tensor(table.index)

    def forward(self, input: Tensor) -> Tensor:
        x = self.read(input)
        scores = x.mT[:, :, :, None] * x.mT[:, :, None] + self.bias().permute(2, 0, 1)
        out: Tensor = scores.softmax(-1) @ x.mT[..., None]
        return out

    def bias(self) -> Tensor:
        """What the table says: f64[place, place, head]."""
        match self.way:
            case "looked up":
                found: Tensor = self.table[self.index]
                return found
            case "embedded":
                return F.embedding(self.index, self.table)
            case "picked":
                flat: Tensor = self.table[self.index.view(-1)]
                return flat.view(*self.index.shape, HEADS)
            case "picked in line":
                line: Tensor = self.table[self.index[0]]
                return line.expand(len(self.index), -1, -1)


def related(table: Table, seed: int) -> suture.Subject:
    """Build it with weights of order one."""
    model = generic_(Related(table).double(), seed)
    return suture.Subject(model, (torch.randn(2, len(table.index), 5, dtype=torch.float64),))


@st.composite
def relations(draw: Draw) -> tuple[Table, Table, list[tuple[int, int]]]:
    """Draw two tables that say the same of each pair of places in other rows, and which those are.

    The target may have rows that no place chooses, and so may the source.
    """
    meanings = draw(st.integers(2, 5))
    one = st.integers(0, meanings - 1)
    meant = [[draw(one) for _ in range(PLACES)] for _ in range(PLACES)]
    way = draw(st.sampled_from(["looked up", "embedded", "picked", "picked in line"]))
    sizes = [meanings + draw(st.integers(0, 3)) for _ in "ab"]
    order = [draw(st.permutations(range(size))) for size in sizes]
    tables = [
        Table(size, tuple(tuple(rows[m] for m in line) for line in meant), way)
        for size, rows in zip(sizes, order, strict=True)
    ]
    said = meant[:1] if way == "picked in line" else meant
    met = sorted({(order[1][m], order[0][m]) for line in said for m in line})
    return tables[0], tables[1], met


@law(relations())
def test_rows_laid_out_otherwise(drawn: tuple[Table, Table, list[tuple[int, int]]]) -> None:
    """Rows that are chosen at the same places pair, and the old function is kept."""
    before, after, met = drawn
    source, target = related(before, 1), related(after, 2)
    plan = suture.transfer(source, target)
    assert plan.exact
    assert suture.verify(plan, source, target).max_rel_diff < 1e-12
    came = rows(source, target, "table")
    assert [(new, int(came[new])) for new, _ in met] == met
    assert len({*came[came >= 0].tolist()}) == (came >= 0).sum()


def rows(source: suture.Subject, target: suture.Subject, name: str) -> NDArray[np.int64]:
    """Where the rows of a table come from, -1 for those that are fresh."""
    theirs, ours = (suture.couple(suture.trace(subject)) for subject in (source, target))
    return along(suture.match(theirs, ours), (name, 0))


def distances(places: int, most: int) -> tuple[tuple[int, ...], ...]:
    """Number signed distances, those beyond the most as the most."""
    return tuple(
        tuple(max(-most, min(most, to - at)) + most for to in range(places)) for at in range(places)
    )


def test_a_table_of_more_distances() -> None:
    """A distance has its row wherever that lies; what the example never chooses follows."""
    source, target = (related(Table(size, distances(3, most), "picked"), most)
                      for size, most in ((9, 4), (13, 6)))  # fmt: skip
    assert rows(source, target, "table").tolist() == [0, 1, -1, -1, 2, 3, 4, 5, 6, 7, 8, -1, -1]
    assert suture.transfer(source, target).exact


def test_two_rows_that_become_one() -> None:
    """The row stands for neither: it is fresh, and the plan says so."""
    source, target = (related(Table(2 * most + 1, distances(4, most), "embedded"), most)
                      for most in (2, 1))  # fmt: skip
    assert rows(source, target, "table").tolist() == [-1, 2, -1]
    plan = planned(source, target)
    assert [(note.subject, note.reason) for note in plan.notes if note.kind == "inexact"] == [
        ("constants", "embedding meets another constant [4,4] than before"),
        ("table dim 0", "a constant index chooses 2 rows at other places than before"),
    ]


def test_rows_that_stay_in_order() -> None:
    """Places that are simply counted pair as they lie, more of them than the example chooses."""
    counted = tuple(tuple(range(places)) for places in (3, 5))
    source, target = (related(Table(size, (line,) * len(line), "looked up"), size)
                      for size, line in zip((8, 10), counted, strict=True))  # fmt: skip
    assert rows(source, target, "table").tolist() == [0, 1, 2, 3, 4, 5, 6, 7, -1, -1]


def t5(buckets: int) -> suture.Subject:
    subject = FAMILIES["t5"](relative_attention_num_buckets=buckets)
    generic_(subject.model, buckets)
    return subject


@pytest.mark.parametrize(("before", "after"), [(32, 40), (40, 32)])
def test_buckets_of_relative_positions(before: int, after: int) -> None:
    """In T5, what lies behind has the second half of the buckets; near ones are one place each."""
    source, target = t5(before), t5(after)
    near, places = min(before, after) // 4, np.arange(min(before, after) // 4)
    name = "block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    found = rows(source, target, f"encoder.{name}")
    assert found[:near].tolist() == places.tolist()
    assert found[after // 2 + 1 :][: near - 1].tolist() == (before // 2 + places[1:]).tolist()
    least = min(before, after)
    assert rows(source, target, f"decoder.{name}")[:least].tolist() == [*range(least)]
    plan = suture.transfer(source, target)
    assert plan.exact
    assert suture.verify(plan, source, target).max_rel_diff < 1e-5


@pytest.mark.parametrize(("before", "after"), [(2, 4), (4, 2)])
def test_a_window_of_another_size(before: int, after: int) -> None:
    """In Swin, a row is a step down and across: it keeps its weights; more is not promised."""
    source, target = (FAMILIES["swin"](window_size=size) for size in (before, after))
    steps = [
        [(down, across) for down in range(1 - size, size) for across in range(1 - size, size)]
        for size in (before, after)
    ]
    wanted = [steps[0].index(step) if step in steps[0] else -1 for step in steps[1]]
    name = "attention.relative_position_bias.relative_position_bias_table"
    for layer in ("0.blocks.0", "0.blocks.1", "1.blocks.0"):
        assert rows(source, target, f"swin.encoder.layers.{layer}.{name}").tolist() == wanted
    plan = planned(source, target)
    reason = f"_safe_softmax in swin.encoder.layers.0.blocks.0.attention takes {after} x {after}"
    told = [note.reason for note in plan.notes if note.kind == "inexact"]
    assert f"{reason} entries together, {before} x {before} before" in told
