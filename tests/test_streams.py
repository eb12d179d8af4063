"""The laws over drawn stacks of attention and norms whose sizes change together (`growing`)."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

import suture
from entries import restored
from growable import NORMS
from grown import Case, Numbers, built, grown
from laws import law
from living import dead, fresh_units, stepped, twins
from networks import Draw

ROUNDING = 1e-10
EXACT = sorted(NORMS)


@st.composite
def stacks(draw: Draw) -> Case:
    """Draw a stack, and how each of its sizes grows; blocks come in anywhere."""
    form = draw(st.sampled_from(["rotary", "sdpa", "by hand"]))
    few, more, groups = st.integers(1, 2), st.integers(0, 2), draw(st.integers(1, 3))
    fixed: Numbers = {
        "norm": draw(st.sampled_from(EXACT)),
        "form": form,
        "tied": draw(st.booleans()),
    }
    each, size = draw(few), 2 * draw(few) if form == "rotary" else draw(st.integers(1, 4))
    names = ("a", "b")[: draw(few)]
    before = {"width": draw(st.integers(3, 8)), "inner": draw(st.integers(2, 9)), "words": 14}
    after = {name: number + draw(st.integers(0, 4)) for name, number in before.items()}
    heads, wide = groups + draw(more), draw(few) * size if form == "rotary" else size + draw(more)
    at = draw(st.integers(0, len(names)))
    longer = (*names[:at], *("new", "last")[: draw(more)], *names[at:])
    before |= {"groups": groups, "heads": groups * each, "size": size, "layers": names}
    after |= {"groups": heads, "heads": heads * (each + draw(more)), "size": wide, "layers": longer}
    return "decoder", fixed | before, after


@law(stacks(), few=20)
def test_everything_grows_at_once(case: Case) -> None:
    """Law 3: the old function, and the promise of it."""
    plan, source, target = grown(case, torch.float64)
    assert plan.exact, plan.notes
    assert suture.verify(plan, source, target, generic=0).max_rel_diff < ROUNDING


@law(stacks(), few=10)
def test_growing_and_shrinking_back(case: Case) -> None:
    """Law 5: what has grown and shrunk back is what it was, to rounding."""
    kind, before, _ = case
    there, source, target = grown(case, torch.float64)
    small = built(kind, before, 3, torch.float64)
    back = suture.plan(suture.trace(target), suture.trace(small))
    state = suture.apply(back, target.model.state_dict(), small.model.state_dict())
    restored(state, source.model.state_dict(), there, back)


@law(stacks(), few=10)
def test_one_step_of_training(case: Case) -> None:
    """Law 9: the first gradient reaches every fresh unit, and the first step parts them."""
    kind, before, after = case
    _, source, target = grown(case, torch.float64)
    fresh = fresh_units(source, target)
    assert dead(fresh, target, built(kind, {**before, **after}, 2, torch.float64)) == []
    stepped(target)
    assert twins(fresh, target.model) == []
