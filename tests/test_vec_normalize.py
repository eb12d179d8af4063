"""VecNormalize around a changed environment: a trained policy acts as it did.

The failure behind these tests is a known one: weights carried over and statistics forgotten, a
policy that was good is as good as chance.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize

import suture
from named import pictures
from refusals import error, refused
from suture import Affine, Plan, Schema, Subject, TransferError, UnpickleError
from worlds_of_agents import Rooms, World, normalised, vector

OLD, NEW = ["x", "v", "angle"], ["wind", "angle", "x", "v"]
PUSHES, MORE = ["push x", "push v"], ["push v", "push angle", "push x"]
EXACT = 1e-5
"""Policies and observations are f32."""


def agent(venv: VecEnv) -> PPO:
    return PPO("MlpPolicy", venv, n_steps=32, batch_size=32, policy_kwargs={"net_arch": [9]})


def heads(policy: Any, obs: Any) -> dict[str, Any]:
    """Everything that a policy says of an observation."""
    chances = policy.get_distribution(obs).distribution
    return {"mean": chances.mean, "deviation": chances.stddev, "value": policy.predict_values(obs)}


def subject(model: PPO, features: Sequence[str], pushes: Sequence[str]) -> Subject:
    schema = Schema(inputs={"obs": features}, outputs={"mean": pushes, "deviation": pushes})
    return Subject(model.policy, (torch.randn(7, len(features)),), schema=schema, call=heads)


def generic(model: PPO) -> PPO:
    """Give a policy weights of order one, for those of a few steps show little."""
    torch.manual_seed(4)
    with torch.no_grad():
        for weight in model.policy.parameters():
            weight.copy_(torch.randn_like(weight) / max(1, weight.dim() - 1) ** 0.5 / 2)
    return model


def moved(plan: Plan, source: Any, venv: Any, **said: Any) -> Any:
    """Put a run's statistics around an environment."""
    return suture.transfer_vec_normalize(plan, source, venv, **said)


def played(model: PPO, venv: VecNormalize, pushes: Sequence[str]) -> np.ndarray:
    """Let a policy act until worlds begin anew, for what it did by name, and the world's answer."""
    venv.training = False
    observed: Any = venv.reset()
    told = []
    for _ in range(35):
        done, _ = model.predict(observed, deterministic=True)
        observed, rewards, _, _ = venv.step(done)
        by_name = [done[:, pushes.index(name)] for name in PUSHES]
        told.append(np.stack([*by_name, rewards], axis=-1))
    return np.array(told)


def acts(model: PPO) -> list[torch.Tensor]:
    """Give the weights behind which actions lie."""
    layer: Any = model.policy.action_net
    return [layer.weight, layer.bias]


def trained() -> tuple[PPO, Any]:
    venv = VecNormalize(vector(OLD, PUSHES), gamma=0.97, clip_obs=4.0, epsilon=1e-6)
    model = agent(venv).learn(96)
    return generic(model), venv


@pytest.mark.parametrize("way", ["object", "file"])
def test_a_policy_acts_as_it_did(way: str, tmp_path: Path) -> None:
    """Same world, other observation and more actions: same acts, rewards and values."""
    model, venv = trained()
    new = agent(vector(NEW, MORE))
    plan = suture.transfer(subject(model, OLD, PUSHES), subject(new, NEW, MORE))
    venv.save(str(tmp_path / "vec.pkl"))
    source = venv if way == "object" else tmp_path / "vec.pkl"
    made = moved(plan, source, vector(NEW, MORE))
    # What is new may push what is old: here it must not.
    with torch.no_grad():
        for weight in acts(new):
            weight[MORE.index("push angle")] = 0
    before, after = played(model, venv, PUSHES), played(new, made, MORE)
    assert np.abs(before).max() > 0.5
    assert np.allclose(before, after, atol=EXACT)


def test_statistics_that_are_forgotten() -> None:
    """The same policy without them acts otherwise: it is they that the tests above carry."""
    model, venv = trained()
    new = agent(vector(NEW, PUSHES))
    suture.transfer(subject(model, OLD, PUSHES), subject(new, NEW, PUSHES))
    forgotten = VecNormalize(vector(NEW, PUSHES), gamma=0.97, clip_obs=4.0, epsilon=1e-6)
    before, after = played(model, venv, PUSHES), played(new, forgotten, PUSHES)
    assert np.abs(before - after).max() > 0.1


def test_a_feature_in_other_units() -> None:
    """The environment gives km/h: statistics take it up, weights need not know."""
    model, venv = trained()
    new = agent(vector(NEW, PUSHES))
    plan = suture.transfer(subject(model, OLD, PUSHES), subject(new, NEW, PUSHES))
    world = vector(NEW, PUSHES, units={"v": 3.6})
    kmh = {"obs.v": Affine(3.6)}
    made = moved(plan, venv, world, rescaled=kmh)
    assert np.allclose(played(model, venv, PUSHES), played(new, made, PUSHES), atol=1e-4)


