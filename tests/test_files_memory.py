"""How much is held while weights are carried: some stretches, never a tensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from measuring.private import watched
from suture._files import Format, carry_file, open_checkpoint
from suture._plan import Block, Fill, Own, Plan, Reduction, Sum, Tensor, TensorPlan, Term, Value

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux says what a process holds"
)
ROWS, COLUMNS = 4000, 5000
EVERY = ((0, ROWS),)
SOME = ((0, COLUMNS),)
HELD = 48e6
"""Bytes that are more than some stretches and less than the tensor, which has 80e6."""

FILLS: dict[str, Fill] = {
    "copied": Sum((Term("w", (EVERY, SOME)),)),
    "scaled": Sum((Term("w", (EVERY, SOME), 0.7),)),
    "added": Sum((Term("w", (EVERY, SOME)), Term("w", (EVERY, SOME), -0.3))),
    "a mean of rows": Sum((Term("w", (EVERY, SOME), 1.0, (Reduction(0, keep=True),)),)),
    "a mean of columns": Sum((Term("w", (EVERY, SOME), 1.0, (Reduction(1, keep=True),)),)),
    "a mean of all": Sum(
        (Term("w", (EVERY, SOME), 1.0, (Reduction(0, keep=True), Reduction(1, keep=True))),)
    ),
    "in another order": Sum((Term("w", (tuple((r, r + 1) for r in range(ROWS))[::-1], SOME)),)),
    "own": Own(0.5),
    "a value": Value(1.0),
    "a diagonal": Value(1.0, (0, 1)),
}


def planned(fill: Fill) -> Plan:
    tensor = Tensor("w", (ROWS, COLUMNS), "f32")
    block = Block((EVERY, SOME), fill)
    return Plan("a1", "b2", (TensorPlan(tensor, tensor, "parameter", (block,)),))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a large tensor."""
    path = tmp_path_factory.mktemp("large") / "old"
    save_file({"w": np.ones((ROWS, COLUMNS), "f4")}, path)
    return path


def carried(plan: Plan, large: Path, new: Path, kind: Format) -> int:
    """Carry a large tensor; give the bytes held meanwhile."""
    old = open_checkpoint(large)
    with watched() as held:
        carry_file(plan, old, new, fresh=old, format=kind, force=True)
    return held.more


@pytest.mark.parametrize("word", FILLS)
def test_a_large_tensor(word: str, large: Path, tmp_path: Path) -> None:
    """It is never held, whatever becomes of it."""
    assert carried(planned(FILLS[word]), large, tmp_path / "new", "safetensors") < HELD


@pytest.mark.parametrize("kind", ["torch", "npz"])
def test_a_large_tensor_in_another_format(kind: Format, large: Path, tmp_path: Path) -> None:
    """Formats that are archives hold no more."""
    plan = planned(FILLS["copied"])
    carried(plan, large, tmp_path / "warm", kind)  # what is imported counts once
    assert carried(plan, large, tmp_path / "new", kind) < HELD


def test_what_an_optimizer_keeps_of_a_large_tensor(large: Path, tmp_path: Path) -> None:
    """Moments go the way of weights, and those of a fresh column are means."""
    weight = torch.ones(ROWS, COLUMNS)
    adam = torch.optim.Adam([torch.nn.Parameter(weight)])
    (held,) = adam.param_groups[0]["params"]
    held.grad = torch.ones_like(held)
    adam.step()
    torch.save({"model": {"w": weight}, "optimizer": adam.state_dict()}, tmp_path / "old")
    del weight, adam, held
    source = Tensor("w", (ROWS, COLUMNS), "f32")
    kept = Block((EVERY, SOME), FILLS["copied"])
    fresh = Block((EVERY, ((COLUMNS, COLUMNS + 1),)), Value(0.0))
    target = Tensor("w", (ROWS, COLUMNS + 1), "f32")
    plan = Plan("a1", "b2", (TensorPlan(target, source, "parameter", (kept, fresh)),))
    old, order = open_checkpoint(tmp_path / "old"), {"w": np.empty((ROWS, COLUMNS + 1), "f4")}
    carry_file(plan, old, tmp_path / "warm", fresh=order)  # what is imported counts once
    with watched() as counted:
        carry_file(plan, old, tmp_path / "new", fresh=order)
    assert counted.more < HELD
    found = torch.load(tmp_path / "new", weights_only=True, mmap=True)["optimizer"]["state"][0]
    assert found["exp_avg_sq"].shape == target.shape
    assert found["exp_avg_sq"][:, -1].allclose(found["exp_avg_sq"][:, 0])
    assert found["exp_avg"][:, -1].eq(0).all()


def test_a_large_tensor_in_a_folder_of_torch(tmp_path: Path) -> None:
    """A folder holds no more than a file does."""
    (tmp_path / "old").mkdir()
    torch.save({"w": torch.ones(ROWS, COLUMNS)}, tmp_path / "old" / "pytorch_model.bin")
    plan, old = planned(FILLS["copied"]), open_checkpoint(tmp_path / "old")
    carry_file(plan, old, tmp_path / "warm")
    with watched() as held:
        carry_file(plan, old, tmp_path / "new")
    assert held.more < HELD
