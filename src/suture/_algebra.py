"""The algebra of an op in one operand: what axes alone cannot tell.

Knows the words. Does not know any op, nor how a fill uses them.

| word | promise, with f the op as a function of this operand |
|---|---|
| `linear` | f(a x + b y) = a f(x) + b f(y), operands that are added held at 0 |
| `zero` | f(0) = 0, operands that are added held at 0 (said by `linear` already) |
| `idempotent` | f(f(x)) = f(x) |
| `add` | is added to every other operand: f(x, y) + f(0, 0) = f(x, 0) + f(0, y) |
| `mul` | multiplies another operand: f(x, 0) = 0 = f(0, y), what is added to either held at 0 |
| `moves` | every entry that changes with x is always the same entry of x: nothing is computed |
| `neutral=c` | an entry c on a reduced or mixed axis changes nothing elsewhere |
| `degree=p` | f(s x) = s^p f(x) for s > 0 (1 is said by `linear` already) |
| `factor=c` | f(x) = c x, operands that are added held at 0 |
| `times=c` | the result is c times that of a call with 1 in its place |
| `shift=c` | f(x) = x + c |
| `normed=c` | m entries for n on the mixed axis, the new ones c: all times sqrt(m / n), so is f |
| `unit=c` | with every operand of which this is said at its c, the op gives the other one back |
| `thinned=p` | m entries for n on the reduced axis, the new ones the mean: (n / m)^p times f |
| `less=c` | of that, c are not counted: ((n - c) / (m - c))^p times f |
| `repeats` | all entries k times along the mixed axes: the same f, k times |

c is a number, `-inf`, `inf`, or `mean`: that of the other entries. What is added to one operand and
weighted by another (the start of a lerp) has neither `add` nor `mul`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from suture._errors import RuleError

Meeting = Literal["add", "mul"]
Neutral = float | Literal["mean"]

WORDS = ("linear", "zero", "idempotent", "add", "mul", "moves", "repeats")
_REAL = re.compile(r"-?(\d+(\.\d+)?(e[-+]?\d+)?|inf|nan)")

VALUED = {
    "neutral": re.compile(r"mean|-?inf|-?\d+(\.\d+)?"),
    "degree": _REAL,
    "factor": _REAL,
    "times": _REAL,
    "shift": _REAL,
    "unit": _REAL,
    "thinned": _REAL,
    "less": _REAL,
    "normed": re.compile(r"0|mean"),
}
"""Words that are said with a value, and how it is written."""


@dataclass(frozen=True, slots=True)
class Algebra:
    """What an op promises in one operand; see the module's table for the words."""

    linear: bool = False
    zero: bool = False
    idempotent: bool = False
    meeting: Meeting | None = None
    moves: bool = False
    neutral: Neutral | None = None
    degree: float | None = None
    factor: float | None = None
    times: float | None = None
    shift: float | None = None
    unit: float | None = None
    thinned: float | None = None
    less: float = 0.0
    normed: Neutral | None = None
    repeats: bool = False


@cache
def algebra(words: str) -> Algebra:
    """Read the algebra of one operand.

    Args:
        words: words of the module's table, separated by spaces.

    Returns:
        The algebra; `linear` implies `zero`.

    Raises:
        RuleError: a word that is not in the table, two neutral elements, or both `add` and `mul`.

    Example:
        >>> algebra("linear mul neutral=0").neutral
        0.0
    """
    said = words.split()
    valued = dict(word.split("=", 1) for word in said if _is_valued(word))
    plain = [word for word in said if not _is_valued(word)]
    unknown = [word for word in plain if word not in WORDS]
    if unknown or len(plain) + len(valued) < len(said) or {"add", "mul"} <= set(said):
        known = ", ".join([*WORDS, *(f"{word}=…" for word in VALUED)])
        raise RuleError(f"{words!r} is not an algebra.", [("words", known)])
    linear = "linear" in said
    return Algebra(
        linear=linear,
        zero="zero" in said or linear,
        idempotent="idempotent" in said,
        meeting="add" if "add" in said else "mul" if "mul" in said else None,
        moves="moves" in said,
        neutral=_neutral(valued.get("neutral")),
        degree=_number(valued.get("degree", "1" if linear else None)),
        factor=_number(valued.get("factor")),
        times=_number(valued.get("times")),
        shift=_number(valued.get("shift")),
        unit=_number(valued.get("unit")),
        thinned=_number(valued.get("thinned")),
        less=_number(valued.get("less")) or 0.0,
        normed=_neutral(valued.get("normed")),
        repeats="repeats" in said,
    )


def _is_valued(word: str) -> bool:
    name, equals, value = word.partition("=")
    return bool(equals and name in VALUED and VALUED[name].fullmatch(value))


def _number(word: str | None) -> float | None:
    return None if word is None else float(word)


def _neutral(word: str | None) -> Neutral | None:
    if word is None or word == "mean":
        return None if word is None else "mean"
    return float(word)
