"""Plans of slots, written out: what is carried, by what, and what fresh entries begin as."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from suture import Plan
from suture._apply import carried as carried_out
from suture._carried import carried, readings
from suture._moments import averaged, mean, moments, unheld
from suture._partition import partition
from suture._plan import (
    Block,
    Label,
    Own,
    Reduction,
    Sum,
    Tensor,
    TensorPlan,
    Term,
    Value,
)
from suture._slots import Slot, slot_of

ALL = ((0, 3),)
FIRST = slot_of("exp_avg", ())
SECOND = slot_of("exp_avg_sq", ())


def planned(*blocks: Block, shape: tuple[int, ...] = (5, 4)) -> TensorPlan:
    return TensorPlan(Tensor("w", shape, "f64"), Tensor("w", (3, 2), "f64"), "parameter", blocks)


def follow(tensor: TensorPlan, slot: Slot | None, fresh: str = "mean") -> np.ndarray:
    """Carry the slot 1, 2, ... 6 of a source of [3, 2]."""
    assert slot is not None
    pieces = carried(tensor, readings(Plan("a", "b", (tensor,))))
    made = moments(tensor, pieces, slot, fresh=fresh)
    assert partition(made.blocks, made.target.shape) == []
    begun = np.zeros(made.target.shape)
    return np.asarray(carried_out(made, {"w": np.arange(1.0, 7).reshape(3, 2)}, begun))


def corner(scale: float = 1.0, *more: Term) -> Block:
    """Carry a source of [3, 2] into the first rows and columns."""
    return Block((ALL, ((0, 2),)), Sum((Term("w", (ALL, ((0, 2),)), scale), *more)))


REST = (Block((ALL, ((2, 4),)), Value(0.0)), Block((((3, 5),), ((0, 4),)), Own(0.5)))


def test_first_moments_of_a_scaled_corner() -> None:
    """They are divided by the scale, and 0 where nothing is carried, whatever the weights are."""
    found = follow(planned(corner(0.5), *REST), FIRST)
    assert found.tolist() == [[2, 4, 0, 0], [6, 8, 0, 0], [10, 12, 0, 0], [0] * 4, [0] * 4]


def test_second_moments_of_a_scaled_corner() -> None:
    """They are divided by its square; what is fresh has the mean of row, of column, or of all."""
    found = follow(planned(corner(-0.5), *REST), SECOND)
    rows = [[4, 8, 6, 6], [12, 16, 14, 14], [20, 24, 22, 22]]
    assert found.tolist() == [*rows, [12, 16, 14, 14], [12, 16, 14, 14]]
    assert follow(planned(corner(), *REST), SECOND, "zero")[:, 2:].tolist() == [[0, 0]] * 5


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("gradient", -2.0),
        ("gradient size", 2.0),
        ("gradient squared", 4.0),
        ("update", -1.0),
        ("step size", 0.5),
        ("step squared", 0.25),
    ],
)
def test_what_a_word_makes_of_a_negative_scale(word: str, wanted: float) -> None:
    """Sizes stay positive; what has a sign changes it."""
    slot = replace(Slot("s", "gradient"), follows=word)  # type: ignore[arg-type]
    assert follow(planned(corner(-0.5), *REST), slot)[0, 0] == wanted


def test_a_term_that_is_added() -> None:
    """It is no part of a moment, and a part of what follows as the weight does."""
    added = Term("w", (ALL, ((1, 2),)), 10.0, (Reduction(1, keep=True),))
    tensor = planned(corner(1.0, added), *REST)
    assert follow(tensor, FIRST)[0].tolist() == [1, 2, 0, 0]
    assert follow(tensor, slot_of("ax", ()))[0].tolist() == [21, 22, 0, 0]


def test_noise_on_what_is_carried() -> None:
    """It is no part of a gradient, nor of an average of weights."""
    tensor = planned(replace(corner(), fill=Sum(corner().fill.terms, own=0.5)), *REST)  # type: ignore[union-attr]
    for name in ("exp_avg", "ax"):
        slot = slot_of(name, ())
        assert slot is not None
        pieces = carried(tensor, readings(Plan("a", "b", (tensor,))))
        made = moments(tensor, pieces, slot, fresh="mean")
        found = carried_out(made, {"w": np.arange(1.0, 7).reshape(3, 2)}, np.full((5, 4), 8.0))
        assert found[:3, :2].tolist() == [[1, 2], [3, 4], [5, 6]]


def test_rows_that_are_copies() -> None:
    """Written twice, each has half of the gradient; read with shares, each has all of it."""
    twice = ((0, 3), (0, 2))
    written = planned(Block((((0, 5),), ((0, 2),)), Sum((Term("w", (twice, ((0, 2),))),))), REST[0])
    whole = replace(written, target=Tensor("w", (5, 2), "f64"), blocks=written.blocks[:1])
    assert follow(whole, FIRST).tolist() == [[0.5, 1], [1.5, 2], [5, 6], [0.5, 1], [1.5, 2]]
    shares = (
        Block((((0, 3),), ((0, 2),)), Sum((Term("w", (ALL, ((0, 2),)), 0.25),))),
        Block((((3, 6),), ((0, 2),)), Sum((Term("w", (ALL, ((0, 2),)), 0.75),))),
    )
    read = planned(*shares, shape=(6, 2))
    assert follow(read, FIRST).tolist() == [[1, 2], [3, 4], [5, 6]] * 2


def test_scales_that_cancel() -> None:
    """They say nothing of the gradient: each entry is taken as if it stood alone."""
    pair = (
        Block((((0, 3),), ((0, 2),)), Sum((Term("w", (ALL, ((0, 2),)), 2.0),))),
        Block((((3, 6),), ((0, 2),)), Sum((Term("w", (ALL, ((0, 2),)), -2.0),))),
    )
    found = follow(planned(*pair, shape=(6, 2)), FIRST)
    assert found[[0, 3]].tolist() == [[0.5, 1], [-0.5, -1]]


def test_a_new_name_that_begins_as_a_copy() -> None:
    """It is fresh, and leaves the old one's gradient alone."""
    rows = Block((((0, 3),), ((0, 2),)), Sum((Term("w", (ALL, ((0, 2),))),)))
    copy = Block((((3, 4),), ((0, 2),)), Sum((Term("w", (((1, 2),), ((0, 2),))),)))
    tensor = planned(rows, copy, shape=(4, 2))
    labels = (Label(0, "old", 1, 1), Label(0, "new", None, 3))
    assert follow(tensor, FIRST).tolist() == [[1, 2], [1.5, 2], [5, 6], [1.5, 2]]
    found = follow(replace(tensor, labels=labels), FIRST)
    assert found.tolist() == [[1, 2], [3, 4], [5, 6], [0, 0]]


