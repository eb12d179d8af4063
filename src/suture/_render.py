"""A plan as a screen: what becomes of every tensor, what a person must know, and the counts.

Knows the layout. Does not know how a fate is found (`_fate`) or said (`_words`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from suture._fate import Line, fate, placement_rows, placement_sign, rows
from suture._fold import Row, fold
from suture._plan import LIMITS, Fill, Own, Placement, Plan, Sum, Tensor, TensorPlan, Value
from suture._plan_check import is_copy, source_tensors
from suture._screen import NAMES, TYPES, legend, wrapped

KINDS = (*LIMITS, "condition", "dead", "pairing", "unreached", "cast", "fresh", "unused")

ENTRIES = (
    "copied",
    "calculated",
    "zero",
    "one",
    "constant",
    "identity",
    "own init",
    "scaled own init",
)
"""The kinds under which entries are counted, in this order."""

SYMBOLS = {
    r"^  = ": "= as before",
    r"^  ~ ": "~ changed",
    r"^  \+ ": "+ new",
    r"^  - ": "- removed",
    r"[\s\[{]\d+\.\.\d": "a..b from a up to b, without b",
    r"<- ": "<- comes from",
    r"\[.*:.*\]": ": a whole dim",
    r"own init": "own init as the target was initialised",
    r"[^\s\[]*\.\{\d|^  . \{\d": "x.{a..b} each of x.a to x.b",
}
"""What a symbol looks like on the screen, and its explanation."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing on the screen: a headline and the rows below it."""

    sign: str
    name: str
    type: str
    word: str
    rows: tuple[Line, ...] = ()


def render(plan: Plan) -> str:
    """Render a plan as plain text of at most 100 columns.

    Args:
        plan: a whole plan.

    Returns:
        Which structures it joins; where the entries of inputs and outputs are; what becomes of each
        tensor, those of equal fate folded into one; what a person must know; and the counts.

    Example:
        >>> from suture._plan import Block
        >>> bias = Tensor("bias", (3,), "f32")
        >>> whole = Block((((0, 3),),), Own())
        >>> print(render(Plan("a1", "b2", (TensorPlan(bias, None, "parameter", (whole,)),))))
        Plan a1 -> b2
        <BLANKLINE>
          + new   own init as the target was initialised
        <BLANKLINE>
        parameters
          + bias   f32[3]   new: own init
        <BLANKLINE>
        1 parameter: 1 new
        3 entries: 3 own init
        Exact: every old output is kept.
    """
    body = [line for title, entries in _sections(plan) for line in _section(title, entries)]
    body += _notes(plan)
    header = f"Plan {plan.source[:12]} -> {plan.target[:12]}"
    return "\n".join([header, "", *legend(body, SYMBOLS), *body, *counts(plan)])


def _sections(plan: Plan) -> Iterator[tuple[str, list[Entry]]]:
    yield "inputs", list(map(_placement, plan.inputs))
    yield "outputs", list(map(_placement, plan.outputs))
    yield "parameters", _tensors(plan, "parameter")
    yield "buffers", _tensors(plan, "buffer")
    yield "removed", _removed(plan)


def _placement(placement: Placement) -> Entry:
    sign = placement_sign(placement)
    word = {"+": "new", "-": "removed"}.get(sign, "")
    types = _types(placement.source, placement.target)
    return Entry(sign, placement.name, types, word, tuple(placement_rows(placement)))


def _types(source: Tensor | None, target: Tensor | None) -> str:
    types = [side.type for side in (source, target) if side is not None]
    return " -> ".join(dict.fromkeys(types))


def _tensors(plan: Plan, kind: str) -> list[Entry]:
    """Fold the tensors of a kind by what becomes of them, and say it."""
    reasons = {note.subject: note.reason for note in plan.notes if note.kind == "fresh"}
    tensors = [
        replace(tensor, reason=tensor.reason or reasons.get(tensor.target.name, ""))
        for tensor in plan.tensors
        if tensor.kind == kind
    ]
    return [_tensor(row) for row in fold(list(map(_unnamed, tensors)))]


def _unnamed(tensor: TensorPlan) -> Row[TensorPlan]:
    """Take the names out of a tensor's plan: tensors of equal fate are equal then."""
    terms = (term for b in tensor.blocks if isinstance(b.fill, Sum) for term in b.fill.terms)
    source = [] if tensor.source is None else [tensor.source.name]
    given = (tensor.target.name, *source, *tensor.tied, *(term.source for term in terms))
    names = tuple(dict.fromkeys(given))
    return Row(names, _renamed(tensor, {name: str(i) for i, name in enumerate(names)}))


def _renamed(tensor: TensorPlan, names: Mapping[str, str]) -> TensorPlan:
    source = tensor.source
    return replace(
        tensor,
        target=replace(tensor.target, name=names[tensor.target.name]),
        source=None if source is None else replace(source, name=names[source.name]),
        blocks=tuple(replace(b, fill=_renamed_fill(b.fill, names)) for b in tensor.blocks),
        tied=tuple(names[name] for name in tensor.tied),
    )


