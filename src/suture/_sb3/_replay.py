"""Replay buffers of Stable-Baselines3: what was seen and done, rewritten by name.

Knows which arrays a buffer has and what they hold. Does not know how entries are laid out
(`_laid_out`).

A buffer behind `VecNormalize` holds what the environment gave, not what the policy saw: scales of
its features are said here, and not to the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suture._carry import carry_choices, check
from suture._errors import TransferError
from suture._laid_out import Fact, dealt, placement_of
from suture._plan import Affine, Plan
from suture._sb3._admitted import REPLAY
from suture._sb3._given import given
from suture._world import spread

if TYPE_CHECKING:
    from gymnasium import Space
    from stable_baselines3.common.buffers import ReplayBuffer

KEPT = {
    "ReplayBuffer": ("rewards", "dones", "timeouts", "pos", "full"),
    "DictReplayBuffer": ("rewards", "dones", "timeouts", "pos", "full"),
    "NStepReplayBuffer": ("rewards", "dones", "timeouts", "pos", "full"),
    "HerReplayBuffer": (
        *("rewards", "dones", "timeouts", "pos", "full"),
        *("infos", "ep_start", "ep_length", "_current_ep_start"),
    ),
}
"""What is not along features or actions, by class; no other class is known."""

ALIKE = ("buffer_size", "n_envs", "optimize_memory_usage", "handle_timeout_termination")
"""What two buffers must agree on, for their steps to lie alike."""


def transfer_replay_buffer(
    plan: Plan,
    source: ReplayBuffer | str | PathLike[str],
    target: ReplayBuffer,
    *,
    name: str = "obs",
    actions: str | None,
    fresh: Mapping[str, float] | None = None,
    rescaled: Mapping[str, Affine] | None = None,
) -> ReplayBuffer:
    """Fill a new model's replay buffer with the steps of an old one, by name.

    Observations and next observations have their features where the new model has them, discrete
    actions their new numbers, continuous ones their new places; rewards, ends and positions stay.

    Args:
        plan: the plan of the model that learns from the buffer.
        source: the old buffer, or the path of a file that `save_replay_buffer` wrote, which is read
            without trust.
        target: the new model's buffer, of the same class and size; it is overwritten.
        name: the model's input that holds observations; keys of a dict are `name.key` in the plan.
        actions: the output (or input) of the plan whose entries the actions are; None if they are
            as they were, in the same space.
        fresh: the value of each new feature, and of each new continuous action as the buffer
            holds it (between -1 and 1), by full name; by the input's for all that is new in it.
        rescaled: features -> how the new environment gives them, besides those of the plan.

    Returns:
        The target.

    Raises:
        FileError: there is no such file, or it cannot be read.
        UnpickleError: the file asks for names that are not admitted, or is no whole pickle.
        TransferError: listing new entries without a value, actions that are gone and in the buffer,
            and all in which the buffers differ. The target is as it was then.

    Warns:
        UserWarning: entries without names are paired by position.

    Example:
        >>> import suture, torch
        >>> from gymnasium.spaces import Box, Discrete
        >>> from stable_baselines3.common.buffers import ReplayBuffer
        >>> def buffer(names):
        ...     return ReplayBuffer(4, Box(-9, 9, (len(names),)), Discrete(2), "cpu")
        >>> def graph(names):
        ...     schema, example = suture.Schema(inputs={"obs": names}), torch.zeros(5, len(names))
        ...     return suture.trace(suture.Subject(
        ...         torch.nn.Linear(len(names), 2), (example,), schema=schema,
        ...         call=lambda model, obs: model(obs)))
        >>> old, new = ["x", "v"], ["v", "wind", "x"]
        >>> run, plan = buffer(old), suture.plan(graph(old), graph(new))
        >>> step = np.array([[1, 2]]), np.array([[3, 4]]), np.array([1]), np.array([0.5])
        >>> run.add(*step, np.array([False]), [{}])
        >>> made = transfer_replay_buffer(
        ...     plan, run, buffer(new), actions=None, fresh={"obs.wind": 0.0})
        >>> made.observations[0]
        array([[2., 0., 1.]], dtype=float32)
    """
    from stable_baselines3.common.buffers import ReplayBuffer

    run = given(source, ReplayBuffer, REPLAY)
    facts = [*_unlike(run, target)]
    if facts:
        raise TransferError("The buffers are not alike.", facts, "make the new one like the old")
    work = _Rewriting(plan, run, target)
    olds, news = _spaces(run.observation_space, name), _spaces(target.observation_space, name)
    wholes = [*news, *([] if actions is None else [actions])]
    values, scales = dealt(fresh or {}, wholes), dealt(rescaled or {}, wholes)
    work.facts += [(one, "is of nothing in the buffer") for one in {**values[""], **scales[""]}]
    for part, key in news.items():
        if part in olds:
            work.observe(part, key, values[part], scales[part])
        else:
            work.begin(part, key, values[part])
    work.act(actions, values.get(actions or "", {}))
    if work.facts:
        facts = list(dict.fromkeys(work.facts))
        raise TransferError("The buffer does not fit the plan.", facts)
    for write in work.writes:
        write()
    for each in KEPT[type(run).__name__]:
        setattr(target, each, deepcopy(getattr(run, each)))
    return target


@dataclass(slots=True)
class _Rewriting:
    """Collects what is to be written into a buffer, and all that speaks against it."""

    plan: Plan
    run: ReplayBuffer
    target: ReplayBuffer
    writes: list[Callable[[], object]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    def observe(
        self, name: str, key: str | None, values: Mapping[str, float], said: Mapping[str, Affine]
    ) -> None:
        """Rewrite what was seen of one input."""
        for old, new in zip(_seen(self.run, key), _seen(self.target, key), strict=True):
            old, new = old[: self._rows], new[: self._rows]
            try:
                self._lay(name, old, new, values, said)
            except TransferError as error:
                self.facts += error.facts

    def begin(self, name: str, key: str | None, values: Mapping[str, float]) -> None:
        """Set what was never seen of an input that is new."""
        if name not in values:
            self.facts.append((name, "is new, and no value is given"))
        for new in _seen(self.target, key):
            self.writes.append(partial(new.fill, values.get(name, 0.0)))

    def act(self, name: str | None, values: Mapping[str, float]) -> None:
        """Rewrite what was done."""
        from gymnasium.spaces import Box, Discrete

        before, after = self.run.action_space, self.target.action_space
        old, new = (buffer.actions[: self._rows] for buffer in (self.run, self.target))
        done = old[: self.run.size()]
        try:
            match before, after:
                case _ if before == after and name is None:
                    self.writes.append(partial(np.copyto, new, old))
                case Discrete(start=0), Discrete(start=0) if name is not None:
                    carried = carry_choices(self.plan, name, done)
                    self.writes.append(partial(np.copyto, new[: len(done)], carried))
                    self.facts += _beyond(carried, after)
                case Box(shape=(_,)), Box(shape=(_,)) if name is not None:
                    if self._lay(name, old, new, values, {}):
                        self.facts += _bounds(self.plan, name, before, after)
                case _:
                    self.facts.append(("actions", _changed(before, after, name)))
        except TransferError as error:
            self.facts += error.facts

    @property
    def _rows(self) -> int:
        """How many rows hold something: one more than steps where they share observations."""
        return min(self.run.size() + 1, self.run.buffer_size)

    def _lay(
        self,
        name: str,
        old: NDArray[Any],
        new: NDArray[Any],
        values: Mapping[str, float],
        said: Mapping[str, Affine],
    ) -> bool:
        """Plan to write an array; say whether it fits both buffers."""
        if placement_of(self.plan, name).values is not None:
            self.writes.append(partial(np.copyto, new, carry_choices(self.plan, name, old)))
            return True
        checked = check(self.plan, name, old, values, said)
        fits = checked.shape == new.shape and np.can_cast(old.dtype, new.dtype, "same_kind")
        if not fits:
            plans = f"{old.dtype}[{','.join(map(str, checked.shape[2:]))}] in the plan"
            holds = f"{new.dtype}[{','.join(map(str, new.shape[2:]))}] in the new buffer"
            self.facts.append((name, f"is {plans}, {holds}"))
        self.writes.append(partial(checked.write, new))
        return fits


def _unlike(run: ReplayBuffer, target: object) -> Iterator[Fact]:
    if type(run).__name__ not in KEPT:
        yield type(run).__name__, f"is not among the classes known: {', '.join(KEPT)}"
    elif type(target) is not type(run):
        yield "class", f"{type(run).__name__} and {type(target).__name__}"
    else:
        for name in ALIKE:
            old, new = getattr(run, name), getattr(target, name)
            if old != new:
                yield name, f"{old} and {new}"


def _spaces(space: Space[Any], name: str) -> dict[str, str | None]:
    """Name the inputs that observations are, each with its key."""
    from gymnasium.spaces import Dict

    if isinstance(space, Dict):
        return {f"{name}.{key}": key for key in space.spaces}
    return {name: None}


def _seen(buffer: Any, key: str | None) -> list[NDArray[Any]]:
    """List the arrays of observations: one where steps share them."""
    each = [buffer.observations]
    if not buffer.optimize_memory_usage:
        each.append(buffer.next_observations)
    return [one if key is None else one[key] for one in each]


def _beyond(carried: NDArray[Any], space: Any) -> Iterator[Fact]:
    """Say where a plan's actions are more than the new environment's."""
    if carried.max(initial=0) >= space.n:
        yield "actions", f"reach {carried.max()} in the plan, and the new space is {space}"


def _bounds(plan: Plan, name: str, before: Any, after: Any) -> Iterator[Fact]:
    """Say of which actions the buffer's numbers, between -1 and 1, mean something else now."""
    placed = placement_of(plan, name)
    named = {label.target: label.name for label in placed.labels if label.dim >= 0}
    for side in ("low", "high"):
        old, new = getattr(before, side), getattr(after, side)
        for there, here in zip(*map(np.ndarray.tolist, spread(placed.dims[-1])), strict=True):
            was, now = float(old[there]), float(new[here])
            if was != now:
                told = f"its {side} was {was:g} and is {now:g}: numbers mean others"
                yield named.get(here, f"{name} at {here}"), told


def _changed(before: object, after: object, name: str | None) -> str:
    if name is None:
        return f"are {before} and {after}: say which output's entries they are, actions=..."
    return f"are {before} and {after}: only Discrete and Box with one dim follow by name"
