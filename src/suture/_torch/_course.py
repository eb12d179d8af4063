"""Courses: what happens around the steps of an optimizer until a ramp has ended.

Knows optimizers' hooks, and how far a run has come. Does not know what happens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from suture._errors import RecoveryError, demand
from suture._ramp import Ramp, is_count
from suture._torch._places import demand_optimizer

Act = Callable[[float], None]
"""What happens at a step, told the ramp's share of it."""


def _nothing(share: float) -> None: ...


@dataclass(slots=True, eq=False)
class Course:
    """A ramp that runs along with an optimizer, and what happens before and after each step.

    Attributes:
        step: how many steps were made. Steps that a `GradScaler` leaves out are none.
    """

    optimizer: Optimizer
    ramp: Ramp
    before: Act = _nothing
    after: Act = _nothing
    step: int = 0
    _inside: list[FrameType] = field(default_factory=list)
    _handles: list[RemovableHandle] = field(default_factory=list)

    def __post_init__(self) -> None:
        demand_optimizer(self.optimizer)
        hint = "write Ramp(hold=1000, over=500)"
        sentence = f"A schedule is a Ramp, not {type(self.ramp).__name__}."
        demand(self.ramp, Ramp, RecoveryError(sentence, hint=hint))
        self._follow()

    @property
    def share(self) -> float:
        """The ramp's share of the next step."""
        return self.ramp.share(self.step)

    @property
    def done(self) -> bool:
        """Whether the ramp has ended."""
        return self.step >= self.ramp.end

    def remove(self) -> None:
        """Take all hooks off the optimizer; not while it steps."""
        while self._handles:
            self._handles.pop().remove()

    def at(self, step: int) -> None:
        """Go on from another step."""
        self.remove()
        self.step = step
        self._inside.clear()
        self._follow()

    def _follow(self) -> None:
        if not self.done:
            after = self.optimizer.register_step_post_hook(self._step_made)
            before = self.optimizer.register_step_pre_hook(self._step_comes)
            self._handles += [after, before]

    def _step_comes(self, *_: object) -> None:
        # A step that calls its parent's step comes here once for each; only the outermost is a
        # step. One that raised left without a word, so what is no longer running is forgotten.
        calling = sys._getframe(1)
        running = _callers(calling)
        self._inside = [each for each in self._inside if each in running]
        self._inside.append(calling)
        if len(self._inside) == 1 and not self._left_out():
            self.before(self.share)

    def _step_made(self, *_: object) -> None:
        # The last hook stays, empty: torch walks through the hooks after a step, and none of them
        # may be removed then.
        if not self._inside or self._inside[0] is not sys._getframe(1):
            return
        self._inside.clear()
        if self._left_out():
            return
        self.after(self.share)
        self.step += 1
        if self.done:
            self._handles.pop().remove()

    def _left_out(self) -> bool:
        """Whether a `GradScaler` has the optimizer's kernel leave this step out."""
        found = vars(self.optimizer).get("found_inf")
        return isinstance(found, Tensor) and bool(found.item())


def _callers(frame: FrameType) -> set[FrameType]:
    """List what is running above a call."""
    found: set[FrameType] = set()
    above = frame.f_back
    while above is not None:
        found.add(above)
        above = above.f_back
    return found


def step_of(state: Mapping[str, Any]) -> int:
    """Read how far a course had come.

    Raises:
        RecoveryError: the state does not say it.
    """
    step = state.get("step")
    if not is_count(step):
        hint = "load what state_dict() of the same part of recovery gave"
        facts = [("step", f"{step!r}")]
        raise RecoveryError("The state does not say how many steps were made.", facts, hint)
    return int(step) if step else 0
