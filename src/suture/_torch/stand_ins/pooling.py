"""Pooling: where an op picks one entry of many, the gradient sees no other. An average sees all."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from suture._torch.stand_ins._table import instead


@instead("aten.amax aten.amin", "average")
def best(self: Tensor, dim: Sequence[int] = (), keepdim: bool = False) -> Tensor:  # noqa: FBT002
    """Average the dims, or all of them."""
    return self.mean(tuple(dim) or tuple(range(self.ndim)), keepdim=keepdim)


@instead(
    "aten.max.dim aten.min.dim aten.median.dim aten.nanmedian.dim aten.mode aten.kthvalue",
    "average",
)
def chosen(self: Tensor, dim: int = -1, keepdim: bool = False, k: int = 1) -> Tensor:  # noqa: FBT002
    """Average one dim."""
    return self.mean(dim, keepdim=keepdim)


@instead("aten.max.default aten.min.default aten.median.default aten.nanmedian.default", "average")
def chosen_of_all(self: Tensor) -> Tensor:
    """Average all."""
    return self.mean()


@instead("aten.linalg_vector_norm", "average")
def vector_norm(
    self: Tensor,
    ord: float = 2,
    dim: Any = None,
    keepdim: bool = False,  # noqa: FBT002 (torch's own)
    **settings: Any,
) -> Tensor:
    """Average sizes, where the norm is the largest or the least of them."""
    if not isinf(ord):
        norm: Tensor = torch.linalg.vector_norm(self, ord, dim, keepdim)
        return norm
    return self.abs().mean(tuple(range(self.ndim)) if dim is None else dim, keepdim=keepdim)


@instead("aten.sort", "average")
def sort(self: Tensor, dim: int = -1, **settings: Any) -> Tensor:
    """Give every rank the average."""
    return self.mean(dim, keepdim=True).expand_as(self)


@instead("aten.topk", "average")
def topk(self: Tensor, k: int, dim: int = -1, **settings: Any) -> Tensor:
    """Give each of the best the average."""
    return sort(self, dim).narrow(dim, 0, k) if self.ndim else self


@instead("aten.cummax aten.cummin", "average")
def best_so_far(self: Tensor, dim: int) -> Tensor:
    """Add up so far."""
    return self.cumsum(dim)


@instead("aten.maximum aten.minimum aten.fmax aten.fmin", "average")
def better(self: Tensor, other: Tensor) -> Tensor:
    """Average the two."""
    return (self + other) / 2


@instead("aten.adaptive_max_pool2d aten.adaptive_max_pool3d", "average")
def adaptive_max_pool(self: Tensor, output_size: list[int]) -> Tensor:
    """Average each window."""
    pool: Any = F.adaptive_avg_pool2d if len(output_size) == 2 else F.adaptive_avg_pool3d
    averages: Tensor = pool(self, output_size)
    return averages


@instead("aten.fractional_max_pool2d aten.fractional_max_pool3d", "average")
def fractional_max_pool(
    self: Tensor, kernel_size: list[int], output_size: list[int], random_samples: Tensor
) -> Tensor:
    """Average windows that share the image evenly."""
    return adaptive_max_pool(self, output_size)


@instead("aten.max_pool2d_with_indices aten.max_pool3d_with_indices", "average")
def max_pool(
    self: Tensor,
    kernel_size: list[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,  # noqa: FBT002 (torch's own)
) -> Tensor:
    """Average each window, dilated ones too, which torch averages nowhere else."""
    count = len(kernel_size)
    steps, pads, gaps = (_each(v, count) for v in (stride or kernel_size, padding, dilation))
    behind = [pad + (step - 1) * ceil_mode for pad, step in zip(pads, steps, strict=True)]
    sides = [side for pair in zip(pads[::-1], behind[::-1], strict=True) for side in pair]
    sizes = self.shape[-count:]
    kernel = self.new_ones(1, 1, *kernel_size)
    convolve: Any = F.conv2d if count == 2 else F.conv3d
    padded = F.pad(self.reshape(-1, 1, *sizes), sides)
    sums = convolve(padded, kernel / kernel.numel(), stride=steps, dilation=gaps)
    # Torch leaves out windows that would start in the padding behind.
    starts = zip(sizes, pads, steps, strict=True)
    most = [(size + pad - 1) // step + 1 for size, pad, step in starts]
    kept = sums[(..., *(slice(n) for n in most))]
    averages: Tensor = kept.reshape(*self.shape[:-count], *kept.shape[-count:])
    return averages


def _each(values: Sequence[int], count: int) -> list[int]:
    return list(values) if len(values) == count else [values[0]] * count
