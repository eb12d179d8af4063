"""Absorption: a change of the source holds for every term that reads it, whatever became of it."""

from __future__ import annotations

import numpy as np
import pytest

from suture import Plan, apply
from suture._absorb import Addition, Changes, absorbed
from suture._plan import Block, Fill, Own, Reduction, Runs, Sum, Tensor, TensorPlan, Term, Value
from suture._plan_check import problems

WEIGHT, BIAS = np.random.default_rng(0).normal(size=(3, 5)), np.arange(3.0)
CHANGED = WEIGHT * np.array([1, 4.0, 1, 0.5, 1])
SHIFTED = BIAS + WEIGHT[:, [1, 3]] @ np.array([2.0, -3.0])
CHANGES = Changes(
    scaled={("weight", 1): {1: 4.0, 3: 0.5}},
    added={"bias": [Addition("weight", (3, 5), 1, ((1, 2.0), (3, -3.0)), (), (0,))]},
)


def whole(*shape: int) -> tuple[Runs, ...]:
    return tuple(((0, size),) for size in shape)


def planned(shape: tuple[int, ...], *blocks: Block) -> np.ndarray:
    """Carry the blocks of one tensor out on weights that are read as others."""
    sources = Tensor("weight", (3, 5), "f64"), Tensor("bias", (3,), "f64")
    tensor = TensorPlan(Tensor("new", shape, "f64"), None, "parameter", blocks)
    plan = Plan("a", "b", absorbed([tensor], CHANGES), unpaired=sources)
    assert problems(plan) == []
    state = {"weight": WEIGHT, "bias": BIAS}
    found: np.ndarray = apply(plan, state, {"new": np.full(shape, 9.0)})["new"]
    return found


def one(shape: tuple[int, ...], fill: Fill) -> np.ndarray:
    return planned(shape, Block(whole(*shape), fill))


def test_a_copy() -> None:
    """It is cut where factors differ."""
    new = one((3, 5), Sum((Term("weight", whole(3, 5)),)))
    assert np.array_equal(new, CHANGED)


def test_positions_in_another_order_and_twice() -> None:
    """Factors follow the positions that are read."""
    order: Runs = ((3, 5), (0, 2), (1, 2))
    new = one((3, 5), Sum((Term("weight", (((0, 3),), order), scale=2.0),)))
    assert np.allclose(new, 2 * CHANGED[:, [3, 4, 0, 1, 1]], atol=1e-15)


@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 3.0, 4.0, 5.0)])
def test_a_sum_along_what_is_scaled(weights: tuple[float, ...] | None) -> None:
    """The factors go into the weights of the sum."""
    terms = (Term("weight", whole(3, 5), 3.0, (Reduction(1, weights),)),)
    expected = CHANGED.mean(1) if weights is None else CHANGED @ np.array(weights)
    assert np.allclose(one((3,), Sum(terms)), 3 * expected, atol=1e-14)


def test_two_terms_that_lie_otherwise() -> None:
    """Each is cut along its own dim of the block, and broadcasts as before."""
    row = Term("weight", (((1, 2),), ((0, 5),)), reductions=(Reduction(0),))
    terms = (Term("weight", whole(3, 5)), row)
    assert np.allclose(one((3, 5), Sum(terms)), CHANGED + CHANGED[1], atol=1e-15)


def test_a_bias_that_is_scaled_and_averaged() -> None:
    """What is added is scaled, averaged and laid as the bias is."""
    mean = Term("bias", (((1, 3),),), 2.0, (Reduction(0, keep=True),))
    copied = Block((((0, 3),),), Sum((Term("bias", (((2, 3), (0, 2)),), 0.5),)))
    fresh = Block((((3, 5),),), Sum((mean,)))
    new = planned((6,), copied, fresh, Block((((5, 6),),), Own()))
    assert np.allclose(new[:3], 0.5 * SHIFTED[[2, 0, 1]], atol=1e-15)
    assert np.allclose(new[3:5], 2 * SHIFTED[1:].mean(), atol=1e-15)
    assert new[5] == 9


def test_what_reads_nothing() -> None:
    """Values and own entries stay."""
    blocks = Block((((0, 2),),), Value(3.0)), Block((((2, 4),),), Own())
    assert planned((4,), *blocks).tolist() == [3, 3, 9, 9]
