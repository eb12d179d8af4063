"""Lookups: operands whose integer values index an axis of another operand, `...:v`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from suture._bind import Pick, Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, broadcast, spec

# Rows of a table, chosen by ids.
rule("aten.embedding", "v d, ...:v -> ... d", "linear moves, ")
rule("aten.embedding_renorm", "v d!, ...:v -> v d", "zero idempotent neutral=0, ")
rule("aten.repeat_interleave.Tensor", "r! -> i:r")
rule("aten.one_hot", "...:v -> ... v")
rule("aten.multinomial", "... v -> ... s:v")


@rule("aten._embedding_bag aten._embedding_bag_forward_only")
def embedding_bag(
    weight: TensorArgument,
    indices: TensorArgument,
    offsets: TensorArgument,
    *,
    out: list[Shape],
    mode: int = 0,
    per_sample_weights: TensorArgument | None = None,
    **settings: Any,
) -> Described:
    """Look rows up and reduce them per bag (sum, mean, max); what else comes out tells of bags."""
    weighted = per_sample_weights is not None
    table = "v! d" if mode == MAXIMUM else "v d"
    operands = [table, "l:v", "b!", *["l"] * weighted]
    rest = [_bag_result(shape, indices.shape, out[0]) for shape in out[1:]]
    words = ["zero" if mode == MAXIMUM else "linear mul" if weighted else "linear"]
    words += ["", "", *["linear mul"] * weighted]
    text = f"{', '.join(operands)} -> {', '.join(['b d', *rest])}"
    return Described(text, ", ".join(words), picks=_bags(indices, offsets, out[0][0]))


MAXIMUM = 2


def _bag_result(shape: Shape, indices: Shape, out: Shape) -> str:
    """Name the dims of a result of unused size: per entry, per bag, or empty."""
    known = {indices: "l", out[:1]: "b", out: "b d"}
    return known.get(shape, " ".join(axes(len(shape), "e")))


def _bags(indices: TensorArgument, offsets: TensorArgument, count: int) -> tuple[Pick, ...]:
    """Say in which bag every index is, where offsets are known."""
    if offsets.values is None:
        return ()
    places = np.arange(indices.shape[0])
    bag = np.searchsorted(np.asarray(offsets.values)[:count], places, side="right") - 1
    return (Pick("l", "b", bag.astype(np.int64)),)


@rule("aten.index.Tensor aten._unsafe_index.Tensor")
def index(
    self: TensorArgument, indices: Sequence[TensorArgument | None], *, out: list[Shape]
) -> Described:
    """Index dims by tensors, which broadcast; constant vectors pick, others look up."""
    chosen = [place for place, tensor in enumerate(indices) if tensor is not None]
    tensors = [tensor for tensor in indices if tensor is not None]
    shape = np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    own, met = axes(self.ndim), axes(len(shape), "i")
    result = indexed(own, chosen, met)
    operands = [broadcast(tensor.shape, met, shape) for tensor in tensors]
    words = ", ".join(["linear moves", *[""] * len(tensors)])
    if len(shape) == 1 and all(tensor.values is not None for tensor in tensors):
        picks = tuple(
            Pick("p", own[place], _entries(tensor, shape, self.shape[place]))
            for place, tensor in zip(chosen, tensors, strict=True)
        )
        constants = [["p"] if dims == met else dims for dims in operands]
        picked = ["p" if dim == met[0] else dim for dim in result]
        return Described(spec([own, *constants], [picked]), words, {"p": shape[0]}, picks)
    texts = [f"{' '.join(dims)}:{own[place]}" for dims, place in zip(operands, chosen, strict=True)]
    return Described(f"{', '.join([' '.join(own), *texts])} -> {' '.join(result)}", words)


def _entries(tensor: TensorArgument, shape: Shape, size: int) -> Any:
    return np.broadcast_to(tensor.values, shape).astype(np.int64) % max(size, 1)


def indexed(own: list[str], chosen: list[int], met: list[str]) -> list[str]:
    """Put the indices' dims where the indexed dims were: together if those adjoin, else first."""
    rest = [dim for place, dim in enumerate(own) if place not in chosen]
    adjoin = chosen == list(range(chosen[0], chosen[0] + len(chosen)))
    start = chosen[0] if adjoin else 0
    return [*rest[:start], *met, *rest[start:]]


@rule("aten.gather", algebra="linear moves, ")
def gather(
    self: TensorArgument, dim: int, index: TensorArgument, *, out: list[Shape], **settings: Any
) -> Described:
    """Look up along one dim, entry by entry along the others: `n v d, n i d:v -> n i d`."""
    own, wanted, sizes = along(self.shape, dim, index.shape)
    text = f"{' '.join(own)}, {' '.join(wanted)}:{name(dim, self.ndim)} -> {' '.join(wanted)}"
    return Described(text if own else ", -> ", sizes=sizes)


def name(dim: int, ndim: int) -> str:
    return f"a{dim % ndim}" if ndim else "v"


def along(shape: Shape, dim: int, index: Shape) -> tuple[list[str], list[str], dict[str, int]]:
    """Name the dims of a tensor and of an index into it, which may leave out the end of a dim."""
    own, wanted = axes(len(shape)), axes(len(shape))
    if not shape:
        return own, wanted, {}
    wanted[dim] = "i"
    sizes: dict[str, int] = {}
    for place, (whole, used) in enumerate(zip(shape, index, strict=True)):
        if place != dim % len(shape) and whole != used:
            sizes |= {f"a{place}": used, f"rest{place}": whole - used}
            own[place] = f"a{place}+rest{place}"
    return own, wanted, sizes
