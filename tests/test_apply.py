"""Carrying out plans: against an oracle that visits entry by entry, in numpy and in torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import suture._arrays
from plans import State, plans, states
from suture._apply import apply
from suture._errors import PlanError
from suture._plan import (
    Block,
    Fill,
    Note,
    Own,
    Plan,
    Reduction,
    Runs,
    Sum,
    Tensor,
    TensorPlan,
    Term,
    Value,
)

seeds = st.integers(0, 2**32 - 1)
Place = tuple[int, ...]


def expand(runs: Runs) -> list[int]:
    return [position for start, stop in runs for position in range(start, stop)]


def places(shape: Sequence[int]) -> Iterator[Place]:
    return product(*map(range, shape))


def read(term: Term, array: NDArray[Any], place: Place, reductions: Sequence[Reduction]) -> float:
    """Read one entry of a term: `place` counts within the index, 0 along a reduced dim."""
    if not reductions:
        where = tuple(expand(runs)[p] for runs, p in zip(term.index, place, strict=True))
        return float(array[where])
    *before, last = reductions
    entries = [
        read(term, array, (*place[: last.dim], i, *place[last.dim + 1 :]), before)
        for i in range(len(expand(term.index[last.dim])))
    ]
    if last.weights is None:
        return sum(entries) / len(entries)
    return sum(weight * entry for weight, entry in zip(last.weights, entries, strict=True))


def term_entry(term: Term, array: NDArray[Any], place: Place) -> float:
    """Broadcast what the reductions leave against the block, from the right."""
    dropped = {r.dim for r in term.reductions if not r.keep}
    kept = {r.dim for r in term.reductions if r.keep}
    left = [dim for dim in range(len(term.index)) if dim not in dropped]
    inner = [0] * len(term.index)
    for dim, p in zip(left, place[len(place) - len(left) :], strict=True):
        inner[dim] = 0 if dim in kept or len(expand(term.index[dim])) == 1 else p
    value = read(term, array, tuple(inner), term.reductions)
    return value if term.scale == 1 else term.scale * value


def entry(fill: Fill, own: float, source: State, place: Place) -> float:
    match fill:
        case Own(scale):
            return own if scale == 1 else own * scale
        case Value(value, diagonal):
            agree = diagonal is None or place[diagonal[0]] == place[diagonal[1]]
            return value if agree else 0.0
        case Sum(terms, noise):
            found = sum(term_entry(term, source[term.source], place) for term in terms)
            return found if noise == 0 else found + own * noise


def oracle(tensor: TensorPlan, source: State, target: State) -> NDArray[Any]:
    """Compute every entry by itself, as floats of Python."""
    own = target[tensor.target.name]
    new = np.full(own.shape, np.nan, object)
    for block in tensor.blocks:
        for place in places(block.shape):
            where = tuple(expand(r)[p] for r, p in zip(block.region, place, strict=True))
            new[where] = entry(block.fill, own[where].item(), source, place)
    return new


def tensors(state: State) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array.copy()) for name, array in state.items()}


@pytest.fixture(params=[0, suture._arrays.FEW], ids=["by positions", "by slices"], scope="module")
def few(request: pytest.FixtureRequest) -> Iterator[None]:
    """Copy by positions alone, or by slices where they are few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suture._arrays, "FEW", request.param)
        yield


@pytest.mark.usefixtures("few")
@given(plans(), seeds)
def test_any_plan_in_numpy(plan: Plan, seed: int) -> None:
    """Every entry is what the plan's words say of it, in the target's dtype."""
    source, target = states(plan, seed)
    new = apply(plan, source, target)
    for tensor in plan.tensors:
        found = new[tensor.target.name]
        expected = oracle(tensor, source, target).astype(found.dtype)
        np.testing.assert_array_equal(found, expected, strict=True)


@pytest.mark.usefixtures("few")
@given(plans(), seeds)
def test_any_plan_in_torch(plan: Plan, seed: int) -> None:
    """Torch gives the entries that numpy gives."""
    source, target = states(plan, seed)
    expected = apply(plan, source, target)
    found = apply(plan, tensors(source), tensors(target))
    assert list(found) == list(expected)
    for name, array in found.items():
        assert isinstance(array, torch.Tensor)
        np.testing.assert_array_equal(array.numpy(), expected[name], strict=True)


@given(plans(), seeds)
def test_states_after_applying(plan: Plan, seed: int) -> None:
    """The states that were given are as before, and share nothing with the new one."""
    source, target = states(plan, seed)
    before = [array.tobytes() for array in (*source.values(), *target.values())]
    for array in apply(plan, source, target).values():
        array[...] = 1
    assert [array.tobytes() for array in (*source.values(), *target.values())] == before


