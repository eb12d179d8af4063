"""Carrying files: what comes out is what apply makes in memory, however small the stretches."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from plans import plans, states
from suture._apply import apply
from suture._errors import FileError
from suture._files import Format, carry_file, open_checkpoint
from suture._files import _made as making
from suture._plan import Plan
from widened import ZEROS, layers, widened

Save = Callable[..., None]
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(params=[1, 24, making.LIMIT], ids=["entries", "rows", "whole"], scope="module")
def stretches(request: pytest.FixtureRequest) -> Iterator[None]:
    """Make stretches of one entry, of some, or of whole tensors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "LIMIT", request.param)
        yield


def contiguous(state: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in state.items()}


def tensors(state: dict[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array.copy()) for name, array in state.items()}


@pytest.mark.usefixtures("stretches")
@given(plans(), seeds)
@settings(max_examples=40)
def test_any_plan(plan: Plan, seed: int) -> None:
    """A file carried to a file holds, bit by bit, what the same states give in memory."""
    source, target = states(plan, seed)
    expected = apply(plan, source, target)
    with TemporaryDirectory() as folder:
        old, fresh, new = (Path(folder, name) for name in ("old", "fresh", "new"))
        save_file(contiguous(source), old)
        save_file(contiguous(target), fresh)
        carry_file(plan, open_checkpoint(old), new, fresh=open_checkpoint(fresh))
        found = load_file(new)
    assert found.keys() == {tensor.target.name for tensor in plan.tensors}
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected[name], strict=True)


@given(plans(), seeds)
@settings(max_examples=40)
def test_any_plan_in_a_file_of_torch(plan: Plan, seed: int) -> None:
    """A state dict in a file of torch becomes the one that apply makes, ties included."""
    source, target = states(plan, seed)
    assume(source)
    expected = apply(plan, tensors(source), tensors(target))
    with TemporaryDirectory() as folder:
        old, new = Path(folder, "old"), Path(folder, "new")
        torch.save({"model": tensors(source), "epoch": 3}, old)
        carry_file(plan, open_checkpoint(old), new, fresh=tensors(target))
        found = torch.load(new, weights_only=True)
        assert zipfile.ZipFile(new).testzip() is None
    assert found["epoch"] == 3
    assert [*found["model"]] == [n for t in plan.tensors for n in (t.target.name, *t.tied)]
    for name, tensor in found["model"].items():
        np.testing.assert_array_equal(tensor.numpy(), expected[name].numpy(), strict=True)
    for tensor in plan.tensors:
        shared = {found["model"][name].data_ptr() for name in (tensor.target.name, *tensor.tied)}
        assert len(shared) == 1


FORMATS: tuple[Format, ...] = ("safetensors", "torch", "npz")


@pytest.mark.parametrize("before", FORMATS)
@pytest.mark.parametrize("after", FORMATS)
def test_another_format(before: Format, after: Format, tmp_path: Path) -> None:
    """Weights go from any format to any other; the source's texts go along where there is room."""
    old = layers()
    writers: dict[str, Save] = {"safetensors": save_file, "torch": save_torch, "npz": save_npz}
    writers[before](old, tmp_path / "old")
    plan = widened(old, fill=ZEROS)
    written = carry_file(plan, open_checkpoint(tmp_path / "old"), tmp_path / "new", format=after)
    found = open_checkpoint(tmp_path / "new")
    assert (written.format, found.format) == (after, after)
    assert "suture" in found.metadata
    for name, array in old.items():
        np.testing.assert_array_equal(found.arrays[name][:4], array)


def test_weights_out_of_a_larger_file(tmp_path: Path) -> None:
    """What a format has no place for is left out, and that is told."""
    old = layers()
    more = {"model": tensors(old), "ema": tensors(old), "epoch": 3}
    torch.save(more, tmp_path / "old")
    plan = widened(old, fill=ZEROS)
    source = open_checkpoint(tmp_path / "old")
    written = carry_file(plan, source, tmp_path / "new", format="safetensors")
    assert written.left_out == ("ema", "epoch")
    with pytest.raises(FileError, match="A lightning file is more than weights"):
        carry_file(plan, source, tmp_path / "newer", format="lightning")


def save_torch(state: dict[str, NDArray[Any]], path: Path) -> None:
    torch.save(tensors(state), path)


def save_npz(state: dict[str, NDArray[Any]], path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **state)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@given(plans(), seeds)
@settings(max_examples=20)
def test_any_plan_in_an_archive_of_numpy(save: Save, plan: Plan, seed: int) -> None:
    """Arrays in an archive become the arrays that apply makes, under all names."""
    source, target = states(plan, seed)
    assume(source)
    source = {name: np.array(array, order="F") for name, array in source.items()}
    expected = apply(plan, source, target)
    with TemporaryDirectory() as folder:
        old, new = Path(folder, "old.npz"), Path(folder, "new")
        save(old, **source)
        carry_file(plan, open_checkpoint(old), new, fresh=target)
        assert zipfile.ZipFile(new).testzip() is None
        with np.load(new, allow_pickle=False) as found:
            assert {*found} == {*expected}
            for name, array in expected.items():
                np.testing.assert_array_equal(found[name], array, strict=True)
