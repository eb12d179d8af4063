"""Models of other libraries, from their own files to their own files, on the command line."""

from __future__ import annotations

import json
import logging
import pickle
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import save_file
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import suture
from commands import Suture, said, seen

LLAMA = """
    import sys
    import torch, suture
    from transformers import LlamaConfig, LlamaForCausalLM

    def llama(config):
        text = {"input_ids": torch.arange(10).reshape(2, 5)}
        return suture.Subject(LlamaForCausalLM(config).eval(), (), text)

    def small():
        return llama(LlamaConfig.from_pretrained("old"))

    def wide():
        config = LlamaConfig.from_pretrained("old")
        config.hidden_size, config.intermediate_size, config.vocab_size = 36, 52, 101
        return llama(config)
    """
TEXT = torch.tensor([[5, 1, 96, 3, 3, 8, 20], [9, 9, 2, 40, 77, 0, 1]])


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Hear what transformers warns of."""
    library = hf.logging.get_logger()
    before = hf.logging.get_verbosity()
    hf.logging.set_verbosity(logging.WARNING)
    library.addHandler(caplog.handler)
    yield caplog
    library.removeHandler(caplog.handler)
    hf.logging.set_verbosity(before)


def test_a_hugging_face_folder_gets_wider(run: Suture, warned: pytest.LogCaptureFixture) -> None:
    """Shards in, shards out: `from_pretrained` says nothing, and old tokens get their logits."""
    Path("models.py").write_text(dedent(LLAMA))
    torch.manual_seed(1)
    config = hf.LlamaConfig(
        hidden_size=24,
        intermediate_size=44,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=4,
        vocab_size=97,
        max_position_embeddings=16,
    )
    llama: Any = hf.LlamaForCausalLM
    old = llama(config).eval()
    old.save_pretrained("old", max_shard_size="20KB")
    shards = sorted(path.name for path in Path("old").glob("*.safetensors"))
    assert len(shards) > 2

    assert run("plan", "models.py:small", "models.py:wide", "-o", "plan.json").exit_code == 0
    result = run("apply", "plan.json", "old", "--target", "models.py:wide", "-o", "new")
    assert result.exit_code == 0, result.stderr
    assert len([*Path("new").glob("*.safetensors")]) > 2

    warned.clear()
    new, told = llama.from_pretrained("new", output_loading_info=True)
    assert not any(told.values())
    assert not [each for each in warned.records if "weight" in each.getMessage().lower()]
    assert new.config.hidden_size == 36
    with torch.no_grad():
        before, after = old(TEXT).logits, new.eval()(TEXT).logits[..., :97]
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)

    files = "--source-weights", "old", "--target-weights", "new"
    result = run("verify", "plan.json", "models.py:small", "models.py:wide", *files)
    assert seen(result)[0] == 0
    assert json.loads(Path("new/config.json").read_text())["architectures"] == ["LlamaForCausalLM"]

    save_file(new.state_dict(), "fresh.safetensors")
    for words in (("--dry-run",), ()):
        result = run("apply", "plan.json", "old", "--fresh", "fresh.safetensors", "-o", "b", *words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "FileError: old/config.json says the old sizes" in result.stderr
    assert run("apply", "plan.json", "old", "--fresh", "new", "-o", "newer").exit_code == 0
    assert json.loads(Path("newer/config.json").read_text())["hidden_size"] == 36

    sizes = "q_proj.weight dim 0=6x4", "[kv]_proj.weight dim 0=2x4", "o_proj.weight dim 1=6x4"
    told = [word for size in sizes for word in ("--size", f"*.{size}")]
    alone = "plan", "--source-checkpoint", "old", "models.py:wide"
    assert "The checkpoint does not tell all sizes of the old model." in run(*alone).stderr
    assert run(*alone, *told, "-o", "derived.json").exit_code == 0
    derived, traced = (
        suture.Plan.from_json(Path(name).read_text()) for name in ("derived.json", "plan.json")
    )
    assert derived.tensors == traced.tensors


# --- agents --------------------------------------------------------------------

AGENT = """
    import gymnasium, numpy, torch, suture
    from gymnasium import spaces
    from stable_baselines3 import PPO

    class World(gymnasium.Env):
        def __init__(self, features, actions):
            self.features = features
            self.observation_space = spaces.Box(-1, 1, (len(features),), numpy.float32)
            self.action_space = spaces.Discrete(actions)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.left = 5
            return self.observation_space.sample(), {}

        def step(self, action):
            self.left -= 1
            seen = self.observation_space.sample()
            return seen, float(action), self.left == 0, False, {}

    def agent(world, hidden):
        short = {"n_steps": 8, "batch_size": 8, "n_epochs": 1, "device": "cpu", "seed": 1}
        return PPO("MlpPolicy", world, policy_kwargs={"net_arch": [hidden, 5]}, **short)

    def asked(policy, obs):
        latent, worth = policy.mlp_extractor(policy.extract_features(obs))
        return {"action": policy.action_net(latent), "value": policy.value_net(worth)}

    def subject(world, hidden):
        policy = agent(world, hidden).policy
        seen = torch.zeros(4, len(world.features))
        names = ["left", "right", "brake"][: world.action_space.n]
        schema = suture.Schema({"obs": world.features}, {"action": names})
        return suture.Subject(policy, (seen,), schema=schema, call=asked)

    SMALL, LARGE = World(["x", "v"], 2), World(["wind", "x", "v", "fuel"], 3)

    def old():
        return subject(SMALL, 6)

    def new():
        return subject(LARGE, 9)
    """


def test_an_agent_moves_to_a_larger_world(run: Suture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained, saved, carried and loaded: it decides as before, and goes on learning."""
    Path("arenas.py").write_text(dedent(AGENT))
    monkeypatch.syspath_prepend(Path.cwd())
    worlds: Any = import_module("arenas")
    trained = worlds.agent(worlds.SMALL, 6)
    trained.learn(16)
    trained.save("old.zip")

    both = "arenas:old", "arenas:new"
    assert run("plan", *both, "-o", "plan.json").exit_code == 0
    words = "apply", "plan.json", "old.zip", "--target", "arenas:new", "-o", "new.zip"
    told = "  optimizer policy.optimizer: 124 of 214 entries carried\n"
    foreseen = run(*words, "--dry-run")
    assert foreseen.stdout.startswith("Would write new.zip: ")
    assert told in foreseen.stdout
    torch.save(worlds.new().model.state_dict(), "fresh.pt")
    homeless = run(*words[:3], "--fresh", "fresh.pt", "-o", "new.zip")
    assert "old.zip is an agent: the new one needs its spaces." in homeless.stderr
    reset = run(*words, "--reset-optimizer")
    assert "  left out policy.optimizer.pth\n" in reset.stdout
    result = run(*words, "--force")
    assert result.exit_code == 0, result.stderr
    assert told in result.stdout
    files = "--source-weights", "old.zip", "--target-weights", "new.zip"
    result = run("verify", "plan.json", *both, *files)
    assert result.exit_code == 0, result.stdout

    loaded = worlds.PPO.load("new.zip", env=worlds.LARGE, device="cpu")
    assert loaded.observation_space == worlds.LARGE.observation_space
    assert loaded.num_timesteps == trained.num_timesteps == 16
    seen = torch.rand(7, 4) * 2 - 1
    with torch.no_grad():
        before = worlds.asked(trained.policy, seen[:, [1, 2]])
        after = worlds.asked(loaded.policy, seen)
    torch.testing.assert_close(after["action"][:, :2], before["action"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(after["value"], before["value"], rtol=1e-5, atol=1e-6)
    weight = loaded.policy.mlp_extractor.policy_net[0].weight
    averages = loaded.policy.optimizer.state[weight]["exp_avg"][:6, [1, 2]]
    old = trained.policy.mlp_extractor.policy_net[0].weight
    assert torch.equal(averages, trained.policy.optimizer.state[old]["exp_avg"])
    loaded.learn(8, reset_num_timesteps=False)
    assert loaded.num_timesteps == 24


WORDS = "apply", "plan.json", "old.zip", "--target", "gyms:new", "-o", "new.zip"


@pytest.fixture
def worlds(run: Suture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Train an agent behind statistics, save both, and plan."""
    Path("gyms.py").write_text(dedent(AGENT))
    monkeypatch.syspath_prepend(Path.cwd())
    worlds: Any = import_module("gyms")
    worlds.normalized = VecNormalize(DummyVecEnv([lambda: worlds.SMALL]), gamma=0.9)
    trained = worlds.agent(worlds.normalized, 6)
    trained.learn(16)
    trained.save("old.zip")
    worlds.normalized.save("old.pkl")
    assert run("plan", "gyms:old", "gyms:new", "-o", "plan.json").exit_code == 0
    yield worlds
    del sys.modules["gyms"]


def test_statistics_beside_an_agent(run: Suture, worlds: Any) -> None:
    """What VecNormalize saved is carried with the agent: by name, whole or not at all."""
    words, beside = WORDS, ("--vec-normalize", "old.pkl", "new.pkl")
    assert run(*words, *beside, "--dry-run").exit_code == 0
    assert not Path("new.pkl").exists()
    Path("other.pkl").write_bytes(pickle.dumps(print))
    refused = run(*words, beside[0], "other.pkl", "new.pkl")
    assert refused.exit_code == 2
    assert "builtins.print" in refused.stderr
    assert not Path("new.zip").exists()
    result = run(*words, *beside)
    assert result.exit_code == 0, result.stderr

    around: Any = VecNormalize.load("new.pkl", DummyVecEnv([lambda: worlds.LARGE]))
    np.testing.assert_array_equal(around.obs_rms.mean[[1, 2]], worlds.normalized.obs_rms.mean)
    np.testing.assert_array_equal(around.obs_rms.mean[[0, 3]], 0.0)
    assert around.gamma == 0.9
    loaded = worlds.PPO.load("new.zip", env=around, device="cpu")
    loaded.learn(8, reset_num_timesteps=False)
    Path("new.zip").unlink()
    assert "new.pkl exists already." in run(*words, *beside).stderr
    assert not Path("new.zip").exists()
    assert run(*words, "--force", *beside).exit_code == 0


def test_statistics_that_are_not_there(run: Suture, worlds: Any) -> None:
    """A misspelt name is an answer, not a traceback; what was probably meant is said."""
    told = """
        FileError: olt.pkl cannot be read.
          because  No such file or directory

        hint: did you mean 'old.pkl'?
        """
    for words in (("--dry-run",), ()):
        result = run(*WORDS, "--vec-normalize", "olt.pkl", "new.pkl", *words)
        assert result.exit_code == 2
        assert result.stderr.endswith(said(told))
    assert not Path("new.zip").exists()
    assert not Path("new.pkl").exists()


def test_statistics_that_must_not_be_written_there(run: Suture, worlds: Any) -> None:
    """Neither over the agent nor over what is read; nor is the agent written over them."""
    Path("old.pkl").chmod(0o600)
    before = {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    cases = (
        ("new.zip", "old.pkl", "new.zip", "new.zip is where the agent itself is written."),
        ("new.zip", "old.pkl", "plan.json", "plan.json is what would be read."),
        ("new.zip", "old.pkl", "old.zip", "old.zip is what would be read."),
        ("new.zip", "old.pkl", "old.pkl", "old.pkl is what would be read."),
        ("old.pkl", "old.pkl", "new.pkl", "old.pkl is what would be read."),
    )
    for agent, old, new, told in cases:
        result = run(*WORDS[:-1], agent, "--vec-normalize", old, new, "--force")
        assert result.exit_code == 2
        assert f"FileError: {told}\n" in result.stderr
    assert {p.name: p.read_bytes() for p in Path().iterdir() if p.is_file()} == before
    assert run(*WORDS, "--vec-normalize", "old.pkl", "new.pkl").exit_code == 0
    assert Path("new.pkl").stat().st_mode & 0o777 == 0o600


def test_statistics_that_cannot_take_their_place(
    run: Suture, worlds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent is there by then: that is said, and what to do."""
    replace = Path.replace

    def refused(path: Path, target: Path) -> Path:
        if path.name == ".new.pkl.suture-part":
            assert Path("new.zip").exists()
            raise OSError("the disk is gone")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refused)
    result = run(*WORDS, "--vec-normalize", "old.pkl", "new.pkl")
    told = """
        FileError: new.zip is written, but not what belongs beside it: new.pkl cannot be written.
          because  the disk is gone

        hint: write both again: --force
        """
    assert result.exit_code == 2
    assert result.stderr.endswith(said(told))
    assert Path("new.zip").exists()
    assert not Path("new.pkl").exists()
