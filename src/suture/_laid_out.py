"""Arrays laid out along the entries of an input or output: from the source's to the target's.

Knows where a plan places entries by name, and what must be said of those that are fresh. Does not
know what an array means: observations (`_carry`), statistics (`_statistics`), files (`_sb3`).

Dims of a batch, of time or of environments may lie in front of those that the plan knows: an array
fits if it ends in the dims from the first that has names, or changes, on.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import isfinite
from types import EllipsisType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from suture._errors import TransferError, near_miss
from suture._plan import Affine, Label, Placement, Plan
from suture._world import spread

Array = NDArray[Any]
Fact = tuple[str, str]
Index = tuple[EllipsisType | slice, ...]
Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class Entry:
    """A fresh entry along a dim of the target; `name` is the tensor's where it has none."""

    dim: int
    position: int
    name: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the entries of one tensor lie on both sides, from dim `first` on.

    Attributes:
        placement: what the plan says; both sides have the tensor.
        first: the first dim that has names, or changes.
    """

    placement: Placement
    first: int

    @property
    def source(self) -> tuple[int, ...]:
        """The sizes in which the source's arrays end."""
        return () if self.placement.source is None else self.placement.source.shape[self.first :]

    @property
    def target(self) -> tuple[int, ...]:
        """The sizes in which the target's arrays end."""
        return () if self.placement.target is None else self.placement.target.shape[self.first :]

    @property
    def fresh(self) -> Iterator[Entry]:
        """The target's entries that the source has none of."""
        labels = {(one.dim, one.target): one.name for one in self.placement.labels}
        for dim, size in enumerate(self.target, self.first):
            _, ours = spread(self.placement.dims[dim])
            for at in np.setdiff1d(np.arange(size), ours).tolist():
                yield Entry(dim, at, labels.get((dim, at), self.placement.name))

    def labels(self, names: Collection[str]) -> Iterator[Label]:
        """Give the labels of entries of both sides that have one of some names."""
        for one in self.placement.labels:
            if one.name in names and one.dim >= 0 and None not in (one.source, one.target):
                yield one

    def misfit(self, array: Array) -> Iterator[Fact]:
        """Say why an array is not along the source's entries."""
        if array.shape[array.ndim - len(self.source) :] != self.source:
            ends = ",".join(map(str, ("..", *self.source)))
            shape = ",".join(map(str, array.shape))
            yield self.placement.name, f"the array is [{shape}]; the source's are [{ends}]"

    def write(self, array: Array, new: Array, values: Mapping[str, float]) -> None:
        """Write a checked array into one along the target's entries.

        Args:
            array: along the source's entries.
            new: along the target's, overwritten.
            values: of fresh entries by name, or the tensor's name for all of them.
        """
        for entry in self.fresh:
            value = values.get(entry.name, values.get(self.placement.name, 0.0))
            new[self._at(entry.dim, entry.position)] = value
        for runs in product(*self.placement.dims[self.first :]):
            ours: Index = (..., *(slice(run.target, run.target + run.length) for run in runs))
            theirs: Index = (..., *(slice(run.source, run.source + run.length) for run in runs))
            new[ours] = array[theirs]

    def restate(self, new: Array, said: Mapping[str, Affine]) -> None:
        """Set entries that the target sees on another scale."""
        for label in self.labels(said):
            assert label.target is not None, "labels of both sides only"
            entries = new[self._at(label.dim, label.target)]
            affine = said[label.name]
            entries[...] = entries.astype(np.float64) * affine.scale + affine.shift

    def _at(self, dim: int, position: int) -> Index:
        behind = len(self.target) - (dim - self.first) - 1
        return (..., slice(position, position + 1), *[slice(None)] * behind)


def placement_of(plan: Plan, name: str) -> Placement:
    """Find an input or output that both sides have.

    Raises:
        TransferError: there is none, or one side has it in other dims.
    """
    known = {one.name: one for one in (*plan.outputs, *plan.inputs)}
    if name not in known:
        facts = [("known", ", ".join(known) or "none")]
        sentence = f"The plan places no input or output {name!r}."
        raise TransferError(sentence, facts, near_miss(name, list(known)))
    found = known[name]
    for side, tensor in (("old", found.source), ("new", found.target)):
        if tensor is None:
            raise TransferError(f"The {side} model has no {name!r}.", [(name, "is one model's")])
    if found.source and found.target and len(found.dims) != len(found.target.shape):
        facts = [(name, f"is {found.source.type} there and {found.target.type} here")]
        raise TransferError(f"{name!r} has other dims in the new model.", facts)
    return found