def _renamed_fill(fill: Fill, names: Mapping[str, str]) -> Fill:
    if not isinstance(fill, Sum):
        return fill
    terms = tuple(replace(term, source=names[term.source]) for term in fill.terms)
    return replace(fill, terms=terms)


def _tensor(row: Row[TensorPlan]) -> Entry:
    tensor = _renamed(row.said, {str(i): name for i, name in enumerate(row.names)})
    sign, word = fate(tensor)
    return Entry(
        sign, tensor.target.name, _types(tensor.source, tensor.target), word, tuple(rows(tensor))
    )


def _removed(plan: Plan) -> list[Entry]:
    known = source_tensors(plan)
    unused = [
        Row((note.subject,), (_types(known.get(note.subject), None), note.reason))
        for note in plan.notes
        if note.kind == "unused"
    ]
    return [
        Entry("-", row.names[0], type_, "", (("because", reason),))
        for row in fold(unused)
        for type_, reason in [row.said]
    ]


def _section(title: str, entries: Sequence[Entry]) -> Iterator[str]:
    """Lay entries out below a title, aligned."""
    if not entries:
        return
    names = min(NAMES, max(len(entry.name) for entry in entries))
    types = min(TYPES, max(len(entry.type) for entry in entries))
    yield title
    for entry in entries:
        headline = f"{entry.sign} {entry.name:<{names}}   {entry.type:<{types}}   {entry.word}"
        yield from wrapped("  ", headline, 8)
        labels = max((len(label) for label, _ in entry.rows), default=0)
        for label, text in entry.rows:
            yield from wrapped(f"      {label:<{labels}}   ", text)
    yield ""


def _notes(plan: Plan) -> list[str]:
    """Group notes by kind and reason, those that matter most first."""
    told = {tensor.target.name for tensor in plan.tensors}
    shown = [
        note
        for note in plan.notes
        if note.kind != "unused" and not (note.kind == "fresh" and note.subject in told)
    ]
    shown.sort(key=lambda note: KINDS.index(note.kind))
    subjects: dict[tuple[str, str], list[str]] = {}
    for row in fold([Row((note.subject,), (note.kind, note.reason)) for note in shown]):
        subjects.setdefault(row.said, []).append(row.names[0])
    width = max((len(kind) for kind, _ in subjects), default=0)
    lines = [
        line
        for (kind, reason), names in subjects.items()
        for line in wrapped(f"  {kind:<{width}}   ", f"{', '.join(names)}: {reason}")
    ]
    return ["notes", *lines, ""] if lines else []


def counts(plan: Plan) -> Iterator[str]:
    """Count what becomes of tensors and entries, and say what is promised."""
    for kind in ("parameter", "buffer"):
        fates = Counter(_fate_word(tensor) for tensor in plan.tensors if tensor.kind == kind)
        yield from _counted(kind, fates)
    removed = sum(note.kind == "unused" for note in plan.notes)
    yield from _counted("source tensor", Counter(removed=removed))
    filled = Counter(dict.fromkeys(ENTRIES, 0))
    for tensor in plan.tensors:
        for block in tensor.blocks:
            filled[_entries(block.fill)] += block.size
    yield from _counted("entry", filled, "entries")
    yield _promise(plan)
    yield from _by_output(plan)


def _fate_word(tensor: TensorPlan) -> str:
    return re.split("[:,]", fate(tensor)[1])[0]


def _counted(thing: str, counts: Counter[str], things: str = "") -> Iterator[str]:
    """Say how many there are and of which kind."""
    if total := counts.total():
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
        things = thing if total == 1 else things or f"{thing}s"
        yield from wrapped("", f"{total:,} {things}: {kinds}", 2)


def _entries(fill: Fill) -> str:
    """Name the kind under which entries are counted."""
    match fill:
        case Own(scale):
            return "own init" if scale == 1 else "scaled own init"
        case Value(_, (_, _)):
            return "identity"
        case Value(value):
            return "zero" if value == 0 else "one" if value == 1 else "constant"
        case Sum():
            return "copied" if is_copy(fill) else "calculated"
        case _:
            assert_never(fill)


def _promise(plan: Plan) -> str:
    """Say what the plan promises about the old function."""
    kinds = Counter(note.kind for note in plan.notes)
    if count := kinds["inexact"]:
        return f"Not exact: {count} {'note says' if count == 1 else 'notes say'} where."
    if count := kinds["approximate"]:
        return (
            f"Not exact: approximate, {count} {'note says' if count == 1 else 'notes say'} where."
        )
    if count := kinds["bound"]:
        return f"Exact up to a bound: {count} {'note says' if count == 1 else 'notes say'} which."
    if count := kinds["condition"]:
        return f"Exact on {count} {'condition' if count == 1 else 'conditions'}: see the notes."
    return "Exact: every old output is kept."


def _by_output(plan: Plan) -> Iterator[str]:
    """Say which output keeps how much of the old function, where they differ."""
    levels: dict[str, list[str]] = {}
    for one in plan.exactness:
        levels.setdefault(one.level, []).append(one.output)
    if len(levels) > 1:
        width = max(map(len, levels))
        for level, names in levels.items():
            yield from wrapped("  ", f"{level:<{width}}   {', '.join(names)}", width + 3)
