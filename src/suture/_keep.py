"""Keep: which units of an axis that shrinks stay, by scores that a user gives.

Knows how what is said of units becomes a score of each, and which units have the highest. Does not
know how units are called (`_unit_names`), nor which axes pair (`_signature`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suture._couple import Column, Layout, Units, length
from suture._errors import MatchError
from suture._pair import Entry, Name
from suture._unit_names import Along, At, Unknown, named_units

Keep = Mapping[str, Any]
"""What a user says of units of the source.

A dim of a parameter, `"fc1.weight dim 0"` -> a score for each position along it; or a unit,
`"fc1.weight[7, :]"` or a name of a schema -> its score.
"""

Scores = NDArray[np.float64]
"""Unit -> the sum of the scores of its positions; NaN along axes of which nobody said any."""


def scored(units: Units, names: Mapping[Name, Entry], keep: Keep) -> Scores:
    """Add up the scores of every unit of the source.

    Raises:
        MatchError: listing units and dims that are not there, dims that have names, units with two
            scores, and scores that do not fit.
    """
    named = np.zeros(units.count, np.bool_)
    named[[unit for entry in names.values() for unit in entry]] = True
    scoring = _Scoring(named, np.full(units.count, np.nan))
    meant = named_units(units, keep)
    for word, given in keep.items():
        match meant[word]:
            case Along(layout):
                scoring.along(word, layout, given)
            case At() as at:
                scoring.at(word, at, given)
            case Unknown(why, hint):
                scoring.refuse(word, why, hint)
    scoring.demand_once()
    if scoring.facts:
        usual = 'write keep={"fc1.weight dim 0": scores} or keep={"fc1.weight[7, :]": score}'
        hint = next(filter(None, scoring.hints), None) or usual
        sentence = "The scores of what to keep do not fit the old model."
        raise MatchError(sentence, _aligned(scoring.facts), hint)
    return scoring.finished(units)


@dataclass(slots=True, eq=False)
class _Scoring:
    """Scores on their way.

    Attributes:
        named: unit -> whether it is an entry that a schema names.
        found: unit -> its score so far.
        dims: word for a dim -> its units.
        said: the units of a position -> the words that give it a score of its own.
        facts: what does not fit, and `hints` for it.
    """

    named: NDArray[np.bool_]
    found: Scores
    dims: dict[str, Column] = field(default_factory=dict)
    said: dict[Entry, list[str]] = field(default_factory=dict)
    facts: list[tuple[str, str]] = field(default_factory=list)
    hints: list[str | None] = field(default_factory=list)

    def refuse(self, word: str, why: str, hint: str | None = None) -> None:
        self.facts.append((word, why))
        self.hints.append(hint)

    def along(self, word: str, layout: Layout, given: Any) -> None:
        """Take a score for each position along a dim."""
        wrong = [*_unfit(layout, given, self.named)]
        for why in wrong:
            self.refuse(word, why)
        if not wrong:
            self.dims[word] = _units(layout)
            _add(self.found, layout, np.asarray(given, np.float64))

    def at(self, word: str, at: At, given: Any) -> None:
        """Take a score for each of some positions of a dim, whose other positions have 0."""
        try:
            score = float(given)
        except (TypeError, ValueError):
            score = np.nan
        if not isfinite(score):
            self.refuse(word, f"a score of {given!r} is no finite number")
            return
        for entry in at.entries():
            self.said.setdefault(entry, []).append(word)
        scores = np.zeros(length(at.layout))
        scores[at.positions] = score
        _add(self.found, at.layout, scores)

    def demand_once(self) -> None:
        """Refuse a second score for one position."""
        for entry, words in self.said.items():
            along = [word for word, units in self.dims.items() if np.isin(entry, units).all()]
            for word in words if along else words[1:]:
                other = along[0] if along else words[0]
                fact = word, f"has a score by {other} already"
                if fact not in self.facts:
                    self.refuse(*fact)

    def finished(self, units: Units) -> Scores:
        """Give what nobody spoke of 0 along axes of which somebody did."""
        for column in units.columns.values():
            each = self.found[column]
            if not np.isnan(each).all():
                self.found[column] = np.nan_to_num(each)
        return self.found


def _units(layout: Layout) -> Column:
    """List the units along a dim."""
    found: Column = np.unique(np.concatenate([column for segment in layout for column in segment]))
    return found[found >= 0]


def _unfit(layout: Layout, given: Any, named: NDArray[np.bool_]) -> Iterator[str]:
    size = length(layout)
    try:
        scores = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        yield f"{given!r} are no numbers"
        return
    if scores.shape != (size,):
        yield f"scores of shape {list(scores.shape)} for {size} positions"
    elif not np.isfinite(scores).all():
        yield "a score is not finite"
    if named[_units(layout)].any():
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
            found[column[known]] = np.nan_to_num(found[column[known]])
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
    facts = list[tuple[str, str]]()
    for word, meant in named_units(units, keep).items():
        assert not isinstance(meant, Unknown), "what means nothing is refused before"
        factors = [np.unique(c[c >= 0]) for segment in meant.layout for c in segment]
        shrunk = [column for column in factors if not stays[column].all()]
        if not shrunk:
            facts.append((word, "does not shrink: all of its units stay"))
        for column in shrunk:
            kept, gone = scores[column[stays[column]]], scores[column[~stays[column]]]
            if len(kept) and kept.min() < gone.max():
                facts.append((word, "its units pair by names, places or features, not by scores"))
    if facts:
        hint = "give scores for axes without names that shrink"
        raise MatchError("Scores do not say what stays there.", _aligned(facts), hint)


def _aligned(facts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    width = max(len(word) for word, _ in facts) + 2
    return [(word.ljust(width), text) for word, text in facts]
