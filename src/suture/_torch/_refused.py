"""Refusals: what a trace says where it cannot go on, and which line of the user's code asked.

Knows ops as text, and where the values came from that an op would have needed. Does not run any op.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from textwrap import shorten
from typing import Any

import torch
from torch._ops import OpOverload

from suture._errors import TraceError, UnknownOpError
from suture._graph import Node, Place
from suture._torch._dtype import show

Named = Mapping[int, tuple[str, str]]
"""Value -> what it is (`input`, `weights`, `buffer`), and its name."""

SHOWN = 4
"""Names of a kind that an error lists."""


def line() -> str:
    """File and line of the innermost frame that is neither torch nor this adapter."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(("torch.", "suture.")) and name != "torch":
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"


def call(op: OpOverload, named: Mapping[str, Any]) -> str:
    """Write a call as text; arguments that are left at their defaults are left out."""
    defaults = {a.name: a.default_value for a in op._schema.arguments}
    said = {n: v for n, v in named.items() if isinstance(v, torch.Tensor) or v != defaults.get(n)}
    return f"{op}({', '.join(map(_text, said.values()))})"


def _text(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return show(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text, value))}]"
    return str(value)


def unknown(op: OpOverload, named: Mapping[str, Any], place: Place) -> UnknownOpError:
    """Refuse an op that no rule describes and that is made of nothing."""
    return UnknownOpError(
        f"No axis rule for {op}.",
        [("at", str(place)), ("op", call(op, named))],
        f'if it computes every entry by itself, suture.rule("{op}", "... -> ..."); '
        "if not, write the spec that holds: see docs/adding_an_op.md",
    )


def meta_failed(
    op: OpOverload, named: Mapping[str, Any], place: Place, error: BaseException
) -> TraceError:
    """Refuse an op that torch does not run on shapes alone."""
    return TraceError(
        "An op cannot be run on shapes alone.",
        [("at", str(place)), ("op", call(op, named)), ("torch", str(error).splitlines()[0])],
        "check that the model runs on these arguments; if it does, keep the op out of the "
        "traced call (see Subject's `call`)",
    )


def undecided(
    asked: str,
    place: Place,
    values: Iterable[int],
    known: Container[int],
    nodes: Sequence[Node],
    named: Named,
) -> TraceError:
    """Refuse what only real data decides, and say what of it would have to be known.

    Args:
        asked: the op that asks.
        place: where.
        values: the values that it asks for.
        known: the values with entries.
        nodes: what has been recorded so far.
        named: the values that have a name.
    """
    found = _leaves(values, known, nodes)
    kinds: dict[str, list[str]] = {kind: [] for kind in ("input", "weights", "buffer")}
    for value in sorted(found & named.keys()):
        kind, name = named[value]
        kinds[kind].append(name)
    facts = [("at", str(place)), *_code(place.line), ("op", asked)]
    facts += [(kind, _listed(names)) for kind, names in kinds.items() if names]
    others = found - named.keys()
    facts += [("unknown", "numbers that are drawn, or made where there is no memory")] * bool(
        others
    )
    return TraceError(
        "The model's control flow or shapes depend on values that only real data has.",
        facts,
        _hint(kinds, bool(others)),
    )


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return ", ".join([*names[:SHOWN], *more])


def _hint(kinds: Mapping[str, Sequence[str]], others: bool) -> str:
    if kinds["weights"] or kinds["buffer"]:
        return (
            "no trace reads weights: let an argument or the config decide it, or trace a `call` "
            "that goes one way"
        )
    if others:
        return "decide it by an argument, or trace a `call` that goes one way"
    names = ", ".join(f'"{name}"' for name in kinds["input"])
    comma = "," * (len(kinds["input"]) == 1)
    return f"to go the way that the example goes, Subject(..., concrete=({names}{comma}))"


def _leaves(values: Iterable[int], known: Container[int], nodes: Sequence[Node]) -> set[int]:
    """Find what the missing values were computed from, of what was not computed itself."""
    producers = {output: node for node in nodes for output in node.outputs}
    waiting, seen = [*values], set[int]()
    while waiting:
        value = waiting.pop()
        if value not in seen and value not in known:
            seen.add(value)
            waiting += producers[value].inputs if value in producers else ()
    return {value for value in seen if value not in producers or not producers[value].inputs}


def _code(where: str) -> list[tuple[str, str]]:
    """Quote the line of the user's code, where it can be read."""
    file, _, number = where.rpartition(":")
    text = linecache.getline(file, int(number)).strip() if number.isdecimal() else ""
    return [("code", shorten(text, 88, placeholder=" …"))] if text else []
