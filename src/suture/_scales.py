"""Scales: by which factor each part of a tensor must be larger than it was.

Knows the logarithm of the factor of every cell, as unknowns of equations that each op states by its
algebra: a sum wants equal factors, a product adds logarithms, a power multiplies them, what is not
homogeneous wants none; a norm over m entries that were n wants sqrt(m / n), so that its eps means
what it did. Where the equations leave a choice, data is not scaled and parameters are. Does not
know what is filled with the factors (`_growth`).

Source: Gesmundo & Maile (2023), hidden dimension expansion, scale the gains of norms; that their
input is scaled as well, so that eps is kept too, is ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from suture._parts import Cell

NEAR = 1e-9
"""Logarithms this close are equal."""

Form = tuple[tuple[Cell, float], ...]
"""A sum of logarithms with coefficients."""


@dataclass(slots=True, eq=False)
class Scales:
    """Logarithms of factors: each known, or a multiple of another's plus a constant.

    Attributes:
        failed: who stated what cannot be.
    """

    _above: dict[Cell, tuple[Cell, float, float]] = field(default_factory=dict)
    _known: dict[Cell, float] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)
    _open: list[tuple[Form, float, int]] = field(default_factory=list)
    _later: list[Cell] = field(default_factory=list)

    def root(self, cell: Cell) -> tuple[Cell, float, float]:
        """Give the cell of which this one's logarithm is a multiple, and what is added."""
        times, plus = 1.0, 0.0
        trail = []
        while cell in self._above:
            trail.append((cell, times, plus))
            above, factor, offset = self._above[cell]
            times, plus, cell = times * factor, plus + times * offset, above
        for (
            below,
            before,
            added,
        ) in trail:  # shorten the way: below = (times x + plus - added) / before
            self._above[below] = cell, times / before, (plus - added) / before
        return cell, times, plus

    def value(self, cell: Cell) -> float | None:
        """Give a logarithm, if it is known."""
        root, times, plus = self.root(cell)
        known = self._known.get(root)
        return None if known is None else times * known + plus

    def state(
        self, form: Iterable[tuple[Cell, float]], constant: float = 0.0, origin: int = -1
    ) -> bool:
        """State that a sum of logarithms and a constant is 0.

        Args:
            form: the logarithms, each with its coefficient.
            constant: what is added to them.
            origin: who states it, told if it turns out later that it cannot be.

        Returns:
            Whether that can be; nothing is stated otherwise.
        """
        left, rest = self._reduced(form, constant)
        match left:
            case ():
                return abs(rest) < NEAR
            case ((cell, factor),):
                self._known[cell] = -rest / factor
            case ((cell, factor), (other, second)):
                self._above[other] = cell, -factor / second, -rest / second
            case _:
                self._open.append((left, rest, origin))
        return True

    def _reduced(self, form: Iterable[tuple[Cell, float]], constant: float) -> tuple[Form, float]:
        """Write a sum with what is known put in."""
        found: dict[Cell, float] = {}
        for cell, factor in form:
            root, times, plus = self.root(cell)
            constant += factor * plus
            if root in self._known:
                constant += factor * times * self._known[root]
            else:
                found[root] = found.get(root, 0.0) + factor * times
        return tuple((cell, f) for cell, f in found.items() if abs(f) > NEAR), constant

    def close(self) -> None:
        """Put what is known into what is open, until nothing new follows."""
        count = len(self._open) + 1
        while len(self._open) < count:
            count = len(self._open)
            waiting, self._open = self._open, []
            for form, constant, origin in waiting:
                if not self.state(form, constant, origin):
                    self.failed.append(origin)

    def choose(self, data: Iterable[Cell], parameters: Iterable[Cell]) -> None:
        """Leave unscaled what no equation scales: data first, in order."""
        self.close()
        for cells in (self._later, data, parameters):
            for cell in cells:
                if self.value(cell) is None:
                    self.state(((cell, 1.0),))
                    self.close()

    def prefer(self, cell: Cell) -> None:
        """Leave what this one is a multiple of by now unscaled, if there is a choice."""
        self._later.append(self.root(cell)[0])
