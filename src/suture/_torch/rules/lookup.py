"""Lookups: operands whose integer values index an axis of another operand, `...:v`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from suture._bind import Pick, Shape
from suture._errors import SpecError
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, broadcast, replaced, spec

# Rows of a table, chosen by ids.
rule("aten.embedding", "v d, ...:v -> ... d", "linear moves, ")
rule("aten.embedding_renorm", "v d!, ...:v -> v d", "zero idempotent, ")
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
    """Look rows up and reduce them per bag (sum, mean, max); three results are torch's scratch."""
    scratch = [axes(len(shape), letter) for shape, letter in zip(out[1:], "xyz", strict=True)]
    weighted = per_sample_weights is not None
    operands = ["v d", "l!:v", "o!", *["l!"] * weighted]
    results = ["b d", *(" ".join(dims) for dims in scratch)]
    words = ["zero" if mode == 2 else "linear mul" if weighted else "linear", "", ""]
    text = f"{', '.join(operands)} -> {', '.join(results)}"
    return Described(text, ", ".join([*words, *["linear mul"] * weighted]))


@rule("aten.index.Tensor aten._unsafe_index.Tensor")
def index(
    self: TensorArgument, indices: Sequence[TensorArgument | None], *, out: list[Shape]
) -> Described:
    """Index dims by tensors, which broadcast; constant vectors pick, others look up."""
    chosen = [place for place, tensor in enumerate(indices) if tensor is not None]
    tensors = [tensor for tensor in indices if tensor is not None]
    shape = np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    own, met = axes(self.ndim), axes(len(shape), "i")
    result = _indexed(own, chosen, met)
    operands = [broadcast(tensor.shape, met, shape) for tensor in tensors]
    words = ", ".join(["linear moves", *[""] * len(tensors)])
    if len(shape) == 1 and all(tensor.values is not None for tensor in tensors):
        picks = tuple(
            Pick("p", own[place], _entries(tensor, shape, self.shape[place]))
            for place, tensor in zip(chosen, tensors, strict=True)
        )
        constants = [[f"c{k}"] if dims else [] for k, dims in enumerate(operands)]
        picked = ["p" if dim == met[0] else dim for dim in result]
        return Described(spec([own, *constants], [picked]), words, {"p": shape[0]}, picks)
    texts = [f"{' '.join(dims)}:{own[place]}" for dims, place in zip(operands, chosen, strict=True)]
    return Described(f"{', '.join([' '.join(own), *texts])} -> {' '.join(result)}", words)


def _entries(tensor: TensorArgument, shape: Shape, size: int) -> Any:
    return np.broadcast_to(tensor.values, shape).astype(np.int64) % max(size, 1)


def _indexed(own: list[str], chosen: list[int], met: list[str]) -> list[str]:
    """Put the indices' dims where the indexed dims were: together if those adjoin, else first."""
    rest = [dim for place, dim in enumerate(own) if place not in chosen]
    adjoin = chosen == list(range(chosen[0], chosen[0] + len(chosen)))
    start = chosen[0] if adjoin else 0
    return [*rest[:start], *met, *rest[start:]]


@rule("aten.index_put aten._unsafe_index_put")
def index_put(
    self: TensorArgument,
    indices: Sequence[TensorArgument | None],
    values: TensorArgument,
    accumulate: bool = False,  # noqa: FBT002 (torch's own)
    *,
    out: list[Shape],
) -> Described:
    """Write values where indices say, or add them there."""
    chosen = [place for place, tensor in enumerate(indices) if tensor is not None]
    tensors = [tensor for tensor in indices if tensor is not None]
    shape = np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    own, met = axes(self.ndim), axes(len(shape), "i")
    sizes = dict(zip(own, self.shape, strict=True)) | dict(zip(met, shape, strict=True))
    at = _indexed(own, chosen, met)
    given = broadcast(values.shape, at, [sizes[dim] for dim in at])
    texts = [
        f"{' '.join(broadcast(tensor.shape, met, shape))}:{own[place]}"
        for tensor, place in zip(tensors, chosen, strict=True)
    ]
    operands = [" ".join(own), *texts, " ".join(given)]
    return Described(f"{', '.join(operands)} -> {' '.join(own)}", _written(accumulate, len(texts)))


