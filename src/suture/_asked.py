"""Answers of an interaction map: what a feature reaches, and what reaches a parameter.

Knows where things lie. Does not know how an answer is shown (`_phi_render`) or written
(`_phi_json`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from suture._features import numbers
from suture._phi import Interactions, Touched
from suture._plan import Tensor
from suture._region import Mask, Region, region, regions
from suture._sets import Ids


@dataclass(frozen=True, slots=True)
class Reached:
    """The entries of a parameter or buffer that a feature reaches.

    Attributes:
        entries: how many there are.
        region: where they lie; None if no product of runs has them.
    """

    tensor: Tensor
    kind: str
    entries: int
    region: Region | None


@dataclass(frozen=True, slots=True, eq=False)
class FromFeature:
    """What a feature reaches, or any of those whose names begin alike.

    Attributes:
        asked: its name, or their beginning.
        features: their numbers.
        reached: every parameter and buffer of which entries are reached.
    """

    asked: str
    features: Ids
    reached: tuple[Reached, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Lying:
    """Entries of one parameter with the same features."""

    entries: int
    region: Region | None
    features: Ids


@dataclass(frozen=True, slots=True, eq=False)
class OnParameter:
    """What reaches a parameter or buffer, group by group."""

    tensor: Tensor
    kind: str
    groups: tuple[Lying, ...]

    @property
    def interactions(self) -> int:
        """The sum over entries of the features that reach them."""
        return sum(group.entries * len(group.features) for group in self.groups)


Answer = FromFeature | OnParameter


def ask(phi: Interactions, features: Sequence[str], parameters: Sequence[str]) -> list[Answer]:
    """Answer what each feature reaches, then what reaches each parameter.

    Raises:
        SchemaError: there is no such feature or parameter.
    """
    return [
        *(from_feature(phi, name) for name in features),
        *(on_parameter(phi, name) for name in parameters),
    ]


def from_feature(phi: Interactions, name: str) -> FromFeature:
    """Say which entries of which parameters and buffers a feature reaches."""
    asked = numbers(phi.features, name)
    holding = phi.sets.holding(asked)
    reached = (_reached(touched, holding[touched.sets]) for touched in phi.touched.values())
    return FromFeature(name, asked, tuple(each for each in reached if each.entries))


def _reached(touched: Touched, mask: Mask) -> Reached:
    shape, tensor = touched.tensor.shape, touched.tensor
    entries = int(np.count_nonzero(mask)) * (tensor.size // max(mask.size, 1))
    return Reached(tensor, touched.kind, entries, region(mask, shape))


def on_parameter(phi: Interactions, name: str) -> OnParameter:
    """Say which features reach a parameter or buffer, and where."""
    groups, touched = phi.groups(name), phi.touched[name]
    where = regions(touched.sets, touched.tensor.shape)
    lying = [
        Lying(group.entries, region, group.numbers)
        for group, region in zip(groups, where, strict=True)
    ]
    return OnParameter(touched.tensor, touched.kind, tuple(lying))
