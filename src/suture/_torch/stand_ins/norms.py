"""Norms: they subtract a mean, or what the others have, so that positive values cancel.

An average of all that a norm reads shows the same, without a sign: everything reads everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from suture._torch.stand_ins._table import instead


@instead(
    "aten._softmax aten._safe_softmax aten.softmax.int aten._log_softmax aten.log_softmax.int",
    "positive",
)
def softmax(self: Tensor, dim: int, **settings: Any) -> Tensor:
    """Average one dim."""
    return self.mean(dim, keepdim=True).expand_as(self)


@instead("aten.native_layer_norm", "positive")
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    """Average the last dims."""
    x = rms_norm(input, normalized_shape, weight)
    return x if bias is None else x + bias


@instead("aten._fused_rms_norm", "positive")
def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, eps: float | None = None
) -> Tensor:
    """Average the last dims."""
    dims = tuple(range(-len(normalized_shape), 0))
    x = input.mean(dims, keepdim=True).expand_as(input)
    return x if weight is None else x * weight


@instead("aten.native_group_norm", "positive")
def group_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, group: int, **sizes: Any
) -> Tensor:
    """Average the channels of each group, and all of space."""
    grouped = input.reshape(input.shape[0], group, -1)
    x = grouped.mean(-1, keepdim=True).expand_as(grouped).reshape(input.shape)
    return _affine(x, weight, bias)


@instead("aten.var aten.std", "positive")
def spread(self: Tensor, dim: Any = None, keepdim: bool = False, **settings: Any) -> Tensor:  # noqa: FBT002
    """Average."""
    return self.mean(tuple(range(self.ndim)) if dim is None else dim, keepdim=keepdim)


@instead("aten.var_mean aten.std_mean", "positive")
def spread_and_mean(self: Tensor, **settings: Any) -> tuple[Tensor, Tensor]:
    """Average, twice."""
    return spread(self, **settings), spread(self, **settings)


# By channel. Running statistics are no data: under every option they scale, and their mean is added
# as a bias is.


@instead(
    "aten.native_batch_norm aten._native_batch_norm_legit_functional "
    "aten._native_batch_norm_legit_no_training aten._native_batch_norm_legit.no_stats"
)
def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    training: bool = False,  # noqa: FBT002 (torch's own)
    eps: float = 1e-5,
    **settings: Any,
) -> Tensor:
    """Scale by the running statistics, or average each channel over the batch and space."""
    if training or running_mean is None or running_var is None:
        x = input.mean((0, *range(2, input.ndim)), keepdim=True).expand_as(input)
        return _affine(x, weight, bias)
    x = input - _by_channel(_silent(running_mean), input)
    return _affine(x * _by_channel(running_var + eps, input).rsqrt(), weight, bias)


def _silent(parameter: Tensor) -> Tensor:
    """Give zeros whose gradient is the parameter's."""
    return parameter - parameter.detach()


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * _by_channel(weight, x)
    return x if bias is None else x + _by_channel(bias, x)


def _by_channel(vector: Tensor, x: Tensor) -> Tensor:
    return vector.reshape(-1, *(1,) * (x.ndim - 2))
