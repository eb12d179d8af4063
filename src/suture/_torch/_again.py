"""Calls that one trace has met before: the layers of a deep model ask the same of the same shapes.

Knows which calls are alike, and what a call gave on shapes alone. Does not know what an op means.
Torch works out the shapes of most results in Python, check by check; that is half of a trace.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch._ops import OpOverload

from suture._torch._nested import replaced

_PLAIN = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)


class _UnlikeError(Exception):
    """What a call is given cannot be compared."""


def alike(op: OpOverload, named: Mapping[str, Any]) -> Hashable | None:
    """Give what two calls share that give the same on shapes alone; None where none is known to.

    Example:
        >>> one, other = torch.zeros(2, 3), torch.ones(2, 3)
        >>> relu = torch.ops.aten.relu.default
        >>> alike(relu, {"self": one}) == alike(relu, {"self": other})
        True
        >>> alike(relu, {"self": one}) == alike(relu, {"self": other.double()})
        False
    """
    try:
        return op, *(_seen(value) for value in named.values())
    except _UnlikeError:
        return None


def _seen(value: Any) -> Hashable:
    """Show an argument; a number with its type, for 1, 1.0 and True are equal to each other."""
    match value:
        case torch.Tensor():
            if type(value) not in _PLAIN or value.layout is not torch.strided:
                raise _UnlikeError
            return value.shape, value.stride(), value.dtype, value.is_conj(), value.is_neg()
        case list() | tuple():
            return tuple(map(_seen, value))
        case bool() | int() | float() | complex() | str() | None:
            return type(value), value
        case torch.dtype() | torch.device() | torch.memory_format() | torch.layout():
            return value
        case _:
            raise _UnlikeError


@dataclass(slots=True)
class Results:
    """What calls gave on the meta device, by what their like share."""

    _known: dict[Hashable, Any] = field(default_factory=dict)

    def of(self, op: OpOverload, like: Hashable | None, run: Callable[[], Any]) -> Any:
        """Give new meta tensors of the shapes that a like call gave, or run it.

        A view is always run: it has to share its storage. What is kept is nobody else's: a model
        may turn a result in place (`transpose_`).
        """
        if like is None or any(each.alias_info is not None for each in op._schema.returns):
            return run()
        if like not in self._known:
            self._known[like] = run()
        return replaced(self._known[like], _twin)


def _twin(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
