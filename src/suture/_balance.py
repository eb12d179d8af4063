"""Balance: what each op of the target asks of the scales of its operands and results.

Knows how an algebra becomes equations between logarithms of factors (`_scales`). Does not know how
they are solved, nor what grew: it is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from suture._algebra import Algebra
from suture._graph import Graph, Node
from suture._parts import Cell, Link, Parts
from suture._scales import Scales

Row = tuple[Cell, ...]
"""One cell of each operand that has a scale."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What an op does to scales by itself.

    Attributes:
        factor: the logarithm of what it makes of copies and of fresh entries.
        operands: per operand, the logarithm of what it is multiplied by, over what it was.
        normed: the logarithm of m / n, of a norm over m entries that were n.
    """

    factor: float = 0.0
    operands: tuple[float, ...] = ()
    normed: float = 0.0


@dataclass(slots=True, eq=False)
class Balance:
    """The equations of a graph.

    Attributes:
        graph: the target's.
        parts: its cells.
        held: the values that come from parameters alone.
        fixed: value -> the logarithm of its factor, where that is given.
        gains: node -> what it does by itself, where that is anything.
        scales: the unknowns.
        bounded: the nodes whose eps means something else than before, with how much x is scaled.
    """

    graph: Graph
    parts: Parts
    held: Collection[int]
    fixed: Mapping[int, float]
    gains: Mapping[int, Gain]
    scales: Scales = field(default_factory=Scales)
    bounded: dict[int, float] = field(default_factory=dict)
    _wanted: list[tuple[int, Cell, float, Cell | None]] = field(default_factory=list)

    def run(self, parameters: Sequence[int]) -> None:
        """State every equation, and choose where there is a choice."""
        for value, known in self.fixed.items():
            for cell in self.parts.cells(value):
                self.scales.state(((cell, 1.0),), -known)
        for number, node in enumerate(self.graph.nodes):
            if self.graph.constants.keys() >= {*node.outputs}:
                continue  # constants: what they are is known
            for link in self.parts.links(number):
                self._node(number, node, link)
        self.scales.close()
        for wanted in self._wanted:
            self._want(*wanted)
        held = {*parameters}
        given = [v for v in range(len(self.graph.values)) if v not in held]
        data = (cell for value in given for cell in self.parts.cells(value))
        owned = (cell for value in parameters for cell in self.parts.cells(value))
        self.scales.choose(data, owned)

    def factor(self, cell: Cell) -> float:
        """Give the logarithm of a cell's factor."""
        return self.scales.value(cell) or 0.0

    def _want(self, number: int, cell: Cell, wanted: float, result: Cell | None) -> None:
        """State what an eps asks for, if nothing says otherwise; else let it pass, and note it."""
        if not self.scales.state(((cell, 1.0),), -wanted):
            # A norm is given what has the variance, not the variance itself.
            self.bounded[number] = (self.factor(cell) - wanted) * (2 if result is None else 1)
        if result is not None:
            self._state(number, ((cell, 1.0), (result, -1.0)), 0.0)

    def _state(self, number: int, form: Sequence[tuple[Cell, float]], constant: float) -> None:
        if not self.scales.state(form, constant, number):
            self.scales.failed.append(number)

    def _node(self, number: int, node: Node, link: Link) -> None:
        own = [
            at
            for at, cells in enumerate(link.operands)
            if cells and self._is_real(node.inputs[at]) and node.bound.inputs[at].values is None
        ]
        rows = list(_rows([link.operands[at] for at in own]))
        algebras = [node.algebra[at] for at in own]
        if not self._is_real(link.result[0]):
            algebras = [Algebra()] * len(own)
        by = self.gains.get(number, Gain()).operands or (0.0,) * len(node.inputs)
        for row in rows:
            self._row(number, link.result, row, algebras, [by[at] for at in own])

    def _is_real(self, value: int) -> bool:
        return self.graph.values[value].dtype.startswith(("f", "bf"))

    def _row(
        self,
        number: int,
        result: Cell,
        row: Row,
        algebras: Sequence[Algebra],
        by: Sequence[float],
    ) -> None:
        gain = self.gains.get(number, Gain())
        pairs = list(zip(row, algebras, strict=True))
        for (cell, algebra), factor in zip(pairs, by, strict=True):
            if algebra.meeting == "add":
                self._state(number, ((cell, 1.0), (result, -1.0)), factor)
        rest = [(cell, algebra) for cell, algebra in pairs if algebra.meeting != "add"]
        normed = [pair for pair in rest if pair[1].normed is not None]
        if normed:
            gains = [(cell, 1.0) for cell, algebra in rest if algebra.normed is None]
            self._state(number, (*gains, (result, -1.0)), gain.normed / 2)
            self._wanted.append((number, normed[0][0], gain.normed / 2, None))
        elif len(rest) == 1 and rest[0][1].shift is not None:
            self._wanted.append((number, rest[0][0], 0.0, result))
        elif rest and _is_product(algebras):
            form = [(cell, algebra.degree or 0.0) for cell, algebra in rest]
            if len(form) == 2 and all(cell[0] not in self.held for cell, _ in form):
                self.scales.prefer(form[1][0])
            factor = sum(f for f, a in zip(by, algebras, strict=True) if a.meeting != "add")
            self._state(number, (*form, (result, -1.0)), gain.factor + factor)
        elif rest:
            for cell in (*(cell for cell, _ in rest), result):
                self._state(number, ((cell, 1.0),), 0.0)


def _is_product(algebras: Sequence[Algebra]) -> bool:
    """Whether the result is homogeneous in all operands that are not added, taken together.

    Not where one is linear that is added to another and multiplied with it: a mean that is taken
    off, before a gain.
    """
    rest = [algebra for algebra in algebras if algebra.meeting != "add"]
    alone = [algebra for algebra in rest if algebra.linear and algebra.meeting is None]
    sure = not alone or sum(algebra.linear for algebra in rest) == 1
    return sure and all(algebra.degree is not None for algebra in rest)


def _rows(cells: Sequence[tuple[Cell, ...]]) -> Iterator[Row]:
    """Take the cells of each operand that meet: of as many, one by one; else each with each."""
    counts = {len(each) for each in cells if len(each) > 1}
    if len(counts) == 1:
        (count,) = counts
        spread = [each * count if len(each) == 1 else each for each in cells]
        yield from zip(*spread, strict=True)
    else:
        yield from product(*cells)
