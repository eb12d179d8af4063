"""Writing: entries of a tensor replaced or added to, where the values of an index say.

Knows which writes meet at one place. Reading by an index is `lookup`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from suture._bind import Pick, Shape
from suture._errors import SpecError
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, broadcast, replaced, spec
from suture._torch.rules.joining import overwritten
from suture._torch.rules.lookup import along, indexed, name


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
    at = indexed(own, chosen, met)
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
    own, wanted, sizes = along(self.shape, dim, index.shape)
    operands = [" ".join(own), f"{' '.join(_marked(wanted, ['i'], mark))}:{name(dim, self.ndim)}"]
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
