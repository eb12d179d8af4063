"""Learning-rate schedules: a run's schedule goes on in the optimizer of the changed model.

Knows what the state of torch's schedulers holds one of for each param group, and what they write
into the groups. Does not know parameters: groups are paired in order. Imports no framework: a
scheduler is asked for its state and its optimizer alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from copy import deepcopy
from typing import Any, Protocol, runtime_checkable

import numpy as np

from suture._errors import TransferError
from suture._laid_out import Fact

EACH = (
    *("base_lrs", "max_lrs", "min_lrs", "_last_lr", "lr_lambdas"),
    *("base_momentums", "max_momentums"),
)
"""What a scheduler's state holds one of for each param group."""

WRITTEN = ("lr", "initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum", "swa_lr")
"""What schedulers keep in the param groups themselves; with `CYCLED` where momentum cycles."""

ELSEWHERE = ("max_lr", "min_lr", "swa_lr")
"""What of it a schedule goes by and its state does not hold."""

CYCLED = ("momentum", "betas")

OBSOLETE = {"verbose"}
"""What earlier versions of torch wrote, which says nothing."""


@runtime_checkable
class Scheduler(Protocol):
    """A scheduler as torch's are."""

    optimizer: Any

    def state_dict(self) -> dict[str, Any]:
        """Give what `load_state_dict` takes."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Go on from a state."""


def transfer_schedule(source: Scheduler | Mapping[str, Any], target: Scheduler) -> Scheduler:
    """Let a learning-rate schedule go on where it was, in the changed model's optimizer.

    Its state holds nothing of the network, only one number for each param group here and there. But
    most schedules go on from the learning rate that they find in the optimizer: a new optimizer
    would start over from the initial one. So the groups get theirs back, too.

    Args:
        source: the run's scheduler, or the state dict of it.
        target: the scheduler of the new optimizer, of the same kind; both are changed. All its
            settings become the run's. Functions (of `LambdaLR`) are in no state dict: it keeps its
            own.

    Returns:
        The target. From a state dict the groups get their learning rates; momenta that a schedule
        cycles are the new optimizer's until its next step.

    Raises:
        TransferError: listing in what the schedules differ, and what the target goes by that a
            state dict does not hold (`OneCycleLR`, `SWALR`). Nothing is changed then.

    Example:
        >>> import torch
        >>> from torch.optim.lr_scheduler import StepLR
        >>> def schedule(width):
        ...     layer = torch.nn.Linear(3, width)
        ...     return StepLR(torch.optim.SGD(layer.parameters(), lr=0.5), step_size=2, gamma=0.1)
        >>> run = schedule(4)
        >>> for _ in range(2):
        ...     run.optimizer.step(); run.step()
        >>> transfer_schedule(run, schedule(6)).optimizer.param_groups[0]["lr"]
        0.05
    """
    for side, given in (("source", source), ("target", target)):
        if not isinstance(given, Scheduler) and not (side == "source" and isinstance(given, dict)):
            raise TransferError(f"The {side} is no scheduler but {type(given).__name__}.")
    state = deepcopy(source.state_dict() if isinstance(source, Scheduler) else dict(source))
    groups = target.optimizer.param_groups
    facts = [*_unlike(state, target.state_dict(), len(groups))]
    facts += _groups(source, len(groups))
    facts += _elsewhere(source, groups)
    if facts:
        raise TransferError("The schedules differ.", facts, "make the new one like the run's")
    target.load_state_dict(deepcopy(state))
    for at, group in enumerate(groups):
        _write(group, _options(source, state, at))
    return target


def _groups(source: object, count: int) -> Iterator[Fact]:
    if isinstance(source, Scheduler) and len(source.optimizer.param_groups) != count:
        theirs = len(source.optimizer.param_groups)
        yield "groups", f"the source's optimizer has {theirs}, the target's {count}"


def _elsewhere(source: object, groups: Sequence[Mapping[str, Any]]) -> Iterator[Fact]:
    if not isinstance(source, Scheduler):
        for name in (name for name in ELSEWHERE if any(name in group for group in groups)):
            yield name, "is in the source's optimizer, not in its state: give the scheduler"


def _unlike(old: Mapping[str, Any], new: Mapping[str, Any], groups: int) -> Iterator[Fact]:
    """Say in what two states differ; what is private comes and goes between versions."""
    for name in sorted({*old, *new} - OBSOLETE):
        if not name.startswith("_") and (name in old) != (name in new):
            yield name, f"only the {'source' if name in old else 'target'} has it"
    for name in EACH:
        if name in old and len(old[name]) != groups:
            yield name, f"the source's holds {len(old[name])}, the target has {groups} groups"
    parts = [state.get("_schedulers", []) for state in (old, new)]
    if len(parts[0]) != len(parts[1]):
        yield "parts", f"the source joins {len(parts[0])} schedules, the target {len(parts[1])}"
    for theirs, ours in zip(*parts, strict=False):
        yield from _unlike(theirs, ours, groups)


def _options(source: object, state: Mapping[str, Any], at: int) -> dict[str, Any]:
    """Find what a schedule wrote into a group."""
    if isinstance(source, Scheduler):
        cycled = CYCLED if state.get("cycle_momentum") else ()
        group = source.optimizer.param_groups[at]
        return {name: group[name] for name in (*WRITTEN, *cycled) if name in group}
    known: dict[str, Sequence[Any]] = {"lr": state.get("_last_lr", [])}
    known["initial_lr"] = state.get("base_lrs", [])
    return {name: each[at] for name, each in known.items() if len(each)}


def _write(group: MutableMapping[str, Any], options: Mapping[str, Any]) -> None:
    """Write options into a group; a tensor stays the one that a captured graph knows."""
    for name, value in options.items():
        match group.get(name):
            case None | int() | float() | tuple() | np.generic():
                group[name] = deepcopy(value)
            case tensor:
                tensor.fill_(value)
