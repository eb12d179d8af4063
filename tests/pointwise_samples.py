"""Samples of ops that are known by torch's pointwise tag alone, made from their schemas.

Knows how to call an op that nobody wrote a sample for. Does not know what any of them computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload, OpOverloadPacket

from samples import Sample
from suture._torch._call import POINTWISE, find_rule

SHAPES = ((4, 5), (5,), (4, 1))
"""Operands broadcast against each other, from both sides."""

Draw = Callable[[tuple[int, ...], torch.Generator], Tensor]

DRAWS: tuple[Draw, ...] = (
    lambda shape, seed: torch.rand(shape, generator=seed, dtype=torch.float64),
    lambda shape, seed: 3 * torch.randn(shape, generator=seed, dtype=torch.float64),
    lambda shape, seed: 1.5 + torch.rand(shape, generator=seed, dtype=torch.float64),
    lambda shape, seed: torch.randint(3, shape, generator=seed),
    lambda shape, seed: 1 + torch.randint(40, shape, generator=seed),
    lambda shape, seed: torch.randint(3, shape, generator=seed) == 0,
)
"""In the unit interval, of any sign, above one; small numbers (often equal), larger; booleans."""


def tagged() -> list[OpOverload]:
    """List the functional ops that the tag alone describes."""
    packets = (getattr(torch.ops.aten, name) for name in sorted(dir(torch.ops.aten)))
    ops: Iterator[OpOverload] = (
        getattr(packet, overload)
        for packet in packets
        if isinstance(packet, OpOverloadPacket)
        for overload in packet.overloads()
    )
    # `equal` gives a `bool`: torch's compiler, once imported, tags it like the others.
    tensors = (op for op in ops if any("Tensor" in str(r.type) for r in op._schema.returns))
    return [op for op in tensors if not op._schema.is_mutable and find_rule(op) is POINTWISE]


def samples_of(op: OpOverload) -> list[Sample]:
    """Make the samples of an op that it accepts."""
    made = [Sample(op, *_arguments(op, draw)) for draw in DRAWS]
    return [sample for sample in made if _runs(sample)]


def _runs(sample: Sample) -> bool:
    try:
        sample.op(*sample.args, **sample.kwargs)
    except (RuntimeError, IndexError, ValueError, TypeError):
        return False
    return True


def _arguments(op: OpOverload, draw: Draw) -> tuple[tuple[Any, ...], dict[str, Any]]:
    shapes, seed = iter(SHAPES), torch.Generator().manual_seed(2)
    given: dict[str, Any] = {}
    for argument in op._schema.arguments:
        kind = str(argument.type)
        if kind == "Tensor":
            given[argument.name] = draw(next(shapes), seed)
        elif not argument.has_default_value() or argument.name == "max":
            given[argument.name] = _made(kind, draw, seed)
    keywords = {argument.name for argument in op._schema.arguments if argument.kwarg_only}
    positional = tuple(value for name, value in given.items() if name not in keywords)
    return positional, {name: value for name, value in given.items() if name in keywords}


def _made(kind: str, draw: Draw, seed: torch.Generator) -> Any:
    """Make an argument: an optional tensor is one too, numbers are in every draw's range."""
    if kind == "Optional[Tensor]":
        return draw(SHAPES[1], seed)
    return {"bool": True, "float": 0.5, "Optional[str]": "floor"}.get(kind, 2)
