"""New actions and new features that enter little by little.

Knows arrays at the edges of a model, torch's and numpy's. Does not know which entries are new
(`suture._newcomers`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from suture._errors import RecoveryError
from suture._newcomers import Newcomers, newcomers
from suture._plan import Plan
from suture._ramp import Ramp
from suture._torch._course import Course, step_of

Array = Any
"""A tensor, or an array of numpy's."""

Change = Callable[[Array, Array], Array]
"""What new entries become: told what they are, and the newcomers' numbers, which broadcast."""


@dataclass(frozen=True, slots=True, eq=False)
class NewActions:
    """A bias on the new entries of an output, which is taken away step by step.

    Call it on the output, or let it run behind a module: `onto`.
    """

    new: Newcomers
    course: Course

    def __call__(self, logits: Array) -> Array:
        """Add what is left of the bias; the same array once nothing is."""
        if self.course.done:
            return logits
        left = 1 - self.course.share
        return _rewritten(logits, self.new, lambda entries, bias: entries + left * bias)

    def onto(self, module: nn.Module) -> RemovableHandle:
        """Add the bias to what a module returns, wherever it is called."""
        return module.register_forward_hook(lambda _, given, logits: self(logits))

    def state_dict(self) -> dict[str, Any]:
        """Say how far it is, to be saved beside the optimizer's state."""
        return {"step": self.course.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a saved run was."""
        self.course.at(step_of(state))


@dataclass(frozen=True, slots=True, eq=False)
class NewFeatures:
    """A gate on the new entries of an input, which is opened step by step.

    Call it on the input, or let it run before a module: `onto`.
    """

    new: Newcomers
    course: Course

    def __call__(self, observed: Array) -> Array:
        """Let through what the gate is open for; the same array once it is all."""
        if self.course.done:
            return observed
        share = self.course.share

        def gated(entries: Array, closed: Array) -> Array:
            # Closed + 0 x difference is not closed where an entry is infinite.
            return closed if share == 0 else closed + share * (entries - closed)

        return _rewritten(observed, self.new, gated)

    def onto(self, module: nn.Module) -> RemovableHandle:
        """Gate the first positional argument of a module, wherever it is called."""
        return module.register_forward_pre_hook(lambda _, given: (self(*given[:1]), *given[1:]))

    def state_dict(self) -> dict[str, Any]:
        """Say how far it is, to be saved beside the optimizer's state."""
        return {"step": self.course.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a saved run was."""
        self.course.at(step_of(state))


def new_actions(
    plan: Plan,
    optimizer: Optimizer,
    output: str,
    bias: float | Mapping[str, float],
    ramp: Ramp,
) -> NewActions:
    """Introduce actions: see `suture.recovery.new_actions`."""
    new = newcomers(plan.outputs, "output", output, bias)
    return NewActions(new, Course(optimizer, ramp))


def new_features(
    plan: Plan,
    optimizer: Optimizer,
    input: str,
    closed: float | Mapping[str, float],
    ramp: Ramp,
) -> NewFeatures:
    """Introduce features: see `suture.recovery.new_features`."""
    new = newcomers(plan.inputs, "input", input, closed)
    return NewFeatures(new, Course(optimizer, ramp))


def _rewritten(array: Array, new: Newcomers, change: Change) -> Array:
    """Give a copy of an array with its new entries changed, the others bit by bit."""
    _demand_fits(array, new)
    index, changed = _index(new), _copy(array)
    changed[index] = change(changed[index], _like(array, new.values, _behind(new)))
    return changed


def _copy(array: Array) -> Array:
    return array.clone() if isinstance(array, torch.Tensor) else array.copy()


def _like(array: Array, values: Sequence[float], behind: int) -> Array:
    """Make an array of an array's kind from numbers, with some dims of size one behind them."""
    numbers = np.array(values).reshape(-1, *[1] * behind)
    if isinstance(array, torch.Tensor):
        return torch.from_numpy(numbers).to(array)
    return numbers.astype(array.dtype)


def _index(new: Newcomers) -> Any:
    if new.dim is None:
        return ...
    return (..., list(new.positions), *[slice(None)] * _behind(new))


def _behind(new: Newcomers) -> int:
    """Count the dims behind the one along which entries are new."""
    return 0 if new.dim is None else -new.dim - 1


def _demand_fits(array: Array, new: Newcomers) -> None:
    """Refuse what is no array of floats with the new model's entries."""
    if not isinstance(array, torch.Tensor | np.ndarray):
        hint = "call it yourself where the tensor is, instead of onto(module)"
        sentence = f"{new.tensor} is a {type(array).__name__}, not a tensor or array."
        raise RecoveryError(sentence, hint=hint)
    if not _is_float(array):
        raise RecoveryError(f"{new.tensor} holds {array.dtype}, which has no small steps.")
    if new.dim is not None and (array.ndim < -new.dim or array.shape[new.dim] != new.size):
        sentence = f"{new.tensor} has {new.size} entries along dim {new.dim} in the new model."
        raise RecoveryError(sentence, [("given", f"shape {list(array.shape)}")])


def _is_float(array: Array) -> bool:
    if isinstance(array, torch.Tensor):
        return array.is_floating_point()
    return bool(array.dtype.kind == "f")
