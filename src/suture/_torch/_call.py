"""Calls: a torch op with its arguments, as the rule table sees it.

Knows op schemas, variants (in-place, `out=`) and tags. Does not know any op by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch._ops import OpOverload

import suture._torch.rules  # noqa: F401  (fills the table)
from suture._bind import Shape
from suture._rule import TABLE, Call, Rule, TensorArgument

POINTWISE = Rule(("<pointwise>",), lambda out, **arguments: _pointwise(arguments, len(out)), "")


def _pointwise(arguments: Mapping[str, Any], results: int) -> str:
    """Spec of an op that torch tags pointwise: every operand broadcasts, nothing else meets."""
    count = sum(1 for value in arguments.values() for _ in _tensors(value))
    return f"{', '.join(['...'] * count)} -> {', '.join(['...'] * results)}"


def _tensors(value: Any) -> Iterator[Any]:
    if isinstance(value, TensorArgument):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


@cache
def functional(op: OpOverload) -> OpOverload:
    """Find the overload that computes the same without writing anywhere; else the op itself."""
    if not op._schema.is_mutable:
        return op
    packet = op._overloadpacket
    name = packet._qualified_op_name.removeprefix("aten::").rstrip("_")
    twins = (name, f"{name}_functional") if name != packet.__name__ else (name,)  # `normal_`
    candidates = (*(getattr(torch.ops.aten, twin, None) for twin in twins), packet)
    wanted = _signature(op)
    for candidate in candidates:
        for overload in candidate.overloads() if candidate is not None else ():
            found: OpOverload = getattr(candidate, overload)
            if not found._schema.is_mutable and _signature(found) == wanted:
                return found
    return op


def _signature(op: OpOverload) -> list[tuple[str, str]]:
    return [(a.name, str(a.type)) for a in op._schema.arguments if not a.is_out]


def find_rule(op: OpOverload) -> Rule | None:
    """Find the rule of an op: its own, its functional variant's, or the pointwise tag's."""
    plain = functional(op)
    for candidate in (op, plain):
        rule = TABLE.find(str(candidate)) or TABLE.find(_stripped(candidate))
        if rule is not None:
            return rule
    return POINTWISE if torch.Tag.pointwise in (*op.tags, *plain.tags) else None


def _stripped(op: OpOverload) -> str:
    """Name the op without the mark of an in-place variant: `aten.add.Tensor` for `add_`."""
    packet, _, overload = str(op).rpartition(".")
    return f"{packet.rstrip('_')}.{overload}"


def arguments(op: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Name every argument of a call as the schema does, defaults included, `out=` left out."""
    named: dict[str, Any] = {}
    for place, argument in enumerate(op._schema.arguments):
        if argument.is_out:
            continue
        if place < len(args):
            named[argument.name] = args[place]
        else:
            named[argument.name] = kwargs.get(argument.name, argument.default_value)
    return named


@cache
def _tensor_names(op: OpOverload) -> tuple[str, ...]:
    """Name the arguments of an op that are tensors or lists of them."""
    given = (argument for argument in op._schema.arguments if not argument.is_out)
    return tuple(argument.name for argument in given if "Tensor" in str(argument.type))


def tensor_places(op: OpOverload, named: Mapping[str, Any]) -> list[Any]:
    """List the tensor arguments in schema order, lists flattened, None where one is absent.

    A plain number in a tensor's place (`x + 1` calls `add.Tensor`) is no operand either.
    """
    places: list[Any] = []
    for name in _tensor_names(op):
        value = named[name]
        if isinstance(value, (list, tuple)):
            places += value
        else:
            places.append(value if isinstance(value, torch.Tensor) else None)
    return places


def make_call(
    op: OpOverload,
    named: Mapping[str, Any],
    view: Callable[[torch.Tensor], TensorArgument],
    outputs: Sequence[Shape],
) -> Call:
    """Describe a call for the rule table; `view` says how a tensor is seen."""
    seen: dict[int, TensorArgument] = {}

    def see(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return seen.setdefault(id(value), view(value))
        if isinstance(value, (list, tuple)):
            return type(value)(see(item) for item in value)
        return value

    shown = {name: see(value) for name, value in named.items()}
    operands = tuple(see(value) for value in tensor_places(op, named))
    return Call(str(op), shown, operands, tuple(outputs))
