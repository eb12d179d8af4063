"""Folders of checkpoints: all opponents of a league see the new observation, or none does."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from safetensors.numpy import load_file, save_file
from stable_baselines3 import PPO
from torch import nn

import suture
from refusals import error, refused
from small import planned
from suture import Plan, Schema, Subject, TransferError

OLD, NEW = ["x", "v", "angle"], ["wind", "angle", "x", "v"]
SHARED = [NEW.index(name) for name in OLD]


def net(features: Sequence[str], seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(len(features), 5), nn.Tanh(), nn.Linear(5, 2))


def subject(features: Sequence[str], seed: int = 0) -> Subject:
    schema = Schema(inputs={"input": features})
    return Subject(net(features, seed), (torch.randn(7, len(features)),), schema=schema)


@pytest.fixture
def league(tmp_path: Path) -> Path:
    """Three opponents of the past."""
    folder = tmp_path / "league"
    folder.mkdir()
    for seed in (1, 2, 3):
        torch.save(net(OLD, seed).state_dict(), folder / f"past_{seed}.pt")
    return folder


def plan() -> Plan:
    return planned(subject(OLD), subject(NEW))


WIDE = net(NEW, 9).state_dict()


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_every_opponent_plays_as_it_did(league: Path, tmp_path: Path) -> None:
    """Each by its own weights, whatever the new features say; the old files stay."""
    before = {path.name: path.read_bytes() for path in league.iterdir()}
    into = tmp_path / "deep" / "wide"
    files = suture.transfer_checkpoints(plan(), league, into, WIDE)
    assert files == [into / f"past_{seed}.pt" for seed in (1, 2, 3)]
    assert listed(into) == [file.name for file in files]
    seen = torch.randn(7, 4)
    for seed, file in zip((1, 2, 3), files, strict=True):
        new = net(NEW, 0)
        new.load_state_dict(torch.load(file, weights_only=True))
        assert torch.allclose(new(seen), net(OLD, seed)(seen[:, SHARED]), atol=1e-6)
    assert {path.name: path.read_bytes() for path in league.iterdir()} == before


def test_files_in_the_way(league: Path, tmp_path: Path) -> None:
    """They are listed, and replaced only if that is asked for."""
    into = tmp_path / "wide"
    first = suture.transfer_checkpoints(plan(), league, into, WIDE)
    first[0].unlink()
    kept = first[1].read_bytes()
    with pytest.raises(TransferError) as raised:
        suture.transfer_checkpoints(plan(), league, into, WIDE)
    assert raised.value.facts == (("past_2.pt", "is there"), ("past_3.pt", "is there"))
    assert raised.value.hint == "give overwrite=True"
    assert listed(into) == ["past_2.pt", "past_3.pt"]
    other = {name: weight + 1 for name, weight in WIDE.items()}
    suture.transfer_checkpoints(plan(), league, into, other, overwrite=True)
    assert len(listed(into)) == 3
    assert first[1].read_bytes() == kept  # nothing of these weights begins as its own


def test_the_folder_that_is_read(league: Path) -> None:
    """The old opponents are not written over, even if that is asked for."""
    before = {path.name: path.read_bytes() for path in league.iterdir()}
    with pytest.raises(TransferError) as raised:
        suture.transfer_checkpoints(plan(), league, league / "." / "", WIDE, overwrite=True)
    assert raised.value.sentence == f"{league} is what would be read."
    assert raised.value.hint == "write to another folder"
    assert {path.name: path.read_bytes() for path in league.iterdir()} == before


def test_all_files_that_do_not_fit(league: Path, tmp_path: Path) -> None:
    """One error for all of them, and nothing is written, not even what would have fitted."""
    torch.save(net(NEW, 4).state_dict(), league / "a_wide.pt")
    torch.save({"model": net(OLD, 5).state_dict(), "step": 3}, league / "b_nested.pt")
    torch.save([1, 2], league / "c_list.pt")
    (league / "d_empty.pt").touch()
    into = tmp_path / "wide"
    told = refused(lambda: suture.transfer_checkpoints(plan(), league, into, WIDE))
    assert told.replace(str(league), "league") == error(
        """
        TransferError: Not every file in league can be carried over.
          a_wide.pt The plan was not made for one of the arrays.
          a_wide.pt   source 0.weight is f32[5,4]; the plan was made for f32[5,3]
          b_nested.pt It holds more than one state dict.
          b_nested.pt   holds 'model', a OrderedDict
          b_nested.pt   holds 'step', a int
          c_list.pt It holds a list, no state dict.
          d_empty.pt It is no whole file of weights.
          d_empty.pt   torch EOFError
        """
    )
    assert listed(into) == []


class Touches:
    """Pickled, it makes a folder when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_a_file_that_runs_something(league: Path, tmp_path: Path) -> None:
    """It is refused, and nothing of it runs."""
    torch.save({"0.weight": Touches(tmp_path / "ran")}, league / "evil.pt")
    (league / "plain.pt").write_bytes(pickle.dumps(Touches(tmp_path / "ran"), 2))
    with pytest.raises(TransferError) as raised:
        suture.transfer_checkpoints(plan(), league, tmp_path / "wide", WIDE)
    assert {name for name, _ in raised.value.facts} == {"evil.pt", "plain.pt"}
    assert not (tmp_path / "ran").exists()


