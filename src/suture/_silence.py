"""Silence: which parameters must write what to fresh units, so that a mixing op does not hear them.

Knows proofs. A value is *silent* along a dim if its fresh entries are 0 there, *level* if they are
the mean of the preserved ones; either follows from what its operands are, by the algebra of the op
that gives it, down to parameters, which can be written so. Does not know which op asks for what
(`_demands`), nor blocks (`_fill`).

Source: LEMON (Wang et al., 2024), average width expansion, for the mean before a LayerNorm.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from suture._algebra import Algebra
from suture._axes import Class
from suture._bind import BoundOperand
from suture._couple import plain
from suture._fill import below
from suture._graph import Node
from suture._match import Match
from suture._parts import Cell, Link, Parts

Mode = Literal["silent", "level"]
LEVEL: Mode = "level"

Asked = tuple[Cell, int, Class, Mode]
"""That the fresh entries of an atom are so, along a dim of a cell."""

Writes = dict[tuple[int, int, Class, Class], Mode]
"""Parameter value, dim, part of the dim, atom -> what the parameter writes to fresh entries."""


@dataclass(slots=True, eq=False)
class Proof:
    """What follows: other proofs, and what is written to parameters."""

    rests_on: tuple[Asked, ...] = ()
    writes: bool = False


@dataclass(slots=True, eq=False)
class Silence:
    """Proofs about the target of a match, and what they make parameters write."""

    match: Match
    parts: Parts
    makers: dict[int, int]
    parameters: frozenset[int]
    writes: Writes = field(default_factory=dict)
    _done: set[Asked] = field(default_factory=set)
    _known: dict[Asked, Proof | None] = field(default_factory=dict)
    _atoms: dict[Class, frozenset[Class]] = field(default_factory=dict)

    def has(self, member: Class, atom: Class) -> bool:
        """Whether a class is made of an atom."""
        axes = self.match.target.axes
        member = axes.find(member)
        if member not in self._atoms:
            self._atoms[member] = frozenset(below(axes, {member}))
        return atom in self._atoms[member]

    def is_plain(self, member: Class, atom: Class) -> bool:
        """Whether a class is an atom, but for factors of one entry."""
        column = plain(self.match.target.layout(member))
        return column is not None and bool((self.match.target.atom[column] == atom).all())

    def is_whole(self, asked: Asked) -> bool:
        """Whether a mean that is asked for is that of all entries, not of one part of several."""
        (value, _), dim, atom, mode = asked
        return mode != LEVEL or self.is_plain(self.match.target.axes.dims[value][dim], atom)

    def demand(self, asked: Asked) -> bool:
        """Have parameters write what makes a value silent or level, if any can."""
        for step in self._ancestors(asked):
            self._prove(step)
        if self._prove(asked) is None:
            return False
        seen = self._under(asked)
        leaves = [one for one in seen if self._proven(one).writes]
        if any(self.writes.get(self._written(one), one[3]) != one[3] for one in leaves):
            return False
        self.writes |= {self._written(one): one[3] for one in leaves}
        self._done |= seen
        return True

    def obstacle(self, asked: Asked) -> int | None:
        """Find the node beyond which nothing can be written so that a value is as asked."""
        while self._prove(asked) is None:
            ways = self._ways(asked)
            if not ways:
                return self.makers.get(asked[0][0])
            asked = next(one for one in ways[0] if self._prove(one) is None)
        return None

    def holds(self, asked: Asked) -> bool:
        """Whether a value is silent or level by what has been written so far."""
        if self._prove(asked) is None:
            return False
        leaves = (one for one in self._under(asked) if self._proven(one).writes)
        return all(self.writes.get(self._written(one)) == one[3] for one in leaves)

    def _written(self, asked: Asked) -> tuple[int, int, Class, Class]:
        cell, dim, atom, _ = asked
        return cell[0], dim, self.parts.part(cell, dim), atom

    def _proven(self, asked: Asked) -> Proof:
        proof = self._known[asked]
        assert proof is not None, "what a proof rests on is proven"
        return proof

    def _under(self, asked: Asked) -> set[Asked]:
        """List what a proof rests on, itself included, but for what has been demanded before."""
        seen = {asked} - self._done
        waiting = [*seen]
        while waiting:
            rests_on = self._proven(waiting.pop()).rests_on
            new = {*rests_on} - seen - self._done
            seen |= new
            waiting += new
        return seen

    def _ancestors(self, asked: Asked) -> list[Asked]:
        """List what a proof may rest on, first things first, so that no proof goes deep."""
        seen, waiting = {asked}, [asked]
        while waiting:
            one = waiting.pop()
            if one in self._known:
                continue
            new = [other for ways in self._ways(one) for other in ways if other not in seen]
            seen.update(new)
            waiting += new
        return sorted(seen)

    def _prove(self, asked: Asked) -> Proof | None:
        if asked not in self._known:
            self._known[asked] = None
            self._known[asked] = self._proof(asked)
        return self._known[asked]

    def _proof(self, asked: Asked) -> Proof | None:
        if asked[0][0] in self.parameters:
            return Proof(writes=True)
        for way in self._ways(asked):
            if all(self._prove(one) is not None for one in way):
                return Proof(way)
        return None

    def _ways(self, asked: Asked) -> list[tuple[Asked, ...]]:
        """List what each of several proofs would rest on; none if there can be none."""
        cell, dim, atom, mode = asked
        number = self.makers.get(cell[0])
        if number is None or cell[0] in self.parameters:
            return []
        node = self.match.target.graph.nodes[number]
        place = node.outputs.index(cell[0])
        held = [
            axis.name
            for part in node.bound.outputs[place].dims[dim]
            for axis in part
            if self.has(self.match.target.axes.names[number][axis.name], atom)
        ]
        link = next(one for one in self.parts.links(number) if one.result == cell)
        if not held:
            return []
        operands = self._operands(node, link, frozenset(held), atom, mode)
        parts = node.bound.outputs[place].dims[dim]
        others = {axis.name for part in parts for axis in part} - {*held} if len(parts) > 1 else {}
        present = [
            at
            for at, cells in enumerate(link.operands)
            if cells and (operands[at] or not _has_any(node.bound.inputs[at], others))
        ]
        return _ways(node, present, operands, self, asked)

    def _operands(
        self, node: Node, link: Link, axes: frozenset[str], atom: Class, mode: Mode
    ) -> list[tuple[Asked, ...]]:
        """Ask the same of each operand, of every cell that reaches the result."""
        found = []
        for operand, cells in zip(node.bound.inputs, link.operands, strict=True):
            dims = [
                at
                for at, dim in enumerate(operand.dims)
                if any(axis.name in axes for part in dim for axis in part)
            ]
            found.append(
                tuple(
                    (cell, at, atom, mode)
                    for cell in cells
                    for at in dims[:1]
                    if self.has(self.parts.part(cell, at), atom)
                )
            )
        return found


def _has_any(operand: BoundOperand, axes: Collection[str]) -> bool:
    """Whether an operand has an axis that lies beside those asked of."""
    return any(axis.name in axes for dim in operand.dims for part in dim for axis in part)


def _ways(
    node: Node,
    present: list[int],
    operands: list[tuple[Asked, ...]],
    knows: Silence,
    asked: Asked,
) -> list[tuple[Asked, ...]]:
    """Say by the algebra of a node what its operands must be for its result to be as asked."""
    mode = asked[3]
    if mode == "level":
        return _level(node, operands, knows, asked)
    centred = _centred(node, operands, knows)
    added = [at for at in present if node.algebra[at].meeting == "add"]
    if any(not operands[at] for at in added):
        return [centred] if centred else []
    beside = tuple(one for at in added for one in operands[at])
    rest = [at for at in present if at not in added and operands[at]]
    if not rest:
        others = [node.algebra[at] for at in present if at not in added]
        whole = [beside] if added and all(algebra == Algebra() for algebra in others) else []
        return [centred, *whole] if centred else whole
    if any(node.algebra[at].meeting != "mul" for at in rest):
        # What is linear beside another may be added to it before both are multiplied.
        alone = len(rest) == 1 or sum(node.algebra[at].linear for at in rest) == 1
        kept = [at for at in rest if node.algebra[at].zero] if alone else []
        return _each(operands, kept, node, knows, beside) if len(kept) == 1 else []
    data = sorted(rest, key=lambda at: node.inputs[at] in knows.parameters)
    return _each(operands, data, node, knows, beside)


def _each(
    operands: list[tuple[Asked, ...]],
    places: list[int],
    node: Node,
    knows: Silence,
    beside: tuple[Asked, ...],
) -> list[tuple[Asked, ...]]:
    """Ask for 0 of each operand alone, or for what becomes 0 when it is normed."""
    ways = []
    for at in places:
        modes: list[Mode] = [
            "level" if node.algebra[at].normed == "mean" and _is_mixed(node, at, dim) else mode
            for _, dim, _, mode in operands[at]
        ]
        asked = tuple((*one[:3], mode) for one, mode in zip(operands[at], modes, strict=True))
        if all(knows.is_whole(one) for one in asked):
            ways.append(asked + beside)
    return ways


def _is_mixed(node: Node, at: int, dim: int) -> bool:
    return any(axis.mixed for part in node.bound.inputs[at].dims[dim] for axis in part)


def _level(
    node: Node, operands: list[tuple[Asked, ...]], knows: Silence, asked: Asked
) -> list[tuple[Asked, ...]]:
    """Ask for the mean: the result of the mean is the mean of a linear op's results."""
    cell, dim, atom, _ = asked
    held = [at for at, cells in enumerate(operands) if cells]
    if (
        not knows.is_plain(knows.parts.part(cell, dim), atom)
        or not held
        or any(not node.algebra[at].linear for at in held)
    ):
        return []
    if any(_is_mixed(node, at, one[1]) for at in held for one in operands[at]):
        return []
    factors = [at for at in held if node.algebra[at].meeting != "add"]
    if len(factors) > 1:
        return []
    return [tuple(one for at in held for one in operands[at])]


def _centred(
    node: Node, operands: list[tuple[Asked, ...]], knows: Silence
) -> tuple[Asked, ...] | None:
    """Ask for the mean where it is taken off: what is level, less its own mean, is silent."""
    if len(operands) != 2 or sum(a.factor or 1.0 for a in node.algebra) != 0:
        return None
    for at, other in ((0, 1), (1, 0)):
        mean = _mean_of(knows, node.inputs[other])
        if operands[at] and not operands[other] and mean == node.inputs[at]:
            asked = tuple((*one[:3], LEVEL) for one in operands[at])
            return asked if all(knows.is_whole(one) for one in asked) else None
    return None


def _mean_of(knows: Silence, value: int) -> int | None:
    """Give the value of which another is the mean, if it is one."""
    nodes = knows.match.target.graph.nodes
    while value in knows.makers:
        node = nodes[knows.makers[value]]
        if len(node.inputs) != 1:
            return None
        if node.algebra[0].neutral == "mean":
            return node.inputs[0]
        if not node.algebra[0].moves:
            return None
        value = node.inputs[0]
    return None
