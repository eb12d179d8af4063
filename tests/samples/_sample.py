"""How a sample is written: an op by name, with operands drawn from one seeded stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

_DRAWS = torch.Generator().manual_seed(20240229)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One call of an op.

    Attributes:
        op: the op.
        args: its positional arguments.
        kwargs: its keyword arguments.
        known: the `id`s of those tensor arguments whose values the rule may see (constants that a
            trace has computed for real); of all others it sees the shape alone.
    """

    op: OpOverload
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    known: frozenset[int] = frozenset()

    def __str__(self) -> str:
        return str(self.op)


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    tensor: Tensor


def sample(op: str, *args: Any, **kwargs: Any) -> Sample:
    """Write a sample; arguments wrapped in `known` are constants to the rule."""
    packet, overload = op.removeprefix("aten.").split(".")
    found: OpOverload = getattr(getattr(torch.ops.aten, packet), overload)
    constants: set[int] = set()

    def plain(value: Any) -> Any:
        if isinstance(value, _Known):
            constants.add(id(value.tensor))
            return value.tensor
        return [plain(item) for item in value] if isinstance(value, list) else value

    positional = tuple(plain(value) for value in args)
    named = {name: plain(value) for name, value in kwargs.items()}
    return Sample(found, positional, named, frozenset(constants))


def known(values: Tensor | list[int]) -> Any:
    """Wrap an integer tensor whose values the rule may see."""
    return _Known(values if isinstance(values, Tensor) else torch.tensor(values))


def f(*shape: int) -> Tensor:
    """Draw float64 from a standard normal."""
    return torch.randn(shape, generator=_DRAWS, dtype=torch.float64)


def i(*shape: int, below: int) -> Tensor:
    """Draw integers from 0 up to `below`."""
    return torch.randint(below, shape, generator=_DRAWS)


def b(*shape: int) -> Tensor:
    """Draw booleans."""
    return torch.rand(shape, generator=_DRAWS) < 0.5
