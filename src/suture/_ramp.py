"""Ramps: from 0 to exactly 1, counted in optimizer steps.

Knows shares and steps. Does not know what they are shares of.
"""

from __future__ import annotations

from dataclasses import dataclass

from suture._errors import RecoveryError


@dataclass(frozen=True, slots=True)
class Ramp:
    """How fast something begins: the share of it that each optimizer step has.

    The first `hold` steps have 0, the `over` steps behind them climb in equal parts, and every step
    from number `end = hold + over` on has exactly 1. Steps are counted from 0.

    Args:
        hold: how many steps have none of it.
        over: how many steps have a part of it.

    Raises:
        RecoveryError: one of them is no whole number, or negative.

    Example:
        >>> ramp = Ramp(hold=2, over=3)
        >>> [ramp.share(step) for step in range(7)], ramp.end
        ([0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0], 5)
    """

    hold: int = 0
    over: int = 0

    def __post_init__(self) -> None:
        given = [("hold", self.hold), ("over", self.over)]
        wrong = [(label, f"{steps!r}") for label, steps in given if not is_count(steps)]
        if wrong:
            sentence = "A ramp is counted in whole optimizer steps, 0 or more."
            raise RecoveryError(sentence, wrong, "write Ramp(hold=1000, over=500)")

    @property
    def end(self) -> int:
        """The number of steps that have less than all of it."""
        return self.hold + self.over

    def share(self, step: int) -> float:
        """Give the share of one step.

        Args:
            step: how many steps were made before it.

        Returns:
            A number from 0 to 1.
        """
        return min(max(step - self.hold + 1, 0) / (self.over + 1), 1.0)


def is_count(value: object) -> bool:
    """Whether something is a whole number, 0 or more; `True` is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
