"""Entries of every dtype that checkpoints hold: copied bit by bit, calculated in more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from suture._apply import apply
from suture._dtypes import DTYPES
from suture._files import _made as making
from suture._files import carry_file, open_checkpoint
from suture._files._headers import NAMES
from suture._files._sink import holds_nan
from suture._plan import Block, Own, Plan, Reduction, Sum, Tensor, TensorPlan, Term, Value
from suture._torch._arrays import DTYPES_OF_TORCH
from widened import widened

ALL = sorted(NAMES.values())
FLOATS = ("f64", "f32", "f16", "bf16", "f8_e4m3fn", "f8_e5m2")
BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def any_bits(dtype: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Draw entries of any bits, those that are no numbers included."""
    of_torch = DTYPES_OF_TORCH[dtype]
    rng = np.random.default_rng(len(dtype))
    size = of_torch.itemsize
    data = rng.integers(0, 2 if dtype == "bool" else 256, (*shape, size), np.uint8)
    return torch.from_numpy(data).view(of_torch).reshape(shape)


def numbers(dtype: str, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.randn(shape).to(DTYPES_OF_TORCH[dtype])


def bytes_of(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.contiguous().view(torch.uint8).numpy().tobytes())


def plan_for(dtype: str, shape: tuple[int, ...], fill: Sum | Own | Value) -> Plan:
    array = np.zeros(shape, DTYPES[dtype])
    return widened({"w": array}, fill=fill)


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("limit", [16, making.LIMIT], ids=["in steps", "whole"])
def test_entries_that_are_copied(
    dtype: str, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every bit is kept, of old entries and of own ones."""
    monkeypatch.setattr(making, "LIMIT", limit)
    old, fresh = any_bits(dtype, (6, 5)), any_bits(dtype, (7, 5))
    save_file({"w": old}, tmp_path / "old")
    plan = plan_for(dtype, (6, 5), Own())
    carry_file(plan, open_checkpoint(tmp_path / "old"), tmp_path / "new", fresh={"w": fresh},
          allow_nan=True)  # fmt: skip
    found = load_file(tmp_path / "new")["w"]
    assert found.dtype == DTYPES_OF_TORCH[dtype]
    assert bytes_of(found[:6]) == bytes_of(old)
    assert bytes_of(found[6:]) == bytes_of(fresh[6:])


@pytest.mark.parametrize("dtype", ALL)
def test_entries_that_change_places(dtype: str, tmp_path: Path) -> None:
    """Every bit is kept where rows and runs of columns go elsewhere, too."""
    old = any_bits(dtype, (3, 4000))
    columns = tuple((at, at + 1000) for at in (2000, 0, 3000, 1000))
    moved = Block((((2, 3), (0, 2)), columns), Sum((Term("w", (((0, 3),), columns[::-1])),)))
    tensor = Tensor("w", (3, 4000), dtype)
    plan = Plan("a1", "b2", (TensorPlan(tensor, tensor, "parameter", (moved,)),))
    save_file({"w": old}, tmp_path / "old")
    carry_file(plan, open_checkpoint(tmp_path / "old"), tmp_path / "new", allow_nan=True)
    runs = [old[[1, 2, 0], start:stop] for start, stop in columns[::-1]]
    expected = torch.cat([runs[1], runs[3], runs[0], runs[2]], 1)
    assert bytes_of(load_file(tmp_path / "new")["w"]) == bytes_of(expected)


ROW = ((0, 1),)
BOTH = (Reduction(1, keep=True), Reduction(0, keep=True))
FOLD = Reduction(0, (0.5, -0.25, 1.0, 0.125, 2.0, -1.0), keep=True)
WORDS: dict[str, Sum | Own | Value] = {
    "scaled": Sum((Term("w", (ROW, ((0, 5),)), 0.7),)),
    "added": Sum((Term("w", (ROW, ((0, 5),))), Term("w", (((3, 4),), ((0, 5),)), -0.3))),
    "a mean": Sum((Term("w", (((0, 6),), ((0, 5),)), 1.0, (Reduction(0, keep=True),)),)),
    "a mean of all": Sum((Term("w", (((0, 6),), ((0, 5),)), -0.3, BOTH),)),
    "folded": Sum((Term("w", (((0, 6),), ((0, 5),)), 1.3, (FOLD,)),)),
    "own, scaled": Own(0.7),
    "with some of its own": Sum((Term("w", (ROW, ((0, 5),)), 0.7),), own=0.1),
    "a value": Value(0.3),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("limit", [64, making.LIMIT], ids=["in steps", "whole"])
def test_entries_that_are_calculated(
    dtype: str, word: str, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are what torch makes of them in memory."""
    monkeypatch.setattr(making, "LIMIT", limit)
    old, fresh = numbers(dtype, (6, 5), 1), numbers(dtype, (7, 5), 2)
    plan = plan_for(dtype, (6, 5), WORDS[word])
    save_file({"w": old}, tmp_path / "old")
    carry_file(plan, open_checkpoint(tmp_path / "old"), tmp_path / "new", fresh={"w": fresh})
    expected = apply(plan, {"w": old}, {"w": fresh})["w"]
    assert bytes_of(load_file(tmp_path / "new")["w"]) == bytes_of(expected)


@given(st.sampled_from(FLOATS), st.integers(0, 10**6), st.integers(1, 40))
@settings(max_examples=200)
def test_entries_that_are_no_numbers(dtype: str, seed: int, count: int) -> None:
    """They are found by their bits, whatever else they say; infinities are numbers."""
    rng = np.random.default_rng(seed)
    data = rng.choice(np.array([0x00, 0x7C, 0x7F, 0x80, 0xF0, 0xFF], np.uint8), count * 8)
    entries = data.view(DTYPES[dtype])
    with np.errstate(invalid="ignore"):
        expected = bool(np.isnan(entries.astype(np.float64)).any())
    assert holds_nan(dtype, entries) == expected
