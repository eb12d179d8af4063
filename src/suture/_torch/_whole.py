"""What torch takes apart, or forgets, before an op can be seen: handed on whole.

Knows ops that have a rule of their own but never arrive (`one_hot` would arrive as a comparison
with counted numbers, and nothing would tell that its integers choose from an axis), and calls that
make tensors of Python's numbers, or numbers of tensors: there are none on the meta device. Does not
know ops' axes (`rules`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.nn import functional
from torch.overrides import TorchFunctionMode

WHOLE: dict[Callable[..., Any], OpOverload] = {
    functional.one_hot: torch.ops.aten.one_hot.default,
}


class Whole(TorchFunctionMode):
    """Hands calls of such ops on in one piece, and keeps the numbers of Python.

    Args:
        hand_on: runs an op in one piece.
        known: gives the entries of a tensor that a call asks for.
    """

    def __init__(
        self,
        hand_on: Callable[[OpOverload, Any, Any], Any],
        known: Callable[[Tensor, Callable[..., Any]], Tensor],
    ) -> None:
        super().__init__()
        self.hand_on = hand_on
        self.known = known

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in KEEPING:
            return KEEPING[func](func, args, kwargs)
        if func in ASKING:
            tensor, *rest = args
            with torch._C._DisableTorchDispatch():
                return func(self.known(tensor, func), *rest, **kwargs)
        if func not in WHOLE:
            return func(*args, **kwargs)
        with torch._C._DisableTorchDispatch():
            return self.hand_on(WHOLE[func], args, kwargs)


def _made(make: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Any:
    """Make a tensor of numbers where there is memory for them."""
    data = args[0] if args else kwargs.get("data")
    if isinstance(data, Tensor) or kwargs.get("device") is None:
        return make(*args, **kwargs)
    return make(*args, **{**kwargs, "device": "cpu"})


def _normed(norm: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Give each entry of a dim its length: as one op, since what has no length cannot be scaled."""
    v, g, dim = (*args, *kwargs.values(), 0)[:3]
    if v.ndim != g.ndim:
        return norm(*args, **kwargs)
    turned = (tensor if dim == 0 else tensor.transpose(0, dim).contiguous() for tensor in (v, g))
    found = torch.ops.aten._weight_norm_interface.default(*turned, 0)[0]
    return found if dim == 0 else found.transpose(0, dim)


def _made_like(
    make: Callable[..., Any], args: tuple[Tensor, Any], kwargs: Mapping[str, Any]
) -> Any:
    like, *rest = args
    dtype = kwargs.get("dtype") or like.dtype
    return torch.tensor(*rest, **{**kwargs, "dtype": dtype, "device": "cpu"})


def _indexed(index: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Any:
    tensor, at, *rest = args
    return index(tensor, _kept(at), *rest, **kwargs)


def _kept(index: Any) -> Any:
    """Make tensors of the lists of numbers in an index."""
    if isinstance(index, tuple):
        return tuple(map(_kept, index))
    if isinstance(index, np.ndarray):
        return torch.from_numpy(index)
    if isinstance(index, list) and _counts(index):
        return torch.tensor(index, dtype=None if index else torch.int64)
    return index


def _counts(index: Any) -> bool:
    if isinstance(index, list):
        return all(map(_counts, index))
    return isinstance(index, int)


KEEPING: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.tensor: _made,
    torch.as_tensor: _made,
    torch.asarray: _made,
    Tensor.new_tensor: _made_like,
    torch._weight_norm: _normed,
    Tensor.__getitem__: _indexed,
    Tensor.__setitem__: _indexed,
}

ASKING = frozenset({Tensor.tolist, Tensor.numpy, Tensor.__array__})
"""Calls that ask for all numbers of a tensor."""
