"""Lookups: operands whose integer values index an axis of another operand, `...:v`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from suture._bind import Pick, Shape
from suture._errors import SpecError
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, broadcast, replaced, spec
from suture._torch.rules.joining import overwritten

# Rows of a table, chosen by ids.
rule("aten.embedding", "v d, ...:v -> ... d", "linear moves, ")
rule("aten.embedding_renorm", "v d!, ...:v -> v d", "zero idempotent neutral=0, ")
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
    result = _indexed(own, chosen, met)
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
    """Write values where indices say, the last one of several, or add them there."""
    chosen = [place for place, tensor in enumerate(indices) if tensor is not None]
    tensors = [tensor for tensor in indices if tensor is not None]
    shape = np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    own, met = axes(self.ndim), axes(len(shape), "i")
    sizes = dict(zip(own, self.shape, strict=True)) | dict(zip(met, shape, strict=True))
    at = _indexed(own, chosen, met)
    given = broadcast(values.shape, at, [sizes[dim] for dim in at])
    meeting = "" if accumulate else "!"
    texts = [
        f"{' '.join(_marked(broadcast(tensor.shape, met, shape), met, meeting))}:{own[place]}"
        for tensor, place in zip(tensors, chosen, strict=True)
    ]
    operands = [" ".join(own), *texts, " ".join(_marked(given, met, meeting))]
    return Described(f"{', '.join(operands)} -> {' '.join(own)}", _written(accumulate, len(texts)))


def _marked(dims: list[str], met: list[str], mark: str) -> list[str]:
    """Mark the dims of indices, along which writes to one place meet."""
    return [dim + mark if dim in met else dim for dim in dims]


ADDED = ("linear add", "linear add neutral=0")
OVER = ("linear add idempotent moves", "linear add moves")


def _written(added: bool, indices: int) -> str:
    """Words for a tensor that is written into: what it held, the indices, what is written."""
    old, new = ADDED if added else OVER
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


@rule("aten.scatter.src aten.scatter.value")
def scatter(
    self: TensorArgument,
    dim: int,
    index: TensorArgument,
    src: TensorArgument | None = None,
    value: float = 0,
    *,
    out: list[Shape],
) -> Described:
    """Write along one dim where an index says: `n v d, n i! d:v, n i! d -> n v d`."""
    text, sizes = _scattered(self, dim, index, src, "!")
    if src is None:
        return Described(text, f"{_filled(value)}, ", sizes)
    return Described(text, f"{OVER[0]}, , {OVER[1]}", sizes)


@rule("aten.scatter_add")
def scatter_add(
    self: TensorArgument, dim: int, index: TensorArgument, src: TensorArgument, *, out: list[Shape]
) -> Described:
    """Add along one dim where an index says."""
    text, sizes = _scattered(self, dim, index, src, "")
    return Described(text, f"{ADDED[0]}, , {ADDED[1]}", sizes)


@rule("aten.scatter_reduce")
def scatter_reduce(
    self: TensorArgument,
    dim: int,
    index: TensorArgument,
    src: TensorArgument,
    reduce: str,
    *,
    out: list[Shape],
    **settings: Any,
) -> Described:
    """Reduce along one dim into the places where an index says."""
    if reduce == "sum":
        return scatter_add(self, dim, index, src, out=out)
    text, sizes = _scattered(self, dim, index, src, "!")
    words = {"amax": "idempotent, , ", "amin": "idempotent, , ", "prod": "linear, , "}
    return Described(text, words.get(reduce, ""), sizes)


def _filled(value: float) -> str:
    """Words for a tensor of which some entries become a number."""
    return "linear idempotent moves" if value == 0 else "idempotent moves"


def _scattered(
    self: TensorArgument, dim: int, index: TensorArgument, src: TensorArgument | None, mark: str
) -> tuple[str, dict[str, int]]:
    """Write the spec of a scatter; `mark` says that writes to one place meet."""
    own, wanted, sizes = _along(self.shape, dim, index.shape)
    operands = [" ".join(own), f"{' '.join(_marked(wanted, ['i'], mark))}:{_name(dim, self.ndim)}"]
    if src is not None:
        if src.shape != index.shape:
            raise SpecError(f"scatter reads part of a source {src.shape}, index {index.shape}.")
        operands.append(" ".join(_marked(wanted, ["i"], mark)))
    return f"{', '.join(operands)} -> {' '.join(own)}", sizes


@rule("aten.index_add", algebra="linear add, , linear add")
def index_add(
    self: TensorArgument, dim: int, index: TensorArgument, *, out: list[Shape], **settings: Any
) -> Described:
    """Add slices of a dim where an index says."""
    own, place = axes(self.ndim), ["i"] if index.ndim else []
    if index.values is None:
        values = f"{' '.join(place)}:{own[dim]}"
        source = " ".join(replaced(own, dim, "i"))
        return Described(f"{' '.join(own)}, {values}, {source} -> {' '.join(own)}")
    at = Pick("i", own[dim], np.ravel(index.values).astype(np.int64))
    return Described(spec([own, place, replaced(own, dim, "i")], [own]), picks=(at,))


@rule("aten.index_copy", algebra=f"{OVER[0]}, , {OVER[1]}")
def index_copy(
    self: TensorArgument, dim: int, index: TensorArgument, source: Any, *, out: list[Shape]
) -> Described:
    """Write slices of a dim where an index says."""
    own, place = axes(self.ndim), ["s"] if index.ndim else []
    if index.values is None:
        values = f"{'s!' * index.ndim}:{own[dim]}"
        slices = " ".join(replaced(own, dim, "s!"))
        return Described(f"{' '.join(own)}, {values}, {slices} -> {' '.join(own)}")
    written = np.ravel(index.values).astype(np.int64).tolist()
    said = overwritten(own, dim, self.shape[dim], written)
    old, new = (replaced(own, dim, name) for name in ("x", "s"))
    return Described(spec([old, place, new], [own]), None, said.sizes, said.picks)


@rule("aten.index_fill")
def index_fill(
    self: TensorArgument, dim: int, index: TensorArgument, value: Any, *, out: list[Shape]
) -> Described:
    """Write one number over the entries of a dim where an index says."""
    own = axes(self.ndim)
    text = f"{' '.join(own)}, {'i' * index.ndim}:{own[dim]}"
    if isinstance(value, TensorArgument):
        return Described(f"{text},  -> {' '.join(own)}", f"{OVER[0]}, , {OVER[1]}")
    return Described(f"{text} -> {' '.join(own)}", f"{_filled(value)}, ")
