"""Reach: which features that both schemas know reach each position along an axis, on both sides.

Knows feature groups of positions, comparable between the sides. Does not know units (`_signature`)
nor what follows for positions (`_occurrences`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from suture._axes import Axes, Class
from suture._bind import Bound, Part
from suture._features import Features, common
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
        features: the features that both schemas know, and one for all others.
        sets: the sets of both sides, so that equal groups have equal numbers.
        tells: whether there is more than one feature to tell groups apart by.
    """

    graph: Graph
    features: Features
    sets: Sets
    tells: bool
    _apart: Graph | None = None
    _run: Run | None = None
    _touched: Mapping[str, Touched] = field(default_factory=dict)
    _born: dict[Class, tuple[int, int]] = field(default_factory=dict)

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
        self._flown()
        return self._known(self._touched[name].sets, dim) if name in self._touched else NO_GROUP

    def at_birth(self, axes: Axes, member: Class) -> Ids:
        """Give the group of each position along an axis where data first has it.

        Later everything may have reached every position: a stream that layers add to. What lays
        such streams end to end has the groups of where they begin.

        Args:
            axes: the axis classes of the graph.
            member: one of them.

        Returns:
            Sets i64[size], or i64[1] where all positions have one; `STRANGE` among them.
        """
        if not self.tells:
            return NO_GROUP
        if not self._born:
            self._born = _births(axes, self._flown())
        value, dim = self._born.get(axes.find(member), (None, 0))
        if value is None:
            return NO_GROUP
        own = self._known(self._flown().carried[value][..., 0], dim)
        return self._by_part(axes, axes.find(member), own)

    def _by_part(self, axes: Axes, member: Class, own: Ids) -> Ids:
        """Tell positions apart by where their part of an axis begins, if nothing else does.

        A part that occurs twice begins once, and so tells nothing of the second.
        """
        parts = [part for m in axes.made_of(member) if m.kind == "sum" for part in m.parts]
        once = {part for part, count in Counter(parts).items() if count == 1}
        found, start = np.broadcast_to(own, axes.sizes[member]), 0
        for part in parts if sum(axes.sizes[part] for part in parts) == len(found) else ():
            at = slice(start, start := start + axes.sizes[part])
            begun = self.at_birth(axes, part) if part in once else NO_GROUP
            if len(begun) > 1 and (found[at] == found[at][:1]).all():
                found = np.concatenate([found[: at.start], begun, found[at.stop :]])
        return found if (found != found[:1]).any() else own

    def _known(self, ids: Ids, dim: int) -> Ids:
        sets = np.moveaxis(ids, dim, 0)
        return known(self.sets, self.sets.union(sets.reshape(sets.shape[0], -1)))

    def _flown(self) -> Run:
        if self._run is None:
            self._run = Run(self.apart, self.features, self.sets)
            self._run.forward()
            self._touched = self._run.interactions().touched
        return self._run


def _unmixed(graph: Graph) -> Graph:
    return replace(graph, nodes=tuple(replace(n, bound=_bound(n.bound)) for n in graph.nodes))


def _bound(bound: Bound) -> Bound:
    inputs, outputs = (
        tuple(replace(operand, dims=_dims(operand.dims)) for operand in side)
        for side in (bound.inputs, bound.outputs)
    )
    return replace(bound, inputs=inputs, outputs=outputs)


def _dims(dims: tuple[tuple[Part, ...], ...]) -> tuple[tuple[Part, ...], ...]:
    return tuple(
        tuple(tuple(replace(axis, mixed=False) for axis in part) for part in dim) for dim in dims
    )


def _births(axes: Axes, run: Run) -> dict[Class, tuple[int, int]]:
    """Find the first value of data that has each axis, and its dim."""
    found: dict[Class, tuple[int, int]] = {}
    for value in sorted(run.carried):
        for dim, member in enumerate(axes.dims[value]):
            found.setdefault(axes.find(member), (value, dim))
    return found


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
