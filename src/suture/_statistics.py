"""Running statistics of an input: means and variances follow their features by name.

Knows what becomes of a mean and a variance. Does not know who keeps them (`_sb3`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suture._carry import Checked, refuse, wrong
from suture._laid_out import Layout, layout
from suture._plan import Affine, Plan

Moments = tuple[float, float]
"""The mean and the variance of a new feature."""


def carry_statistics(
    plan: Plan,
    name: str,
    mean: NDArray[Any],
    var: NDArray[Any],
    *,
    fresh: Mapping[str, Moments] | None = None,
    rescaled: Mapping[str, Affine] | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Carry the running mean and variance that normalise an input, by feature name.

    Features of both models keep theirs, so that the network sees of them what it saw before. One
    that comes in other units has mean x scale + shift and variance x scale²: its normalised value
    stays, and so the weights must not undo the scale as well.

    Args:
        plan: the plan of the network behind the statistics.
        name: the input that they normalise.
        mean: f[..,features], along the source's entries; it is not changed.
        var: of the same shape: variances, not standard deviations.
        fresh: new features, by full name or the input's for all -> mean and variance; (0, 1)
            without. How many steps were counted is one number for all features in most
            libraries: after a long run a new one adapts slowly, so say what is known.
        rescaled: features -> how the new environment gives them; only positive scales.

    Returns:
        Mean and variance along the target's entries, of the same dtype.

    Raises:
        TransferError: listing names that are no features, scales that would turn a sign, features
            that the plan rescales in the weights, or saying how the arrays do not fit.

    Warns:
        UserWarning: entries without names are paired by position.

    Example:
        >>> import suture, torch
        >>> def graph(names):
        ...     schema = suture.Schema(inputs={"input": names})
        ...     example = torch.zeros(5, len(names))
        ...     return suture.trace(
        ...         suture.Subject(torch.nn.Linear(len(names), 2), (example,), schema=schema))
        >>> plan = suture.plan(graph(["x", "v"]), graph(["v", "wind", "x"]))
        >>> kmh = {"input.v": suture.Affine(scale=3.6)}
        >>> mean, var = np.array([0.5, 10.0]), np.array([4.0, 25.0])
        >>> carry_statistics(plan, "input", mean, var, rescaled=kmh)
        (array([36. ,  0. ,  0.5]), array([324.,   1.,   4.]))
    """
    found, means, variances = layout(plan, name), np.asarray(mean), np.asarray(var)
    moments = {found.placement.name: (0.0, 1.0)} | dict(fresh or {})
    said = dict(rescaled or {})
    values = [{key: float(each[part]) for key, each in moments.items()} for part in (0, 1)]
    facts = [fact for array in (means, variances) for fact in found.misfit(array)]
    for each in values:
        facts += wrong(found, each, said, means.dtype)
    facts += [(key, "has a variance below 0") for key, each in values[1].items() if each < 0]
    facts += _turned(found, said)
    refuse(list(dict.fromkeys(facts)), values[0], found)
    squares = {key: Affine(each.scale**2) for key, each in said.items()}
    return (
        Checked(found, means, values[0], said).written(),
        Checked(found, variances, values[1], squares).written(),
    )


def _turned(found: Layout, said: Mapping[str, object]) -> list[tuple[str, str]]:
    """List scales under which the network would not see what it saw."""
    turned = [name for name, each in said.items() if isinstance(each, Affine) and each.scale < 0]
    twice = [one.name for one in found.placement.rescaled]
    return [
        *((name, "a scale below 0 turns the sign of what is normalised") for name in turned),
        *((name, "the plan's weights undo the scale already: plan without") for name in twice),
    ]
