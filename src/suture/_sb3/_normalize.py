"""`VecNormalize` of Stable-Baselines3: its statistics around an environment with other features.

Knows which of its settings are the run's (clips, discount, what is normalised) and which are the
new environment's (spaces). Does not know what becomes of a mean (`_statistics`).
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from suture._errors import TransferError
from suture._laid_out import Fact, dealt
from suture._plan import Affine, Plan
from suture._sb3._admitted import NORMALIZE
from suture._sb3._given import given
from suture._statistics import Moments, carry_statistics

if TYPE_CHECKING:
    from stable_baselines3.common.running_mean_std import RunningMeanStd
    from stable_baselines3.common.vec_env import VecEnv, VecNormalize

Key = str | None
"""A key of an observation that is a dict; None for one that is an array."""


def transfer_vec_normalize(
    plan: Plan,
    source: VecNormalize | str | PathLike[str],
    venv: VecEnv,
    *,
    name: str = "obs",
    fresh: Mapping[str, Moments] | None = None,
    rescaled: Mapping[str, Affine] | None = None,
) -> VecNormalize:
    """Put a run's `VecNormalize` around an environment whose observation changed.

    It stands where `VecNormalize.load(path, venv)` stood. Statistics of observations follow their
    features by name (see `suture.carry_statistics`); those of returns, counts, clips, discount,
    epsilon and `training` are the run's, spaces are the new environment's. Keys of a dict that are
    new are normalised, with a count of their own, where all of the run's are.

    Args:
        plan: the plan of the policy behind it.
        source: the run's wrapper, or the path of its file. A file is a pickle and is read without
            trust: nothing but numpy, spaces and `VecNormalize` itself may stand in it.
        venv: the new environment, not normalised yet.
        name: the policy's input that is normalised; keys of a dict are `name.key` in the plan.
        fresh: new features by full name -> mean and variance; (0, 1) without.
        rescaled: features -> how the new environment gives them; not to be told to the plan too.

    Returns:
        A new wrapper around `venv`; the source is not changed.

    Raises:
        FileError: there is no such file, or it cannot be read.
        UnpickleError: the file asks for other names than those, or is no whole pickle.
        TransferError: listing all that does not fit the plan or the new environment.

    Warns:
        UserWarning: entries without names are paired by position.

    Example:
        >>> import gymnasium as gym, suture, torch
        >>> from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
        >>> def world(): return DummyVecEnv([lambda: gym.make("CartPole-v1")])
        >>> def graph(names):
        ...     schema, example = suture.Schema(inputs={"obs": names}), torch.zeros(5, 4)
        ...     return suture.trace(suture.Subject(
        ...         torch.nn.Linear(4, 2), (example,), schema=schema,
        ...         call=lambda model, obs: model(obs)))
        >>> old, new = ["x", "v", "angle", "spin"], ["x", "angle", "v", "spin"]
        >>> plan = suture.plan(graph(old), graph(new))
        >>> run = VecNormalize(world(), gamma=0.98)
        >>> run.obs_rms.mean[:] = [1, 2, 3, 4]
        >>> made = transfer_vec_normalize(plan, run, world())
        >>> made.obs_rms.mean, made.gamma
        (array([1., 3., 2., 4.]), 0.98)
    """
    from stable_baselines3.common.vec_env import VecNormalize

    run = given(source, VecNormalize, NORMALIZE)
    _check_venv(run, venv)
    made = _around(run, venv)
    theirs, ours = _statistics(run), _statistics(made)
    inputs = {key: name if key is None else f"{name}.{key}" for key in ours if key in theirs}
    moments, scales = (dealt(said or {}, inputs.values()) for said in (fresh, rescaled))
    facts = [(one, "is of nothing that is normalised") for one in {**moments[""], **scales[""]}]
    for key, part in inputs.items():
        said = {"fresh": moments[part], "rescaled": scales[part]}
        try:
            facts += _set(plan, part, theirs[key], ours[key], said)
        except TransferError as error:
            facts += error.facts
    if facts:
        raise TransferError("Statistics do not fit the plan or the new environment.", facts)
    made.ret_rms = run.ret_rms.copy()
    return made


def _check_venv(run: VecNormalize, venv: object) -> None:
    from gymnasium.spaces import Dict
    from stable_baselines3.common.vec_env import VecEnv, VecNormalize

    if not isinstance(venv, VecEnv):
        hint = "make it a vector of one: DummyVecEnv([lambda: env])"
        raise TransferError(f"The target is no VecEnv but {type(venv).__name__}.", (), hint)
    if isinstance(venv, VecNormalize):
        sentence = "The new environment is normalised already."
        raise TransferError(sentence, (), "give the one within: venv.venv")
    kinds = [isinstance(one.observation_space, Dict) for one in (run, venv)]
    if kinds[0] != kinds[1]:
        spaces = [("source", str(run.observation_space)), ("target", str(venv.observation_space))]
        raise TransferError("Only one of the two observations is a dict.", spaces)


def _around(run: VecNormalize, venv: VecEnv) -> VecNormalize:
    """Wrap an environment with the settings of a run, statistics as yet its own."""
    from stable_baselines3.common.vec_env import VecNormalize

    return VecNormalize(
        venv,
        training=run.training,
        norm_obs=run.norm_obs,
        norm_reward=run.norm_reward,
        clip_obs=run.clip_obs,
        clip_reward=run.clip_reward,
        gamma=run.gamma,
        epsilon=run.epsilon,
        norm_obs_keys=_keys(run, venv) if run.norm_obs else None,
    )


def _keys(run: VecNormalize, venv: VecEnv) -> list[str] | None:
    """List the keys to normalise: those of the run, and new ones of reals where it did all."""
    from gymnasium.spaces import Box, Dict

    if not isinstance(run.observation_space, Dict) or not isinstance(venv.observation_space, Dict):
        return None
    old, new = run.observation_space.spaces, venv.observation_space.spaces
    done = run.norm_obs_keys or []
    everything = all(key in done for key, one in old.items() if isinstance(one, Box))
    begun = [key for key, one in new.items() if key not in old and isinstance(one, Box)]
    return [key for key in new if key in done or (everything and key in begun)]


def _statistics(wrapper: VecNormalize) -> dict[Key, RunningMeanStd]:
    """List the statistics of observations by key."""
    if not wrapper.norm_obs:
        return {}
    found: Any = wrapper.obs_rms
    return found if isinstance(found, dict) else {None: found}


def _set(
    plan: Plan, name: str, old: RunningMeanStd, new: RunningMeanStd, said: dict[str, Any]
) -> list[Fact]:
    """Carry statistics over; say where the new environment's are of another shape."""
    mean, var = carry_statistics(plan, name, old.mean, old.var, **said)
    if mean.shape != new.mean.shape:
        shapes = f"{[*mean.shape]} in the plan, {[*new.mean.shape]} in the new environment"
        return [(name, f"is {shapes}")]
    new.mean, new.var, new.count = mean, var, old.count
    return []
