"""The file that `VecNormalize.save` writes: carried to a changed environment, from file to file.

Knows that spaces are all that it takes of the environment. Does not know what becomes of
statistics (`_normalize`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suture._errors import FileError
from suture._files import mode_of, refuse_file, whole_file
from suture._plan import Plan
from suture._sb3._normalize import transfer_vec_normalize

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

SPACES = ("observation_space", "action_space")
"""The settings of an agent that say what its environment gives and takes."""


@contextmanager
def normalized(
    plan: Plan,
    old: Path,
    new: Path,
    settings: Mapping[str, Any],
    agent: Path,
    read: Sequence[Path],
    *,
    force: bool,
    dry_run: bool,
) -> Iterator[None]:
    """Carry the statistics beside an agent; they take their place when the agent has its own.

    Args:
        plan: the plan of the agent's policy.
        old: what `VecNormalize.save` wrote; read without trust.
        new: the file to write.
        settings: the changed agent's settings, of which its spaces are taken.
        agent: the file that the agent is written to meanwhile.
        read: what else is read for it.
        force: overwrite what is there.
        dry_run: make every check and write nothing.

    Raises:
        FileError: there are no spaces, `old` cannot be read, or `new` must not or cannot be
            written.
        TransferError: the statistics do not fit the plan or the spaces.
        UnpickleError: the file asks for other names than those of `VecNormalize`.
    """
    if any(name not in settings for name in SPACES):
        hint = "give the changed agent's policy, --target TARGET"
        raise FileError(f"{old} is of an agent: the new one needs its spaces.", (), hint)
    if new.resolve() == agent.resolve():
        raise FileError(f"{new} is where the agent itself is written.", hint="write them apart")
    refuse_file(new, (old, *read), force)
    made = transfer_vec_normalize(plan, old, _empty(*(settings[name] for name in SPACES)))
    if dry_run:
        yield
        return
    there = False
    try:
        with whole_file(new, mode_of([old])) as part:
            made.save(str(part))
            yield
            there = True
    except FileError as error:
        if not there:
            raise
        sentence = f"{agent} is written, but not what belongs beside it: {error.sentence}"
        raise FileError(sentence, error.facts, "write both again: --force") from None


def _empty(observation: Any, action: Any) -> VecEnv:
    """Make an environment that has spaces and nothing in them."""
    import gymnasium as gym
    from stable_baselines3.common.vec_env import DummyVecEnv

    env: gym.Env[Any, Any] = gym.Env()
    env.observation_space, env.action_space = observation, action
    return DummyVecEnv([lambda: env])
