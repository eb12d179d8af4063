"""The recording: what has been seen of a model so far, op by op.

Knows values, nodes, and which entries are known. Does not know how an op is run (`_record`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch._ops import OpOverload

from suture._graph import Node, Value
from suture._rule import TensorArgument
from suture._torch._alias import Aliases
from suture._torch._dtype import short


@dataclass(frozen=True, slots=True)
class Operand:
    """Which operand of a node stands in a tensor's place."""

    place: int


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """How a node is run again: its op with all arguments, each tensor as an `Operand`."""

    op: OpOverload
    arguments: Mapping[str, Any]


@dataclass(slots=True, eq=False)
class Recording:
    """What has been seen so far: values by index, nodes in order, and what is known of the values.

    `made` says how each node is run again, `real` holds entries where they are known, `constant`
    the values that depend on neither weights nor inputs, `index` the value of each tensor by
    identity, `kept` every tensor so that no identity is reused, `named` what the user calls values.
    """

    values: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)
    real: dict[int, torch.Tensor] = field(default_factory=dict)
    constant: set[int] = field(default_factory=set)
    index: dict[int, int] = field(default_factory=dict)
    kept: list[torch.Tensor] = field(default_factory=list)
    aliases: Aliases = field(default_factory=Aliases)
    named: dict[int, tuple[str, str]] = field(default_factory=dict)

    def add(
        self, tensor: torch.Tensor, real: torch.Tensor | None = None, *, constant: bool = False
    ) -> int:
        """Make a tensor a value of its own."""
        value = len(self.values)
        self.values.append(Value(tuple(tensor.shape), short(tensor.dtype)))
        self.index[id(tensor)] = value
        self.kept.append(tensor)
        self.aliases.add(tensor)
        if real is not None:
            self.real[value] = real
        if constant:
            self.constant.add(value)
        return value

    def see(self, tensor: torch.Tensor, value: int) -> TensorArgument:
        """Show a tensor to a rule, with its entries where they are constants."""
        known = self.real.get(value) if value in self.constant else None
        counted = known is not None and not known.is_floating_point() and not known.is_complex()
        values = known.numpy() if known is not None and counted else None
        return TensorArgument(tuple(tensor.shape), short(tensor.dtype), values)
