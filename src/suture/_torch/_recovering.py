"""Warm-up, pull and bound: how entries are kept from moving too far, too soon.

Knows what happens around a step. Does not know which entries are preserved or fresh (`_places`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from suture._errors import RecoveryError
from suture._plan import Plan
from suture._ramp import Ramp
from suture._torch._course import Course, step_of
from suture._torch._places import Places, demand_rates, fresh, preserved

Anchors = Sequence[Sequence[Tensor]]
"""Copies of entries, by parameter and region."""


@dataclass(slots=True, eq=False)
class WarmUp:
    """Preserved entries that stand still, then move by a growing share of each step."""

    preserved: Sequence[Places]
    course: Course = field(init=False)
    _held: Anchors = ()

    def state_dict(self) -> dict[str, Any]:
        """Say how far it is, to be saved beside the optimizer's state."""
        return {"step": self.course.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a saved run was."""
        self.course.at(step_of(state))

    @torch.no_grad()
    def hold(self, share: float) -> None:
        """Remember the entries before a step."""
        self._held = [each.take() for each in self.preserved]

    @torch.no_grad()
    def interpolate(self, share: float) -> None:
        """Take back all of the step but a share, and forget what was before."""
        for each, held in zip(self.preserved, self._held, strict=True):
            for region, before in zip(each.regions, held, strict=True):
                # Before + 0 x step is not before where the step is infinite, or before is -0.
                moved = before if share == 0 else before.lerp_(each.of(region), share)
                each.put(region, moved)
        self._held = ()


@dataclass(slots=True, eq=False)
class Pull:
    """Preserved entries that are drawn back to where they were, more and more weakly."""

    optimizer: Optimizer
    preserved: Sequence[Places]
    strength: float
    anchors: Anchors
    course: Course = field(init=False)

    def state_dict(self) -> dict[str, Any]:
        """Say how far it is, and where to it pulls, by parameter: one tensor a region."""
        named = zip(self.preserved, self.anchors, strict=False)
        return {
            "step": self.course.step,
            "anchors": {each.name: [*anchors] for each, anchors in named},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a saved run was, pulled to where it was pulled.

        Raises:
            RecoveryError: listing anchors that do not fit. Nothing is changed then.
        """
        step = step_of(state)
        anchors = self._fitting(state.get("anchors", {})) if step < self.course.ramp.end else []
        self.anchors = anchors
        self.course.at(step)

    def _fitting(self, anchors: Mapping[str, Sequence[Tensor]]) -> list[list[Tensor]]:
        wrong = [*_unfit(self.preserved, anchors)]
        if wrong:
            hint = "load the state of a pull that was made for the same plan and optimizer"
            raise RecoveryError("The saved anchors do not fit what is preserved.", wrong, hint)
        return [[anchor.clone() for anchor in anchors[each.name]] for each in self.preserved]

    @torch.no_grad()
    def draw(self, share: float) -> None:
        """Move the entries back, before a step."""
        for each, anchors in zip(self.preserved, self.anchors, strict=True):
            # More than the whole way back would be a push to the other side.
            way = min(each.rate(self.optimizer) * self.strength * (1 - share), 1.0)
            for region, anchor in zip(each.regions, anchors, strict=True):
                now = each.of(region)
                each.put(region, now - way * (now - anchor.to(now.device)))

    def forget(self, share: float) -> None:
        """Give the anchors' memory back after the last step."""
        if self.course.step + 1 >= self.course.ramp.end:
            self.anchors = []


@dataclass(slots=True, eq=False)
class Bound:
    """Fresh entries that move by no more than some learning rates a step."""

    optimizer: Optimizer
    fresh: Sequence[Places]
    most: float
    course: Course = field(init=False)
    _held: Anchors = ()

    def state_dict(self) -> dict[str, Any]:
        """Say how far it is, to be saved beside the optimizer's state."""
        return {"step": self.course.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a saved run was."""
        self.course.at(step_of(state))

    @torch.no_grad()
    def hold(self, share: float) -> None:
        """Remember the entries before a step."""
        self._held = [each.take() for each in self.fresh]

    @torch.no_grad()
    def clip(self, share: float) -> None:
        """Take back what goes beyond the bound, and forget what was before."""
        for each, held in zip(self.fresh, self._held, strict=True):
            most = self.most * each.rate(self.optimizer) / (1 - share)
            for region, before in zip(each.regions, held, strict=True):
                each.put(region, each.of(region).clamp(before - most, before + most))
        self._held = ()


def _unfit(
    places: Sequence[Places], anchors: Mapping[str, Sequence[Tensor]]
) -> Iterator[tuple[str, str]]:
    known = {each.name for each in places}
    yield from (("unknown", name) for name in anchors if name not in known)
    for each in places:
        if each.name not in anchors:
            yield "missing", each.name
            continue
        ours = [list(each.of(region).shape) for region in each.regions]
        theirs = [list(anchor.shape) for anchor in anchors[each.name]]
        if ours != theirs:
            yield "other", f"{each.name} has regions {ours}, the state {theirs}"


def warm_up(plan: Plan, optimizer: Optimizer, model: Any, ramp: Ramp, within: str) -> WarmUp:
    """Begin a warm-up: see `suture.recovery.warm_up`."""
    begun = WarmUp(preserved(plan, optimizer, model, within))
    begun.course = Course(optimizer, ramp, begun.hold, begun.interpolate)
    return begun


def pull(
    plan: Plan, optimizer: Optimizer, model: Any, strength: float, ramp: Ramp, within: str
) -> Pull:
    """Begin a pull: see `suture.recovery.pull`."""
    if not isfinite(strength) or strength < 0:
        raise RecoveryError(f"A pull of strength {strength!r} is no finite number from 0 on.")
    places = preserved(plan, optimizer, model, within)
    demand_rates(optimizer, places)
    begun = Pull(optimizer, places, strength, [])
    begun.course = Course(optimizer, ramp, begun.draw, begun.forget)
    if not begun.course.done:
        begun.anchors = [each.take() for each in places]
    return begun


def bound(
    plan: Plan, optimizer: Optimizer, model: Any, most: float, ramp: Ramp, within: str
) -> Bound:
    """Begin a bound: see `suture.recovery.bound`."""
    if not isfinite(most) or most <= 0:
        raise RecoveryError(f"A bound of {most!r} learning rates is no finite number above 0.")
    places = fresh(plan, optimizer, model, within)
    demand_rates(optimizer, places)
    begun = Bound(optimizer, places, most)
    begun.course = Course(optimizer, ramp, begun.hold, begun.clip)
    return begun
