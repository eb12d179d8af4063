"""Other families grow: nothing crashes, nothing old is lost or torn apart, promises are kept.

Nobody has written down by hand what goes where. What grows at its end leaves every old entry of a
tensor in that tensor, each dim in its old order: that much holds for any family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import dota
import suture
from changes import MORE, OWN, Change, changed, config, told
from families import FAMILIES
from measuring.placed import Placed, Places, placed
from plain_families import PLAIN
from suture import Plan, Subject

BUILD: dict[str, Callable[..., Subject]] = {**FAMILIES, **PLAIN}
ELSEWHERE = changed(window_size=(2, 4))
"""What does not keep its order: the biases of a window go by offset."""


def cases() -> Iterator[Any]:
    """Every change of every family; all but its first take their time."""
    for family, changes in (MORE | OWN).items():
        for change in changes:
            marks = [] if change is changes[0] else [pytest.mark.slow]
            yield pytest.param(family, change, id=f"{family} {told(change)}", marks=marks)


def sides(family: str, change: Change) -> tuple[Subject, Subject]:
    """Build the old model and the new one with weights of order one."""
    old, new = (BUILD[family](**config(change, side)) for side in (0, 1))
    dota.generic(old.model, 1)
    dota.generic(new.model, 2)
    return old, new


def torn(plan: Plan, found: Placed) -> dict[str, list[int]]:
    """Name the tensors whose old entries are not all in place, and the dims out of order."""
    wrong = {}
    for tensor in plan.tensors:
        if tensor.source is not None:
            name = tensor.target.name
            wrong[name] = unordered(found.found[name], found.numbers[tensor.source.name])
    return {name: dims for name, dims in wrong.items() if dims}


def unordered(found: Places, numbers: Places) -> list[int]:
    """List the dims along which the old entries are not all there, one after the other."""
    found, numbers = np.atleast_1d(found), np.atleast_1d(numbers)
    at = [np.unique(positions) for positions in np.nonzero(np.isin(found, numbers))]
    kept = once(found[np.ix_(*at)])
    if kept.shape != numbers.shape:
        return [*range(numbers.ndim)]
    moved = np.nonzero(kept != numbers)
    return [dim for dim in range(numbers.ndim) if moved[dim].size]


def once(found: Places) -> Places:
    """Leave out along every dim what comes a second time: copies of units."""
    for dim in range(found.ndim):
        lines = np.moveaxis(found, dim, 0).reshape(found.shape[dim], -1)
        _, first = np.unique(lines, axis=0, return_index=True)
        found = found.take(np.sort(first), dim)
    return found


@pytest.mark.parametrize(("family", "change"), [*cases()])
def test_what_grows_keeps_all_that_was_there(family: str, change: Change) -> None:
    """Every old tensor is whole within the new one, and an exact plan measures as exact."""
    old, new = sides(family, change)
    plan = suture.transfer(old, new)
    assert change == ELSEWHERE or torn(plan, placed(plan)) == {}
    assert all(note.reason for note in plan.notes)
