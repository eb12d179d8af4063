"""Copies of the weights in a file: averages of them, which follow the same plan.

Knows what may be one: tensors under the weights' names, or of the parameters' shapes. Does not know
formats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from suture._errors import FileError
from suture._files._checkpoint import Arrays, Checkpoint
from suture._plan import Plan
from suture._plan_check import source_tensors
from suture._wrappers import plain_names

LEAVE_OUT = "carry the weights alone: --format torch"


def copies_in(plan: Plan, old: Checkpoint) -> dict[str, tuple[Plan, Arrays]]:
    """Find the copies of the weights in a file, each with the plan of what it has.

    A copy has names that the plan reads. One without buffers, as averages of parameters are, needs
    no more than the parameters.

    Raises:
        FileError: tensors may be a copy, and which parameters they are of is not said.
    """
    known = source_tensors(plan)
    named = {
        at: arrays
        for at, arrays in old.copies.items()
        if not known.keys().isdisjoint(plain_names(arrays, known).values())
    }
    _refuse_unnamed(plan, old, {at: a for at, a in old.copies.items() if at not in named})
    return {at: (_of_copy(plan, arrays), arrays) for at, arrays in named.items()}


def _of_copy(plan: Plan, arrays: Arrays) -> Plan:
    """Leave buffers out of a plan, if a copy has none."""
    buffers = {t.source.name for t in plan.tensors if t.source and t.kind != "parameter"}
    if not buffers.isdisjoint(plain_names(arrays, source_tensors(plan)).values()):
        return plan
    return replace(plan, tensors=tuple(t for t in plan.tensors if t.kind == "parameter"))


def _refuse_unnamed(plan: Plan, old: Checkpoint, others: Mapping[str, Arrays]) -> None:
    """Refuse tensors that have the shapes of all parameters, and other names or none.

    Left as they are they would be averages of the old network's weights in the new one's file.
    """
    facts = [("copy", text) for at, arrays in others.items() for text in _likely(plan, at, arrays)]
    if facts:
        sentence = f"{old.path} holds what may be copies of the weights, not under their names."
        raise FileError(sentence, facts, LEAVE_OUT)


def _likely(plan: Plan, at: str, arrays: Arrays) -> Iterator[str]:
    shapes = Counter(
        t.source.shape for t in plan.tensors if t.source is not None and t.kind == "parameter"
    )
    if shapes and shapes <= Counter(array.shape for array in arrays.values()):
        yield f"{at}: {len(arrays)} tensors, of the parameters' shapes"
