"""Feeding: inputs that are zero but for one feature each.

Knows which entries are whose. Does not know what becomes of them (`_probe`).

Integers come as floats: one where the entry is the feature's, zero elsewhere. Where a schema names
their values, `Fed.choices` says which value is meant; elsewhere all are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suture._features import Features
from suture._graph import Graph
from suture._sets import Ids

ANY = -1
"""A choice of no single value."""


@dataclass(frozen=True, slots=True, eq=False)
class Fed:
    """Inputs for a batch of K features.

    Attributes:
        inputs: value -> its entries [K, ...]; inputs that are zero for all features are left out.
        choices: the value of an integer that each feature stands for, or `ANY`: i64[K].
    """

    inputs: Mapping[int, Tensor]
    choices: Tensor


def fed(graph: Graph, seen: Features, numbers: Sequence[int], dtype: torch.dtype) -> Fed:
    """Make the inputs that show some features, each by itself."""
    inputs: dict[int, Tensor] = {}
    choices = np.full(len(numbers), ANY)
    for keypath, ids in seen.inputs.items():
        value = graph.inputs[keypath]
        mine = _mine(ids, numbers)
        if mine.any():
            shape = graph.values[value].shape
            gates = torch.from_numpy(mine.any(-1)).to(dtype)
            inputs[value] = gates.expand(len(numbers), *shape).contiguous()
            if ids.shape[-1] > 1:
                shown = np.any(mine, axis=tuple(range(1, ids.ndim)))
                choices = np.where(np.any(shown, axis=1), shown.argmax(axis=1), choices)
    return Fed(inputs, torch.from_numpy(choices))


def _mine(ids: Ids, numbers: Sequence[int]) -> NDArray[np.bool_]:
    """Say which entries are each feature's: bool[K, ...]."""
    sought = np.asarray(numbers).reshape(-1, *(1,) * ids.ndim) + 1
    low, high = ids.min(initial=0), ids.max(initial=0)
    if not ((sought >= low) & (sought <= high)).any():
        return np.zeros((len(numbers), *(1,) * ids.ndim), bool)
    mine: NDArray[np.bool_] = ids == sought
    return mine


def told_apart(graph: Graph, seen: Features) -> set[int]:
    """Find the integers of which the values are features: inputs, and where they are moved to."""
    told = {graph.inputs[name] for name, ids in seen.inputs.items() if ids.shape[-1] > 1}
    for node in graph.nodes:
        data = [at for at, value in enumerate(node.inputs) if value not in graph.constants]
        moved = all(node.algebra[at].moves for at in data)
        if moved and not told.isdisjoint(node.inputs):
            told.update(node.outputs)
    return told
