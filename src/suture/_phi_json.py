"""An interaction map, and answers about one feature or one parameter, as JSON.

Knows the format: features are named once, in order, and everywhere else runs `[start, stop)` of
their places; regions are runs per dim, as in a plan. Does not know how an answer is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from suture._asked import Answer, FromFeature, OnParameter, Reached
from suture._fill import runs
from suture._json_text import laid_out
from suture._phi import Interactions, Touched
from suture._plan import Tensor

FORMAT = "suture-interactions"
VERSION = 1


def to_json(phi: Interactions) -> str:
    """Write what the screen of a map says as versioned JSON text, one tensor a line."""
    tensors = [_touched(phi, each) for each in phi.touched.values()]
    unreached = [_tensor(each) for each in phi.unreached]
    return laid_out({**_head(phi), "tensors": tensors, "unreached": unreached, "total": phi.total})


def answers_to_json(phi: Interactions, answers: Sequence[Answer]) -> str:
    """Write answers as versioned JSON text, one a line, in the order of the questions."""
    return laid_out({**_head(phi), "answers": list(map(_answer, answers))})


def _head(phi: Interactions) -> dict[str, Any]:
    return {"format": FORMAT, "version": VERSION, "features": list(phi.features)}


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": tensor.shape, "dtype": tensor.dtype}


def _touched(phi: Interactions, touched: Touched) -> dict[str, Any]:
    name = touched.tensor.name
    sizes = [group.size for group in phi.groups(name)]
    return {
        **_tensor(touched.tensor),
        "kind": touched.kind,
        "groups": len(sizes),
        "fewest": min(sizes, default=0),
        "most": max(sizes, default=0),
        "interactions": phi.interactions(name),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    match answer:
        case FromFeature(asked, features, reached):
            tensors = list(map(_reached, reached))
            return {"feature": asked, "features": runs(features), "tensors": tensors}
        case OnParameter(tensor, kind, groups):
            found = [
                {"entries": each.entries, "region": each.region, "features": runs(each.features)}
                for each in groups
            ]
            return {
                "parameter": tensor.name,
                "shape": tensor.shape,
                "dtype": tensor.dtype,
                "kind": kind,
                "groups": found,
                "interactions": answer.interactions,
            }
        case _:
            assert_never(answer)


def _reached(reached: Reached) -> dict[str, Any]:
    return {
        **_tensor(reached.tensor),
        "kind": reached.kind,
        "entries": reached.entries,
        "region": reached.region,
    }
