"""The file that `VecNormalize.save` writes: carried to a changed environment, from file to file.

Knows that spaces are all that it takes of the environment. Does not know what becomes of
statistics (`_normalize`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suture._errors import FileError
from suture._files import refuse_output, whole_file
from suture._plan import Plan
from suture._sb3._normalize import transfer_vec_normalize

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

SPACES = ("observation_space", "action_space")
"""The settings of an agent that say what its environment gives and takes."""


@contextmanager
def normalized(
    plan: Plan, old: Path, new: Path, settings: Mapping[str, Any], *, force: bool, dry_run: bool
) -> Iterator[None]:
    """Carry the statistics beside an agent; they take their place when the agent has its own.

    Args:
        plan: the plan of the agent's policy.
        old: what `VecNormalize.save` wrote; read without trust.
        new: the file to write.
        settings: the changed agent's settings, of which its spaces are taken.
        force: overwrite what is there.
        dry_run: make every check and write nothing.

    Raises:
        FileError: there are no spaces, or `new` must not or cannot be written.
        TransferError: the statistics do not fit the plan or the spaces.
        UnpickleError: the file asks for other names than those of `VecNormalize`.
    """
    if any(name not in settings for name in SPACES):
        hint = "give the changed agent's policy, --target TARGET"
        raise FileError(f"{old} is of an agent: the new one needs its spaces.", (), hint)
    refuse_output(new, (old,), force)
    made = transfer_vec_normalize(plan, old, _empty(*(settings[name] for name in SPACES)))
    if dry_run:
        yield
        return
    with whole_file(new) as part:
        made.save(str(part))
        yield


def _empty(observation: Any, action: Any) -> VecEnv:
    """Make an environment that has spaces and nothing in them."""
    import gymnasium as gym
    from stable_baselines3.common.vec_env import DummyVecEnv

    env: gym.Env[Any, Any] = gym.Env()
    env.observation_space, env.action_space = observation, action
    return DummyVecEnv([lambda: env])
