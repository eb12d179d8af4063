"""Optimizer transfer: what an optimizer keeps beside the parameters follows them by a plan.

Knows the order of the steps: read both sides, check everything, carry, load. Does not know how
slots follow (`_slots`, `_moments`), nor whose state is whose (`_held`).
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from suture._adapter import Adapter, adapter
from suture._errors import OptimizerError, TraceError, no_optimizer
from suture._followed import OptimizerReport
from suture._following import Following
from suture._held import Given, held
from suture._plan import Plan
from suture._plan_check import check, source_tensors
from suture._planned import calculated
from suture._subject import Subject
from suture._unfollowed import unfollowed

Owner = Any
"""A `Subject`, a model, the names of an optimizer's parameters in its order, or None."""


def transfer_optimizer(
    plan: Plan,
    source_optimizer: Any,
    target_optimizer: Any,
    source: Owner = None,
    target: Owner = None,
    *,
    fresh: Literal["mean", "zero"] = "mean",
    options: Collection[str] = (),
) -> OptimizerReport:
    """Carry an optimizer's state to the parameters of the changed model, by name.

    What is carried of a parameter is carried of everything that the optimizer keeps beside it:
    gradients divided by what the weight was multiplied by, squares of gradients by its square, and
    so on; see `suture.slot`. One step and then the transfer is the transfer and then one step, on
    carried entries that no plan scales, for optimizers that treat entries one by one.

    Args:
        plan: the plan by which the weights are carried.
        source_optimizer: the old optimizer, or its state dict; it is not changed.
        target_optimizer: the new optimizer, which is loaded in place, or its state dict, which is
            not changed. Its groups, their options and their order stay.
        source: the old `Subject` or model. A state dict with `param_names` needs none; one of
            positions alone does, or the names of its parameters in its order.
        target: the new `Subject` or model, or names, likewise.
        fresh: how fresh entries of squared gradients begin: the `"mean"` of what is carried beside
            them, so that a typical gradient's first step is no larger than usual, or `"zero"`, with
            which Adam's first is 3 times the learning rate at an old step count, and later ones 6.
        options: options of parameter groups to take from the source, e.g. `("lr", "betas")`.

    Returns:
        What was carried, and the target's new state dict as its `state`. Parameters of which
        nothing is carried have no state, or the one that the target's optimizer began them with.

    Raises:
        OptimizerError: listing everything that does not fit; nothing is written then.
        PlanError: the plan is not whole.

    Example:
        >>> import torch, suture
        >>> def driver(features):
        ...     model = torch.nn.Linear(len(features), 2)
        ...     schema = suture.Schema(inputs={"input": features})
        ...     return suture.Subject(model, (torch.randn(5, len(features)),), schema=schema)
        >>> old, new = driver(["x", "v"]), driver(["x", "wind", "v"])
        >>> before, after = (torch.optim.Adam(one.model.parameters()) for one in (old, new))
        >>> old.model(old.args[0]).square().sum().backward()
        >>> before.step()
        >>> plan = suture.transfer(old, new)
        >>> print(suture.transfer_optimizer(plan, before, after, old, new))
        Adam -> Adam
          weight   step exp_avg exp_avg_sq   4 of 6 entries carried
          bias     step exp_avg exp_avg_sq   2 of 2 entries carried
    """
    following = followed(
        plan, source_optimizer, target_optimizer, source, target, fresh=fresh, options=options
    )
    report = following.report(calculated(following.planned()))
    if not isinstance(target_optimizer, Mapping):
        adapter(target_optimizer).optimizer_load(target_optimizer, copy.deepcopy({**report.state}))
    return report


def followed(
    plan: Plan,
    source_optimizer: Any,
    target_optimizer: Any,
    source: Owner,
    target: Owner,
    *,
    fresh: Literal["mean", "zero"] = "mean",
    options: Collection[str] = (),
) -> Following:
    """Read both sides and check everything; see `transfer_optimizer`.

    Raises:
        OptimizerError: as `transfer_optimizer`.
        PlanError: as `transfer_optimizer`.
    """
    check(plan)
    given = (
        _given("source", source_optimizer, source, frozenset(source_tensors(plan))),
        _given("target", target_optimizer, target, _targets(plan)),
    )
    (old, wrong), (new, false) = held(given[0]), held(given[1])
    if old is None or new is None:
        raise _refusal([*wrong, *false])
    following = Following(plan, old, new, fresh, options)
    faults = [*wrong, *false, *unfollowed(following)]
    if faults:
        raise _refusal(faults)
    return following


def _targets(plan: Plan) -> frozenset[str]:
    return frozenset(name for t in plan.tensors for name in (t.target.name, *t.tied))


def _refusal(faults: Sequence[tuple[str, str]]) -> OptimizerError:
    hint = "nothing was written; see docs/optimizer.md"
    return OptimizerError("The optimizer's state cannot be carried.", faults, hint)


def _given(side: str, optimizer: Any, owner: Owner, known: frozenset[str]) -> Given:
    """Read what a user gives for one side."""
    model = owner.model if isinstance(owner, Subject) else owner
    given = Given(side, *_read(side, optimizer), known)
    if isinstance(model, Sequence):
        return replace(given, order=tuple(map(str, model)))
    if model is None:
        return given
    ours, is_live = adapter(model), not isinstance(optimizer, Mapping)
    identity = ours.held(optimizer, model) if is_live else None
    return replace(given, identity=identity, parameters=ours.parameters(model))


def _read(side: str, optimizer: Any) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Give an optimizer's state dict, and its classes if it is live."""
    if not isinstance(optimizer, Mapping):
        classes = tuple(each.__name__ for each in type(optimizer).__mro__)
        return _adapter_of(optimizer).optimizer_state(optimizer), classes
    if optimizer.keys() >= {"state", "param_groups"}:
        return optimizer, ()
    raise OptimizerError(
        "An optimizer's state dict has 'state' and 'param_groups'.",
        [(side, f"has {', '.join(map(str, optimizer)) or 'nothing'}")],
        "look for it inside of the checkpoint",
    )


def _adapter_of(optimizer: Any) -> Adapter:
    try:
        return adapter(optimizer)
    except TraceError as error:
        raise no_optimizer(optimizer) from error
