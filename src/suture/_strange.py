"""Strange features, which only one side sees, and how far they get on the way to the outputs.

Knows the flow of two features, what both sides know and what one alone does, with the zeros that a
plan writes in its way. Does not know what a note says (`_promise`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suture._axes import Class
from suture._couple import Units
from suture._features import Features
from suture._fill import preserved
from suture._flow import ends, flow, unite
from suture._graph import Node
from suture._match import Match
from suture._occurrences import Positions
from suture._roles import Use
from suture._sets import EMPTY, Ids, Sets

Unread = dict[tuple[int, Class], NDArray[np.bool_]]
"""Node and axis class -> the entries along it that no parameter carries on to anything kept."""

Maps = Mapping[tuple[str, int], Positions]
"""Per dim of a paired tensor (by its target name), the source position of each position."""

KNOWN, STRANGE, BOTH = 1, 2, 3


@dataclass(slots=True, eq=False)
class Spread:
    """How far strange features get in one graph.

    Attributes:
        units: the graph's units.
        side: 0 for the source, 1 for the target.
        unread: what parameters leave unread.
        silent: the values that are 0 where nothing but strange features reaches; strange features
            that are held at 0 make them so.
        carried: value -> per entry what reaches it, `KNOWN`, `STRANGE` or `BOTH`.
        met: the nodes that bring strange features to what was free of them.
    """

    units: Units
    side: Literal[0, 1]
    unread: Unread
    silent: set[int]
    carried: dict[int, Ids] = field(default_factory=dict)
    met: list[int] = field(default_factory=list)
    _sets: Sets = field(default_factory=lambda: Sets(2))

    def reaches(self, output: str, kept: Sequence[Positions]) -> bool:
        """Whether strange features reach an output at some of its kept positions, dim by dim."""
        ids = self.carried.get(self.units.graph.outputs[output])
        if ids is None:
            return False
        at = [k if size > 1 else k[:1] * 0 for k, size in zip(kept, ids.shape[:-1], strict=True)]
        return bool((ids[..., 0][np.ix_(*at)] >= STRANGE).any())

    def alone(self, node: Node) -> bool:
        """Whether nothing but strange features reaches what a node gives."""
        found = [self.carried[value] for value in node.outputs if value in self.carried]
        return bool(found) and all((ids == STRANGE).all() for ids in found)

    def run(self, features: Features) -> None:
        """Let both features flow from the inputs to the outputs."""
        graph, last = self.units.graph, len(features.names)
        if not any((ids == last).any() for ids in features.inputs.values()):
            return
        for name, value in graph.inputs.items():
            rank = len(graph.values[value].shape)
            ids = features.inputs.get(name, np.full((1,) * (rank + 1), EMPTY))
            known = np.where(ids > EMPTY, KNOWN, EMPTY)
            self.carried[value] = np.where(ids == last, STRANGE, known)
        for number, node in enumerate(graph.nodes):
            if any(value in self.carried for value in node.inputs):
                self._pass(number, node)

    def _pass(self, number: int, node: Node) -> None:
        data = [at for at, value in enumerate(node.inputs) if value in self.carried]
        read = {at: self._read(number, node, at) for at in data}
        heard = {at: self._heard(node, at, ids) for at, ids in read.items()}
        keeps_zero = all(self._keeps_zero(node, at) for at in range(len(node.inputs)))
        for place, value in enumerate(node.outputs):
            self.carried[value] = whole = self._flow(node, place, read)
            if any(heard[at] is not ids for at, ids in read.items()):
                counting = self._flow(node, place, heard)
                self.carried[value] = np.where(counting == EMPTY, whole, counting)
            self.silent.update([value] * keeps_zero)
        before = any((ids == BOTH).any() for ids in read.values())
        if not before and any((self.carried[value] == BOTH).any() for value in node.outputs):
            self.met.append(number)

    def _flow(self, node: Node, place: int, read: Mapping[int, Ids]) -> Ids:
        inputs, outputs = ends(node.bound)
        target = outputs[place]
        arrays = [flow(self._sets, node.bound, i, inputs[at], target) for at, i in read.items()]
        return unite(self._sets, arrays)

    def _read(self, number: int, node: Node, at: int) -> Ids:
        """Read an operand without what parameters leave unread."""
        value = node.inputs[at]
        ids = self._sets.union(self.carried[value])[..., None]
        for dim, member in enumerate(self.units.axes.dims[value]):
            left = self.unread.get((number, self.units.axes.find(member)))
            if left is not None:
                ids = np.where(left.reshape([-1] + [1] * (ids.ndim - 1 - dim)), EMPTY, ids)
        return ids

    def _heard(self, node: Node, at: int, ids: Ids) -> Ids:
        """Leave out what is 0 and so adds nothing to what else comes together."""
        adds_nothing = node.algebra[at].linear and node.inputs[at] in self.silent
        strange = ids == STRANGE
        return np.where(strange, EMPTY, ids) if adds_nothing and strange.any() else ids

    def _keeps_zero(self, node: Node, at: int) -> bool:
        """Whether an operand leaves the result 0 where nothing but strange features reaches."""
        value, algebra = node.inputs[at], node.algebra[at]
        if value not in self.carried:
            return algebra.meeting == "mul"
        free = algebra.moves and not (self.carried[value] > KNOWN).any()
        return free or (algebra.zero and value in self.silent)


def spreads(
    match: Match, maps: Maps, kept: Iterable[tuple[int, str]] = ()
) -> tuple[Spread, Spread]:
    """See how far the features get that one side alone sees.

    Args:
        match: which unit is which.
        maps: per dim of a paired tensor (by its target name), where its positions come from.
        kept: node and axis of the target along which fresh entries are not heard.

    Returns:
        The source's lost features, held at 0, and the target's new ones, at any value.
    """
    left, held = unread(match, maps, kept), set(match.source.graph.inputs.values())
    lost_ones = Spread(match.source, 0, left[0], held)
    new_ones = Spread(match.target, 1, left[1], set())
    for strange, reach in zip((lost_ones, new_ones), match.reach, strict=True):
        strange.run(reach.features)
    return lost_ones, new_ones


def unread(match: Match, maps: Maps, kept: Iterable[tuple[int, str]] = ()) -> tuple[Unread, Unread]:
    """Find what is carried no further: what one side alone has along a dim that is read.

    Parameters do not read it, and what is `kept` from mixing does not hear it.
    """
    found: tuple[Unread, Unread] = {}, {}
    for number, name in kept:
        axes = match.target.axes
        member = axes.find(axes.names[number][name])
        found[1][number, member] = ~preserved(match.target.layout(member), match.partner)
    for (name, dim), came in maps.items():
        other = match.pairs.tensors[name]
        lost = np.ones(match.source.graph.tensor(other).shape[dim], np.bool_)
        lost[came[came >= 0]] = False
        found[0].update(_at_reads(match.source, match.uses[0].get(other, ()), dim, lost))
        found[1].update(_at_reads(match.target, match.uses[1].get(name, ()), dim, came == -1))
    return found


def _at_reads(
    units: Units, uses: Iterable[Use], dim: int, left: NDArray[np.bool_]
) -> Iterator[tuple[tuple[int, Class], NDArray[np.bool_]]]:
    """Say at which nodes a parameter's dim is read, and what of it is left unread."""
    axes = units.axes
    for use in uses:
        for at, member in use.reads:
            if at == dim and axes.sizes[axes.find(member)] == len(left) and left.any():
                yield (use.node, axes.find(member)), left
