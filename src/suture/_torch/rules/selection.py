"""Selection: part of the entries of a dim, in their order or in another.

A contiguous part is a part of a sum, `a+b+c -> b`; any other constant choice is a pick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from suture._bind import Pick, Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, laid, mixed, replaced, spec

MOVES = "linear moves"


def part(start: int, length: int, size: int) -> tuple[str, dict[str, int]]:
    """Cut a dim into what lies before a part, the part `p`, and what lies behind it."""
    sizes = {"before": start, "p": length, "behind": size - start - length}
    return laid(*((name, sizes[name]) for name in ("before", "p", "behind"))), sizes


def bounds(start: int | None, end: int | None, step: int, size: int) -> range:
    """Entries that a slice keeps of `size`."""
    return range(*slice(start, end, step).indices(size))


@rule("aten.slice.Tensor aten.slice_copy.Tensor", algebra=MOVES)
def slice_(
    self: TensorArgument,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    *,
    out: list[Shape],
) -> Described:
    """Keep a part of a dim, or every so many of its entries."""
    size = self.shape[dim]
    kept = bounds(start, end, step, size)
    if len(kept) == size:
        return Described(spec([axes(self.ndim)], [axes(self.ndim)]), "linear idempotent moves")
    if step != 1 and len(kept) > 1:
        return picked(self.ndim, dim, kept)
    own = axes(self.ndim)
    text, sizes = part(kept.start, len(kept), size)
    return Described(spec([replaced(own, dim, text)], [replaced(own, dim, "p")]), sizes=sizes)


def picked(ndim: int, dim: int, index: Sequence[int]) -> Described:
    """Describe a dim whose entries are picked by a constant index, -1 for a constant entry."""
    return picked_dims(ndim, {dim % ndim: index})


def picked_dims(ndim: int, indices: Mapping[int, Sequence[int]]) -> Described:
    """Describe several dims that are picked, each by its own index."""
    own, result = axes(ndim), axes(ndim)
    picks = []
    for place, index in indices.items():
        result[place] = f"p{place}"
        entries = np.asarray(index, dtype=np.int64)
        picks.append(Pick(result[place], own[place], entries))
    sizes = {pick.axis: len(pick.index) for pick in picks}
    return Described(spec([own], [result]), sizes=sizes, picks=tuple(picks))


@rule("aten.flip", algebra=MOVES)
def flip(self: TensorArgument, dims: list[int], *, out: list[Shape]) -> Described:
    """Read dims backwards."""
    turned = {dim % self.ndim: range(self.shape[dim])[::-1] for dim in dims} if self.ndim else {}
    return picked_dims(self.ndim, turned)


@rule("aten.roll", algebra=MOVES)
def roll(
    self: TensorArgument, shifts: list[int], dims: Sequence[int] = (), *, out: list[Shape]
) -> Described:
    """Shift dims in a circle; without dims, the flat order, of which no axis stays."""
    if not dims and self.ndim > 1:
        own = axes(self.ndim)
        return Described(spec([mixed(own, range(self.ndim))], [axes(self.ndim, "r")]))
    total: dict[int, int] = {}
    for dim, shift in zip(dims or (0,), shifts, strict=True):
        total[dim % self.ndim] = total.get(dim % self.ndim, 0) + shift
    indices = {place: np.roll(np.arange(self.shape[place]), by) for place, by in total.items()}
    return picked_dims(self.ndim, {place: index.tolist() for place, index in indices.items()})


@rule("aten.split.Tensor aten.unsafe_split.Tensor aten.split_copy.Tensor", algebra=MOVES)
def split(self: TensorArgument, split_size: int, dim: int = 0, *, out: list[Shape]) -> Described:
    """Cut a dim into parts: `n a+b -> n a, n b`."""
    return parts(self, dim, out)


@rule(
    "aten.split_with_sizes aten.unsafe_split_with_sizes aten.split_with_sizes_copy",
    algebra=MOVES,
)
def split_with_sizes(
    self: TensorArgument, split_sizes: list[int], dim: int = 0, *, out: list[Shape]
) -> Described:
    """Cut a dim into parts of given sizes."""
    return parts(self, dim, out)


def parts(self: TensorArgument, dim: int, out: list[Shape]) -> Described:
    """Describe a dim that falls into one part per result."""
    own, names = axes(self.ndim), axes(len(out), "p")
    sizes = {name: shape[dim] for name, shape in zip(names, out, strict=True)}
    whole = replaced(own, dim, laid(*sizes.items()))
    return Described(spec([whole], [replaced(own, dim, name) for name in names]), sizes=sizes)


@rule("aten.index_select", algebra="linear moves, ")
def index_select(
    self: TensorArgument, dim: int, index: TensorArgument, *, out: list[Shape], **_: Any
) -> Described:
    """Pick entries of a dim: by a constant index, or by the values of another operand."""
    own = axes(self.ndim)
    place = ["i"] if index.ndim else []
    if index.values is None:
        result = replaced(own, dim, "i")
        return Described(f"{' '.join(own)}, {' '.join(place)}:{own[dim]} -> {' '.join(result)}")
    entries = np.ravel(index.values).astype(np.int64) % self.shape[dim]
    text = spec([own, place], [replaced(own, dim, "i")])
    return Described(text, sizes={"i": len(entries)}, picks=(Pick("i", own[dim], entries),))
