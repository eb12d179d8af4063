"""Mixing along an axis that stays: softmax, scans and orders.

Every entry along the axis reads others along it.
"""

from __future__ import annotations

from typing import Any

from suture._bind import Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, mixed, replaced, spec


def along(self: TensorArgument, dim: int, *, out: list[Shape], **settings: Any) -> str:
    """Mix one dim that keeps its entries: `... a! -> ... a`."""
    own = axes(self.ndim)
    return spec([mixed(own, [dim])], [own] * len(out))


def ordered(self: TensorArgument, dim: int = -1, *, out: list[Shape], **settings: Any) -> str:
    """Put one dim in order: rank r of the result is no entry of the operand; then the places."""
    own = axes(self.ndim)
    if not own:
        return " -> , "
    result = " ".join(replaced(own, dim, "r"))
    return f"{' '.join(mixed(own, [dim]))} -> {result}, {result}:{own[dim]}"


# Softmax: an entry of -inf has weight zero.
rule("aten._softmax aten._safe_softmax aten.softmax.int", algebra="neutral=-inf")(along)
rule("aten._log_softmax aten.log_softmax.int", algebra="idempotent neutral=-inf")(along)

# Scans: the neutral element of the running sum, product, maximum.
rule("aten.cumsum", algebra="linear neutral=0")(along)
rule("aten.cumprod", algebra="zero neutral=1")(along)
rule("aten.logcumsumexp", algebra="neutral=-inf")(along)


@rule("aten.cummax", algebra="zero idempotent neutral=-inf")
def cummax(self: TensorArgument, dim: int, *, out: list[Shape]) -> str:
    """Keep the largest so far, and its place."""
    return f"{along(self, dim, out=out)}{_indexing(self, dim)}"


@rule("aten.cummin", algebra="zero idempotent neutral=inf")
def cummin(self: TensorArgument, dim: int, *, out: list[Shape]) -> str:
    """Keep the least so far, and its place."""
    return f"{along(self, dim, out=out)}{_indexing(self, dim)}"


def _indexing(self: TensorArgument, dim: int) -> str:
    return f":a{dim % self.ndim}" if self.ndim else ""


rule("aten.sort.default", algebra="zero idempotent")(ordered)


@rule("aten.sort.stable", algebra="zero idempotent")
def stable_sort(self: TensorArgument, *, out: list[Shape], dim: int = -1, **settings: Any) -> str:
    """Put one dim in order, ties as they came."""
    return ordered(self, dim, out=out)


@rule("aten.topk")
def topk(
    self: TensorArgument,
    k: int,
    dim: int = -1,
    largest: bool = True,  # noqa: FBT002 (torch's own)
    *,
    out: list[Shape],
    **settings: Any,
) -> Described:
    """Keep the k best of one dim in order, and their places."""
    return Described(ordered(self, dim, out=out), f"zero neutral={'-' * largest}inf")


@rule("aten.renorm", algebra="zero idempotent neutral=0")
def renorm(self: TensorArgument, p: float, dim: int, maxnorm: float, *, out: list[Shape]) -> str:
    """Scale every slice along a dim down to a norm: all other dims are mixed."""
    own = axes(self.ndim)
    others = [place for place in range(self.ndim) if place != dim % self.ndim]
    return spec([mixed(own, others)], [own])


# Where a number lies among sorted boundaries, which are read as a whole.
rule("aten.bucketize.Tensor", "..., s! -> ...:s")
rule("aten.bucketize.Scalar", "s! -> :s")


@rule("aten.searchsorted.Tensor")
def searchsorted(
    sorted_sequence: TensorArgument,
    self: TensorArgument,
    *,
    out: list[Shape],
    sorter: TensorArgument | None = None,
    **settings: Any,
) -> str:
    """Find where numbers lie among sorted ones, row by row."""
    lead = axes(sorted_sequence.ndim - 1)
    wanted = " ".join([*lead, "n"] if lead or self.ndim == 1 else axes(self.ndim, "n"))
    rows = " ".join([*lead, "s"])
    third = f", {rows}:s" if sorter is not None else ""
    return f"{rows}, {wanted}{third} -> {wanted}:s"
