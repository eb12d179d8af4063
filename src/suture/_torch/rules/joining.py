"""Joining: tensors laid end to end, and parts of a tensor written over."""

from __future__ import annotations

from typing import Any

from suture._bind import Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, laid, replaced, spec, without
from suture._torch.rules.selection import bounds, part

# A sum of operands that are each padded with zeros.
JOINED = "linear add moves"


@rule("aten.cat aten.concat", algebra=JOINED)
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


@rule("aten.slice_scatter")
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
        return _strided_scatter(own, dim, self.shape, src.shape)
    text, sizes = part(kept.start, len(kept), size)
    old = text.replace("p", "x") if len(kept) else text
    operands = [replaced(own, dim, old), replaced(own, dim, "p")]
    result = replaced(own, dim, text)
    return Described(spec(operands, [result]), JOINED, {**sizes, "x": len(kept)})


def _strided_scatter(own: list[str], dim: int, shape: Shape, source: Shape) -> Described:
    """Write over every so many entries: which of the two is read changes from entry to entry."""
    text = spec([own, replaced(own, dim, "s!")], [own])
    return Described(text, JOINED, {own[dim]: shape[dim], "s": source[dim]})


@rule("aten.select_scatter", algebra=JOINED)
def select_scatter(
    self: TensorArgument, src: TensorArgument, dim: int, index: int, *, out: list[Shape]
) -> Described:
    """Write over one entry of a dim; the source has no such dim."""
    own, size = axes(self.ndim), self.shape[dim]
    text, sizes = part(index % size, 1, size)
    operands = [replaced(own, dim, text.replace("p", "x")), without(own, [dim])]
    return Described(spec(operands, [replaced(own, dim, text)]), sizes={**sizes, "x": 1})


@rule("aten.block_diag", algebra=JOINED)
def block_diag(tensors: list[TensorArgument], *, out: list[Shape]) -> str:
    """Lay matrices along a diagonal."""
    rows, columns = axes(len(tensors), "r"), axes(len(tensors), "c")
    pairs = zip(tensors, rows, columns, strict=True)
    operands = [([], [c], [r, c])[tensor.ndim] for tensor, r, c in pairs]
    return spec(operands, [["+".join(rows), "+".join(columns)]])


@rule("aten.glu", algebra="zero")
def glu(self: TensorArgument, dim: int = -1, *, out: list[Shape], **_: Any) -> str:
    """Gate a half by the other: the two parts are one axis, `n a+a -> n a`."""
    own = axes(self.ndim)
    return spec([replaced(own, dim, f"{own[dim]}+{own[dim]}")], [own])
