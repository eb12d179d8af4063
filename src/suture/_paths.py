"""Paths that only the target has, and how they can start as the identity.

Knows which fresh parameters must be 0 so that a path adds nothing, and which can carry every unit
on to its copy; and of one that stands in several paths, whether it can be what each asks for. Does
not know on the way to what (`_twins`), nor blocks (`_fill`).

Source: Net2Net (Chen et al., 2016), section 2.3, for a layer that starts as the identity; the Dota
paper (Berner et al., 2019), appendix B, and Gesmundo & Maile (2023), layer addition, for blocks
whose last writer is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from suture._couple import Column, Units, plain
from suture._graph import Node
from suture._match import Match
from suture._roles import Tags, Use


@dataclass(frozen=True, slots=True)
class Carrying:
    """A matrix or kernel that carries every unit on to its copy.

    Attributes:
        dims: its dim that is written and its dim that is read.
        centres: dim of a kernel and the tap at its place.
    """

    dims: tuple[int, int]
    centres: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A factor that is 1 where it meets preserved units, as its fill is by default."""


Start = float | Carrying | Unit
"""What a path asks a fresh parameter to begin as."""

Claim = dict[str, Start]
"""Fresh parameter -> what it is asked to begin as."""


@dataclass(slots=True, eq=False)
class Paths:
    """What fresh parameters of the target must be.

    Attributes:
        match: which tensors belong together.
        makers: value -> the node that gives it.
        held: the values that come from parameters alone, and from which of their dims.
        claims: node -> what it asks for, to leave an operand as it is.
        settled: what is granted: a parameter that stands in several paths begins as one thing.
    """

    match: Match
    makers: Mapping[int, int]
    held: Mapping[int, Tags]
    claims: dict[int, Claim] = field(default_factory=dict)
    settled: Claim = field(default_factory=dict)

    def passes(self, number: int, at: int) -> bool:
        """Have a node leave an operand as it is, if fresh parameters can."""
        claim = self._claim(number, at)
        if claim is not None:
            self.claims[number] = claim
        return claim is not None

    def settle(self, heard: Iterable[int]) -> bool:
        """Grant what nodes ask for, in order; say whether none asks for another thing than before.

        What a node asks for of which nothing is heard is nobody's business.
        """
        for number in heard:
            granted = _joined(self.settled, self.claims.get(number, {}))
            if granted is None:
                return False
            self.settled = granted
        return True

    def value(self, name: str) -> float | None:
        """Give the number that a tensor begins as, if it is one."""
        start = self.settled.get(name)
        return start if isinstance(start, float) else None

    def carrying(self, name: str) -> Carrying | None:
        """Say how a tensor carries units on, if it does."""
        start = self.settled.get(name)
        return start if isinstance(start, Carrying) else None

    def _claim(self, number: int, at: int) -> Claim | None:
        node = self.match.target.graph.nodes[number]
        others = [place for place in range(len(node.inputs)) if place != at]
        if node.algebra[at].meeting == "add":
            return self._empty(node, others) if node.algebra[at].factor == 1 else None
        found = self._returns(node, others)
        found = self._opens(node, at, others) if found is None else found
        if found is not None:
            return found
        added = [place for place in others if node.algebra[place].meeting == "add"]
        factors = [place for place in others if place not in added]
        product = node.algebra[at].meeting == "mul" and node.algebra[at].linear
        if len(factors) != 1 or not product or not node.algebra[factors[0]].linear:
            return None
        beside = self._all_empty(node, added)
        return _joined(beside, self._carries(number, node, at, factors[0]))

    def _as(self, name: str, start: Start) -> Claim | None:
        """Ask a fresh parameter to begin as something, unless it is granted to be another."""
        return {name: start} if _one(self.settled.get(name, start), start) else None

    def _returns(self, node: Node, others: list[int]) -> Claim | None:
        """Have every other operand be fresh, with a value at which the op does nothing."""
        asked: list[Claim | None] = []
        for place in others:
            name, unit = self._fresh(node.inputs[place]), node.algebra[place].unit
            asked.append(None if name is None or unit is None else self._as(name, unit))
        return _joined(*asked) if others else None

    def _opens(self, node: Node, at: int, others: list[int]) -> Claim | None:
        """Have the other factor of a product be a fresh path that gives 1: an open gate."""
        product = node.algebra[at].linear and node.algebra[at].meeting == "mul"
        if not product or len(others) != 1 or node.inputs[others[0]] in self.held:
            return None
        return self._ones(node.inputs[others[0]])

    def _ones(self, value: int) -> Claim | None:
        """Have a value be 1; None if no fresh parameters can."""
        name = self._fresh(value)
        if name is not None:
            return self._as(name, 1.0)
        if value not in self.makers or value in self.match.target.graph.constants:
            return None
        node = self.match.target.graph.nodes[self.makers[value]]
        if len(node.inputs) == 1:
            moved, shift = node.algebra[0].moves, node.algebra[0].shift
            empty = self._emptying(node.inputs[0]) if shift == 1 else None
            rest = self._ones(node.inputs[0]) if moved else None
            return rest if empty is None else empty
        added = [at for at, algebra in enumerate(node.algebra) if algebra.meeting == "add"]
        if not added or node.algebra[added[0]].factor not in (None, 1):
            return None
        others = [at for at in range(len(node.inputs)) if at != added[0]]
        return _joined(self._empty(node, others), self._ones(node.inputs[added[0]]))

    def _carries(self, number: int, node: Node, at: int, factor: int) -> Claim | None:
        """Have a fresh factor be 1, or carry each unit on."""
        name = self._fresh(node.inputs[factor])
        if name is None:
            return None
        uses = [use for use in self.match.uses[1].get(name, ()) if use.node == number]
        if len(uses) != 1 or uses[0].lookups:
            return None
        (use,) = uses
        if not use.reads:
            return self._as(name, Unit())
        dims, centre = self._along(name, use), self._centre(name, use)
        if dims is None or centre is None or not self._fits(node, at):
            return None
        return self._as(name, Carrying(dims, tuple(centre.items())))

    def _fits(self, node: Node, at: int) -> bool:
        """Whether the result has the operand's sizes but along what is carried on."""
        values = self.match.target.graph.values
        return len(values[node.inputs[at]].shape) == len(values[node.outputs[0]].shape)

    def _centre(self, name: str, use: Use) -> dict[int, int] | None:
        """Find the tap at its place along every dim of a kernel, if all have one."""
        units, found = self.match.target, dict[int, int]()
        for dim, _ in use.taps:
            column = plain(units.tensors[name][dim])
            taps = None if column is None else self.match.marks[1].taps.get(_atom(units, column))
            if taps is None or taps.stride != 1 or 0 not in taps.offsets:
                return None
            found[dim] = int(np.flatnonzero(taps.offsets == 0)[0])
        return found

    def _along(self, name: str, use: Use) -> tuple[int, int] | None:
        """Give the dims along which a matrix carries units on, if each has its copy."""
        units = self.match.target
        taps = {dim for dim, _ in use.taps}
        reads = {dim for dim, _ in use.reads} - taps
        writes = {*range(len(units.tensors[name]))} - taps - reads
        if len(reads) != 1 or len(writes) != 1:
            return None
        (read,), (written,) = reads, writes
        columns = [plain(units.tensors[name][dim]) for dim in (read, written)]
        if columns[0] is None or columns[1] is None:
            return None
        came, went = (self.match.partner[column] for column in columns if column is not None)
        kept, given = went[went >= 0], came[came >= 0]
        same = len(kept) == len(given) and np.array_equal(np.sort(kept), np.sort(given))
        return (written, read) if same and len(kept) else None

    def _fresh(self, value: int) -> str | None:
        """Name the fresh parameter that a value is, laid out as may be."""
        graph = self.match.target.graph
        while value in self.makers:
            node = graph.nodes[self.makers[value]]
            if len(node.inputs) != 1 or not node.algebra[0].moves:
                return None
            value = node.inputs[0]
        held = {**graph.parameters, **graph.buffers}
        names = [name for name, known in held.items() if known == value]
        return names[0] if names and names[0] not in self.match.pairs.tensors else None

    def _empty(self, node: Node, places: list[int]) -> Claim | None:
        """Have all other operands of a sum be 0."""
        if any(node.algebra[place].meeting == "mul" for place in places):
            added = [place for place in places if node.algebra[place].meeting == "add"]
            factor = self._any_empty(node, [place for place in places if place not in added])
            return _joined(factor, self._all_empty(node, added))
        return self._all_empty(node, places)

    def _all_empty(self, node: Node, places: list[int]) -> Claim | None:
        return _joined(*(self._emptying(node.inputs[place]) for place in places))

    def _any_empty(self, node: Node, places: list[int]) -> Claim | None:
        """Empty one factor: the last parameter before any that lies further up."""
        for place in sorted(places, key=lambda at: node.inputs[at] not in self.held):
            claim = self._emptying(node.inputs[place])
            if claim is not None:
                return claim
        return None

    def _emptying(self, value: int) -> Claim | None:
        """Have a value be 0; None if no fresh parameters can."""
        graph, nodes = self.match.target.graph, self.match.target.graph.nodes
        name = self._fresh(value)
        if name is not None:
            return self._as(name, 0.0)
        if value not in self.makers:
            return None
        node = nodes[self.makers[value]]
        if value in graph.constants or not node.inputs:
            return None
        added = [at for at, algebra in enumerate(node.algebra) if algebra.meeting == "add"]
        chosen = [at for at, operand in enumerate(node.bound.inputs) if operand.values is not None]
        rest = [at for at in range(len(node.inputs)) if at not in (*added, *chosen)]
        beside = self._all_empty(node, added)
        if beside is None or not rest:
            return beside
        if len(rest) == 1:
            zero = node.algebra[rest[0]].zero
            claim = self._emptying(node.inputs[rest[0]]) if zero else None
        else:
            factors = [at for at in rest if node.algebra[at].meeting == "mul"]
            claim = self._any_empty(node, factors)
        return _joined(claim, beside)


def _one(one: Start, other: Start) -> bool:
    """Whether a parameter can begin as both."""
    return one == other or {one, other} == {1.0, Unit()}


def _joined(*claims: Claim | None) -> Claim | None:
    """Ask for all at once; None where one cannot be had, or a parameter would be two things."""
    found: Claim = {}
    for claim in claims:
        if claim is None or not all(_one(found.get(name, s), s) for name, s in claim.items()):
            return None
        # A number is said, a factor of 1 only by default: both are 1.
        found |= {n: s for n, s in claim.items() if n not in found or s != Unit()}
    return found


def _atom(units: Units, column: Column) -> int:
    return int(units.atom[column[0]])
