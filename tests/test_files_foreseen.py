"""What a format cannot hold is said before anything is written, to a dry run too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

from agents import ALONE, agent, planned
from refusals import refused
from suture._dtypes import DTYPES
from suture._files import carry_file, foresee, open_checkpoint, weights_alone
from suture._plan import Plan
from suture._torch._arrays import DTYPES_OF_TORCH
from widened import ZEROS, widened


def refusals(plan: Plan, old: Path, new: Path, kind: Any = None, **how: Any) -> set[str]:
    """Ask twice: what carrying says, and what foreseeing does."""
    held = open_checkpoint(old)
    given = held if kind is None else weights_alone(held, kind)
    found = {
        refused(lambda: carry_file(plan, held, new, format=kind, **how)),
        refused(lambda: foresee(plan, given, new, **how)),
    }
    assert [*old.parent.iterdir()] == [old]
    return found


@pytest.mark.parametrize(
    ("dtype", "kind", "text"),
    [
        ("bf16", "npz", "no .npz holds such entries."),
        ("f8_e5m2", "npz", "no .npz holds such entries."),
        ("c128", "safetensors", "safetensors knows no such dtype."),
    ],
)
def test_dtypes_that_the_format_lacks(tmp_path: Path, dtype: str, kind: Any, text: str) -> None:
    """The tensors are named."""
    torch.save({"w": torch.zeros(3, 5, dtype=DTYPES_OF_TORCH[dtype])}, tmp_path / "old")
    plan = widened({"w": np.zeros((3, 5), DTYPES[dtype])}, fill=ZEROS)
    said = f"FileError: {tmp_path}/new cannot be written: {text}\n  w        {dtype}"
    assert refusals(plan, tmp_path / "old", tmp_path / "new", kind) == {said}


def test_an_agent_with_other_parameters(tmp_path: Path) -> None:
    """Without its old states an optimizer says how many parameters it has, which changes."""
    old, new = agent(PPO, 2, 6), agent(PPO, 4, 6, **ALONE)
    old.save(tmp_path / "old.zip")
    spaces = {"observation_space": new.observation_space, "action_space": new.action_space}
    how = {"settings": spaces, "optimizer": "reset", "fresh": new.policy.state_dict()}
    found = refusals(planned(old, new), tmp_path / "old.zip", tmp_path / "new.zip", **how)
    other = "has optimizers of other parameters than the new agent's."
    hint = "hint: save the new agent once, and give its optimizers"
    rest = f"{other}\n  optimizer policy.optimizer.pth\n\n{hint}"
    assert found == {f"FileError: {tmp_path}/old.zip {rest}"}
