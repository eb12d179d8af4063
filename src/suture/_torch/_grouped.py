"""Grouped matrix products: as many products as groups, laid side by side in one.

Knows how a group of rows, of columns or of the summed dim is told by offsets. Does not know what
decides the groups.

The kernel runs only on widths that its hardware likes, and its meta twin on fewer still, so it is
taken apart: each group computes everything, and a mask keeps what is its own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def grouped_mm(
    self: Tensor,
    mat2: Tensor,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> Any:
    """Multiply group by group; `offs` says where each group ends: in `self`, in `mat2` or in both.

    Args:
        self: [groups, m, k] or [m, k].
        mat2: [groups, k, n] or [k, n].
        offs: [groups], unless both have that dim.
        bias: not taken by the kernel either.
        out_dtype: the result's dtype.
    """
    if bias is not None:
        return NotImplemented
    product = _product(self, mat2, offs)
    return product if out_dtype is None else product.to(out_dtype)


def _product(left: Tensor, right: Tensor, offs: Tensor | None) -> Tensor:
    if offs is None:
        return torch.bmm(left, right)
    groups = offs.shape[0]
    if left.ndim == right.ndim == 2:
        own = left[None] * _own(left.shape[1], offs)[:, None].to(left.dtype)
        return torch.bmm(own, right.expand(groups, *right.shape))
    if left.ndim == 2:
        every = torch.bmm(left.expand(groups, *left.shape), right)
        return (every * _own(left.shape[0], offs)[:, :, None].to(every.dtype)).sum(0)
    every = torch.bmm(left, right.expand(groups, *right.shape))
    return (every * _own(right.shape[1], offs)[:, None].to(every.dtype)).sum(0)


def _own(size: int, offs: Tensor) -> Tensor:
    """Say which places of a dim are each group's, the first that ends behind it: [groups, size].

    No group is compared with its neighbour: entries of one axis that meet others would be one unit.
    """
    before = torch.arange(size, device=offs.device) < offs[:, None]
    return before & (before.cumsum(0) == 1)
