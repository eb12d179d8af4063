"""What a plan promises of each output: exact, up to a bound, approximately, or not, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import suture
from carried import carry
from laws import law
from measured import ROUNDING, carried
from nets import Net, generic, listed, subject
from networks import CUTTING, STRETCHING, chains
from recipes import Recipe
from suture import Plan, PlanError, Subject
from suture._plan import Note
from worlds import subject as subject_of

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")


def actor(width: int, features: str = "abc", value: Any = torch.tanh) -> Subject:
    """Actions from one input, a value from another that joins the same trunk behind them."""

    def forward(m: Any, x: Tensor, y: Tensor) -> Any:
        h = m.into(x).tanh()
        return {"action": m.action(h), "value": m.value(value(h + m.other(y).tanh()))}

    layers = {"into": nn.Linear(len(features), width), "other": nn.Linear(2, width)}
    heads = {"action": nn.Linear(width, 5), "value": nn.Linear(width, 1)}
    return subject(
        generic(Net(forward, **layers, **heads)),
        torch.randn(7, len(features)),
        torch.randn(7, 2),
        inputs={"x": listed(features), "y": listed("de")},
    )


def levels(plan: Plan) -> dict[str, str]:
    return {one.output: one.level for one in plan.exactness}


def test_outputs_that_are_all_kept() -> None:
    """Both are exact, for no reason."""
    plan, apart = carried(actor(4), actor(6))
    assert levels(plan) == {"action": "exact", "value": "exact"}
    assert all(one.reasons == () for one in plan.exactness)
    assert apart < ROUNDING


def test_one_head_that_computes_otherwise() -> None:
    """That output cannot be kept, the other is: so it is promised, shown, and measured."""
    source, target = actor(4), actor(6, value=torch.relu)
    plan, apart = carried(source, target)
    assert not plan.exact
    assert levels(plan) == {"action": "exact", "value": "impossible"}
    (reason,) = plan.exactness[1].reasons
    assert reason.reason == "the target computes otherwise: + aten.relu x1, - aten.tanh x1"
    assert reason.outputs == ("value",)
    assert str(plan).splitlines()[-3:] == [
        "Not exact: 1 note says where.",
        "  exact        action",
        "  impossible   value",
    ]
    assert [one.equal for one in suture.verify(plan, source, target).outputs] == [True, False]
    assert apart > ROUNDING
    assert Plan.from_json(plan.to_json()) == plan


def test_a_condition_is_a_reason_of_what_is_exact() -> None:
    """What was removed is named at the outputs."""
    plan, _ = carried(actor(4), actor(4, "ab"))
    assert levels(plan) == {"action": "exact", "value": "exact"}
    assert [note.subject for note in plan.exactness[0].reasons] == ["x.c"]


def test_a_mean_that_only_one_output_heard() -> None:
    """That one is approximate, the other exact."""

    def side(features: str) -> Subject:
        def forward(m: Any, x: Tensor, y: Tensor) -> Any:
            return {"action": m.action(m.into(x).tanh()), "value": m.value(m.other(y).tanh())}

        layers = {"into": nn.Linear(3, 4), "other": nn.Linear(len(features), 6)}
        heads = {"action": nn.Linear(4, 5), "value": nn.Linear(6, 1)}
        args = torch.randn(7, 3), torch.randn(7, len(features))
        model = generic(Net(forward, **layers, **heads))
        return subject(model, *args, inputs={"x": listed("abc"), "y": listed(features)})

    source, target = side("de"), side("d")
    plan = suture.transfer(source, target, means={"y.e": 0.7})
    assert not plan.exact
    assert levels(plan) == {"action": "exact", "value": "approximate"}
    assert [note.subject for note in plan.exactness[1].reasons] == ["y.e"]
    assert "Not exact: approximate, 1 note says where." in str(plan).splitlines()


class Stream(nn.Module):
    """A stream that a norm reads, and something that minds by how much it is scaled."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.into = nn.Linear(3, width)
        self.norm = nn.LayerNorm(width, eps=eps)
        self.gate, self.out = nn.Linear(width, 5), nn.Linear(width, 2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.into(x)
        return {"gate": self.gate(h.sigmoid()), "out": self.out(self.norm(h))}


def stream(width: int) -> Subject:
    torch.manual_seed(width)
    return Subject(Stream(width, 1e-5).double(), (torch.randn(7, 3, dtype=torch.float64),))


def test_an_eps_that_weighs_more_than_before() -> None:
    """It is exact up to a bound that is stated, and kept; what no norm reads is exact."""
    source, target = stream(4), stream(6)
    plan = suture.transfer(source, target)
    assert not plan.exact
    assert levels(plan) == {"gate": "exact", "out": "bounded"}
    (note,) = plan.exactness[1].reasons
    assert note == Note(
        "bound",
        "eps",
        "eps weighs 1.5 times as much beside the variance in native_layer_norm in norm: what it "
        "gives differs by at most 0.5 eps / variance of itself",
        ("out",),
    )
    assert "Exact up to a bound: 1 note says which." in str(plan).splitlines()
    gate, out = suture.verify(plan, source, target).outputs
    assert gate.max_rel < 1e-12 < out.max_rel < 1e-4


def test_a_note_on_an_output_that_is_not() -> None:
    """A plan names only outputs that it has."""
    plan, _ = carried(actor(4), actor(6))
    wrong = replace(plan, notes=(Note("inexact", "h", "why", ("value", "valeu")),))
    with pytest.raises(PlanError) as told:
        Plan.from_json(wrong.to_json())
    assert str(told.value).splitlines()[1].split() == [
        "notes[0].outputs[1]",
        *["'valeu'", "is", "no", "output"],
    ]


@law(chains(STRETCHING) | chains(CUTTING))
def test_what_is_promised_of_one_output(chain: tuple[Recipe, ...]) -> None:
    """An output that is said to be exact is, whatever is said of the others."""
    before, after = chain
    done = carry(before, after)
    report = suture.verify(
        done.plan, subject_of(before, done.source), subject_of(after, done.target)
    )
    exact = {one.output for one in done.plan.exactness if one.level == "exact"}
    measured = {one.name: one.max_rel for one in report.outputs}
    assert not done.plan.exact or exact == measured.keys()
    assert max((measured[name] for name in exact), default=0.0) < 1e-10
