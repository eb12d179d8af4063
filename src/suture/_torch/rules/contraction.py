"""Contractions: matrix products and what is built from them.

Knows ops that multiply entries of one operand with entries of others and sum over an axis.
"""

from __future__ import annotations

from typing import Any

from suture._bind import Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import broadcast, spec

PRODUCT = "linear mul neutral=0"

# Multilinear: zeros on the contracted axis add nothing.
rule("aten.mm", "m k, k n -> m n", PRODUCT)
rule("aten.bmm", "b m k, b k n -> b m n", PRODUCT)
rule("aten.mv", "m k, k -> m", PRODUCT)
rule("aten.dot aten.vdot", "k, k -> ", PRODUCT)
rule("aten.linear", "... k, n k, n -> ... n", f"{PRODUCT}, {PRODUCT}, linear add")


# The same with a term added, which broadcasts. Where two operands meet in a product and a third is
# added, the factors' meeting is the product's.
# `beta` weighs the term, `alpha` the product.
@rule("aten.addmm")
def addmm(self: TensorArgument, *, out: list[Shape], **others: Any) -> Described:
    """Self + mat1 @ mat2."""
    return _added(self, ["m", "k"], ["k", "n"], ["m", "n"], out[0], others)


@rule("aten.baddbmm")
def baddbmm(self: TensorArgument, *, out: list[Shape], **others: Any) -> Described:
    """Self + batch1 @ batch2."""
    return _added(self, ["b", "m", "k"], ["b", "k", "n"], ["b", "m", "n"], out[0], others)


@rule("aten.addbmm")
def addbmm(self: TensorArgument, *, out: list[Shape], **others: Any) -> Described:
    """Self + the sum over the batch of batch1 @ batch2."""
    return _added(self, ["b", "m", "k"], ["b", "k", "n"], ["m", "n"], out[0], others)


@rule("aten.addmv")
def addmv(self: TensorArgument, *, out: list[Shape], **others: Any) -> Described:
    """Self + mat @ vec."""
    return _added(self, ["m", "k"], ["k"], ["m"], out[0], others)


@rule("aten.addr")
def addr(self: TensorArgument, *, out: list[Shape], **others: Any) -> Described:
    """Self + the outer product of two vectors."""
    return _added(self, ["m"], ["n"], ["m", "n"], out[0], others)


def _added(
    term: TensorArgument,
    left: list[str],
    right: list[str],
    result: list[str],
    shape: Shape,
    settings: dict[str, Any],
) -> Described:
    text = spec([broadcast(term.shape, result, shape), left, right], [result])
    product = PRODUCT if {*left} & {*right} else "linear mul"
    alpha, beta = (f"{float(settings.get(name, 1))!r}" for name in ("alpha", "beta"))
    words = f"linear add factor={beta}, {product} times={alpha}, {product}"
    return Described(text, words)


@rule("aten._trilinear", algebra=PRODUCT)
def trilinear(
    i1: TensorArgument,
    i2: TensorArgument,
    i3: TensorArgument,
    expand1: list[int],
    expand2: list[int],
    expand3: list[int],
    sumdim: list[int],
    unroll_dim: int = 1,
    *,
    out: list[Shape],
) -> str:
    """Multiply three tensors that are expanded to one rank, and sum over dims."""
    rank = i1.ndim + len(expand1)
    dims = [f"a{place}" for place in range(rank)]
    operands = [
        [dim for place, dim in enumerate(dims) if place not in expand]
        for expand in (expand1, expand2, expand3)
    ]
    return spec(operands, [[dim for place, dim in enumerate(dims) if place not in sumdim]])


# Distances between rows: under one root, every coordinate meets every other.
rule("aten._cdist_forward aten._euclidean_dist", "... m k!, ... n k! -> ... m n")


@rule("aten.linalg_cross", algebra="linear mul")
def cross(
    self: TensorArgument, other: TensorArgument, dim: int = -1, *, out: list[Shape]
) -> Described:
    """Multiply vectors in space: every coordinate but its own reaches a coordinate."""
    dims = [f"a{place}" for place in range(len(out[0]))]
    own, theirs = (broadcast(tensor.shape, dims, out[0]) for tensor in (self, other))
    own[dim] = theirs[dim] = dims[dim] + "!"
    return Described(spec([own, theirs], [dims]))
