"""What verification measured, as data and as a screen. Does not know how it is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

COARSE = 1e-2
"""A relative difference that is no rounding to the eye: where more may be, it is said."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one output is apart.

    Attributes:
        name: the output's keypath.
        max_abs: the largest absolute difference.
        max_rel: the same over the largest old entry.
        tolerance: the largest relative difference that rounding explains.
        compared: how many entries were compared, and not NaN in the old model.
    """

    name: str
    max_abs: float
    max_rel: float
    tolerance: float
    compared: int

    @property
    def equal(self) -> bool:
        """Whether rounding explains the difference."""
        return self.max_rel <= self.tolerance


@dataclass(frozen=True, slots=True)
class Report:
    """What verification measured.

    Attributes:
        outputs: one difference per output that both models have, with the weights they hold.
        states: the number of world states.
        held: what the source alone sees, held at 0 or, if the plan says so, at `held_at`.
        generic: the same differences with generic weights of order one; none if left out.
        generic_states: the number of world states with generic weights.
        parted: the first op where the values of both models part, in words; empty if they do not.
        held_at: the values at which they are held, where that is not 0.
        left_out: why there were no generic weights, if nobody asked for that.
    """

    outputs: tuple[Difference, ...]
    states: int
    held: tuple[str, ...] = ()
    generic: tuple[Difference, ...] = ()
    generic_states: int = 0
    parted: str = ""
    held_at: Mapping[str, float] = field(default_factory=dict)
    left_out: str = ""

    @property
    def max_abs_diff(self) -> float:
        """The largest absolute difference over all outputs, with the models' own weights."""
        return max((output.max_abs for output in self.outputs), default=0.0)

    @property
    def max_rel_diff(self) -> float:
        """The largest difference relative to the largest old entry of its output."""
        return max((output.max_rel for output in self.outputs), default=0.0)

    @property
    def apart(self) -> tuple[str, ...]:
        """The outputs that rounding does not make equal, with either kind of weights."""
        both = (*self.outputs, *self.generic)
        return tuple(dict.fromkeys(each.name for each in both if not each.equal))

    @property
    def equal(self) -> bool:
        """Whether all outputs are equal to rounding; not where nothing was compared."""
        compared = all(output.compared for output in self.outputs)
        return bool(self.outputs) and compared and not self.apart

    def __str__(self) -> str:
        lines = [_counted(self.states) + self._holding(), *_shown(self.outputs)]
        if self.generic:
            words = f"{_counted(self.generic_states)}, generic weights"
            lines += [words, *_shown(self.generic)]
        if self.left_out:
            lines.append(f"no generic weights: {self.left_out}")
        if self.parted:
            lines.append(f"values part {self.parted}")
        return "\n".join(lines)

    def _holding(self) -> str:
        names: dict[float, list[str]] = {}
        for name in self.held:
            names.setdefault(self.held_at.get(name, 0.0), []).append(name)
        return "".join(f", {', '.join(each)} held at {at:g}" for at, each in names.items())


def _counted(states: int) -> str:
    return "1 world state" if states == 1 else f"{states} world states"


def _shown(differences: Sequence[Difference]) -> Iterator[str]:
    width = max((len(one.name) for one in differences), default=0)
    for one in differences:
        figures = f"max |difference| {one.max_abs:.2e}  relative {one.max_rel:.2e}"
        coarse = f"  (rounding may be {one.tolerance:g})" if one.tolerance > COARSE else ""
        yield f"  {one.name:<{width}}  {figures}{coarse}"
