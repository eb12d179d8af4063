"""Paths that only the target has, and how they can start as the identity.

Knows which fresh parameters must be 0 so that a path adds nothing, and which fresh parameters can
carry every unit on to its copy. Does not know on the way to what (`_twins`), nor blocks (`_fill`).

Source: Net2Net (Chen et al., 2016), section 2.3, for a layer that starts as the identity; the Dota
paper (Berner et al., 2019), appendix B, and Gesmundo & Maile (2023), layer addition, for blocks
whose last writer is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from suture._couple import Column, Units, plain
from suture._graph import Node
from suture._match import Match
from suture._roles import Tags, Use


@dataclass(slots=True, eq=False)
class Paths:
    """What fresh parameters of the target must be.

    Attributes:
        match: which tensors belong together.
        makers: value -> the node that gives it.
        held: the values that come from parameters alone, and from which of their dims.
        valued: fresh tensor -> the number that it is.
        carried: fresh tensor -> its dim that is written and its dim that is read, of those that
            carry every unit on to its copy.
        centres: fresh kernel -> dim -> the tap at its place.
    """

    match: Match
    makers: Mapping[int, int]
    held: Mapping[int, Tags]
    valued: dict[str, float] = field(default_factory=dict)
    carried: dict[str, tuple[int, int]] = field(default_factory=dict)
    centres: dict[str, dict[int, int]] = field(default_factory=dict)

    def passes(self, number: int, at: int) -> bool:
        """Have a node leave an operand as it is, if fresh parameters can."""
        node = self.match.target.graph.nodes[number]
        others = [place for place in range(len(node.inputs)) if place != at]
        if node.algebra[at].meeting == "add":
            empty = self._empty(node, others) if node.algebra[at].factor == 1 else None
            self.valued |= dict.fromkeys(empty or (), 0.0)
            return empty is not None
        if self._returns(node, others) or self._opens(node, at, others):
            return True
        added = [place for place in others if node.algebra[place].meeting == "add"]
        factors = [place for place in others if place not in added]
        beside = self._all_empty(node, added)
        product = node.algebra[at].meeting == "mul" and node.algebra[at].linear
        if beside is None or len(factors) != 1 or not product:
            return False
        if not node.algebra[factors[0]].linear or not self._carries(number, node, at, factors[0]):
            return False
        self.valued |= dict.fromkeys(beside, 0.0)
        return True

    def _returns(self, node: Node, others: list[int]) -> bool:
        """Whether every other operand is fresh and has a value at which the op does nothing."""
        units = [node.algebra[place].unit for place in others]
        names = [self._fresh(node.inputs[place]) for place in others]
        found = {n: u for n, u in zip(names, units, strict=True) if n is not None and u is not None}
        if not others or len(found) < len(others):
            return False
        self.valued |= found
        return True

    def _opens(self, node: Node, at: int, others: list[int]) -> bool:
        """Whether the other factor of a product is a fresh path that can give 1: an open gate."""
        product = node.algebra[at].linear and node.algebra[at].meeting == "mul"
        if not product or len(others) != 1 or node.inputs[others[0]] in self.held:
            return False
        ones = self._ones(node.inputs[others[0]])
        self.valued |= ones or {}
        return ones is not None

    def _ones(self, value: int) -> dict[str, float] | None:
        """Name the fresh parameters that make a value 1, each with its number; None if none can."""
        name = self._fresh(value)
        if name is not None:
            return {name: 1.0}
        if value not in self.makers or value in self.match.target.graph.constants:
            return None
        node = self.match.target.graph.nodes[self.makers[value]]
        if len(node.inputs) == 1:
            moved, shift = node.algebra[0].moves, node.algebra[0].shift
            empty = self._emptying(node.inputs[0]) if shift == 1 else None
            rest = self._ones(node.inputs[0]) if moved else None
            return rest if empty is None else dict.fromkeys(empty, 0.0)
        added = [at for at, algebra in enumerate(node.algebra) if algebra.meeting == "add"]
        if not added or node.algebra[added[0]].factor not in (None, 1):
            return None
        first = self._ones(node.inputs[added[0]])
        empty = self._empty(node, [at for at in range(len(node.inputs)) if at != added[0]])
        return None if first is None or empty is None else dict.fromkeys(empty, 0.0) | first

    def _carries(self, number: int, node: Node, at: int, factor: int) -> bool:
        """Whether a fresh factor can be 1, or carry each unit on."""
        name = self._fresh(node.inputs[factor])
        if name is None:
            return False
        uses = [use for use in self.match.uses[1].get(name, ()) if use.node == number]
        if len(uses) != 1 or uses[0].lookups:
            return False
        (use,) = uses
        if not use.reads:
            return True  # its fill is 1 by default
        dims, centre = self._along(name, use), self._centre(name, use)
        if dims is None or centre is None or not self._fits(node, at):
            return False
        self.carried[name], self.centres[name] = dims, centre
        return True

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

    def _empty(self, node: Node, places: list[int]) -> set[str] | None:
        """Name the fresh parameters that make all other operands of a sum 0."""
        if any(node.algebra[place].meeting == "mul" for place in places):
            added = [place for place in places if node.algebra[place].meeting == "add"]
            factor = self._any_empty(node, [place for place in places if place not in added])
            beside = self._all_empty(node, added)
            return None if factor is None or beside is None else factor | beside
        return self._all_empty(node, places)

    def _all_empty(self, node: Node, places: list[int]) -> set[str] | None:
        found: set[str] = set()
        for place in places:
            names = self._emptying(node.inputs[place])
            if names is None:
                return None
            found |= names
        return found

    def _any_empty(self, node: Node, places: list[int]) -> set[str] | None:
        """Empty one factor: the last parameter before any that lies further up."""
        for place in sorted(places, key=lambda at: node.inputs[at] not in self.held):
            names = self._emptying(node.inputs[place])
            if names is not None:
                return names
        return None

    def _emptying(self, value: int) -> set[str] | None:
        """Name the fresh parameters that make a value 0; None if none can."""
        graph, nodes = self.match.target.graph, self.match.target.graph.nodes
        name = self._fresh(value)
        if name is not None:
            return {name}
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
            names = self._emptying(node.inputs[rest[0]]) if zero else None
        else:
            factors = [at for at in rest if node.algebra[at].meeting == "mul"]
            names = self._any_empty(node, factors)
        return None if names is None else names | beside


def _atom(units: Units, column: Column) -> int:
    return int(units.atom[column[0]])
