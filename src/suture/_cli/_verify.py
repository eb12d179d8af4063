"""The command that measures: `suture verify`.

Knows what it refuses to compare, and its verdict. Does not know how anything is measured.
"""

from __future__ import annotations

import typer

import suture
from suture._adapter import adapter
from suture._cli._given import (
    AsJson,
    PlanFile,
    Source,
    SourceWeights,
    Target,
    TargetWeights,
    Weights,
)
from suture._cli._plan_file import read_plan
from suture._cli._program import FOUND, Running, next_command
from suture._cli._screen import ERR, OUT
from suture._cli._weights import load_weights
from suture._errors import PlanError, VerifyError
from suture._plan import Plan
from suture._reference import load
from suture._report import Report
from suture._report_json import report_to_json
from suture._subject import Subject

UNSAID = (
    "\nSOURCE has the weights that its function gives it; "
    "`--source-weights OLD` reads a checkpoint's."
)


def verify(
    file: PlanFile,
    source: Source,
    target: Target,
    *,
    source_weights: SourceWeights = None,
    target_weights: TargetWeights = None,
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Measure whether the function is the old one.

    Carries the weights over in memory, unless those of TARGET are given, and runs both models on
    random world states. No file is changed. Exits with 1 where the outputs differ.
    """
    with Running():
        read = read_plan(file)
        old, new = load(source), load(target)
        _refuse_others(read, old, new)
        if source_weights is not None:
            load_weights(old, source_weights, weights)
        if target_weights is not None:
            load_weights(new, target_weights, weights)
        else:
            _carry(read, old, new)
        report = suture.verify(read, old, new)
        if not report.apart:
            _refuse_nothing(report)
    if as_json:
        typer.echo(report_to_json(report, read))
    else:
        OUT.print(f"{report}\n{_verdict(read, report)}")
    if not report.equal:
        if target_weights is not None and source_weights is None:
            ERR.print(UNSAID)
        next_command("show", str(file))
        raise typer.Exit(FOUND)


def _carry(plan: Plan, old: Subject, new: Subject) -> None:
    """Carry the weights over in memory."""
    ours = adapter(new.model)
    sources = adapter(old.model).state(old.model)
    ours.load(new.model, suture.apply(plan, sources, ours.state(new.model)))


def _refuse_nothing(report: Report) -> None:
    """Refuse to call equal what was not compared."""
    blind = [(each.name, "has no number in common") for each in report.outputs if not each.compared]
    if blind or not report.outputs:
        raise VerifyError(
            "Nothing shows whether the new model computes the old function.",
            blind or [("outputs", "none is in both models")],
        )


def _verdict(plan: Plan, report: Report) -> str:
    if report.equal:
        return "Equal: the new model computes the old function, to rounding."
    apart = ", ".join(report.apart)
    said = (
        "although the plan promised the old function" if plan.exact else "as the plan's notes say"
    )
    return f"Apart: {apart}, {said}."


def _refuse_others(plan: Plan, source: Subject, target: Subject) -> None:
    """Refuse models of another structure than the plan was made for."""
    found = (
        ("source", plan.source, suture.trace(source).fingerprint),
        ("target", plan.target, suture.trace(target).fingerprint),
    )
    facts = [
        (side, f"is {now[:12]}; the plan was made for {wanted[:12]}")
        for side, wanted, now in found
        if now != wanted
    ]
    if facts:
        hint = "make a plan for these two: suture plan SOURCE TARGET -o PLAN"
        if [now for _, _, now in found] == [plan.target, plan.source]:
            hint = "SOURCE and TARGET have changed places: give the trained model first"
        raise PlanError("The plan was made for other models.", facts, hint)
