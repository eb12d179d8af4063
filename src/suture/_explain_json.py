"""An explanation as JSON.

Knows the format: a dim is a tree of sums and products of axes, each with its letter. Does not know
how anything is found.
"""

from __future__ import annotations

from typing import Any, assert_never

from suture._explanation import Dim, Explanation, Joined, Made, One, Shared, Told
from suture._json_text import laid_out

FORMAT = "suture-explanation"
VERSION = 1


def to_json(explanation: Explanation) -> str:
    """Write an explanation as versioned JSON text, one dim and one axis a line."""
    tensor, values = explanation.tensor, explanation.values
    return laid_out(
        {
            "format": FORMAT,
            "version": VERSION,
            "name": tensor.name,
            "shape": tensor.shape,
            "dtype": tensor.dtype,
            "kind": explanation.kind,
            "tied": explanation.tied,
            "reached": explanation.reached,
            "mirror": explanation.mirror,
            "dims": list(map(_dim, explanation.dims)),
            "values": None if values is None else _made(values),
            "axes": list(map(_shared, explanation.axes)),
        }
    )


def _dim(dim: Dim) -> dict[str, Any]:
    done = [{"role": one.role, "op": one.op, "module": one.module} for one in dim.done]
    return {"made": _made(dim.made), "done": done}


def _made(made: Made) -> dict[str, Any]:
    match made:
        case One(size, letter, picked):
            return {"size": size, "letter": letter or None, "picked": picked}
        case Joined(kind, parts, size):
            return {"size": size, kind: list(map(_made, parts))}
        case _:
            assert_never(made)


def _shared(axis: Shared) -> dict[str, Any]:
    told = list(map(_told, axis.told))
    return {"letter": axis.letter, "size": axis.size, "names": axis.names, "told": told}


def _told(told: Told) -> dict[str, Any]:
    if told.op:
        return {"word": told.word, "op": told.op, "module": told.name}
    return {"word": told.word, "name": told.name, "dims": list(map(_made, told.dims))}
