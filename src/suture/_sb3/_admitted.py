"""The names that Stable-Baselines3's own files are written with, and the spaces in them."""

from __future__ import annotations

from typing import Any

from suture._numpy_pickles import NUMPY
from suture._unpickle import Admitted, Call, Fill


def _device(*parts: Any) -> Any:
    """Name a device of torch."""
    from suture._torch._device import device

    return device(*parts)


def _strategy(value: Any) -> Any:
    from stable_baselines3.her.goal_selection_strategy import GoalSelectionStrategy

    return GoalSelectionStrategy(value)


SPACES: Admitted = {
    ("gymnasium.spaces.box", "Box"): Fill(),
    ("gymnasium.spaces.dict", "Dict"): Fill(),
    ("gymnasium.spaces.discrete", "Discrete"): Fill(),
    ("gymnasium.spaces.multi_binary", "MultiBinary"): Fill(),
    ("gymnasium.spaces.multi_discrete", "MultiDiscrete"): Fill(),
    ("gymnasium.spaces.text", "Text"): Fill(),
    ("gymnasium.spaces.tuple", "Tuple"): Fill(),
}
"""Gymnasium's spaces."""

NORMALIZE: Admitted = {
    **NUMPY,
    **SPACES,
    ("stable_baselines3.common.running_mean_std", "RunningMeanStd"): Fill(),
    ("stable_baselines3.common.vec_env.vec_normalize", "VecNormalize"): Fill(),
}
"""What `VecNormalize.save` writes."""

REPLAY: Admitted = {
    **NUMPY,
    **SPACES,
    ("stable_baselines3.common.buffers", "DictReplayBuffer"): Fill(),
    ("stable_baselines3.common.buffers", "NStepReplayBuffer"): Fill(),
    ("stable_baselines3.common.buffers", "ReplayBuffer"): Fill(),
    ("stable_baselines3.her.goal_selection_strategy", "GoalSelectionStrategy"): Call(_strategy),
    ("stable_baselines3.her.her_replay_buffer", "HerReplayBuffer"): Fill(),
    ("torch", "device"): Call(_device),
}
"""What `save_replay_buffer` writes."""
