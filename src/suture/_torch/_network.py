"""A network made ready to be probed: weights drawn anew, and every op with its stand-in.

Knows what each operand of an op is to a probe. Does not know features (`_probe`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum, auto
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from suture._algebra import Algebra
from suture._bind import BoundOperand
from suture._graph import Graph, Node
from suture._interactions import without_data
from suture._repairs import Repairs
from suture._torch._drawn import drawn, dtype_of, filled, is_float
from suture._torch._record import Made, on_device
from suture._torch._trace import Tape
from suture._torch.stand_ins import stand_in


class Role(Enum):
    """What an operand is to a probe.

    DATA may carry a feature. MET is a weight in a contraction, whose gradient is told from what is
    not zero; SCALE is any other weight, with a gradient of its own for each feature. BIAS is a
    weight that is added, and held at zero. FIXED is a constant, zero if it is added.
    """

    DATA = auto()
    MET = auto()
    SCALE = auto()
    BIAS = auto()
    FIXED = auto()


Run = Callable[[Sequence[Tensor | None]], list[Tensor]]
"""Gives the results that are floats, from all operands without their batch of features."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One node that reads data.

    Attributes:
        roles: per operand what it is.
        still: per operand its value, of those that are no data.
        floats: the results that have a gradient.
        wanted: the results that something reads.
        run: runs its stand-in.
    """

    node: Node
    made: Made
    roles: tuple[Role, ...]
    still: tuple[Tensor | None, ...]
    floats: tuple[int, ...]
    wanted: tuple[int, ...]
    run: Run

    @property
    def data(self) -> list[int]:
        """The operands that may carry a feature."""
        return [at for at, role in enumerate(self.roles) if role is Role.DATA]

    @property
    def looks_up(self) -> bool:
        """Whether data says which entries are meant."""
        return any(self.node.bound.inputs[at].values is not None for at in self.data)

    @property
    def moves(self) -> bool:
        """Whether data is only moved."""
        return all(self.node.algebra[at].moves for at in self.data)

    def result(self, value: int) -> BoundOperand:
        """Give the dims of a result."""
        return self.node.bound.outputs[self.node.outputs.index(value)]


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """What a probe runs.

    Attributes:
        data: the values that may carry a feature.
        first: value -> the first one that is computed alike, of those that depend on no data: a
            layer that is used often reads its weights by a view each time.
    """

    graph: Graph
    dtype: torch.dtype
    data: frozenset[int]
    first: Mapping[int, int]
    steps: tuple[Step, ...]

    @property
    def size(self) -> int:
        """Bytes of all that a probe of one feature may compute."""
        entries = sum(prod(self.graph.values[value].shape) for value in self.data)
        return entries * self.dtype.itemsize


def network(tape: Tape, repairs: Repairs) -> Network:
    """Draw weights and find every op's stand-in."""
    graph = tape.graph
    first, own = _first(tape), drawn(tape, repairs)
    making = _Making(graph, repairs, dtype_of(graph), own, first.keys(), _read(graph), {})
    data, steps = {*graph.inputs.values()}, []
    for node, made in zip(graph.nodes, tape.made, strict=True):
        if data.isdisjoint(node.inputs):
            continue
        if _reads_nothing(node, made):
            making.own |= {value: making.ones(value) for value in node.outputs}
        else:
            steps.append(making.step(node, made, data))
            data.update(node.outputs)
    return Network(graph, making.dtype, frozenset(data), first, tuple(steps))


def _first(tape: Tape) -> dict[int, int]:
    """Find the values that are computed alike of parameters and constants alone."""
    own = without_data(tape.graph)
    first = {value: value for value in own}
    known: dict[str, tuple[int, ...]] = {}
    for node, made in zip(tape.graph.nodes, tape.made, strict=True):
        if own.issuperset(node.inputs) and torch.Tag.nondeterministic_seeded not in made.op.tags:
            key = f"{made.op}{[first[value] for value in node.inputs]}{made.arguments}"
            first |= zip(node.outputs, known.setdefault(key, node.outputs), strict=True)
    return first


def _read(graph: Graph) -> frozenset[int]:
    """Find the values that something reads."""
    read = {value for node in graph.nodes for value in node.inputs}
    return frozenset(read.union(graph.outputs.values()))


def _reads_nothing(node: Node, made: Made) -> bool:
    """Whether an op takes nothing but the shape of what it is given: random numbers, constants."""
    makes = torch.Tag.nondeterministic_seeded in made.op.tags
    makes = makes or made.op is torch.ops.aten.full_like.default
    return makes and not any(algebra.linear for algebra in node.algebra)


