"""Agents of Stable-Baselines3 in a world that takes more actions: what hangs on how many."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import DDPG, SAC, TD3
from stable_baselines3.common.noise import NormalActionNoise

from agents import Seeing, agent, planned
from suture._files import Written, carry_file, open_checkpoint
from suture._torch._beside import settings


def moved(folder: Path, old: Any, new: Any, **told: Any) -> Written:
    """Save a trained agent, and write it for the world and with the policy of another."""
    old.save(folder / "old.zip")
    told = {"settings": settings(new.policy), "fresh": new.policy.state_dict(), **told}
    source = open_checkpoint(folder / "old.zip")
    return carry_file(planned(old, new), source, folder / "new.zip", **told)


def data(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        held: dict[str, Any] = json.loads(archive.read("data"))
        return held


def noise(actions: int) -> NormalActionNoise:
    return NormalActionNoise(np.zeros(actions), 0.1 * np.ones(actions))


def trained(kind: Any, **said: Any) -> Any:
    """Train an agent that sees three numbers and pushes twice."""
    old = agent(kind, 3, 6, pushes=2)
    vars(old).update(said)
    return old.learn(8)


@pytest.mark.parametrize(
    ("chosen", "expected"), [({}, -3.0), ({"target_entropy": -0.7}, -0.7)], ids=["auto", "chosen"]
)
def test_the_entropy_that_is_aimed_at(
    tmp_path: Path, chosen: dict[str, float], expected: float
) -> None:
    """Derived of the actions it is derived anew, as a fresh agent does; chosen it stays."""
    old, new = trained(SAC, **chosen), agent(SAC, 4, 9, pushes=3)
    assert old.target_entropy == chosen.get("target_entropy", -2.0)
    assert new.target_entropy == -3.0
    moved(tmp_path, old, new)
    loaded = SAC.load(tmp_path / "new.zip", env=Seeing(4, 3), device="cpu")
    assert loaded.target_entropy == expected
    loaded.learn(8, reset_num_timesteps=False)


def test_agents_that_aim_at_no_entropy(tmp_path: Path) -> None:
    """They are given none."""
    moved(tmp_path, trained(TD3), agent(TD3, 4, 9, pushes=3))
    assert "target_entropy" not in data(tmp_path / "new.zip")
    TD3.load(tmp_path / "new.zip", env=Seeing(4, 3), device="cpu").learn(8)


@pytest.mark.parametrize("kind", [SAC, TD3, DDPG])
def test_noise_on_other_actions(tmp_path: Path, kind: Any) -> None:
    """It has a number for each old one: it is left out, that is said, and a new one goes on."""
    old, new = trained(kind, action_noise=noise(2)), agent(kind, 4, 9, pushes=3)
    assert moved(tmp_path, old, new).left_out == ("action_noise",)
    loaded = kind.load(tmp_path / "new.zip", env=Seeing(4, 3), device="cpu")
    assert loaded.action_noise is None
    loaded.learn(8, reset_num_timesteps=False)
    loaded.action_noise = noise(3)
    loaded.learn(8, reset_num_timesteps=False)


def test_noise_on_the_same_actions(tmp_path: Path) -> None:
    """It goes along unread, whatever else is new."""
    old, new = trained(TD3, action_noise=noise(2)), agent(TD3, 4, 9, pushes=2)
    assert moved(tmp_path, old, new).left_out == ()
    before, after = (data(tmp_path / name)["action_noise"] for name in ("old.zip", "new.zip"))
    assert before == after
    TD3.load(tmp_path / "new.zip", env=Seeing(4, 2), device="cpu").learn(8)


def test_noise_that_is_given(tmp_path: Path) -> None:
    """It takes the old one's place, as any setting does."""
    old, new = trained(TD3, action_noise=noise(2)), agent(TD3, 4, 9, pushes=3)
    said = settings(new.policy) | {"action_noise": noise(3)}
    assert moved(tmp_path, old, new, settings=said).left_out == ()
    loaded = TD3.load(tmp_path / "new.zip", env=Seeing(4, 3), device="cpu")
    assert loaded.action_noise is not None
    loaded.learn(8, reset_num_timesteps=False)


def test_an_archive_that_says_no_shape_of_actions(tmp_path: Path) -> None:
    """Noise that may be of other actions does not go along; a number stays that may be chosen."""
    old, new = trained(SAC, action_noise=noise(2)), agent(SAC, 4, 9, pushes=3)
    old.save(tmp_path / "whole.zip")
    with zipfile.ZipFile(tmp_path / "whole.zip") as whole:
        held = {name: whole.read(name) for name in whole.namelist()}
    said = json.loads(held["data"])
    del said["action_space"]["_shape"]
    with zipfile.ZipFile(tmp_path / "bare.zip", "w") as bare:
        for name, content in (held | {"data": json.dumps(said).encode()}).items():
            bare.writestr(name, content)
    told = {"settings": settings(new.policy), "fresh": new.policy.state_dict()}
    source = open_checkpoint(tmp_path / "bare.zip")
    written = carry_file(planned(old, new), source, tmp_path / "new.zip", **told)
    assert written.left_out == ("action_noise",)
    assert data(tmp_path / "new.zip")["target_entropy"] == -2.0
