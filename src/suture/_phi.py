"""The interaction map: feature sets per entry of every parameter, and questions about it.

Knows names, sets and where they lie. Does not know how the map was found (`_interactions` by
boolean logic, the adapters by gradients).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suture._errors import SchemaError, near_miss
from suture._features import number
from suture._plan import Tensor
from suture._sets import Ids, Sets

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Touched:
    """A parameter or buffer with the feature set of each entry, of size one where they agree."""

    tensor: Tensor
    kind: Literal["parameter", "buffer"]
    sets: Ids

    def groups(self) -> tuple[Ids, Ids]:
        """List the distinct sets, and how many entries each has."""
        numbers, counts = np.unique(self.sets, return_counts=True)
        return numbers, counts * (prod(self.tensor.shape) // max(self.sets.size, 1))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Group:
    """Entries of one parameter that interact with the same features.

    Attributes:
        entries: how many entries of the parameter there are.
        size: the number of features.
    """

    entries: int
    size: int
    _names: Sequence[str]
    _touched: Touched
    _sets: Sets
    _number: int

    def __repr__(self) -> str:
        shown = [*self.features[:3], *["..."] * (self.size > 3)]
        return f"Group({self.entries} entries, {self.size} features: {', '.join(shown)})"

    @property
    def features(self) -> tuple[str, ...]:
        """The features' full names, in order."""
        return tuple(self._names[at] for at in self._sets.members(self._number))

    @property
    def mask(self) -> Mask:
        """Where the entries lie: bool, broadcastable to the parameter's shape."""
        mask: Mask = self._touched.sets == self._number
        return mask


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Interactions:
    """Which features interact with which entries of which parameters.

    Attributes:
        features: the features' full names.
        sets: the distinct feature sets.
        touched: parameter or buffer -> the set of each entry.
    """

    features: tuple[str, ...]
    sets: Sets
    touched: Mapping[str, Touched]

    @property
    def total(self) -> int:
        """The number of interactions: of every parameter entry, the features that reach it."""
        return sum(self.interactions(name) for name in self._parameters())

    def interactions(self, parameter: str) -> int:
        """Count the interactions of one parameter or buffer.

        Raises:
            SchemaError: there is no such parameter.
        """
        numbers, counts = self._of(parameter).groups()
        sizes = self.sets.sizes(numbers)
        pairs = zip(sizes.tolist(), counts.tolist(), strict=True)
        return sum(size * count for size, count in pairs)

    def mask(self, parameter: str, feature: str) -> Mask:
        """Say which entries of a parameter a feature reaches.

        Args:
            parameter: the name of a parameter or buffer.
            feature: the full name of a feature.

        Returns:
            bool, one dim per dim of the parameter, of size one where the answer is the same along
            it: broadcastable to the parameter's shape.

        Raises:
            SchemaError: there is no such parameter or feature.
        """
        return self.sets.holds(self._of(parameter).sets, number(self.features, feature))

    def groups(self, parameter: str) -> tuple[Group, ...]:
        """List the distinct feature groups of a parameter, and where they lie.

        Entries that no feature reaches are a group too.

        Raises:
            SchemaError: there is no such parameter.
        """
        touched = self._of(parameter)
        numbers, counts = touched.groups()
        sizes = self.sets.sizes(numbers)
        return tuple(
            Group(int(count), int(size), self.features, touched, self.sets, int(set_))
            for set_, count, size in zip(numbers, counts, sizes, strict=True)
        )

    def parameters(self, feature: str) -> dict[str, int]:
        """List the parameters that a feature reaches, each with how many of its entries.

        Raises:
            SchemaError: there is no such feature.
        """
        at = number(self.features, feature)
        found = {name: self._reached(name, at) for name in self._parameters()}
        return {name: count for name, count in found.items() if count}

    def _reached(self, parameter: str, feature: int) -> int:
        numbers, counts = self.touched[parameter].groups()
        return int(counts[self.sets.holds(numbers, feature)].sum())

    def _parameters(self) -> list[str]:
        return [name for name, touched in self.touched.items() if touched.kind == "parameter"]

    def _of(self, parameter: str) -> Touched:
        if parameter not in self.touched:
            facts = [("known", f"{len(self.touched)} that a call reaches")]
            hint = near_miss(parameter, [*self.touched])
            raise SchemaError(f"No parameter is called {parameter!r}.", facts, hint)
        return self.touched[parameter]
