"""Masks: which entries of a parameter each of many features reached, every distinct mask kept once.

Knows how masks are packed, united and turned into feature sets. Does not know how they were found
(`_gradient`): most features of a large model reach the same entries, so what is kept grows with the
distinct masks and not with features times entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import prod

import numpy as np
from numpy.typing import NDArray

from suture._sets import EMPTY, Ids, Sets

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Mask:
    """A bool array of `shape`, eight entries a byte; a dim of size one stands for a whole dim."""

    shape: tuple[int, ...]
    bits: bytes

    @staticmethod
    def of(array: Bools) -> Mask:
        r"""Pack an array; dims along which it does not vary become of size one.

        Example:
            >>> Mask.of(np.array([[True, False], [True, False]]))
            Mask(shape=(1, 2), bits=b'\x80')
        """
        for dim, size in enumerate(array.shape):
            if size > 1:
                first = array[(slice(None),) * dim + (slice(0, 1),)]
                if (array == first).all():
                    array = first
        return Mask(array.shape, np.packbits(array).tobytes())

    @property
    def array(self) -> Bools:
        """The mask as an array, broadcastable to the parameter's shape."""
        packed = np.frombuffer(self.bits, np.uint8)
        return np.unpackbits(packed, count=prod(self.shape)).astype(bool).reshape(self.shape)

    def __or__(self, other: Mask) -> Mask:
        return self if self == other else Mask.of(self.array | other.array)


@dataclass(slots=True, eq=False)
class Masks:
    """What features reached of one parameter.

    Attributes:
        features: distinct mask -> the features that reached just its entries.
    """

    features: dict[Mask, list[int]] = field(default_factory=dict)
    _pending: dict[int, Mask] = field(default_factory=dict)

    def reach(self, feature: int, array: Bools) -> None:
        """Add to what a feature reached, until `settle`."""
        new, old = Mask.of(array), self._pending.get(feature)
        self._pending[feature] = new if old is None else old | new

    def settle(self) -> None:
        """Take note that the features seen so far reach nothing more."""
        for feature, mask in self._pending.items():
            if np.frombuffer(mask.bits, np.uint8).any():
                self.features.setdefault(mask, []).append(feature)
        self._pending.clear()

    def sets(self, sets: Sets, rank: int) -> Ids:
        """Give the feature set of each entry.

        Args:
            sets: where sets are numbered.
            rank: the number of dims of the parameter.

        Returns:
            Sets, one dim per dim of the parameter, of size one where they do not differ.
        """
        if not self.features:
            return np.full((1,) * rank, EMPTY)
        first, back = _distinct([*self.features])
        owners = _united(sets, [np.array(each) + 1 for each in self.features.values()])
        members = [owners[held] for held in _holding([*self.features], first)]
        found: Ids = _united(sets, members)[back]
        return found


def _distinct(masks: Sequence[Mask]) -> tuple[list[Ids], Ids]:
    """Find the entries that no mask tells apart.

    Every mask gets a random number of 64 bits, and an entry the exclusive or of those of the masks
    that hold it: entries of one number are in the same masks. Comparing them mask by mask would
    take entries times masks of memory; that two of a billion numbers agree by chance has a
    probability below 3%, and for the thousands that there are, below 1e-12.

    Returns:
        Per dim the place of one entry of each kind, and each entry's kind.
    """
    keys = np.random.default_rng(0).integers(1 << 64, size=len(masks), dtype=np.uint64)
    rank = len(masks[0].shape)
    marks = np.zeros((1,) * rank, np.uint64)
    numbered = sorted(zip(masks, keys, strict=True), key=lambda pair: pair[0].shape)
    for shape, alike in groupby(numbered, key=lambda pair: pair[0].shape):
        mixed = np.zeros(shape, np.uint64)
        for mask, key in alike:
            mixed[mask.array] ^= key
        marks = marks ^ mixed
    _, first, back = np.unique(marks, return_index=True, return_inverse=True)
    places: list[Ids] = [*np.unravel_index(first, marks.shape)] if rank else []
    return places, back.reshape(marks.shape)


def _holding(masks: Sequence[Mask], places: Sequence[Ids]) -> list[Ids]:
    """List for each of some entries the masks that hold it."""
    pairs: list[tuple[Ids, Ids]] = []
    count = len(places[0]) if places else 1
    for number, mask in enumerate(masks):
        sizes = zip(places, mask.shape, strict=True)
        at = tuple(place if size > 1 else np.zeros_like(place) for place, size in sizes)
        held = np.flatnonzero(mask.array[at])
        pairs.append((held, np.full(len(held), number)))
    entries, numbers = (np.concatenate(column) for column in zip(*pairs, strict=True))
    order = np.argsort(entries, kind="stable")
    cuts = np.searchsorted(entries[order], np.arange(1, count))
    return np.split(numbers[order], cuts)


def _united(sets: Sets, lists: Iterable[Ids]) -> Ids:
    """Unite each list of sets; lists of about one length at once, so that padding stays small."""
    each = [*lists]
    found = np.full(len(each), EMPTY)
    lengths = np.array([len(numbers).bit_length() for numbers in each])
    for length in np.unique(lengths[lengths > 0]).tolist():
        places = np.flatnonzero(lengths == length)
        rows = np.full((len(places), (1 << length) - 1), EMPTY)
        for row, place in zip(rows, places.tolist(), strict=True):
            row[: len(each[place])] = each[place]
        found[places] = sets.union(rows)
    return found