def test_means_over_a_dim() -> None:
    """Those of carried rows stay, whatever comes along the dim that they are means over."""
    tensor = planned(corner(0.5), *REST)
    pieces = carried(tensor, readings(Plan("a", "b", (tensor,))))
    rows = moments(tensor, pieces, Slot("r", "gradient squared", over=-1), fresh="mean")
    found = carried_out(rows, {"w": np.array([[1.0], [2], [3]])}, np.zeros((5, 1)))
    assert found.ravel().tolist() == [4, 8, 12, 8, 8]
    columns = Slot("c", "gradient squared", over=-2)
    flat = moments(tensor, pieces, columns, fresh="zero", kept=False)
    assert carried_out(flat, {"w": np.array([1.0, 2])}, np.zeros(4)).tolist() == [4, 8, 0, 0]


def test_means_over_a_dim_whose_parts_are_scaled_apart() -> None:
    """Their factors are averaged, each by how much of the dim it has."""
    parts = [
        Block((ALL, ((0, 1),)), Sum((Term("w", (ALL, ((0, 1),)), 1.0),))),
        Block((ALL, ((1, 2),)), Sum((Term("w", (ALL, ((1, 2),)), 4.0),))),
    ]
    shape, found = averaged((3, 2), parts, 1, kept=True)
    assert shape == (3, 1)
    assert [term.scale for block in found for term in block.fill.terms] == [2.5]  # type: ignore[union-attr]


def test_what_regions_leave() -> None:
    """Products that hold the rest once, also where regions lie apart, or there are none."""
    apart = [Block((((0, 1),), ((0, 2),)), Own()), Block((((2, 3),), ((3, 5),)), Own())]
    rest = unheld((3, 5), apart)
    assert partition([*apart, *rest], (3, 5)) == []
    assert [block.region for block in unheld((), [])] == [()]
    assert [block.region for block in unheld((0, 3), [])] == [((), ((0, 3),))]
    # Row 0 and column 3 hold something each, and nothing together: rows count more.
    cell = Block((((0, 1),), ((3, 4),)), Own())
    held = [replace(block, fill=Sum((Term("w", block.region),))) for block in apart]
    assert mean(cell, held).index == (((0, 1),), ((0, 2),))


def test_a_scalar() -> None:
    """A parameter without dims is one entry, and follows."""
    scalar = Tensor("w", (), "f64")
    tensor = TensorPlan(scalar, scalar, "parameter", (Block((), Sum((Term("w", (), 2.0),))),))
    pieces = carried(tensor, readings(Plan("a", "b", (tensor,))))
    assert FIRST is not None
    made = moments(tensor, pieces, FIRST, fresh="mean")
    assert carried_out(made, {"w": np.array(3.0)}, np.array(0.0)) == 1.5