@given(plans(), seeds)
def test_names_of_the_new_state(plan: Plan, seed: int) -> None:
    """The keys are the target's in its order, and tied names share one array."""
    source, target = states(plan, seed)
    target = dict(reversed(target.items()))
    new = apply(plan, source, target)
    assert list(new) == list(target)
    for tensor in plan.tensors:
        assert all(new[name] is new[tensor.target.name] for name in tensor.tied)


def one(
    target: tuple[int, ...], fill: Fill, source: tuple[int, ...] = (2, 3), dtype: str = "f32"
) -> Plan:
    """Plan one tensor `w` that one block fills."""
    region = tuple(((0, size),) for size in target)
    block = Block(region, fill)
    paired = Tensor("w", source, dtype)
    return Plan(
        "a1", "b2", (TensorPlan(Tensor("w", target, dtype), paired, "parameter", (block,)),)
    )


REVERSED = Sum((Term("w", (((1, 2), (0, 1)), ((2, 3), (0, 2)))),))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_numbers_that_arithmetic_would_change(dtype: torch.dtype) -> None:
    """A plain copy keeps every bit: payloads of NaN, negative zero, subnormals."""
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    lowest = torch.iinfo(bits).min  # negative zero
    patterns = torch.tensor([[lowest, 1, -1], [-77, 3, torch.iinfo(bits).max]], dtype=bits)
    plan = one((2, 3), REVERSED, dtype={2: "bf16", 4: "f32", 8: "f64"}[dtype.itemsize])
    if dtype is torch.float16:
        plan = one((2, 3), REVERSED, dtype="f16")
    new = apply(plan, {"w": patterns.view(dtype)}, {"w": torch.zeros(2, 3, dtype=dtype)})
    assert torch.equal(new["w"].view(bits), patterns.flip(0)[:, [2, 0, 1]])


def test_half_precision_is_calculated_in_more() -> None:
    """A sum that bf16 cannot hold on its way is right in the end."""
    index = (((0, 1),), ((0, 3),))
    folded = Term("w", index, reductions=(Reduction(1, (1.0, 1.0, 1.0), keep=True),))
    plan = one((1, 1), Sum((folded,)), (1, 3), "bf16")
    row = torch.tensor([[256.0, 1.0, 1.0]], dtype=torch.bfloat16)
    new = apply(plan, {"w": row}, {"w": torch.zeros(1, 1, dtype=torch.bfloat16)})
    assert new["w"].item() == 258  # 256 + 1 is 256 in bf16


def test_a_counter_that_no_float_holds() -> None:
    """Integers are copied as they are."""
    plan = one((), Sum((Term("w", ()),)), (), "i64")
    large = np.array(2**63 - 1)
    assert apply(plan, {"w": large}, {"w": np.array(0)})["w"] == large
    assert apply(plan, {"w": torch.tensor(large)}, {"w": torch.tensor(0)})["w"] == 2**63 - 1


def test_parameters_that_need_gradients() -> None:
    """The new arrays are plain tensors without a graph."""
    plan = one((2, 3), Own(0.5))
    parameter = torch.nn.Parameter(torch.ones(2, 3))
    new = apply(plan, {"w": parameter}, {"w": parameter})["w"]
    assert type(new) is torch.Tensor
    assert not new.requires_grad
    assert new.tolist() == [[0.5] * 3] * 2


TWICE = Sum((replace(REVERSED.terms[0], scale=2.0),) * 2)


@pytest.mark.parametrize("fill", [REVERSED, TWICE, replace(REVERSED, own=0.5)])
def test_frameworks_that_differ(fill: Fill) -> None:
    """A state of numpy fills one of torch and the other way round; the target decides."""
    plan = one((2, 3), fill)
    old = np.arange(6, dtype=np.float32).reshape(2, 3)
    begun = np.full((2, 3), 3.0, "f4")
    expected = apply(plan, {"w": old}, {"w": begun})["w"]
    as_torch = apply(plan, {"w": old}, {"w": torch.tensor(begun)})["w"]
    as_numpy = apply(plan, {"w": torch.tensor(old)}, {"w": begun})["w"]
    assert torch.equal(as_torch, torch.tensor(expected))
    np.testing.assert_array_equal(as_numpy, expected, strict=True)


def test_a_result_too_large_for_the_target() -> None:
    """A cast that overflows gives an infinity, without a warning."""
    plan = one((1,), Sum((Term("w", (((0, 1),),), 1e4),)), (1,), "f16")
    weights = {"w": np.full(1, 100, "f2")}
    assert apply(plan, weights, weights)["w"] == np.inf


