"""Constants that an op adds of its own: left out under every option, as biases are.

Where f(0) is no zero and nothing is said here, a probe takes it away.
"""

from __future__ import annotations

from math import log
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from suture._torch.stand_ins._table import instead


@instead("aten.add")
def add(self: Tensor, other: Any, alpha: float = 1) -> Tensor:
    """Leave a number out."""
    return self + alpha * other if isinstance(other, Tensor) else self


@instead("aten.sub")
def sub(self: Tensor, other: Any, alpha: float = 1) -> Tensor:
    """Leave a number out."""
    return self - alpha * other if isinstance(other, Tensor) else self


@instead("aten.rsub")
def rsub(self: Tensor, other: Any, alpha: float = 1) -> Tensor:
    """Leave a number out: of `1 - x`, `-x` stays."""
    return other - alpha * self if isinstance(other, Tensor) else -alpha * self


@instead("aten.constant_pad_nd")
def constant_pad(self: Tensor, pad: list[int], value: float = 0) -> Tensor:
    """Pad with zeros."""
    return F.pad(self, pad)


@instead("aten.masked_fill.Scalar")
def masked_fill(self: Tensor, mask: Tensor, value: float) -> Tensor:
    """Fill with zeros."""
    return self.masked_fill(mask, 0)


# f(x) - f(0), written so that a small x is not lost in rounding.


@instead("aten.sigmoid")
def sigmoid(self: Tensor) -> Tensor:
    """Rise from zero instead of a half."""
    return torch.tanh(self / 2) / 2


@instead("aten.hardsigmoid")
def hardsigmoid(self: Tensor) -> Tensor:
    """Rise from zero instead of a half."""
    return (self / 6).clamp(-0.5, 0.5)


@instead("aten.log_sigmoid_forward")
def log_sigmoid(self: Tensor) -> Tensor:
    """Rise from zero instead of -log 2."""
    return -torch.log1p(torch.expm1(-self) / 2)


@instead("aten.softplus")
def softplus(self: Tensor, beta: float = 1, **settings: Any) -> Tensor:
    """Rise from zero instead of log 2."""
    return torch.log1p(torch.expm1(self * beta) / 2) / beta


@instead("aten.logsumexp")
def logsumexp(self: Tensor, dim: list[int], keepdim: bool = False) -> Tensor:  # noqa: FBT002
    """Rise from zero instead of log n."""
    return torch.log1p(torch.expm1(self).mean(dim, keepdim=keepdim))


@instead("aten.exp")
def exp(self: Tensor) -> Tensor:
    """Rise from zero instead of one."""
    return torch.expm1(self)


@instead("aten.exp2")
def exp2(self: Tensor) -> Tensor:
    """Rise from zero instead of one."""
    return torch.expm1(self * log(2))


@instead("aten.cosh")
def cosh(self: Tensor) -> Tensor:
    """Rise from zero instead of one."""
    return 2 * torch.sinh(self / 2).square()


@instead("aten.glu")
def glu(self: Tensor, dim: int = -1) -> Tensor:
    """Gate by a sigmoid that rises from zero."""
    value, gate = self.chunk(2, dim)
    return value * sigmoid(gate)
