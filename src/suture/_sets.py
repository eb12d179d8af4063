"""Feature sets, interned: every distinct set is one number, and a union is found once.

Knows sets of features as half-open intervals of feature numbers, which is what the neighbours of a
schema make of them. Does not know names (`_features`) nor how sets flow (`_flow`).

Set 0 is empty and set `f + 1` holds feature f alone; larger numbers are unions, in order of first
occurrence. All work is on arrays: Python counts distinct unions, never entries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
"""An array of sets by number; a dim of size one where the sets do not differ along it."""

Integers = NDArray[np.integer[Any]]

EMPTY = 0

AT_ONCE = 1_000_000
"""Intervals that are merged in one go; bounds the memory of a union."""


@dataclass(slots=True, eq=False)
class Grown:
    """Numbers that come in parts, in memory that grows ahead, so that most parts cost no copy."""

    memory: Integers
    length: int = field(init=False)

    def __post_init__(self) -> None:
        self.length = len(self.memory)

    @property
    def filled(self) -> Integers:
        """The numbers so far."""
        return self.memory[: self.length]

    def extend(self, more: Integers) -> None:
        """Add some at the end."""
        length = self.length + len(more)
        if length > len(self.memory):
            rest = np.empty(length + length // 2 - self.length, self.memory.dtype)
            self.memory = np.concatenate([self.filled, rest])
        self.memory[self.length : length] = more
        self.length = length


@dataclass(slots=True, eq=False)
class Sets:
    """The sets met so far.

    Attributes:
        count: the number of features.
    """

    count: int
    _starts: Grown = field(init=False)
    _ends: Grown = field(init=False)
    _offsets: Grown = field(init=False)
    _sizes: Grown = field(init=False)
    _known: dict[bytes, int] = field(default_factory=dict)
    _memo: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        singles = np.arange(self.count, dtype=np.int32)
        self._starts, self._ends = Grown(singles), Grown(singles + 1)
        self._offsets = Grown(np.append(0, np.arange(self.count + 1)))
        self._sizes = Grown(np.minimum(np.arange(self.count + 1), 1))

    @property
    def starts(self) -> Integers:
        """The first feature of every interval, set by set."""
        return self._starts.filled

    @property
    def ends(self) -> Integers:
        """The feature behind every interval."""
        return self._ends.filled

    @property
    def offsets(self) -> Integers:
        """Set -> its first interval; one more at the end."""
        return self._offsets.filled

    def union(self, ids: Ids) -> Ids:
        """Unite sets along the last dim.

        Args:
            ids: sets i64[..., k].

        Returns:
            Sets i64[...].

        Example:
            >>> sets = Sets(5)
            >>> one, same, empty = sets.union(np.array([[1, 2], [2, 1], [0, 0]]))
            >>> int(one) == int(same), int(empty), sets.members(int(one)).tolist()
            (True, 0, [0, 1])
        """
        if ids.shape[-1] < 2:
            return np.asarray(ids.sum(axis=-1))  # no sets are empty together
        low, high = ids.min(axis=-1), ids.max(axis=-1)
        if ((low == high) | (low == EMPTY)).all() and _at_most_one(ids, high):
            return np.asarray(high)
        rows, back = _distinct(ids.reshape(-1, ids.shape[-1]))
        found: Ids = self._united(_normal(rows))[back].reshape(ids.shape[:-1])
        return found

    def _united(self, rows: Ids) -> Ids:
        """Unite each row of distinct sets, zeros first."""
        keys = _keys(rows)
        new = [at for at, key in enumerate(keys) if key not in self._memo]
        weight = np.cumsum(np.diff(self.offsets)[rows[new]].sum(axis=1))
        cuts = np.flatnonzero(np.diff(weight // AT_ONCE)) + 1
        for start, stop in pairwise((0, *cuts, len(new))):
            part = new[start:stop]
            self._memo.update(zip([keys[at] for at in part], self._merged(rows[part]), strict=True))
        return np.array([self._memo[key] for key in keys], np.int64)

    def _merged(self, rows: Ids) -> list[int]:
        """Merge the intervals of each row of sets, and number what comes out."""
        children = rows.ravel()
        lengths = self.offsets[children + 1] - self.offsets[children]
        first = np.repeat(self.offsets[children] - np.cumsum(lengths) + lengths, lengths)
        at = first + np.arange(len(first))
        # One number line per row, far enough apart that intervals of two rows never touch.
        line = np.repeat(np.repeat(np.arange(len(rows)), rows.shape[1]), lengths) * (self.count + 1)
        starts, ends = self.starts[at] + line, self.ends[at] + line
        order = np.argsort(starts, kind="stable")
        starts, reach = starts[order], np.maximum.accumulate(ends[order])
        begins = np.flatnonzero(np.concatenate([[True], starts[1:] > reach[:-1]])[: len(starts)])
        closes = np.concatenate([begins[1:] - 1, [len(starts) - 1]])[: len(begins)]
        starts, ends = starts[begins], reach[closes]
        cuts = np.searchsorted(starts // (self.count + 1), np.arange(len(rows) + 1))
        base = np.repeat(np.arange(len(rows)) * (self.count + 1), np.diff(cuts))
        return self._interned(starts - base, ends - base, cuts)

    def _interned(self, starts: Ids, ends: Ids, cuts: Ids) -> list[int]:
        """Give every set of intervals its number, `cuts` being the first interval of each."""
        found: list[int] = []
        fresh: list[tuple[int, int]] = []
        pairs = np.stack([starts, ends], axis=1).astype(np.int64)
        for begin, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
            if stop - begin <= 1 and (stop == begin or ends[begin] - starts[begin] == 1):
                found.append(EMPTY if stop == begin else int(starts[begin]) + 1)
                continue
            key = blake2b(pairs[begin:stop].tobytes(), digest_size=16).digest()
            if key not in self._known:
                self._known[key] = len(self.offsets) - 1 + len(fresh)
                fresh.append((begin, stop))
            found.append(self._known[key])
        self._append(starts, ends, fresh)
        return found

    def _append(self, starts: Ids, ends: Ids, fresh: list[tuple[int, int]]) -> None:
        if not fresh:
            return
        at = np.concatenate([np.arange(begin, stop) for begin, stop in fresh])
        reach = np.cumsum([stop - begin for begin, stop in fresh])
        total = np.cumsum(ends[at] - starts[at])[reach - 1]
        self._starts.extend(starts[at])
        self._ends.extend(ends[at])
        self._offsets.extend(self.offsets[-1] + reach)
        self._sizes.extend(np.diff(total, prepend=0))

    def without_last(self, ids: Ids) -> Ids:
        """Leave the last feature out of sets, whichever hold it.

        Example:
            >>> sets = Sets(4)
            >>> less, more = sets.union(np.array([[1, 2, 0], [1, 2, 4]]))
            >>> int(sets.without_last(more)) == int(less)
            True
        """
        distinct, back = np.unique(ids, return_inverse=True)
        last = self.offsets[distinct + 1] - 1
        holding = (distinct != EMPTY) & (np.append(self.ends, 0)[last] == self.count)
        for at in np.flatnonzero(holding):
            own = slice(self.offsets[distinct[at]], self.offsets[distinct[at] + 1])
            starts, ends = self.starts[own], self.ends[own] - (self.ends[own] == self.count)
            taken = starts < ends
            cuts = np.array([0, int(taken.sum())])
            [distinct[at]] = self._interned(starts[taken], ends[taken], cuts)
        found: Ids = distinct[back].reshape(ids.shape)
        return found

    def members(self, number: int) -> Ids:
        """List the features of one set, in order."""
        intervals = slice(self.offsets[number], self.offsets[number + 1])
        pairs = zip(self.starts[intervals], self.ends[intervals], strict=True)
        return np.concatenate([np.empty(0, np.int64), *(np.arange(a, b) for a, b in pairs)])

    def sizes(self, ids: Ids) -> Ids:
        """Count the features of each set."""
        return np.asarray(self._sizes.filled[ids], np.int64)

    def holding(self, features: Ids) -> NDArray[np.bool_]:
        """Say of every set, by number, whether it holds one of some features.

        Example:
            >>> sets = Sets(3)
            >>> _ = sets.union(np.array([1, 2]))
            >>> sets.holding(np.array([1])).tolist()  # empty, {0}, {1}, {2}, {0, 1}
            [False, False, True, False, True]
        """
        asked = np.zeros(self.count, bool)
        asked[features] = True
        before = np.concatenate([[0], np.cumsum(asked)])
        hits = np.concatenate([[0], np.cumsum(before[self.ends] > before[self.starts])])
        found: NDArray[np.bool_] = hits[self.offsets[1:]] > hits[self.offsets[:-1]]
        return found


def _at_most_one(ids: Ids, high: Ids) -> bool:
    """Whether no row holds two sets that are not empty."""
    return bool(((ids == high[..., None]) | (ids == EMPTY)).all())


def _keys(rows: Ids) -> list[bytes]:
    """Give each row of sets, zeros first, bytes that are equal where the sets are."""
    # The largest byte first, leading zeros are no digits: one number per row of sets.
    data, width = rows.astype(">i8").tobytes(), rows.shape[1] * 8
    return [data[at : at + width].lstrip(b"\0") for at in range(0, len(data), width)]


def _distinct(rows: Ids) -> tuple[Ids, Ids]:
    """List the distinct rows, and which of them each row is.

    Rows are told apart by a random sum, which is checked: sorting whole rows takes far longer.
    """
    if len(rows) == 1:
        return rows, np.zeros(1, np.int64)
    weights = np.random.default_rng(rows.shape[1]).integers(1 << 62, size=rows.shape[1])
    _, first, back = np.unique(rows @ weights, return_index=True, return_inverse=True)
    if np.array_equal(rows[first][back], rows):
        return rows[first], back
    found, back = np.unique(rows, axis=0, return_inverse=True)
    return found, back


def _normal(ids: Ids) -> Ids:
    """Sort rows i64[n, k] to i64[n, k'], every set once, empty ones in front and mostly cut."""
    if len(ids) == 1:
        found = np.flatnonzero(np.bincount(ids[0])[1:]) + 1
        return found[None]
    rows = np.sort(ids, axis=1)
    rows[:, 1:][rows[:, 1:] == rows[:, :-1]] = EMPTY
    rows.sort(axis=1)
    longest = int((rows > EMPTY).sum(axis=1).max(initial=1))
    return rows[:, rows.shape[1] - max(longest, 1) :]
