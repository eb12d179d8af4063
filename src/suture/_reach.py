"""Reach: which features that both schemas know reach each position along a dim, on both sides.

Knows feature groups of positions, comparable between the sides. Does not know units (`_match`) nor
what follows for positions (`_occurrences`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from suture._features import Features, common
from suture._graph import Graph
from suture._interactions import boolean
from suture._occurrences import STRANGE
from suture._phi import Touched
from suture._sets import EMPTY, Ids, Sets


@dataclass(slots=True, eq=False)
class Reach:
    """Feature groups along the dims of one side's parameters, found when first asked for.

    Attributes:
        graph: the side's graph.
        features: the features that both schemas know, and one for all others.
        sets: the sets of both sides, so that equal groups have equal numbers.
        tells: whether there is more than one feature to tell groups apart by.
    """

    graph: Graph
    features: Features
    sets: Sets
    tells: bool
    _touched: Mapping[str, Touched] | None = None
    _along: dict[tuple[str, int], Ids] = field(default_factory=dict)

    def along(self, name: str, dim: int) -> Ids:
        """Give the group of each position along a dim of a parameter.

        Args:
            name: a parameter or buffer, reached by a call or not.
            dim: one of its dims.

        Returns:
            Sets i64[size], or i64[1] where all positions have one; `STRANGE` among them.
        """
        if (name, dim) not in self._along:
            self._along[name, dim] = self._known(name, dim)
        return self._along[name, dim]

    def _known(self, name: str, dim: int) -> Ids:
        if not self.tells or name not in self._all():
            return np.array([EMPTY])
        sets = np.moveaxis(self._all()[name].sets, dim, 0)
        along = self.sets.union(sets.reshape(sets.shape[0], -1))
        return known(self.sets, along)

    def _all(self) -> Mapping[str, Touched]:
        if self._touched is None:
            self._touched = boolean(self.graph, self.features, self.sets).touched
        return self._touched


def known(sets: Sets, ids: Ids) -> Ids:
    """Leave the last feature, which stands for all that one side alone knows, out of sets."""
    kept = sets.without_last(ids)
    return np.where((kept == EMPTY) & (ids != EMPTY), STRANGE, kept)


def reach(source: Graph, target: Graph) -> tuple[Reach, Reach]:
    """Prepare the feature groups of two graphs."""
    theirs, ours = common(source, target)
    met = np.concatenate([ids.ravel() for side in (theirs, ours) for ids in side.inputs.values()])
    sets, tells = Sets(len(theirs.names)), len(np.unique(met)) > 1
    return Reach(source, theirs, sets, tells), Reach(target, ours, sets, tells)
