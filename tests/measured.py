"""Plans between two subjects, carried out, measured, and told in few words.

Knows the words of a plan. Does not know what they should be.
"""

from __future__ import annotations

import suture
from small import planned
from suture import Plan, Subject
from suture._fate import fate
from suture._plan import Fill, Own, Sum, Value
from suture._words import region

ROUNDING = 1e-6


def carried(source: Subject, target: Subject) -> tuple[Plan, float]:
    """Plan, apply, and measure the largest relative difference."""
    plan = planned(source, target)
    new = suture.apply(plan, source.model.state_dict(), target.model.state_dict())
    target.model.load_state_dict(new)
    return plan, suture.verify(plan, source, target).max_rel_diff


def fills(plan: Plan, tensor: str) -> list[tuple[str, object]]:
    """Each block of a tensor: its region, and `own`, `copy` or a number."""
    (found,) = [t for t in plan.tensors if t.target.name == tensor]
    return [(region(block.region), _word(block.fill)) for block in found.blocks]


def _word(fill: Fill) -> object:
    match fill:
        case Own():
            return "own"
        case Value(value):
            return value
        case Sum():
            return "copy"


def fates(plan: Plan) -> dict[str, str]:
    return {tensor.target.name: fate(tensor)[1] for tensor in plan.tensors}


def notes(plan: Plan, *kinds: str) -> list[str]:
    """Notes of some kinds, as `subject: reason`."""
    return [f"{n.subject}: {n.reason}" for n in plan.notes if n.kind in kinds]
