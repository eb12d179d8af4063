"""Growth: what a plan does beyond copying, so that the new network computes the old function.

Knows the order: paths that start as the identity, what mixing ops ask of fresh units, and by which
factors tensors must be larger; and puts what follows together, tensor by tensor. Does not know how
blocks are made of it (`_fill`), nor what cannot be had (`_promise`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import starmap
from math import isfinite, log, prod

import numpy as np
from numpy.typing import NDArray

from suture._algebra import Algebra
from suture._axes import Class
from suture._balance import Balance, Gain
from suture._fill import Recipe
from suture._match import Match
from suture._parts import Parts
from suture._paths import Paths
from suture._scales import NEAR
from suture._shares import repeated, shares
from suture._side import CONTRACTED, MIXED, REDUCED, Side
from suture._silence import Asked, Mode, Silence
from suture._twins import Twins, alike, factors, heard, twins


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """What a match asks for beyond copies.

    Attributes:
        recipes: tensor of the target -> what becomes of it.
        twins: which value of the target is which of the source.
        alike: the target's nodes that change nothing at first.
        heard: node and axis of what mixes fresh units with preserved ones and cannot be kept from
            it -> the node that stands between it and what could be written otherwise, if one does.
        kept: node and axis of what is kept from it.
        loud: node and axis of what reads fresh units by a table that must write them too.
        disagree: the nodes whose scales contradict each other.
        bounded: node -> the logarithm of how much less its eps weighs beside the variance.
    """

    recipes: Mapping[str, Recipe]
    twins: Twins
    alike: frozenset[int]
    heard: Mapping[tuple[int, str], int | None]
    kept: frozenset[tuple[int, str]]
    loud: frozenset[tuple[int, Class]]
    disagree: tuple[int, ...]
    bounded: Mapping[int, float]


def growth(match: Match, side: Side) -> Growth:
    """Find what the target of a match asks for beyond copies.

    Args:
        match: which unit is which.
        side: the target's side of it.
    """
    return _Grower(match, side).run()


@dataclass(slots=True, eq=False)
class _Grower:
    match: Match
    side: Side
    parts: Parts = field(init=False)
    silence: Silence = field(init=False)
    paths: Paths = field(init=False)
    heard: dict[tuple[int, str], int | None] = field(default_factory=dict)
    failed: Asked | None = None
    kept: dict[tuple[int, str], float] = field(default_factory=dict)
    loud: set[tuple[int, Class]] = field(default_factory=set)

    def __post_init__(self) -> None:
        graph, axes = self.match.target.graph, self.match.target.axes
        makers = {value: at for at, node in enumerate(graph.nodes) for value in node.outputs}
        held = frozenset({*graph.parameters.values(), *graph.buffers.values()})
        self.parts = Parts(graph, axes)
        self.silence = Silence(self.match, self.parts, makers, held)
        self.paths = Paths(self.match, makers, self.side.parameters)

    def run(self) -> Growth:
        """Take the steps in order."""
        found = self._twins()
        for number in self.side.relevant:
            self._demands(number)
        self._read_back()
        balance = self._balance(found)
        graph = self.match.target.graph
        values = {**graph.parameters, **graph.buffers}
        values |= {name: values[twin] for name, twin in graph.mirrors.items()}
        modes = self._modes()
        unheard = self._unheard()
        recipes = {
            name: self._recipe(graph.mirrors.get(name, name), value, balance, modes, unheard)
            for name, value in values.items()
        }
        return Growth(
            recipes,
            found,
            alike(graph, found),
            self.heard,
            frozenset(self.kept),
            frozenset(self.loud),
            tuple(dict.fromkeys(balance.scales.failed)),
            balance.bounded,
        )

    def _twins(self) -> Twins:
        """Find twins until no parameter is asked to begin as two things on what is heard."""
        while True:
            self.paths.claims.clear()
            found = twins(self.match, self.paths.passes)
            passed = (n for n in heard(self.match.target.graph, found) if n in found.passed)
            if self.paths.settle(passed):
                return found

    def _demands(self, number: int) -> None:
        """Keep a node from mixing fresh units with preserved ones, if it does."""
        names = self.match.target.axes.names[number]
        for name, how in self.side.meetings(number).items():
            if how not in (MIXED, CONTRACTED, REDUCED):
                continue
            if self.side.keeps(names[name]) and self._atoms(names[name]):
                self.failed = None
                log_of = self._quieten(number, name)
                if log_of is not None:
                    self.kept[number, name] = log_of
                elif self.side.loses(names[name]):
                    self.heard[number, name] = self._obstacle()

    def _obstacle(self) -> int | None:
        """Find what kept fresh entries from being unheard at last."""
        return None if self.failed is None else self.silence.obstacle(self.failed)

    def _quieten(self, number: int, name: str) -> float | None:
        """Make the fresh entries along an axis of a node unheard; give what that does to scales."""
        node = self.match.target.graph.nodes[number]
        member = self.match.target.axes.names[number][name]
        before, after = self._counts(member)
        grown = log(after / before)
        places = [
            (at, dim)
            for at, operand in enumerate(node.bound.inputs)
            for dim, parts in enumerate(operand.dims)
            if any(axis.name == name for part in parts for axis in part)
        ]
        for at, dim in places:
            algebra = node.algebra[at]
            if algebra.normed is not None:
                mode: Mode = "level" if algebra.normed == "mean" else "silent"
                if not self._all(number, at, dim, member, mode):
                    return None
                self._hush(number, name)
                return grown
            if algebra.linear and algebra.neutral == "mean":
                if self._all(number, at, dim, member, "level"):
                    return 0.0
                return -grown if self._all(number, at, dim, member, "silent") else None
            if algebra.thinned is not None:
                quiet = self._all(number, at, dim, member, "level")
                return self._thinned(member, algebra) if quiet else None
            if algebra.neutral == 0 and self._all(number, at, dim, member, "silent"):
                return 0.0
        return None

    def _hush(self, number: int, name: str) -> None:
        """Have what a norm gives be 0 too, so that its readers may be anything."""
        node = self.match.target.graph.nodes[number]
        for dim, parts in enumerate(node.bound.outputs[0].dims):
            if any(axis.name == name for part in parts for axis in part):
                value, member = node.outputs[0], self.match.target.axes.names[number][name]
                self._ask(value, dim, member, "silent")

    def _read_back(self) -> None:
        """Have 0 be what a table reads where it also writes a mean, as a tied head does."""
        values = self.match.target.graph.parameters
        level = {(at, dim, a) for (at, dim, _, a), m in self.silence.writes.items() if m == "level"}
        for name, uses in self.match.uses[1].items() if level else ():
            for use in uses:
                for dim, member in use.reads - use.taps:
                    atoms = [a for a in self._fresh(member) if (values.get(name), dim, a) in level]
                    asked = [one for a in atoms for one in self._data(use.node, member, a)]
                    if not all(self.silence.demand(one) for one in asked):
                        self.loud.add((use.node, member))

    def _thinned(self, member: Class, algebra: Algebra) -> float | None:
        """Give what entries at the mean do to a spread around it."""
        before, after = (count - algebra.less for count in self._counts(member))
        return (algebra.thinned or 0.0) * log(before / after) if min(before, after) > 0 else None

    def _counts(self, member: Class) -> tuple[int, int]:
        """Count the entries that a class had, and those that it has."""
        layout = self.match.target.layout(member)
        before = sum(prod(map(self._before, segment)) for segment in layout)
        return before, self.match.target.axes.sizes[self.match.target.axes.find(member)]

    def _before(self, column: NDArray[np.int64]) -> int:
        """Count the entries that the source has where the target has some; 1 if none."""
        partner = self.match.partner[column[column >= 0]]
        atoms = np.unique(self.match.source.atom[partner[partner >= 0]])
        known = sum(len(self.match.source.columns[atom]) for atom in atoms.tolist())
        return known or (len(column) if (column < 0).any() else 1)

    def _all(self, number: int, at: int, dim: int, member: Class, mode: Mode) -> bool:
        """Make the fresh entries of every atom of a class so, in every cell of an operand."""
        return self._ask(self.match.target.graph.nodes[number].inputs[at], dim, member, mode)

    def _ask(self, value: int, dim: int, member: Class, mode: Mode) -> bool:
        # The mean of one part is not that of all.
        if mode == "level" and not all(
            map(partial(self.silence.is_plain, member), self._atoms(member))
        ):
            return False
        asked = [
            (cell, dim, atom, mode)
            for atom in self._atoms(member)
            for cell in self.parts.cells(value)
            if self.silence.has(self.parts.part(cell, dim), atom)
        ]
        failed = next((one for one in asked if not self.silence.demand(one)), None)
        self.failed = self.failed if failed is None else failed
        return failed is None

    def _fresh(self, member: Class) -> list[Class]:
        """List the atoms of a class that have fresh entries beside preserved ones."""
        units, partner = self.match.target, self.match.partner
        return [
            atom
            for atom, column in units.columns.items()
            if self.silence.has(member, atom) and (partner[column] == -1).any()
        ]

    def _atoms(self, member: Class) -> list[Class]:
        """List the atoms of a class that grew or shrank, but for copies."""
        copied = self.match.copies.atoms if self.match.copies else ()
        return [
            atom
            for atom, column in self.match.target.columns.items()
            if self.silence.has(member, atom)
            and atom not in copied
            and ((self.match.partner[column] == -1).any() or self._before(column) > len(column))
            and (self.match.partner[column] >= 0).any()
        ]

    def _balance(self, found: Twins) -> Balance:
        graph, source = self.match.target.graph, self.match.source.graph
        grown: dict[int, float] = defaultdict(float)
        for (number, _), logarithm in self.kept.items():
            grown[number] += logarithm
        for number, logarithm in repeated(self.match, self.side).items():
            grown[number] += logarithm
        fixed = dict.fromkeys(graph.inputs.values(), 0.0)
        fixed |= {graph.outputs[name]: 0.0 for name in self.match.pairs.outputs}
        fixed |= {value: self._ratio(value, found) for value in graph.constants}
        gains = {}
        for number, node in enumerate(graph.nodes):
            other = found.nodes.get(number)
            before = () if other is None else factors(source.nodes[other])
            by = tuple(starmap(_log_ratio, zip(factors(node), before, strict=False)))
            given = grown.get(number, 0.0)
            if any(by) or given:
                normed = any(algebra.normed is not None for algebra in node.algebra)
                gains[number] = Gain(0.0, by, given) if normed else Gain(given, by)
        held = self.side.parameters
        balance = Balance(graph, self.parts, held, fixed, gains)
        balance.run([value for value in range(len(graph.values)) if value in held])
        return balance

    def _ratio(self, value: int, found: Twins) -> float:
        """Give the logarithm of a constant over its twin, if they differ by one factor."""
        other = found.values.get(value)
        ours = self.match.target.graph.constants.get(value)
        theirs = self.match.source.graph.constants.get(other) if other is not None else None
        if ours is None or theirs is None or ours.dtype.kind != "f" or ours.size != 1:
            return 0.0
        if theirs.size != 1:
            return 0.0
        return _log_ratio(float(ours.flat[0]), float(theirs.flat[0]))

    def _modes(self) -> dict[int, dict[tuple[int, int], dict[Class, Mode]]]:
        """Sort what is written by parameter, dim and part."""
        axes = self.match.target.axes
        found: dict[int, dict[tuple[int, int], dict[Class, Mode]]] = defaultdict(dict)
        for (value, dim, part, atom), mode in self.silence.writes.items():
            for at, member in enumerate(self.parts.of(axes.dims[value][dim])):
                if member == part:
                    found[value].setdefault((dim, at), {})[atom] = mode
        return found

    def _unheard(self) -> dict[str, dict[tuple[int, int], frozenset[Class]]]:
        """Find where parameters read what is silent."""
        found: dict[str, dict[tuple[int, int], frozenset[Class]]] = defaultdict(dict)
        if not self.silence.writes:
            return found
        for name, uses in self.match.uses[1].items():
            for use in uses:
                for dim, member in use.reads - use.taps:
                    atoms = self._fresh(member)
                    silent = [atom for atom in atoms if self._is_silent(use.node, member, atom)]
                    if silent:
                        found[name][use.node, dim] = frozenset(silent)
        return found

    def _is_silent(self, number: int, member: Class, atom: Class) -> bool:
        """Whether all data that a node reads along a class is silent."""
        asked = self._data(number, member, atom)
        return bool(asked) and all(self.silence.holds(one) for one in asked)

    def _data(self, number: int, member: Class, atom: Class) -> list[Asked]:
        """Ask all data that a node reads along a class to be silent."""
        node, axes = self.match.target.graph.nodes[number], self.match.target.axes
        return [
            (cell, dim, atom, "silent")
            for value, operand in zip(node.inputs, node.bound.inputs, strict=True)
            if value not in self.side.parameters
            for dim, parts in enumerate(operand.dims)
            if any(
                axes.find(axes.names[number][axis.name]) == axes.find(member)
                for part in parts
                for axis in part
            )
            for cell in self.parts.cells(value)
            if self.silence.has(self.parts.part(cell, dim), atom)
        ]

    def _recipe(
        self,
        name: str,
        value: int,
        balance: Balance,
        modes: Mapping[int, Mapping[tuple[int, int], Mapping[Class, Mode]]],
        unheard: Mapping[str, Mapping[tuple[int, int], frozenset[Class]]],
    ) -> Recipe:
        axes, carrying = self.match.target.axes, self.paths.carrying(name)
        shape = self.parts.shape(value)
        logs = np.array([balance.factor(cell) for cell in self.parts.cells(value)])
        factors = np.exp(np.where(np.abs(logs) < NEAR, 0.0, logs))
        parts = tuple(
            np.repeat(np.arange(count), [axes.sizes[p] for p in self.parts.of(dim)])
            if count > 1
            else np.zeros(axes.sizes[axes.find(dim)], np.int64)
            for dim, count in zip(axes.dims[value], shape, strict=True)
        )
        return Recipe(
            factors.reshape(shape),
            parts,
            modes.get(value, {}),
            unheard.get(name, {}),
            shares(self.match, name),
            self.paths.value(name),
            None if carrying is None else carrying.dims,
            {} if carrying is None else dict(carrying.centres),
        )


def _log_ratio(one: float | None, other: float | None) -> float:
    """Give the logarithm of a ratio of finite numbers of one sign; 0 of any other."""
    if one is None or other is None:
        return 0.0
    same = isfinite(one) and isfinite(other) and one * other > 0
    return log(one / other) if same else 0.0
