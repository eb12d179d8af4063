"""Drawn weights: every value of a graph that depends on no data, on weights drawn anew.

Knows how weights are drawn, and constants. Does not know data (`_probe`). The model's own weights
are never read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod, sqrt
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

from suture._graph import Graph, Value
from suture._interactions import without_data
from suture._repairs import Repairs
from suture._torch._record import on_device
from suture._torch._recording import Made, Operand
from suture._torch._trace import Tape


def dtype_of(graph: Graph) -> torch.dtype:
    """Probe in the precision of the model, but no less than single."""
    held = (*graph.parameters.values(), *graph.inputs.values())
    double = any(graph.values[value].dtype == "f64" for value in held)
    return torch.float64 if double else torch.float32


def drawn(tape: Tape, repairs: Repairs) -> dict[int, Tensor]:
    """Draw weights, and compute what is made of them and of constants alone.

    Weights are `normal(0, 1 / sqrt(fan_in))`, or of that size and positive. Constants of which
    only the shape is known are ones.
    """
    graph, dtype = tape.graph, dtype_of(tape.graph)
    found = _constants(tape, dtype)
    chance = torch.Generator().manual_seed(repairs.seed)
    for name, value in {**graph.parameters, **graph.buffers}.items():
        if value not in found:
            sign = repairs.init if graph.kind(name) == "parameter" else "positive"
            found[value] = _weights(graph.values[value].shape, sign, chance, dtype)
    own = without_data(graph)
    for node, made in zip(graph.nodes, tape.made, strict=True):
        if own.issuperset(node.inputs) and not found.keys() >= {*node.outputs}:
            results = computed(made, [found[value] for value in node.inputs])
            found |= zip(node.outputs, (_in(dtype, result) for result in results), strict=True)
    return found


def _constants(tape: Tape, dtype: torch.dtype) -> dict[int, Tensor]:
    """List what is known whatever the data: constants, and masks of integers made into places."""
    graph = tape.graph
    made = {value for node in graph.nodes for value in node.outputs}
    given = {*graph.inputs.values(), *graph.parameters.values(), *graph.buffers.values()}
    found = {v: _in(dtype, real) for v, real in tape.real.items() if v not in made | given}
    for value in graph.constants:
        real = tape.real.get(value)
        found[value] = ones(graph.values[value], dtype) if real is None else _in(dtype, real)
    return found


def ones(seen: Value, dtype: torch.dtype) -> Tensor:
    """Make a value of ones, in the precision of a probe if it has fractions."""
    return torch.ones(seen.shape, dtype=dtype if is_float(seen.dtype) else torch.int64)


def is_float(dtype: str) -> bool:
    """Whether a dtype, by its short name, has fractions."""
    return dtype.startswith(("f", "bf"))


def _in(dtype: torch.dtype, tensor: Tensor) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _weights(
    shape: tuple[int, ...], sign: str, chance: torch.Generator, dtype: torch.dtype
) -> Tensor:
    spread = 1 / sqrt(max(1, prod(shape[1:])))
    if sign == "positive":
        return torch.rand(shape, generator=chance, dtype=dtype).add_(0.5).mul_(spread)
    return torch.randn(shape, generator=chance, dtype=dtype).mul_(spread)


def computed(made: Made, operands: Sequence[Tensor]) -> list[Tensor]:
    """Run an op as it is."""
    arguments = filled(made.arguments, operands)
    result = made.op(**on_device(made.op, arguments, "cpu"))
    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]


def filled(arguments: Mapping[str, Any], operands: Sequence[Tensor | None]) -> dict[str, Any]:
    """Put tensors in the places of operands."""
    return {
        name: tree_map_only(Operand, lambda operand: operands[operand.place], value)
        for name, value in arguments.items()
    }
