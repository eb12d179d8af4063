"""Transfer: the whole way in one call, nothing half done. Knows the order of the steps alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from suture._adapter import adapter, trace
from suture._apply import apply
from suture._errors import VerifyError
from suture._keep import Keep
from suture._plan import Affine, Plan
from suture._planning import plan
from suture._policies import Policy
from suture._rename import Rules
from suture._report import Difference
from suture._starts import Start
from suture._subject import Subject
from suture._verify import Measured, located, measure


def transfer(
    source: Subject,
    target: Subject,
    rename: Rules | None = None,
    *,
    generic: int | None = None,
    constants: Mapping[str, float] | None = None,
    means: Mapping[str, float] | None = None,
    rescaled: Mapping[str, Affine] | None = None,
    fill: str | Policy | Mapping[str, Start] = "exact",
    keep: Keep | None = None,
) -> Plan:
    """Carry the source's weights into the target model, in place, and check that it worked.

    Args:
        source: the trained model.
        target: the changed model; its weights are overwritten where the plan says so.
        rename: regular expression -> replacement for the names of the source's tensors; see
            `suture.plan`.
        generic: how many world states to run with generic weights besides; see `suture.verify`.
        constants: features that are gone -> the value that they always had; see `suture.plan`.
        means: features that are gone -> their mean, as an approximation.
        rescaled: features -> how the new model sees them.
        fill: how what has no source begins: a policy, or new outputs and categories by name; see
            `suture.plan`.
        keep: what stays of axes that shrink, by scores; see `suture.plan`.

    Returns:
        The plan that was applied. Where `plan.exact` is false its notes say why, and
        `suture.verify` measures by how much.

    Raises:
        VerifyError: the models differ although the plan promised the old function, or nothing shows
            whether they do. The target is left as it was.
        SutureError: tracing or planning failed. The target is left as it was.

    Example:
        >>> import torch
        >>> def subject(features):
        ...     schema = Schema(inputs={"input": features})
        ...     model = torch.nn.Linear(len(features), 2)
        ...     return Subject(model, (torch.randn(5, len(features)),), schema=schema)
        >>> from suture._schema import Schema
        >>> transfer(subject(["x", "v"]), subject(["x", "new", "v"])).exact
        True
    """
    made = plan(
        trace(source),
        trace(target),
        rename=rename,
        constants=constants,
        means=means,
        rescaled=rescaled,
        fill=fill,
        keep=keep,
    )
    with _all_or_nothing(target.model):
        before = adapter(target.model).state(target.model)
        new = apply(made, adapter(source.model).state(source.model), before)
        adapter(target.model).load(target.model, new)
        _check(made, measure(made, source, target, generic=generic))
    return made


@contextmanager
def _all_or_nothing(model: Any) -> Iterator[None]:
    """Give a model its old weights back unless everything went well."""
    ours, done = adapter(model), False
    before = copy.deepcopy(ours.state(model))
    try:
        yield
        done = True
    finally:
        if not done:
            ours.load(model, before)


def _apart(outputs: Sequence[Difference], how: str) -> list[tuple[str, str]]:
    return [
        (
            one.name,
            f"relative difference {one.max_rel:.2e}{how}, rounding allows {one.tolerance:.0e}",
        )
        for one in outputs
        if not one.equal
    ]


def _check(made: Plan, measured: Measured) -> None:
    """Refuse a transfer that does not keep the plan's promise, or of which nothing shows it."""
    if not made.exact:
        return
    report = measured.report
    facts = _apart(report.outputs, "") or _apart(report.generic, " with generic weights")
    if facts:
        facts.append(("parting", located(measured).parted))
        raise VerifyError(
            "The new model does not compute the old function, although the plan promised it.",
            facts,
            "they differ in what no weight shows (a slope, a constant, chance); the target is as "
            "it was before",
        )
    empty = [output.name for output in report.outputs if not output.compared]
    if empty and report.states:
        raise VerifyError(
            "Nothing shows whether the new model computes the old function.",
            [(name, "no entry of the old model's output is a number") for name in empty],
            "check the old model's weights and example arguments; the target is as it was before",
        )
