"""Carry arrays along an input or output, and integers that choose from one, by name.

Knows observations and actions as plain arrays. Does not know who stores them (`_sb3`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suture._errors import TransferError
from suture._laid_out import (
    Array,
    Fact,
    Layout,
    layout,
    missing,
    placement_of,
    strangers,
    unfit,
    unscaled,
    warn_of_positions,
)
from suture._plan import Affine, IndexMap, Placement, Plan
from suture._world import spread


def carry(
    plan: Plan,
    name: str,
    array: NDArray[Any],
    *,
    fresh: Mapping[str, float] | float | None = None,
    rescaled: Mapping[str, Affine] | None = None,
) -> NDArray[Any]:
    """Lay an array out along the target's entries of an input or output, by name.

    Observations, masks, bounds, whatever has one value per feature or action: values that both
    models know go where the target has them, those that are gone go, and features that the plan or
    `rescaled` puts on another scale are put there.

    Args:
        plan: says where each entry sits on both sides.
        name: the input or output, e.g. `"obs"`.
        array: whatever ends in the source's dims, e.g. f32[steps,envs,features]; it is not changed.
        fresh: the value of each new entry by its full name, `{"obs.weather": 0.0}`, or by the
            input's for all of them; or one value for all.
        rescaled: features -> how the new model sees them, besides those of the plan.

    Returns:
        A new array that ends in the target's dims, of the same dtype.

    Raises:
        TransferError: listing new entries without a value, names that are none, values that the
            dtype cannot hold, or saying how the array does not fit.

    Warns:
        UserWarning: entries without names are paired by position.

    Example:
        >>> import suture, torch
        >>> def graph(names):
        ...     schema = suture.Schema(inputs={"input": names})
        ...     example = torch.zeros(5, len(names))
        ...     return suture.trace(
        ...         suture.Subject(torch.nn.Linear(len(names), 2), (example,), schema=schema))
        >>> plan = suture.plan(graph(["x", "v"]), graph(["v", "wind", "x"]))
        >>> seen = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> carry(plan, "input", seen, fresh={"input.wind": -1.0})
        array([[ 2., -1.,  1.],
               [ 4., -1.,  3.]])
    """
    return check(plan, name, np.asarray(array), spoken(name, fresh), rescaled or {}).written()


@dataclass(frozen=True, slots=True)
class Checked:
    """An array that fits the plan, with all that is said of its new entries and its scales."""

    found: Layout
    array: Array
    values: Mapping[str, float]
    said: Mapping[str, Affine]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array along the target's entries."""
        return self.array.shape[: self.array.ndim - len(self.found.source)] + self.found.target

    def write(self, new: Array) -> None:
        """Write it along the target's entries."""
        self.found.write(self.array, new, self.values)
        self.found.restate(new, self.said)

    def written(self) -> Array:
        """Write it into an array of its own."""
        new = np.empty(self.shape, self.array.dtype)
        self.write(new)
        return new


def check(
    plan: Plan,
    name: str,
    array: Array,
    values: Mapping[str, float],
    rescaled: Mapping[str, Affine],
) -> Checked:
    """Check all that `carry` is given before anything is written."""
    found = layout(plan, name)
    facts = [*found.misfit(array), *wrong(found, values, rescaled, array.dtype)]
    refuse(facts, values, found)
    said = {one.name: one.affine for one in found.placement.rescaled} | dict(rescaled)
    return Checked(found, array, values, said)


def spoken(name: str, fresh: Mapping[str, float] | float | None) -> Mapping[str, float]:
    """Spell one value for all out."""
    if fresh is None:
        return {}
    return fresh if isinstance(fresh, Mapping) else {name: fresh}


def wrong(
    found: Layout,
    values: Mapping[str, float],
    rescaled: Mapping[str, Affine],
    dtype: np.dtype[Any],
) -> Iterator[Fact]:
    """List what cannot be meant of values and scales."""
    yield from strangers(found, values)
    yield from unfit(values, dtype)
    yield from unscaled(found, rescaled)
    planned = [one.name for one in found.placement.rescaled]
    for name in planned:
        if name in rescaled:
            yield name, "is on another scale in the plan already"
    if dtype.kind not in "fc":
        for name in dict.fromkeys([*planned, *rescaled]):
            yield name, f"numbers of {dtype.name} have no scale"


def refuse(facts: Sequence[Fact], values: Mapping[str, float], found: Layout) -> None:
    """Refuse what does not fit, and new entries without a value, all at once."""
    lost = [(name, f"{text}, and no value is given") for name, text in missing(found, values)]
    if lost or facts:
        hint = f"say what it was: fresh={{{lost[0][0]!r}: 0.0}}" if lost else None
        name = found.placement.name
        raise TransferError(f"What is given does not fit {name!r}.", [*lost, *facts], hint)


def carry_choices(plan: Plan, name: str, chosen: NDArray[Any]) -> NDArray[Any]:
    """Give integers that choose by position the positions of the same names in the target.

    Actions that were taken, when the actions changed places or new ones came between; categories
    that were seen.

    Args:
        plan: says where each entry sits on both sides.
        name: the output whose entries are chosen, or an input of categories.
        chosen: positions among the source's entries, in any shape; it is not changed.

    Returns:
        Positions among the target's entries, of the same shape and dtype.

    Raises:
        TransferError: listing choices that are gone, or that never were.

    Warns:
        UserWarning: entries without names are paired by position.

    Example:
        >>> import suture, torch
        >>> def graph(names):
        ...     schema = suture.Schema(outputs={"output": names})
        ...     model = torch.nn.Linear(3, len(names))
        ...     return suture.trace(suture.Subject(model, (torch.zeros(5, 3),), schema=schema))
        >>> plan = suture.plan(graph(["left", "right"]), graph(["brake", "right", "left"]))
        >>> carry_choices(plan, "output", np.array([0, 0, 1]))
        array([2, 2, 1])
    """
    found, given = placement_of(plan, name), np.asarray(chosen)
    warn_of_positions(plan, found)
    if given.dtype.kind not in "iu" or (given < 0).any():
        facts = [(name, f"an array of {given.dtype.name} that begins at {given.min(initial=0)}")]
        raise TransferError("Choices are positions: integers from 0 on.", facts)
    runs, dim = _choices(found)
    theirs, ours = spread(runs)
    # One row more, for numbers above all that the source has.
    table = np.full(int(theirs.max(initial=-1)) + 2, -1)
    table[theirs] = ours
    carried = table[np.minimum(given, len(table) - 1)]
    facts = [*_lost(found, dim, given[carried < 0])]
    if facts:
        hint = "drop the steps that chose them, or keep them in the new model"
        raise TransferError("Choices are not there in the new model.", facts, hint)
    moved: NDArray[Any] = carried.astype(given.dtype)
    return moved


def _choices(placement: Placement) -> tuple[IndexMap, int]:
    """Find the values of an input, or the dim of an output that has names, else its last."""
    if placement.values is not None:
        return placement.values, -1
    named = [one.dim for one in placement.labels if one.dim >= 0]
    dim = max(named, default=len(placement.dims) - 1)
    return placement.dims[dim], dim


def _lost(found: Placement, dim: int, lost: Array) -> Iterator[Fact]:
    """Say which choices lead nowhere, and how many there are of each."""
    names = {one.source: one.name for one in found.labels if one.dim == dim}
    for one, count in zip(*np.unique(lost, return_counts=True), strict=True):
        times = "time" if count == 1 else "times"
        yield names.get(int(one), f"{found.name} at {one}"), f"is gone, and chosen {count} {times}"
