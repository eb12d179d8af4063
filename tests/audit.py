"""The audit: a rule against the op it describes, run for real on its samples.

Knows how findings about one op are gathered and reported. What counts as a contradiction is known
by `audit_axes` and `audit_algebra`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from audit_algebra import algebra_findings
from audit_axes import axis_findings
from audit_case import Case, cases
from audit_experiment import Experiment, experiment
from samples import Sample
from suture._algebra import Algebra
from suture._bind import Bound
from suture._torch._call import POINTWISE, find_rule

NOT_AUDITED = {
    f"aten.{op}": "returns memory as it finds it: there is nothing to compare"
    for op in ("empty", "empty_like", "new_empty", "empty_strided", "empty_permuted")
} | {"aten.poisson": "an entry decides how many numbers are drawn for it"}
SHAPE_ALONE = {
    "aten.native_batch_norm": "training writes the running statistics and does not read them",
    "aten.copy": "is written over: the first operand gives its shape",
    "aten.full_like": "is constant: the operand gives its shape",
} | {
    f"aten.{op}": "is drawn: the operand gives its shape"
    for op in (
        "rand_like",
        "randn_like",
        "randint_like",
        "bernoulli.p",
        "uniform",
        "exponential",
        "normal_functional",
        "random",
        "geometric",
        "cauchy",
        "log_normal",
    )
}
"""Ops of which an operand moves nothing, with the reason; by overload or packet."""


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """One sample, run for real, with what its rule says of it."""

    run: Experiment
    bound: Bound
    algebra: tuple[Algebra, ...]


Group = tuple[str, Algebra]
"""The operands of one op that are one argument and have one algebra."""


def describe(sample: Sample) -> Described:
    """Set up a sample and bind its rule."""
    found = find_rule(sample.op)
    if found is None:
        raise AssertionError(f"No rule for {sample.op}.")
    run = experiment(sample)
    return Described(run, *found.describe(run.call))


def exempt(op: object, listed: dict[str, str]) -> bool:
    """Say whether an op is in a list, itself or with its packet."""
    return str(op) in listed or str(op).rpartition(".")[0] in listed


def audit(samples: Sequence[Sample]) -> str:
    """Audit the rule of one op on its samples.

    Returns:
        All that contradicts the rule, as one message; empty if nothing does.
    """
    samples = [sample for sample in samples if not exempt(sample.op, NOT_AUDITED)]
    with torch.random.fork_rng():
        described = [describe(sample) for sample in samples]
        reports = [_axes_report(each) for each in described]
        return "\n".join(text for text in [*reports, _algebra_report(described)] if text)


def _axes_report(described: Described) -> str:
    findings = axis_findings(described.run, described.bound)
    if any("never seen" in finding for finding in findings):
        findings = axis_findings(described.run.enriched(), described.bound)
    if exempt(described.run.sample.op, SHAPE_ALONE):
        findings = [finding for finding in findings if "moves nothing" not in finding]
    return _report(str(described.run), described.bound, findings)


def _report(title: str, bound: Bound, findings: Sequence[str]) -> str:
    if not findings:
        return ""
    picks = [f"  pick     {p.axis} = {p.source}[{p.index.tolist()}]" for p in bound.picks]
    lines = [f"  audit    {finding}" for finding in findings]
    return "\n".join([title, f"  spec     {bound.spec}", *picks, *lines])


def _algebra_report(described: Sequence[Described]) -> str:
    lines = [
        f"  algebra  {argument}: {finding}"
        for (argument, stated), group in algebra_groups(described).items()
        for finding in algebra_findings(group, stated)
    ]
    return "\n".join([str(described[0].run.sample.op), *lines]) if lines else ""


def algebra_groups(described: Sequence[Described]) -> dict[Group, list[Case]]:
    """Gather the operands of an op's samples by argument and stated algebra."""
    groups: dict[Group, list[Case]] = {}
    for each in described:
        if find_rule(each.run.sample.op) is not POINTWISE:
            for case in cases(each.run, each.bound):
                key = each.run.places[case.operand], each.algebra[case.operand]
                groups.setdefault(key, []).append(case)
    return groups
