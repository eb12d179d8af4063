"""A network made ready to be probed: weights drawn anew, and every op with its stand-in.

Knows a whole graph. Does not know what operands are to a probe (`_step`), nor features (`_pass`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch

from suture._graph import Graph, Node
from suture._interactions import without_data
from suture._repairs import Repairs
from suture._torch._drawn import drawn, dtype_of
from suture._torch._record import on_device
from suture._torch._recording import Made
from suture._torch._step import Step, step
from suture._torch._trace import Tape
from suture._torch._weights import Weights


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """What a probe runs.

    Attributes:
        data: the values that may carry a feature.
        read: the values that something reads.
        first: value -> the first one that is computed alike, of those that depend on no data: a
            layer that is used often reads its weights by a view each time.
    """

    graph: Graph
    dtype: torch.dtype
    data: frozenset[int]
    read: frozenset[int]
    first: Mapping[int, int]
    steps: tuple[Step, ...]

    @property
    def size(self) -> int:
        """Bytes of all that a probe of one feature may compute."""
        entries = sum(prod(self.graph.values[value].shape) for value in self.data)
        return entries * self.dtype.itemsize


def network(tape: Tape, repairs: Repairs) -> Network:
    """Draw weights and find every op's stand-in."""
    graph, dtype, first = tape.graph, dtype_of(tape.graph), _first(tape)
    own, weights = drawn(tape, repairs), first.keys() - graph.constants.keys()
    held = Weights(graph, repairs, dtype, own, weights)
    data, steps = {*graph.inputs.values()}, list[Step]()
    for node, made in zip(graph.nodes, tape.made, strict=True):
        if data.isdisjoint(node.inputs):
            continue
        if _reads_nothing(node, made):
            own |= {
                value: torch.ones(graph.values[value].shape, dtype=dtype) for value in node.outputs
            }
        else:
            steps.append(step(node, _numbers(made, repairs, dtype), data, held))
            data.update(node.outputs)
    return Network(graph, dtype, frozenset(data), _read(graph), first, tuple(steps))


def _numbers(made: Made, repairs: Repairs, dtype: torch.dtype) -> Made:
    """Let factors be positive under that option, and results be in the precision of a probe."""
    numbers = on_device(made.op, made.arguments, "cpu")
    if repairs.init == "positive":
        factors = {"alpha", "beta"} & numbers.keys()
        numbers |= {name: abs(numbers[name]) for name in factors}
    asked = numbers.get("dtype")
    if asked is not None:
        numbers["dtype"] = dtype if asked.is_floating_point else None
    return Made(made.op, numbers)


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