def layout(plan: Plan, name: str) -> Layout:
    """Find where the entries of an input or output lie, and say where that is by position."""
    found = placement_of(plan, name)
    if found.values is not None:
        facts = [(name, "holds numbers of categories")]
        hint = f"renumber them: suture.carry_choices(plan, {name!r}, ...)"
        raise TransferError("Numbers that choose are laid along nothing.", facts, hint)
    named = {one.dim for one in found.labels if one.dim >= 0}
    rank = len(found.dims)
    changed = {dim for dim in range(1, rank) if not _same(found, dim)}
    warn_of_positions(plan, found)
    return Layout(found, min(named or changed, default=rank))


def _same(placement: Placement, dim: int) -> bool:
    """Whether every entry along a dim stays where it is."""
    theirs, ours = spread(placement.dims[dim])
    sizes = {t.shape[dim] for t in (placement.source, placement.target) if t is not None}
    return sizes == {len(ours)} and bool((theirs == ours).all())


def warn_of_positions(plan: Plan, placement: Placement) -> None:
    """Say of entries without names that they pair by position, as the plan says of inputs."""
    notes = [one for one in plan.notes if (one.kind, one.subject) == ("pairing", placement.name)]
    reasons = [one.reason for one in notes]
    if not placement.labels:
        reasons.append("has no names: entries pair by position")
    for reason in dict.fromkeys(reasons):
        warnings.warn(f"{placement.name} {reason}", stacklevel=3)


def missing(found: Layout, given: Mapping[str, float]) -> Iterator[Fact]:
    """List fresh entries of which nobody said what they are, each name once."""
    whole = found.placement.name
    lost = [entry.name for entry in found.fresh if not {entry.name, whole} & {*given}]
    for name in dict.fromkeys(lost):
        yield name, "has new entries without names" if name == whole else "is new"


def strangers(found: Layout, given: Iterable[str]) -> Iterator[Fact]:
    """List names of which something is said although they are no fresh entries."""
    known = [entry.name for entry in found.fresh]
    for name in given:
        if name not in known and name != found.placement.name:
            near = near_miss(name, known)
            yield name, "is no new entry" + (f": {near}" if near else "")


def unfit(values: Mapping[str, float], dtype: np.dtype[Any]) -> Iterator[Fact]:
    """List values that an array cannot hold."""
    for name, value in values.items():
        number: object = value
        if not isinstance(number, int | float) or not isfinite(number):
            yield name, f"{number!r} is no finite number"
        elif dtype.kind in "iu" and not _holds(dtype, number):
            yield name, f"{number!r} is no {dtype.name}"


def _holds(dtype: np.dtype[Any], number: float) -> bool:
    limits = np.iinfo(dtype)
    return number == int(number) and limits.min <= number <= limits.max


def unscaled(found: Layout, said: Mapping[str, object]) -> Iterator[Fact]:
    """List what cannot be on another scale."""
    known = {label.name for label in found.labels(said)}
    for name, affine in said.items():
        if name not in known:
            yield name, "is no named entry of both models"
        if not isinstance(affine, Affine):
            yield name, f"{affine!r} is no Affine: write suture.Affine(scale=3.6)"
        elif not (isfinite(affine.scale) and isfinite(affine.shift)) or affine.scale == 0:
            yield name, f"a scale of {affine.scale:g} and a shift of {affine.shift:g} is none"


def dealt(said: Mapping[str, Said], names: Collection[str]) -> dict[str, dict[str, Said]]:
    """Deal what is said of entries out to the tensors that they are of; `""` gets the rest.

    Example:
        >>> dealt({"obs.body.x": 1, "obs.eye": 2, "ob": 3}, ["obs.body", "obs.eye"])
        {'obs.body': {'obs.body.x': 1}, 'obs.eye': {'obs.eye': 2}, '': {'ob': 3}}
    """
    hands: dict[str, dict[str, Said]] = {name: {} for name in (*names, "")}
    for entry, what in said.items():
        fits = [name for name in names if f"{entry}.".startswith(f"{name}.")]
        hands[max(fits, key=len, default="")][entry] = what
    return hands
