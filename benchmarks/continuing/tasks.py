"""Tasks: what a task says of itself, and what its seeds gave.

Knows curves. Does not know how they come about, nor what is read off them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Curves = Mapping[str, Sequence[float]]
"""Arm, or "before" and "no surgery" -> what was measured, one number after another."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something that is learned while the network changes.

    Attributes:
        title: what is learned, and what changes.
        measure: what is measured.
        better: which of it is better.
        updates: the optimizer steps since the surgery after which it is measured, 0 first.
        window: within how many of them the worst is looked for.
        run: gives one seed's curves.
    """

    title: str
    measure: str
    better: Literal["lower", "higher"]
    updates: tuple[int, ...]
    window: int
    run: Callable[[int], Curves]


@dataclass(frozen=True, slots=True)
class Result:
    """A task, and the curves of each seed."""

    task: Task
    curves: Sequence[Curves]

    @property
    def levels(self) -> list[float]:
        """The measure right before the surgery, seed by seed."""
        return [each["before"][-1] for each in self.curves]
