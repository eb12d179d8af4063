"""Lookups by data: what may be chosen, where no integer says what is.

Knows tables. A feature that is a position among integers may choose any entry, so the average of
all stands for its choice; one that is a value of an integer chooses its own.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suture._bind import BoundOperand
from suture._torch._fed import ANY
from suture._torch._spread import Dim, dims_of, laid


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What each of K features chooses of a table.

    Attributes:
        entries: [K, ...] without the dims that are looked up, with a gradient.
        dims: the axes of the dims that are left.
        at: the dims that are looked up.
        choices: the entry that each feature chooses, or `ANY`, where there is one such dim.
        size: its size.
    """

    entries: Tensor
    dims: tuple[Dim, ...]
    at: tuple[int, ...]
    choices: Tensor
    size: int

    def laid(self, result: BoundOperand, shape: tuple[int, ...]) -> Tensor:
        """Lay what is chosen along the axes of a result: [K, *shape]."""
        return laid(self.entries, self.dims, [False] * len(self.dims), dims_of(result), shape)

    def reached(self, entries: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say which entries of the table were reached, from those of `entries` that were.

        Returns:
            bool[K, ...], broadcastable to the table.
        """
        mask = np.expand_dims(entries, [dim + 1 for dim in self.at])
        if bool((self.choices == ANY).all()):
            return mask
        chosen = codes(self.choices, self.size).numpy() != 0
        around = [1] * (mask.ndim - 1)
        around[self.at[0]] = self.size
        both: NDArray[np.bool_] = mask & chosen.reshape(-1, *around)
        return both


def row(table: Tensor, operand: BoundOperand, looked_up: Set[str | None], choices: Tensor) -> Row:
    """Choose from a table of weights along the axes that integers index."""
    dims = dims_of(operand)
    at = tuple(
        place
        for place, dim in enumerate(dims)
        if not looked_up.isdisjoint(name for part in dim for name in part)
    )
    size = table.shape[at[0]] if len(at) == 1 else 0
    choices = choices.where(choices < size, ANY)  # beyond it, they are another table's
    rest = tuple(dim for place, dim in enumerate(dims) if place not in at)
    average = table.mean(at) if at else table
    entries = average.expand(len(choices), *average.shape).clone()
    if bool((choices != ANY).any()):
        single = (choices != ANY).nonzero()[:, 0]
        entries[single] = table.movedim(at[0], 0)[choices[single]]
    return Row(entries.requires_grad_(), rest, at, choices, size)


def codes(choices: Tensor, size: int) -> Tensor:
    """Write the values that each feature means as a code: [K, size], ones for `ANY`."""
    return ((choices[:, None] == torch.arange(size)) | (choices == ANY)[:, None]).float()
