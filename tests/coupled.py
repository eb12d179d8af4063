"""The units of a small network, spelled out as text in the notation of specs.

Knows how layouts read. Does not know how units are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import nn

import suture
from suture import Schema, Subject, Units
from suture._couple import Column, Layout
from suture._fill import runs
from suture._words import span


def units_of(
    model: nn.Module,
    *args: Any,
    schema: Schema | None = None,
    call: Callable[..., Any] | None = None,
) -> Units:
    """Trace and couple a model on example arguments."""
    return suture.couple(suture.trace(Subject(model, args, schema=schema, call=call)))


def spelled(units: Units) -> dict[str, str]:
    """Spell every tensor out: `fc.weight` -> `0..4 (4..6 6..9)`, units numbered as they occur."""
    order: dict[int, int] = {}
    named = {**units.tensors, **{f":{name}": (dim,) for name, dim in units.values.items()}}
    return {
        name: " ".join(_dim(layout, order) for layout in layouts) for name, layouts in named.items()
    }


def _dim(layout: Layout, order: dict[int, int]) -> str:
    segments = [[_column(column, order) for column in segment] for segment in layout]
    return "+".join(s[0] if len(s) == 1 else f"({' '.join(s)})" for s in segments)


def _column(column: Column, order: dict[int, int]) -> str:
    numbers = np.array([order.setdefault(int(unit), len(order)) for unit in column], np.int64)
    return "+".join(span(*run) for run in runs(numbers))


def only(texts: Mapping[str, str], *names: str) -> list[str]:
    """Pick the texts of some tensors."""
    return [texts[name] for name in names]
