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

_NEUTRAL = re.compile(r"neutral=(mean|-?inf|-?\d+(\.\d+)?)")
WORDS = ("linear", "zero", "idempotent", "add", "mul", "moves")


@dataclass(frozen=True, slots=True)
class Algebra:
    """What an op promises in one operand; see the module's table for the words."""

    linear: bool = False
    zero: bool = False
    idempotent: bool = False
    meeting: Meeting | None = None
    moves: bool = False
    neutral: Neutral | None = None


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
    neutral = [word.removeprefix("neutral=") for word in said if word.startswith("neutral=")]
    unknown = [word for word in said if word not in WORDS and not _NEUTRAL.fullmatch(word)]
    if unknown or len(neutral) > 1 or {"add", "mul"} <= set(said):
        raise RuleError(
            f"{words!r} is not an algebra.", [("words", ", ".join(WORDS) + ", neutral=…")]
        )
    return Algebra(
        linear="linear" in said,
        zero="zero" in said or "linear" in said,
        idempotent="idempotent" in said,
        meeting="add" if "add" in said else "mul" if "mul" in said else None,
        moves="moves" in said,
        neutral=_neutral(neutral[0]) if neutral else None,
    )


def _neutral(word: str) -> Neutral:
    return "mean" if word == "mean" else float(word)
