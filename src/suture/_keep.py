"""Keep: which units of an axis that shrinks stay, by scores that a user gives.

Knows how the scores of positions become those of units, and which units have the highest. Does not
know which axes pair (`_signature`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suture._couple import Column, Layout, Units
from suture._errors import MatchError, near_miss
from suture._pair import Entry, Name

Keep = Mapping[str, Any]
"""A dim of a source parameter, `"fc1.weight dim 0"` -> a score for each position along it."""

Scores = NDArray[np.float64]
"""Unit -> the sum of the scores of its positions; NaN where nobody gave one."""


def scored(units: Units, names: Mapping[Name, Entry], keep: Keep) -> Scores:
    """Add up the scores of every unit of the source.

    Raises:
        MatchError: listing dims that are not there or have names, and scores that do not fit.
    """
    found = np.full(units.count, np.nan)
    facts, hints = list[tuple[str, str]](), list[str | None]()
    named = np.zeros(units.count, np.bool_)
    named[[unit for entry in names.values() for unit in entry]] = True
    known = dims(units)
    for key, given in keep.items():
        if key not in known:
            facts.append((key, "is no dim of a parameter of the old model"))
            hints.append(near_miss(key, [*known]))
            continue
        wrong = [*_unfit(known[key], given, named)]
        facts += [(key, text) for text in wrong]
        if not wrong:
            _add(found, known[key], np.asarray(given, np.float64))
    if facts:
        hint = next(filter(None, hints), None) or 'write keep={"fc1.weight dim 0": scores}'
        sentence = "The scores of what to keep do not fit the old model."
        raise MatchError(sentence, _aligned(facts), hint)
    return found


def dims(units: Units) -> dict[str, Layout]:
    """Call every dim of a parameter as plans do."""
    return {
        f"{name} dim {dim}": layout
        for name in units.graph.parameters
        for dim, layout in enumerate(units.tensors[name])
    }


def _unfit(layout: Layout, given: Any, named: NDArray[np.bool_]) -> Iterator[str]:
    size = sum(int(np.prod([len(column) for column in segment])) for segment in layout)
    try:
        scores = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        yield f"{given!r} are no numbers"
        return
    if scores.shape != (size,):
        yield f"scores of shape {list(scores.shape)} for {size} positions"
    elif not np.isfinite(scores).all():
        yield "a score is not finite"
    if any(named[column[column >= 0]].any() for segment in layout for column in segment):
        yield "its entries have names: the schemas say which stay"


def _add(found: Scores, layout: Layout, scores: Scores) -> None:
    """Give each factor of a segment the sums of the scores along the others."""
    start = 0
    for segment in layout:
        shape = tuple(len(column) for column in segment)
        part = scores[start : start + int(np.prod(shape))].reshape(shape)
        start += part.size
        for at, column in enumerate(segment):
            total = part.sum(axis=tuple(other for other in range(len(shape)) if other != at))
            known = column >= 0
            found[column[known]] = np.where(np.isnan(found[column[known]]), 0, found[column[known]])
            np.add.at(found, column[known], total[known])


def best(scores: Scores, column: Column, count: int) -> Column:
    """Choose the units with the highest scores, in order; the first where nobody gave scores.

    Example:
        >>> best(np.array([0.5, 2.0, 1.0]), np.array([0, 1, 2]), 2)
        array([1, 2])
    """
    given = scores[column]
    if np.isnan(given).any():
        return column[:count]
    return column[np.sort(np.argsort(-given, kind="stable")[:count])]


def demand_kept(units: Units, keep: Keep, scores: Scores, partner: Column) -> None:
    """Refuse scores of what does not shrink, or whose units pair by something else.

    Raises:
        MatchError: listing those.
    """
    stays = np.zeros(units.count, np.bool_)
    stays[partner[partner >= 0]] = True
    known, facts = dims(units), list[tuple[str, str]]()
    for key in keep:
        factors = [np.unique(c[c >= 0]) for segment in known[key] for c in segment]
        shrunk = [column for column in factors if not stays[column].all()]
        if not shrunk:
            facts.append((key, "does not shrink: all of its units stay"))
        for column in shrunk:
            kept = column[stays[column]]
            if not np.array_equal(best(scores, column, len(kept)), kept):
                facts.append((key, "its units pair by names, places or features, not by scores"))
    if facts:
        hint = "give scores for axes without names that shrink"
        raise MatchError("Scores do not say what stays there.", _aligned(facts), hint)


def _aligned(facts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    width = max(len(key) for key, _ in facts) + 2
    return [(key.ljust(width), text) for key, text in facts]
