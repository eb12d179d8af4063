"""Exactness: what a plan promises of each output, from its notes.

Knows which notes limit the promise, and how much. Does not find them (`_promise`).
"""

from __future__ import annotations

from suture._plan import LIMITS, Exactness, Level, Note, Plan

LEVELS: dict[str, Level] = {
    "inexact": "impossible",
    "approximate": "approximate",
    "bound": "bounded",
}


def exactness(plan: Plan) -> tuple[Exactness, ...]:
    """Say of every output that both models have how much of the old function it keeps.

    Example:
        >>> from suture._plan import Placement, Tensor
        >>> scalar = Tensor("", (), "f32")
        >>> outputs = tuple(Placement(name, scalar, scalar, ()) for name in ("action", "value"))
        >>> note = Note("inexact", "ops", "the target computes otherwise", ("value",))
        >>> plan = Plan("a1", "b2", (), outputs=outputs, notes=(note,))
        >>> [(one.output, one.level) for one in exactness(plan)]
        [('action', 'exact'), ('value', 'impossible')]
    """
    shared = [one.name for one in plan.outputs if None not in (one.source, one.target)]
    return tuple(_of(plan, name) for name in shared)


def _of(plan: Plan, output: str) -> Exactness:
    """Choose the worst of the notes on an output; those of its kind are the reasons."""
    notes = [note for note in plan.notes if concerns(note, output)]
    for kind in LIMITS:
        reasons = tuple(note for note in notes if note.kind == kind)
        if reasons:
            return Exactness(output, LEVELS[kind], reasons)
    return Exactness(output, "exact", tuple(note for note in notes if note.kind == "condition"))


def concerns(note: Note, output: str) -> bool:
    """Whether a note is about an output."""
    return not note.outputs or output in note.outputs
