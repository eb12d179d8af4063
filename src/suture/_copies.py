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
        counts: atom -> how often each of its source's units comes.
    """

    number: Column
    counts: dict[Class, int]

    def partner(self, partner: Column, copy: int) -> Column:
        """Give the partners of one copy of every unit alone."""
        return np.where((self.number == copy) | (self.number == -1), partner, -1)

    def share(self, units: Column, atom: Class) -> NDArray[np.float64]:
        """Give the share of each unit of an atom: j + 1 of 1 + 2 + ... for copy j."""
        count = self.counts[atom]
        found: NDArray[np.float64] = (self.number[units] + 1) / (count * (count + 1) / 2)
        return found