def _written(added: bool, indices: int) -> str:
    """Words for a tensor that is written into: what it held, the indices, what is written."""
    old, new = ("linear add", "linear add") if added else ("linear add idempotent", "linear add")
    return ", ".join([old, *[""] * indices, new])


@rule("aten.gather", algebra="linear moves, ")
def gather(
    self: TensorArgument, dim: int, index: TensorArgument, *, out: list[Shape], **settings: Any
) -> Described:
    """Look up along one dim, entry by entry along the others: `n v d, n i d:v -> n i d`."""
    own, wanted, sizes = _along(self.shape, dim, index.shape)
    text = f"{' '.join(own)}, {' '.join(wanted)}:{_name(dim, self.ndim)} -> {' '.join(wanted)}"
    return Described(text if own else ", -> ", sizes=sizes)


def _name(dim: int, ndim: int) -> str:
    return f"a{dim % ndim}" if ndim else "v"


def _along(shape: Shape, dim: int, index: Shape) -> tuple[list[str], list[str], dict[str, int]]:
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


@rule(
    "aten.scatter.src aten.scatter.value aten.scatter_add aten.scatter.reduce aten.scatter_reduce"
)
def scatter(
    self: TensorArgument,
    dim: int,
    index: TensorArgument,
    src: TensorArgument | None = None,
    value: float | None = None,
    reduce: str | None = None,
    *,
    out: list[Shape],
    **settings: Any,
) -> Described:
    """Write along one dim where an index says: `n v d, n i d:v, n i d -> n v d`."""
    own, wanted, sizes = _along(self.shape, dim, index.shape)
    name = _name(dim, self.ndim)
    operands = [" ".join(own), f"{' '.join(wanted)}:{name}"]
    words = ["linear idempotent" if value == 0 else "idempotent", ""]
    if src is not None:
        if src.shape != index.shape:
            raise SpecError(f"scatter reads part of a source {src.shape}, index {index.shape}.")
        operands.append(" ".join(wanted))
        words = ["linear add", "", "linear add"]
    return Described(f"{', '.join(operands)} -> {' '.join(own)}", ", ".join(words), sizes)


@rule("aten.index_add aten.index_copy aten.index_fill")
def index_add(
    self: TensorArgument,
    dim: int,
    index: TensorArgument,
    source: TensorArgument | None = None,
    value: Any = None,
    *,
    out: list[Shape],
    **settings: Any,
) -> Described:
    """Write slices of a dim where an index says, or add them there."""
    own = axes(self.ndim)
    place = "i" if index.ndim else ""
    name = _name(dim, self.ndim)
    operands = [" ".join(own), f"{place}:{name}"]
    words = ["linear idempotent" if value == 0 else "idempotent", ""]
    if source is not None:
        operands.append(" ".join(replaced(own, dim, "i") if own else []))
        words = ["linear add", "", "linear add"]
    elif isinstance(value, TensorArgument):
        operands.append("")
        words = ["linear add idempotent", "", "linear add"]
    return Described(f"{', '.join(operands)} -> {' '.join(own)}", ", ".join(words))


@rule("aten.take", algebra="linear moves, ")
def take(self: TensorArgument, index: TensorArgument, *, out: list[Shape]) -> str:
    """Look up in the flat order, of which only a vector's axis stays."""
    wanted = " ".join(axes(index.ndim, "i"))
    values = ":a0" if self.ndim == 1 else ""
    return f"{' '.join(axes(self.ndim))}, {wanted}{values} -> {wanted}"