TOO_LARGE = {
    "f32": (1e39, "1e+39"),
    "f16": (65520.0, "65520"),
    "bf16": (3.4e38, "3.4e+38"),
    "f8_e5m2": (1e5, "100000"),
    "f8_e4m3fn": (-465.0, "-465"),
    "c64": (1e39, "1e+39"),
}


@pytest.mark.parametrize("dtype", TOO_LARGE)
def test_a_number_too_large_for_the_target(dtype: str) -> None:
    """A plan that asks for one is not whole, and says where; nothing is computed."""
    value, shown = TOO_LARGE[dtype]
    term = Term("w", (((0, 1),),), value)
    words: dict[str, tuple[Fill, str]] = {
        "value": (Value(value), f"{shown} does not fit {dtype}[1]"),
        "scale": (Own(value), f"is {shown}, which does not fit {dtype}[1]"),
        "own": (Sum((replace(term, scale=1.0),), value), f"is {shown}, which does not fit"),
        "terms[0].scale": (Sum((term,)), f"is {shown}, which does not fit {dtype}[1]"),
        "terms[0].reductions[0].weights": (
            Sum((Term("w", (((0, 1), (0, 1)),), 1.0, (Reduction(0, (0.5, value), keep=True),)),)),
            f"reach {abs(value):g}, which does not fit {dtype}[1]",
        ),
    }
    for place, (fill, told) in words.items():
        with pytest.raises(PlanError) as caught:
            apply(one((1,), fill, (1,), dtype), {}, {})
        assert caught.value.sentence == "The plan has a problem."
        [(label, text)] = caught.value.facts
        assert (label.strip(), text[: len(told)]) == (f"tensors[0].blocks[0].fill.{place}", told)


def test_numbers_that_round() -> None:
    """What only loses digits, or all of them, is not too large; infinity stays where asked for."""
    for value, found in ((65519.0, 65504), (1e-60, 0), (1 / 3, 0.333251953125), (-np.inf, -np.inf)):
        plan = one((1,), Value(value), (1,), "f16")
        assert apply(plan, {"w": np.ones(1, "f2")}, {"w": np.ones(1, "f2")})["w"] == found
    plan = one((1,), Value(np.inf), (1,), "f8_e4m3fn")
    with pytest.raises(PlanError, match=r"inf does not fit f8_e4m3fn\[1\]"):
        apply(plan, {}, {})


def linear(name: str, inputs: int, outputs: int) -> tuple[TensorPlan, ...]:
    """Plan a linear layer that is copied."""
    shapes = {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    found = []
    for key, shape in shapes.items():
        region = tuple(((0, size),) for size in shape)
        tensor = Tensor(key, shape, "f32")
        block = Block(region, Sum((Term(key, region),)))
        found.append(TensorPlan(tensor, tensor, "parameter", (block,)))
    return tuple(found)


MISFITS = """\
The plan was not made for 6 of the arrays.
  source   fc.weight is f32[3,5]; the plan was made for f32[3,4]
  source   fc.bias is missing; the plan reads f32[3]
  source   other is unexpected
  target   fc.weight is f64[3,4]; the plan was made for f32[3,4]
  target   fc.bias is a list, not an array
  target   head.weight is unexpected

hint: make a plan for these two models"""


def test_states_of_other_models() -> None:
    """All arrays that do not fit are listed at once."""
    source = {"fc.weight": np.zeros((3, 5), "f4"), "other": np.zeros(2, "f4")}
    target = {"fc.weight": np.zeros((3, 4)), "fc.bias": [0.0] * 3, "head.weight": np.zeros(1)}
    with pytest.raises(PlanError) as caught:
        apply(Plan("a1", "b2", linear("fc", 4, 3)), source, target)
    assert str(caught.value) == MISFITS


def test_a_source_that_the_plan_knows_more_of() -> None:
    """A source array may be noted as unused, be tied to one that is read, or stand unpaired."""
    weight = np.arange(12, dtype=np.float32).reshape(3, 4)
    source = {"fc.weight": weight, "fc.bias": np.zeros(3, "f4")}
    more = {"tied": weight[:], "old": np.zeros(2), "gone": np.zeros((2, 5), "f4")}
    plan = Plan(
        "a1",
        "b2",
        linear("fc", 4, 3),
        notes=(Note("unused", "old", "the target has no such layer"),),
        unpaired=(Tensor("gone", (2, 5), "f32"), Tensor("absent", (7,), "f32")),
    )
    assert list(apply(plan, source | more, source)) == ["fc.weight", "fc.bias"]


def test_a_plan_that_is_not_whole() -> None:
    """It is refused before any array is looked at."""
    with pytest.raises(PlanError) as caught:
        apply(one((2, 3), Sum(())), {}, {})
    assert str(caught.value) == (
        "The plan has a problem.\n  tensors[0].blocks[0].fill.terms  are none; say a value of 0"
    )
