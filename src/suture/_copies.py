"""Copies: units of the target that begin as one unit of the source.

Knows which copy a unit is, and its share where copies are read. Does not know who asks for copies
(`_replicate`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suture._axes import Class
from suture._couple import Column


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """Units that are copies of one another.

    Attributes:
        number: target unit -> which copy it is; -1 where it is none.
        often: target unit -> how often its source unit comes.
        atoms: the axes that have copies.
        counts: those along which every unit comes equally often -> how often.
    """

    number: Column
    often: Column
    atoms: frozenset[Class]
    counts: dict[Class, int]

    def partner(self, partner: Column, copy: int) -> Column:
        """Give the partners of one copy of every unit alone."""
        return np.where((self.number == copy) | (self.number == -1), partner, -1)

    def share(self, units: Column) -> NDArray[np.float64]:
        """Give the share of each unit: j + 1 of 1 + 2 + ... for copy j, 1 of what is no copy."""
        count, number = self.often[units], self.number[units]
        shares = (number + 1) / (count * (count + 1) / 2)
        return np.where((units < 0) | (number < 0), 1.0, shares)