def test_a_run_goes_on() -> None:
    """Statistics go on being taken, by feature; a saved file is one that is read again."""
    model, venv = trained()
    new = agent(vector(NEW, PUSHES))
    plan = suture.transfer(subject(model, OLD, PUSHES), subject(new, NEW, PUSHES))
    made = moved(plan, venv, vector(NEW, PUSHES))
    counts = made.obs_rms.count, made.ret_rms.count
    assert counts == (venv.obs_rms.count, venv.ret_rms.count)
    PPO("MlpPolicy", made, n_steps=32, batch_size=32).learn(32)
    assert made.obs_rms.count > counts[0]
    assert made.obs_rms.mean[NEW.index("wind")] > 1e-3


def planned(old: Sequence[str], new: Sequence[str], name: str = "obs") -> Plan:
    def graph(features: Sequence[str]) -> suture.Graph:
        schema = Schema(inputs={name: features})
        example = torch.zeros(5, len(features))
        given = ({"body": example, "room": torch.zeros(5, 4)},) if "." in name else (example,)
        layer = torch.nn.Linear(len(features), 2)
        return suture.trace(Subject(layer, given, schema=schema, call=reads))

    return suture.plan(graph(old), graph(new))


def reads(model: Any, obs: Any) -> Any:
    return model(obs["body"]) + obs["room"].sum() if isinstance(obs, dict) else model(obs)


def test_what_is_the_runs_and_what_is_the_environments(tmp_path: Path) -> None:
    """Settings and returns come from the file; spaces and sizes from the new environment."""
    settings: dict[str, Any] = {"clip_obs": 3.0, "clip_reward": 2.0, "gamma": 0.9, "epsilon": 1e-4}
    run = normalised(vector(OLD, PUSHES), norm_reward=False, **settings)
    run.training = False
    run.save(str(tmp_path / "vec.pkl"))
    venv = DummyVecEnv([lambda: World(NEW, MORE)] * 3)
    made = moved(planned(OLD, NEW), str(tmp_path / "vec.pkl"), venv)
    assert {name: getattr(made, name) for name in settings} == settings
    assert (made.norm_reward, made.training, made.num_envs) == (False, False, 3)
    assert vars(made.ret_rms) == vars(run.ret_rms)
    assert made.ret_rms is not run.ret_rms
    assert made.observation_space == venv.observation_space
    assert made.action_space == venv.action_space
    assert made.reset().shape == (3, 4)


def test_observations_that_are_a_dict() -> None:
    """Each key has statistics of its own; keys that are not normalised stay so."""
    run = normalised(vector(OLD, PUSHES, Rooms), norm_obs_keys=["body"])
    plan = planned(OLD, NEW, "obs.body")
    known = {"obs.body.wind": (5.0, 16.0)}
    made = moved(plan, run, vector(NEW, MORE, Rooms), fresh=known)
    assert made.norm_obs_keys == ["body"]
    (before,), (after,) = run.obs_rms.values(), made.obs_rms.values()
    assert np.array_equal(after.mean, [5.0, *before.mean[[2, 0, 1]]])
    assert np.array_equal(after.var, [16.0, *before.var[[2, 0, 1]]])
    assert after.count == before.count
    old, new = run.venv.reset(), made.venv.reset()
    assert np.array_equal(
        run.normalize_obs(old)["body"][:, [2, 0, 1]], made.normalize_obs(new)["body"][:, 1:]
    )


class Eyes(Rooms):
    """A world with one more key that is an array."""

    def _space(self) -> spaces.Space[Any]:
        (body, room) = super()._space().spaces.values()  # type: ignore[attr-defined]
        return spaces.Dict({"body": body, "eye": spaces.Box(-9, 9, (2,)), "room": room})

    def observed(self) -> Any:
        return {**super().observed(), "eye": np.ones(2, np.float32)}


@pytest.mark.parametrize("everything", [True, False])
def test_a_key_that_is_new(everything: bool) -> None:
    """It is normalised where all arrays were, and counts from its own beginning."""
    kind, keys = (Rooms, ["body"]) if everything else (Eyes, ["body"])
    run = normalised(vector(OLD, PUSHES, kind), norm_obs_keys=keys)

    class Ears(Eyes):
        def _space(self) -> spaces.Space[Any]:
            held = super()._space().spaces  # type: ignore[attr-defined]
            return spaces.Dict({**held, "ear": spaces.Box(-9, 9, (2,))})

    made = moved(planned(OLD, NEW, "obs.body"), run, vector(NEW, MORE, Ears))
    assert made.norm_obs_keys == (["body", "ear", "eye"] if everything else ["body"])
    if everything:
        assert made.obs_rms["ear"].count < 1 < made.obs_rms["body"].count