def test_a_disk_that_is_full(league: Path, tmp_path: Path) -> None:
    """What cannot be written leaves nothing half done."""

    def full(state: Mapping[str, Any], path: Path) -> None:
        path.write_bytes(b"half")
        if path.name == "past_3.pt":
            raise OSError(28, "No space left on device")

    with pytest.raises(TransferError) as raised:
        suture.transfer_checkpoints(plan(), league, tmp_path / "wide", WIDE, write=full)
    assert raised.value.facts == (("past_3.pt", "[Errno 28] No space left on device"),)
    assert listed(tmp_path / "wide") == []


def test_a_fault_of_the_callers(league: Path, tmp_path: Path) -> None:
    """Whatever else is raised goes through, and nothing is left either."""
    with pytest.raises(ZeroDivisionError):
        suture.transfer_checkpoints(
            plan(), league, tmp_path / "wide", WIDE, write=lambda state, path: 1 // 0
        )
    assert listed(tmp_path / "wide") == []


def test_folders_within(league: Path, tmp_path: Path) -> None:
    """Files of one name in several folders stay apart."""
    for season in ("first", "second"):
        (league / season).mkdir()
        torch.save(net(OLD, len(season)).state_dict(), league / season / "past_1.pt")
    into = tmp_path / "wide"
    files = suture.transfer_checkpoints(plan(), league, into, WIDE, pattern="*/*.pt")
    assert files == [into / season / "past_1.pt" for season in ("first", "second")]
    first, second = (torch.load(file, weights_only=True)["2.bias"] for file in files)
    assert torch.equal(first, net(OLD, 5).state_dict()["2.bias"])
    assert torch.equal(second, net(OLD, 6).state_dict()["2.bias"])


def test_an_empty_folder(league: Path) -> None:
    """Nothing to do is no success."""
    with pytest.raises(TransferError, match=r"^There is no file \*\.zip in "):
        suture.transfer_checkpoints(plan(), league, league / "wide", WIDE, pattern="*.zip")


def test_other_formats(league: Path, tmp_path: Path) -> None:
    """How a file is read and written is the caller's, arrays may be numpy's."""
    for path in [*league.iterdir()]:
        state = torch.load(path, weights_only=True)
        arrays = {name: weight.numpy() for name, weight in state.items()}
        save_file(arrays, path.with_suffix(".safetensors"))
    files = suture.transfer_checkpoints(
        plan(),
        league,
        tmp_path / "wide",
        {name: weight.numpy() for name, weight in WIDE.items()},
        pattern="*.safetensors",
        read=load_file,
        write=lambda state, path: save_file(dict(state), path),
    )
    old, new = load_file(league / files[0].name), load_file(files[0])
    assert np.array_equal(new["0.weight"][:, SHARED], old["0.weight"])


class Duel(gym.Env[Any, Any]):
    def __init__(self, features: Sequence[str]) -> None:
        self.observation_space = spaces.Box(-9, 9, (len(features),), np.float32)
        self.action_space = spaces.Discrete(3)


def fighter(features: Sequence[str], seed: int) -> PPO:
    return PPO("MlpPolicy", Duel(features), seed=seed, policy_kwargs={"net_arch": [6]})


def test_opponents_of_stable_baselines(tmp_path: Path) -> None:
    """Its zip of the new model lends everything but the policy's weights."""
    league, into = tmp_path / "league", tmp_path / "wide"
    league.mkdir()
    for seed in (1, 2):
        fighter(OLD, seed).save(league / f"past_{seed}")
    new = fighter(NEW, 5)
    new.save(tmp_path / "new")

    def read(path: Path) -> Mapping[str, Any]:
        with ZipFile(path) as zipped, zipped.open("policy.pth") as file:
            weights: Mapping[str, Any] = torch.load(file, weights_only=True)
            return weights

    def write(state: Mapping[str, Any], path: Path) -> None:
        with ZipFile(tmp_path / "new.zip") as like, ZipFile(path, "w") as made:
            for name in like.namelist():
                made.writestr(name, pth(state) if name == "policy.pth" else like.read(name))

    def sees(model: PPO, features: Sequence[str]) -> Subject:
        schema = Schema(inputs={"obs": features})
        example = (torch.randn(7, len(features)),)
        return Subject(model.policy, example, schema=schema, call=reads)

    files = suture.transfer_checkpoints(
        planned(sees(fighter(OLD, 0), OLD), sees(new, NEW)),
        league,
        into,
        new.policy.state_dict(),
        pattern="*.zip",
        read=read,
        write=write,
    )
    seen = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    for seed, file in zip((1, 2), files, strict=True):
        played, _ = PPO.load(file).predict(seen, deterministic=True)
        before, _ = fighter(OLD, seed).predict(seen[:, SHARED], deterministic=True)
        assert np.array_equal(played, before)


def reads(policy: Any, obs: Any) -> Any:
    return policy.get_distribution(obs).distribution.logits, policy.predict_values(obs)


def pth(state: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    torch.save(dict(state), file)
    return file.getvalue()
