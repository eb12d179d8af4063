"""A plan that widens tensors, and states for it: as small as a plan can be that does something.

Knows how to build them. Does not know files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suture._arrays import dtype_name
from suture._dtypes import DTYPES
from suture._plan import Block, Fill, Own, Plan, Sum, Tensor, TensorPlan, Term, Value

State = dict[str, NDArray[Any]]


def copied(name: str, shape: tuple[int, ...]) -> Sum:
    return Sum((Term(name, tuple(((0, size),) for size in shape)),))


def widened(old: Mapping[str, NDArray[Any]], rows: int = 1, fill: Fill | None = None) -> Plan:
    """Plan further rows for every tensor, its own ones unless told otherwise."""
    tensors = []
    for name, array in old.items():
        source = Tensor(name, array.shape, dtype_name(array.dtype.name))
        count, *rest = array.shape
        target = Tensor(name, (count + rows, *rest), source.dtype)
        others = tuple(((0, size),) for size in rest)
        kept = Block((((0, count),), *others), copied(name, array.shape))
        new = Block((((count, count + rows),), *others), fill or Own())
        tensors.append(TensorPlan(target, source, "parameter", (kept, new)))
    return Plan("a1", "b2", tuple(tensors))


ZEROS = Value(0.0)


def some(shape: tuple[int, ...], dtype: str = "f32", seed: int = 0) -> NDArray[Any]:
    """Draw numbers of order one, or any bits where a dtype has no arithmetic."""
    rng = np.random.default_rng(seed)
    if dtype[0] in "fb" and dtype != "bool":
        return rng.standard_normal(shape).astype(DTYPES[dtype])
    return rng.integers(0, 2, shape).astype(DTYPES[dtype])


def layers(seed: int = 0) -> State:
    """Make two tensors of a small network."""
    return {"fc.weight": some((4, 3), seed=seed), "fc.bias": some((4,), seed=seed + 1)}
