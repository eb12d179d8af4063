"""Joining: tensors laid end to end, and parts of a tensor written over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from suture._bind import Pick, Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, laid, replaced, spec
from suture._torch.rules.selection import bounds, part

# A sum of operands that are each padded with zeros.
JOINED = "linear add moves"
OVER = "linear add idempotent moves, linear add moves"


@rule("aten.cat", algebra=JOINED)
def cat(tensors: list[TensorArgument], dim: int = 0, *, out: list[Shape]) -> Described:
    """Lay tensors end to end: `n a, n b -> n a+b`; torch skips those of shape [0]."""
    own, names = axes(len(out[0])), axes(len(tensors), "p")
    empty = [tensor.shape == (0,) != out[0] for tensor in tensors]
    sizes = {
        name: 0 if skip else tensor.shape[dim]
        for name, tensor, skip in zip(names, tensors, empty, strict=True)
    }
    operands = [
        [name] if skip else replaced(own, dim, name)
        for name, skip in zip(names, empty, strict=True)
    ]
    return Described(spec(operands, [replaced(own, dim, laid(*sizes.items()))]), sizes=sizes)


@rule("aten.slice_scatter", algebra=OVER)
def slice_scatter(
    self: TensorArgument,
    src: TensorArgument,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    *,
    out: list[Shape],
) -> Described:
    """Write over a part of a dim: `a+x+c, b -> a+b+c`."""
    own, size = axes(self.ndim), self.shape[dim]
    kept = bounds(start, end, step, size)
    if step != 1 and len(kept) > 1:
        return overwritten(own, dim, size, kept)
    text, sizes = part(kept.start, len(kept), size)
    operands = [replaced(own, dim, text.replace("p", "x")), replaced(own, dim, "p")]
    return Described(
        spec(operands, [replaced(own, dim, text)]),
        sizes={**sizes, "x": len(kept)},
        picks=(unread("x", "p", len(kept)),),
    )


def unread(axis: str, source: str, size: int) -> Pick:
    """Say that an operand's axis is no entry of another that stands in its place in the result."""
    return Pick(axis, source, np.full(size, -1))


def overwritten(own: list[str], dim: int, size: int, written: Sequence[int]) -> Described:
    """Write slices over some entries of a dim, the last one where several go to one place."""
    index = np.asarray(written, dtype=np.int64)
    last = np.array([place not in written[k + 1 :] for k, place in enumerate(written)], dtype=bool)
    stays = ~np.isin(np.arange(size), index)
    old = Pick("x", own[dim], np.where(stays, np.arange(size), -1))
    new = Pick("s", own[dim], np.where(last, index, -1))
    text = spec([replaced(own, dim, "x"), replaced(own, dim, "s")], [own])
    return Described(text, sizes={own[dim]: size, "x": size, "s": len(index)}, picks=(old, new))


@rule("aten.block_diag", algebra=JOINED)
def block_diag(tensors: list[TensorArgument], *, out: list[Shape]) -> Described:
    """Lay matrices along a diagonal."""
    rows, columns = axes(len(tensors), "r"), axes(len(tensors), "c")
    pairs = zip(tensors, rows, columns, strict=True)
    operands = [([], [f"({r} {c})"], [r, c])[tensor.ndim] for tensor, r, c in pairs]
    sizes = {r: 1 for tensor, r in zip(tensors, rows, strict=True) if tensor.ndim < 2}
    return Described(spec(operands, [["+".join(rows), "+".join(columns)]]), sizes=sizes)


@rule("aten.glu", algebra="zero")
def glu(self: TensorArgument, dim: int = -1, *, out: list[Shape], **_: Any) -> str:
    """Gate a half by the other: the two parts are one axis, `n a+a -> n a`."""
    own = axes(self.ndim)
    return spec([replaced(own, dim, f"{own[dim]}+{own[dim]}")], [own])
