"""Agents of Stable-Baselines3, from archive to archive: loaded by the library, and trained on."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import PPO

from agents import Seeing, agent, both, planned
from suture._errors import FileError
from suture._files import Written, carry_file, open_checkpoint


@pytest.fixture
def trained(tmp_path: Path) -> PPO:
    """Train an agent and save it."""
    old: PPO = agent(PPO, 2, 6)
    old.learn(16)
    old.save(tmp_path / "old.zip")
    return old


def carried(tmp_path: Path, old: PPO, new: PPO, **how: Any) -> Written:
    settings = {
        "observation_space": new.observation_space,
        "action_space": new.action_space,
        "policy_kwargs": new.policy_kwargs,
    }
    source = open_checkpoint(tmp_path / "old.zip")
    fresh = new.policy.state_dict()
    how = {"settings": settings, "optimizer": "reset"} | how
    return carry_file(planned(old, new), source, tmp_path / "new.zip", fresh=fresh, **how)


def test_an_agent_in_a_larger_world(tmp_path: Path, trained: PPO) -> None:
    """The library loads it, it decides as before whatever is new, and it learns on."""
    new = agent(PPO, 4, 9)
    assert open_checkpoint(tmp_path / "old.zip").format == "stable-baselines3"
    written = carried(tmp_path, trained, new)
    assert written.left_out == ("policy.optimizer.pth",)
    loaded = PPO.load(tmp_path / "new.zip", env=Seeing(4), device="cpu")
    assert loaded.observation_space == new.observation_space
    assert loaded.num_timesteps == trained.num_timesteps
    seen = torch.rand(7, 4)
    with torch.no_grad():
        for ours, theirs in zip(
            both(loaded.policy, seen), both(trained.policy, seen[:, :2]), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    loaded.learn(8, reset_num_timesteps=False)
    assert loaded.num_timesteps == trained.num_timesteps + 8


def test_what_an_archive_keeps(tmp_path: Path, trained: PPO) -> None:
    """Members and settings that the change does not concern are the old ones, byte by byte."""
    carried(tmp_path, trained, agent(PPO, 4, 6))
    with zipfile.ZipFile(tmp_path / "old.zip") as old, zipfile.ZipFile(tmp_path / "new.zip") as new:
        assert new.namelist() == old.namelist()
        for name in ("pytorch_variables.pth", "_stable_baselines3_version", "system_info.txt"):
            assert new.read(name) == old.read(name)
        before, after = json.loads(old.read("data")), json.loads(new.read("data"))
    replaced = {"observation_space", "action_space", "policy_kwargs", "_last_obs"}
    assert after["_last_obs"] is None
    assert {name for name in before if before[name] != after[name]} <= replaced


def test_an_optimizer_of_an_agent(tmp_path: Path, trained: PPO) -> None:
    """A function gives it; without a word about it nothing is written."""
    new = agent(PPO, 4, 6)

    def fresh(name: str, state: Mapping[str, Any]) -> Mapping[str, Any]:
        assert name == "policy.optimizer"
        assert state["state"]
        begun: Mapping[str, Any] = new.policy.optimizer.state_dict()
        return begun

    with pytest.raises(FileError, match=r"optimizer policy\.optimizer\.pth"):
        carried(tmp_path, trained, new, optimizer="refuse")
    assert not (tmp_path / "new.zip").exists()
    assert carried(tmp_path, trained, new, optimizer=fresh).left_out == ()
    PPO.load(tmp_path / "new.zip", env=Seeing(4), device="cpu").learn(8)


def test_an_agent_without_spaces(tmp_path: Path, trained: PPO) -> None:
    """Those of the old world would be a lie: they must be given."""
    with pytest.raises(FileError) as caught:
        carried(tmp_path, trained, agent(PPO, 4, 6), settings={})
    assert str(caught.value) == (
        f"{tmp_path}/old.zip is an agent: the new one needs its spaces.\n"
        "  missing  observation_space\n  missing  action_space\n\n"
        "hint: give the new agent's policy, --target TARGET, or both by settings="
    )
