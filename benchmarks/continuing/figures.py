"""Figures: what a curve says in four numbers, and what several seeds say together.

Knows curves and Student's t. Does not know tasks beyond which measure is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import sqrt
from statistics import mean, stdev

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from continuing.tasks import Curves, Result, Task

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figures:
    """How one arm of one seed went on; the first three and the last are in the task's measure.

    Attributes:
        right_after: the measure right after the surgery.
        worst: the worst within the task's window.
        at_end: the last.
        overall: the mean over all updates since the surgery, by trapezoids.
        back: how many updates it took to be as good as right before the surgery, at or behind the
            worst point; 0 if it never was worse by more than rounding, None if it did not come
            back.
    """

    right_after: float
    worst: float
    back: int | None
    at_end: float
    overall: float


MEASURES = tuple(each.name for each in fields(Figures) if each.name != "back")
ROUNDING = 1e-5


def figures(task: Task, before: float, curve: Sequence[float]) -> Figures:
    """Read the figures of one curve.

    Args:
        task: which measure is better, and when it was measured.
        before: the measure right before the surgery.
        curve: what was measured since.
    """
    updates, values = np.array(task.updates), np.array(curve)
    loss = values if task.better == "lower" else -values
    level = before if task.better == "lower" else -before
    level += ROUNDING * abs(level)
    at = int(loss[updates <= task.window].argmax())
    good = np.flatnonzero(loss[at:] <= level)
    back = 0 if loss[at] <= level else int(updates[at + good[0]]) if len(good) else None
    overall = float(np.trapezoid(values, updates) / updates[-1])
    return Figures(float(values[0]), float(values[at]), back, float(values[-1]), overall)


def of_seeds(result: Result) -> list[dict[str, Figures]]:
    """Read the figures of all arms, seed by seed."""
    return [
        {
            arm: figures(result.task, curves["before"][-1], curve)
            for arm, curve in curves.items()
            if arm != "before"
        }
        for curves in result.curves
    ]


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean over seeds, and how far the 95% confidence interval of it reaches on either side."""

    mean: float
    reach: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """Estimate it by Student's t.

        Example:
            >>> spread = Spread.of([1.0, 2.0, 3.0, 4.0, 5.0])
            >>> spread.mean, round(spread.reach, 3)
            (3.0, 1.963)
        """
        reach = stats.t.ppf(0.975, len(values) - 1) * stdev(values) / sqrt(len(values))
        return Spread(mean(values), float(reach))


def band(curves: Sequence[Curves], arm: str) -> tuple[Values, Values]:
    """Give the mean of an arm's curves and the reach of its confidence interval, point by point."""
    points = np.array([each[arm] for each in curves]).T
    spreads = [Spread.of(point.tolist()) for point in points]
    return np.array([each.mean for each in spreads]), np.array([each.reach for each in spreads])
