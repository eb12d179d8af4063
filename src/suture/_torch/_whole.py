"""Ops that torch takes apart before anybody can see them, although they have a rule of their own.

Knows which. Does not know their axes (`rules`): `one_hot` would arrive as a comparison with counted
numbers, and nothing would tell that its integers choose from an axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._ops import OpOverload
from torch.nn import functional
from torch.overrides import TorchFunctionMode

WHOLE: dict[Callable[..., Any], OpOverload] = {
    functional.one_hot: torch.ops.aten.one_hot.default,
}


class Whole(TorchFunctionMode):
    """Hands calls of such ops on in one piece."""

    def __init__(self, hand_on: Callable[[OpOverload, Any, Any], Any]) -> None:
        super().__init__()
        self.hand_on = hand_on

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func not in WHOLE:
            return func(*args, **(kwargs or {}))
        with torch._C._DisableTorchDispatch():
            return self.hand_on(WHOLE[func], args, kwargs or {})