# What is no data is held at zero here too, as if it were added: else it would be the better one.
_KEEP_THE_BETTER = frozenset(
    f"aten.{name}"
    for name in ("maximum", "minimum", "fmax", "fmin", "clamp", "clamp_min", "clamp_max")
)


@dataclass(slots=True, eq=False)
class _Making:
    """What steps are made from.

    Attributes:
        own: value that depends on no data -> its entries, and what only has the shape of data.
        without_data: the former alone.
        read: the values that something reads.
        positive: the same with positive entries, as far as needed yet.
    """

    graph: Graph
    repairs: Repairs
    dtype: torch.dtype
    own: dict[int, Tensor]
    without_data: Set[int]
    read: frozenset[int]
    positive: dict[int, Tensor]

    def ones(self, value: int) -> Tensor:
        dtype = self.dtype if self._is_float(value) else torch.int64
        return torch.ones(self.graph.values[value].shape, dtype=dtype)

    def step(self, node: Node, made: Made, data: set[int]) -> Step:
        packet = str(made.op).rpartition(".")[0]
        pairs = zip(node.inputs, node.algebra, strict=True)
        roles = tuple(self._role(*pair, packet, data) for pair in pairs)
        places = zip(node.inputs, node.algebra, roles, strict=True)
        still = tuple(self._still(*place, packet) for place in places)
        floats = tuple(value for value in node.outputs if self._is_float(value))
        wanted = tuple(value for value in node.outputs if value in self.read)
        changed = Made(made.op, self._numbers(made))
        run = self._run(node, changed, still)
        return Step(node, changed, roles, still, floats, wanted, run)

    def _is_float(self, value: int) -> bool:
        return is_float(self.graph.values[value].dtype)

    def _role(self, value: int, algebra: Algebra, packet: str, data: set[int]) -> Role:
        if value in data:
            return Role.DATA
        depends = value in self.without_data and value not in self.graph.constants
        if not depends or not self.own[value].is_floating_point():
            return Role.FIXED
        if _is_added(algebra, packet):
            return Role.BIAS
        contracted = algebra.meeting == "mul" and algebra.neutral == 0
        return Role.MET if contracted else Role.SCALE

    def _still(self, value: int, algebra: Algebra, role: Role, packet: str) -> Tensor | None:
        if role is Role.DATA:
            return None
        if _is_added(algebra, packet):
            return torch.zeros(self.own[value].shape, dtype=self.dtype)
        return self._at_meeting(value)

    def _at_meeting(self, value: int) -> Tensor:
        """Give a value as it meets data: finite, and positive under that option."""
        found = self.own[value]
        if not found.is_floating_point() or not found.numel():
            return found
        if value not in self.positive:
            if not found.sum().isfinite():
                found = found.nan_to_num(nan=1, posinf=1, neginf=1)
            turned = self.repairs.init == "positive" and bool(found.min() < 0)
            self.positive[value] = found.abs() if turned else found
        return self.positive[value]

    def _run(self, node: Node, made: Made, still: Sequence[Tensor | None]) -> Run:
        function = stand_in(made.op, self.repairs)

        def run(operands: Sequence[Tensor | None]) -> list[Tensor]:
            result = function(**filled(made.arguments, operands))
            return [leaf for leaf in tree_leaves(result) if leaf.is_floating_point()]

        pairs = zip(node.algebra, still, strict=True)
        keeps_zero = any(algebra.zero for algebra, value in pairs if value is None)
        if function is not made.op or keeps_zero or self._counts(node):
            return run
        shapes = (self.graph.values[value].shape for value in node.inputs)
        zeros = [
            torch.zeros(shape, dtype=self.dtype) if value is None else value
            for shape, value in zip(shapes, still, strict=True)
        ]
        at_zero = run(zeros)
        return lambda operands: [y - c for y, c in zip(run(operands), at_zero, strict=True)]

    def _counts(self, node: Node) -> bool:
        """Whether no result is a float, or data is looked up by: then the op is not run."""
        return not any(map(self._is_float, node.outputs)) or any(
            operand.values for operand in node.bound.inputs
        )

    def _numbers(self, made: Made) -> dict[str, Any]:
        """Let factors be positive under that option, and results be in the precision of a probe."""
        numbers = on_device(made.op, made.arguments, "cpu")
        if self.repairs.init == "positive":
            factors = {"alpha", "beta"} & numbers.keys()
            numbers |= {name: abs(numbers[name]) for name in factors}
        dtype = numbers.get("dtype")
        if dtype is not None:
            numbers["dtype"] = self.dtype if dtype.is_floating_point else None
        return numbers


def _is_added(algebra: Algebra, packet: str) -> bool:
    return algebra.meeting == "add" or packet in _KEEP_THE_BETTER
