"""The interaction map: feature sets per entry of every parameter, and questions about it.

Knows names, sets and where they lie. Does not know how the map was found (`_interactions` by
boolean logic, the adapters by gradients).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suture._errors import SchemaError, near_miss
from suture._features import numbers
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
        """List the distinct sets in order of their first entries, and how many entries each has."""
        found, first, counts = np.unique(self.sets, return_index=True, return_counts=True)
        order = np.argsort(first)
        each = prod(self.tensor.shape) // max(self.sets.size, 1)
        return found[order], counts[order] * each


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
        return tuple(self._names[at] for at in self.numbers)

    @property
    def numbers(self) -> Ids:
        """The features' places in `Interactions.features`, i64[size]."""
        return self._sets.members(self._number)

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
        unreached: the parameters that no call reaches, and so no feature.
    """

    features: tuple[str, ...]
    sets: Sets
    touched: Mapping[str, Touched]
    unreached: tuple[Tensor, ...] = ()
    _counted: dict[str, tuple[Ids, Ids]] = field(default_factory=dict, init=False)

    def __str__(self) -> str:
        """Render the map as a screen of at most 100 columns."""
        from suture._phi_render import render

        return render(self)

    def __repr__(self) -> str:
        parameters = len(self._parameters()) + len(self.unreached)
        counts = f"{len(self.features):,} features, {parameters:,} parameters"
        return f"Interactions({counts}, {self.total:,} interactions)"

    @property
    def total(self) -> int:
        """The number of interactions: of every parameter entry, the features that reach it."""
        return sum(self.interactions(name) for name in self._parameters())

    def interactions(self, parameter: str) -> int:
        """Count the interactions of one parameter or buffer.

        Raises:
            SchemaError: there is no such parameter.
        """
        sets, counts = self._groups(parameter)
        sizes = self.sets.sizes(sets)
        pairs = zip(sizes.tolist(), counts.tolist(), strict=True)
        return sum(size * count for size, count in pairs)

    def mask(self, parameter: str, feature: str) -> Mask:
        """Say which entries of a parameter a feature reaches.

        Args:
            parameter: the name of a parameter or buffer.
            feature: the full name of a feature, or what several begin with: `hero.3` asks for all
                features `hero.3.…` at once.

        Returns:
            bool, one dim per dim of the parameter, of size one where the answer is the same along
            it: broadcastable to the parameter's shape.

        Raises:
            SchemaError: there is no such parameter or feature.
        """
        asked = numbers(self.features, feature)
        mask: Mask = self.sets.holding(asked)[self._of(parameter).sets]
        return mask

    def groups(self, parameter: str) -> tuple[Group, ...]:
        """List the distinct feature groups of a parameter, and where they lie.

        They stand in order of their first entries; those that no feature reaches are a group too.

        Raises:
            SchemaError: there is no such parameter.
        """
        sets, counts = self._groups(parameter)
        touched, sizes = self.touched[parameter], self.sets.sizes(sets)
        return tuple(
            Group(count, size, self.features, touched, self.sets, number)
            for number, count, size in zip(
                sets.tolist(), counts.tolist(), sizes.tolist(), strict=True
            )
        )

    def parameters(self, feature: str) -> dict[str, int]:
        """List the parameters that a feature reaches, each with how many of its entries.

        Args:
            feature: as for `mask`.

        Raises:
            SchemaError: there is no such feature.
        """
        holding = self.sets.holding(numbers(self.features, feature))
        found = {name: self._reached(name, holding) for name in self._parameters()}
        return {name: count for name, count in found.items() if count}

    def _reached(self, parameter: str, holding: Mask) -> int:
        sets, counts = self._groups(parameter)
        return int(counts[holding[sets]].sum())

    def _groups(self, parameter: str) -> tuple[Ids, Ids]:
        if parameter not in self._counted:
            self._counted[parameter] = self._of(parameter).groups()
        return self._counted[parameter]

    def _parameters(self) -> list[str]:
        return [name for name, touched in self.touched.items() if touched.kind == "parameter"]

    def _of(self, parameter: str) -> Touched:
        if parameter not in self.touched:
            raise self._unknown(parameter)
        return self.touched[parameter]

    def _unknown(self, parameter: str) -> SchemaError:
        if any(parameter == tensor.name for tensor in self.unreached):
            sentence = f"No call reaches the parameter {parameter!r}."
            return SchemaError(sentence, hint="give the Subject a call that does")
        facts = [("known", f"{len(self.touched)} that a call reaches")]
        hint = near_miss(parameter, [*self.touched])
        return SchemaError(f"No parameter is called {parameter!r}.", facts, hint)
