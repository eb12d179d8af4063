"""The audit of windows: what a constant index says of a mixed axis against what is seen, both ways.

Knows how a window narrows the claims of a spec. Does not know ops, nor where windows come from.

A window relates every two tensors that have axes of it: two entries may meet where some row of its
index holds the coordinates of both. Sound: entries that meet were allowed to by every window.
Complete: coordinates that a window lets meet are seen to, in some pair of entries. Operands and
results meet where one moves the other, two operands by mixed second differences. Which tap of a
window reads which entry at which place is seen pair by pair, not all three at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np

from audit_claims import Coordinates, Occurrence, Relation, occurrences, related, standing
from audit_experiment import Experiment
from suture._bind import Bound, Window


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """Some entries of a tensor: what it is called, its axes, and which entries."""

    label: str
    axes: Sequence[Occurrence]
    entries: Coordinates

    def along(self, window: Window) -> dict[str, Coordinates]:
        """Give the entries' coordinates on the axes of a window that the tensor has."""
        wanted = (*window.axes, window.source)
        return {axis.name: axis.at[self.entries] for axis in self.axes if axis.name in wanted}


@dataclass(frozen=True, slots=True, eq=False)
class Meeting:
    """Entries of two tensors, and which of them were seen to meet."""

    one: Side
    other: Side
    seen: Relation


def window_findings(run: Experiment, bound: Bound) -> Iterator[str]:
    """List every contradiction between the windows of a bound spec and an experiment."""
    for met in _meetings(run, bound) if bound.windows else ():
        allowed = np.broadcast_to(_related(met, bound), met.seen.shape)
        for window in bound.windows:
            allowed = allowed & _windowed(met, window, bound)
        for window in bound.windows:
            yield from _strays(met, window, bound)
            yield from _unseen(met, window, allowed, bound)


def _meetings(run: Experiment, bound: Bound) -> Iterator[Meeting]:
    """List the pairs of tensors with what was seen of them, but for results that do not move."""
    axes = [occurrences(operand, bound) for operand in bound.inputs]
    alive = [k for k, operand in enumerate(bound.inputs) if not (run.known[k] or operand.values)]
    for k in alive:
        changes = run.influence(k)
        for o, result in enumerate(bound.outputs):
            start, stop = run.cuts[o]
            moved = changes.moved[:, start:stop]
            other = Side(f"result {o}", occurrences(result, bound), np.arange(stop - start))
            if moved.any():
                yield Meeting(Side(f"operand {k}", axes[k], changes.entries), other, moved)
    for a, b in combinations(alive, 2):
        if any(_sizes(axes[a], w, bound) and _sizes(axes[b], w, bound) for w in bound.windows):
            met = run.meetings(a, b)
            one, other = (
                Side(f"operand {k}", axes[k], changes.entries)
                for k, changes in ((a, met.left), (b, met.right))
            )
            yield Meeting(one, other, np.any(met.seen, axis=0))


def _related(met: Meeting, bound: Bound) -> Relation:
    """Say what the text of the spec lets meet."""
    rows, columns = (
        standing(side.axes, bound.picks, side.entries) for side in (met.one, met.other)
    )
    return related(rows, columns)


def _sizes(axes: Sequence[Occurrence], window: Window, bound: Bound) -> dict[str, int]:
    """Size the axes of a window that a tensor has."""
    wanted = (*window.axes, window.source)
    return {axis.name: bound.sizes[axis.name] for axis in axes if axis.name in wanted}


def table(
    window: Window, one: Sequence[Occurrence], other: Sequence[Occurrence], bound: Bound
) -> Relation:
    """Say which coordinates of two tensors a window lets meet, each side in C order of its axes."""
    taken = np.nonzero(window.index >= 0)
    rows = dict(zip(window.axes, taken, strict=True)) | {window.source: window.index[taken]}
    sizes = [_sizes(axes, window, bound) for axes in (one, other)]
    found = np.zeros([prod(each.values()) for each in sizes], bool)
    found[tuple(_flat(rows, each) for each in sizes)] = True
    return found


def _flat(coordinates: dict[str, Coordinates], sizes: dict[str, int]) -> Coordinates:
    flat = np.zeros(1, np.int64)
    for name, size in sizes.items():
        flat = flat * size + coordinates[name]
    return flat


def _places(met: Meeting, window: Window, bound: Bound) -> tuple[Coordinates, Coordinates]:
    one, other = (
        np.broadcast_to(
            _flat(side.along(window), _sizes(side.axes, window, bound)), side.entries.shape
        )
        for side in (met.one, met.other)
    )
    return one, other


def _windowed(met: Meeting, window: Window, bound: Bound) -> Relation:
    """Say which of the entries a window lets meet: of what it reads, and along its axes."""
    if not all(_sizes(side.axes, window, bound) for side in (met.one, met.other)):
        mixed = {axis.name for axis in (*met.one.axes, *met.other.axes) if axis.mixed}
        if mixed.isdisjoint((*window.axes, window.source)):
            return np.ones((1, 1), bool)
    one, other = _places(met, window, bound)
    return table(window, met.one.axes, met.other.axes, bound)[one[:, None], other[None, :]]


def _strays(met: Meeting, window: Window, bound: Bound) -> Iterator[str]:
    strays = np.argwhere(met.seen & ~_windowed(met, window, bound))
    for one, other in strays[:1]:
        yield f"{_addresses(met, window, one, other)} meet; {_shown(window)} forbids it."


def _unseen(met: Meeting, window: Window, allowed: Relation, bound: Bound) -> Iterator[str]:
    one, other = _places(met, window, bound)
    seen, said = (
        {*zip(one[rows].tolist(), other[columns].tolist(), strict=True)}
        for rows, columns in (np.nonzero(met.seen), np.nonzero(allowed))
    )
    for pair in sorted(said - seen)[:1]:
        at = int(np.flatnonzero(one == pair[0])[0]), int(np.flatnonzero(other == pair[1])[0])
        yield f"{_addresses(met, window, *at)}: {_shown(window)} lets them meet, never seen."


def _addresses(met: Meeting, window: Window, one: int, other: int) -> str:
    sides = ((met.one, one), (met.other, other))
    texts = (
        f"{side.label} at ({', '.join(f'{n} = {c[at]}' for n, c in side.along(window).items())})"
        for side, at in sides
    )
    return " and ".join(texts)


def _shown(window: Window) -> str:
    return f"window ({' '.join(window.axes)}) = {window.source}[{window.index.tolist()}]"