def test_returns_alone() -> None:
    """Observations that were not normalised are not normalised now, and no plan is asked."""
    run = normalised(vector(OLD, PUSHES), norm_obs=False)
    made = moved(planned(OLD, NEW), run, vector(NEW, MORE))
    assert not made.norm_obs
    assert vars(made.ret_rms) == vars(run.ret_rms)


def test_pictures() -> None:
    """The new environment's space shows what a clip makes of pictures."""

    class Sees(gym.Env[Any, Any]):
        action_space = spaces.Discrete(2)

        def __init__(self, channels: int) -> None:
            self.observation_space = spaces.Box(0, 255, (channels, 4, 5), np.uint8)

    def sees(channels: int) -> DummyVecEnv:
        return DummyVecEnv([lambda: Sees(channels)])

    run: Any = VecNormalize(sees(2), clip_obs=3.0)
    run.obs_rms.mean = np.random.default_rng(0).normal(size=(2, 4, 5))
    made = moved(pictures("rg", "gdr"), run, sees(3))
    assert np.array_equal(made.obs_rms.mean[[2, 0]], run.obs_rms.mean)
    assert made.observation_space == spaces.Box(-3.0, 3.0, (3, 4, 5), np.float32)


# What is refused


def test_an_environment_of_another_width() -> None:
    """The plan's new features are not those of the environment."""
    run = normalised(vector(OLD, PUSHES))
    assert refused(lambda: moved(planned(OLD, NEW), run, vector(OLD, PUSHES))) == error(
        """
        TransferError: Statistics do not fit the plan or the new environment.
          obs      is [4] in the plan, [3] in the new environment
        """
    )


def test_names_of_nothing() -> None:
    """All that is said of features is said of some that are normalised."""
    run = normalised(vector(OLD, PUSHES))
    said: dict[str, Any] = {"fresh": {"ops.x": (0, 1)}, "rescaled": {"obs.q": Affine(2.0)}}
    plan = planned(OLD, NEW)
    with pytest.raises(TransferError) as raised:
        moved(plan, run, vector(NEW, PUSHES), **said)
    assert raised.value.facts == (
        ("ops.x", "is of nothing that is normalised"),
        ("obs.q", "is no named entry of both models"),
    )


def test_things_that_are_no_environment() -> None:
    """Said with the one that is meant."""
    plan, run = planned(OLD, NEW), normalised(vector(OLD, PUSHES))
    given: list[tuple[Any, Any, str]] = [
        (run, World(NEW, PUSHES), "The target is no VecEnv but World."),
        (run, normalised(vector(NEW, PUSHES)), "The new environment is normalised already."),
        (run, vector(NEW, PUSHES, Rooms), "Only one of the two observations is a dict."),
        (3, vector(NEW, PUSHES), "The source is no VecNormalize but int."),
    ]
    for source, venv, sentence in given:
        with pytest.raises(TransferError) as raised:
            moved(plan, source, venv)
        assert raised.value.sentence == sentence


def test_a_file_that_is_not_one(tmp_path: Path) -> None:
    """Another pickle, a pickle that runs something, and noise are refused by name."""
    plan, venv = planned(OLD, NEW), vector(NEW, PUSHES)
    for content, kind in (
        (pickle.dumps([1]), TransferError),
        (pickle.dumps(print), UnpickleError),
        (b"noise", UnpickleError),
    ):
        (tmp_path / "vec.pkl").write_bytes(content)
        with pytest.raises(kind):
            moved(plan, tmp_path / "vec.pkl", venv)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """None of that name, a folder, and a name that there cannot be: as with any other file."""
    plan, venv = planned(OLD, NEW), vector(NEW, PUSHES)
    normalised(vector(OLD, PUSHES)).save(str(tmp_path / "statistics.pkl"))
    near = f"\n\nhint: did you mean '{tmp_path}/statistics.pkl'?"
    for name, expected in (
        ("statistic.pkl", "{} cannot be read.\n  because  No such file or directory" + near),
        ("", "{} cannot be read.\n  because  Is a directory"),
        ("a\0b", "{!r} cannot be read.\n  because  a name holds a zero"),
    ):
        path = str(tmp_path / name)
        told = refused(lambda path=path: moved(plan, path, venv))  # type: ignore[misc]
        assert told == f"FileError: {expected.format(path)}"


def test_nothing_is_paired_by_position_in_silence() -> None:
    """Without names the plan pairs by position, and the statistics say that they do too."""

    def graph(width: int) -> suture.Graph:
        layer = torch.nn.Linear(width, 2)
        return suture.trace(Subject(layer, (torch.zeros(5, width),), call=reads))

    run = normalised(vector(OLD, PUSHES))
    with pytest.warns(UserWarning, match="obs has no names: entries pair by position"):
        moved(suture.plan(graph(3), graph(4)), run, vector(NEW, PUSHES))
