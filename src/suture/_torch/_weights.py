"""Weights as they meet data: what depends on no data, finite, and positive under that option.

Knows values. Does not know ops.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from suture._graph import Graph
from suture._repairs import Repairs


@dataclass(slots=True, eq=False)
class Weights:
    """What depends on no data.

    Attributes:
        own: value -> its entries, of all that no data reaches, and of what only has data's shape.
        weights: the values that are made of parameters or buffers.
        met: the same as they meet data, as far as needed yet.
    """

    graph: Graph
    repairs: Repairs
    dtype: torch.dtype
    own: dict[int, Tensor]
    weights: Set[int]
    met: dict[int, Tensor] = field(default_factory=dict)

    def has_gradient(self, value: int) -> bool:
        """Whether it is asked for what reaches a value."""
        return value in self.weights and self.own[value].is_floating_point()

    def at_meeting(self, value: int) -> Tensor:
        """Give a value as it meets data."""
        if value not in self.met:
            self.met[value] = self._met(self.own[value])
        return self.met[value]

    def _met(self, entries: Tensor) -> Tensor:
        if not entries.is_floating_point() or not entries.numel():
            return entries
        # Numpy goes through a transposed matrix in the order of its memory, torch does not.
        least, most = entries.numpy().min(), entries.numpy().max()
        if not np.isfinite(least) or not np.isfinite(most):
            entries = entries.nan_to_num(nan=1, posinf=1, neginf=1)
            least = entries.numpy().min()
        return entries.abs() if self.repairs.init == "positive" and least < 0 else entries
