"""Reach: which features that both schemas know reach each position along an axis, on both sides.

Knows feature groups of positions, comparable between the sides. Does not know which units belong
together (`_signature`) nor what follows for positions (`_occurrences`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from suture._axes import Axes, Class
from suture._bind import Bound, Part
from suture._couple import Units
from suture._cuts import cuts
from suture._features import Features, common
from suture._flow import unite
from suture._graph import Graph
from suture._interactions import Run
from suture._occurrences import STRANGE
from suture._phi import Touched
from suture._sets import EMPTY, Ids, Sets

NO_GROUP = np.array([EMPTY])


@dataclass(slots=True, eq=False)
class Reach:
    """Feature groups along the axes of one side, found when first asked for.

    Attributes:
        graph: the side's graph.
        axes: its axis classes.
        features: the features that both schemas know, and one for all others.
        sets: the sets of both sides, so that equal groups have equal numbers.
        tells: whether there is more than one feature to tell groups apart by.
    """

    graph: Graph
    axes: Axes
    features: Features
    sets: Sets
    tells: bool
    _apart: Graph | None = None
    _touched: Mapping[str, Touched] | None = None
    _born: dict[Class, Ids] = field(default_factory=dict)

    @property
    def apart(self) -> Graph:
        """The graph with every entry of a mixed axis for itself: a norm blurs nothing."""
        if self._apart is None:
            self._apart = _unmixed(self.graph)
        return self._apart

    def along(self, name: str, dim: int) -> Ids:
        """Give the group of each position along a dim of a parameter.

        Args:
            name: a parameter or buffer that a call reaches.
            dim: one of its dims.

        Returns:
            Sets i64[size], or i64[1] where all positions have one; `STRANGE` among them.
        """
        if not self.tells:
            return NO_GROUP
        touched = self._flown()
        return self._known(touched[name].sets, dim) if name in touched else NO_GROUP

    def at_birth(self, member: Class) -> Ids:
        """Give the group of each position along an axis where data first has it.

        Args:
            member: an axis class of the graph.

        Returns:
            Sets i64[size], or i64[1] where all positions have one; `STRANGE` among them.
        """
        if not self.tells:
            return NO_GROUP
        self._flown()
        born = self._born.get(self.axes.find(member), NO_GROUP)
        return known(self.sets, born)

    def _known(self, ids: Ids, dim: int) -> Ids:
        return known(self.sets, self._united(ids, dim))

    def _united(self, ids: Ids, dim: int) -> Ids:
        sets = np.moveaxis(ids, dim, 0)
        return self.sets.union(sets.reshape(sets.shape[0], -1))

    def _flown(self) -> Mapping[str, Touched]:
        if self._touched is None:
            run = Run(self.apart, self.features, self.sets, self._settled)
            run.forward()
            self._touched = run.interactions().touched
        return self._touched

    def _settled(self, value: int, ids: Ids) -> Ids:
        """Tell entries apart by where their axes begin, where all have reached all of them.

        So they are behind attention, or in a stream that layers add to.
        """
        members = [self.axes.find(member) for member in self.axes.dims[value]]
        for dim, member in enumerate(members):
            if member not in self._born:
                self._born[member] = self._united(ids, dim)
        born = [self._born[member] for member in members]
        told = {dim: groups for dim, groups in enumerate(born) if len(groups) > 1}
        if all(ids.shape[dim] > 1 for dim in told):
            return ids
        shape = [1] * ids.ndim
        marks = [
            groups.reshape(*shape[:dim], -1, *shape[dim + 1 :]) for dim, groups in told.items()
        ]
        return np.where(ids == EMPTY, EMPTY, unite(self.sets, marks))


def _unmixed(graph: Graph) -> Graph:
    return replace(graph, nodes=tuple(replace(n, bound=_bound(n.bound)) for n in graph.nodes))


def _bound(bound: Bound) -> Bound:
    operands = (*bound.inputs, *bound.outputs)
    if not any(axis.mixed for o in operands for dim in o.dims for part in dim for axis in part):
        return bound
    inputs, outputs = (
        tuple(replace(operand, dims=_dims(operand.dims)) for operand in side)
        for side in (bound.inputs, bound.outputs)
    )
    return replace(bound, inputs=inputs, outputs=outputs)


def _dims(dims: tuple[tuple[Part, ...], ...]) -> tuple[tuple[Part, ...], ...]:
    return tuple(
        tuple(tuple(replace(axis, mixed=False) for axis in part) for part in dim) for dim in dims
    )


def known(sets: Sets, ids: Ids) -> Ids:
    """Leave the last feature, which stands for all that one side alone knows, out of sets."""
    kept = sets.without_last(ids)
    return np.where((kept == EMPTY) & (ids != EMPTY), STRANGE, kept)


def reach(source: Units, target: Units) -> tuple[Reach, Reach]:
    """Prepare the feature groups of two graphs."""
    theirs, ours = common(source.graph, target.graph, cuts(source, target))
    met = np.concatenate([ids.ravel() for side in (theirs, ours) for ids in side.inputs.values()])
    sets, tells = Sets(len(theirs.names)), len(np.unique(met)) > 1
    return (
        Reach(source.graph, source.axes, theirs, sets, tells),
        Reach(target.graph, target.axes, ours, sets, tells),
    )
