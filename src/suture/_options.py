"""Options of the command line that say more than a word: `NAME=VALUE`, read and refused.

Knows how they are written. Does not know the models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from suture._errors import MatchError, PlanError
from suture._plan import Affine
from suture._policies import Policy, Word


def rules(given: Sequence[str]) -> dict[str, str]:
    """Read `REGEX=NAME`, cut at the last `=`: an expression may hold one, a name does not.

    Raises:
        MatchError: listing what has none.
    """
    wrong = [("rename", text) for text in given if "=" not in text]
    if wrong:
        hint = r"write what to replace, = and the new text: --rename '^h\.=blocks.'"
        raise MatchError("A rule of `--rename` has no `=`.", wrong, hint)
    return {regex: name for regex, _, name in (text.rpartition("=") for text in given)}


def numbers(option: str, given: Sequence[str]) -> dict[str, float]:
    """Read `NAME=NUMBER`.

    Raises:
        PlanError: listing what is written otherwise.

    Example:
        >>> numbers("constant", ["obs.weather=0.5"])
        {'obs.weather': 0.5}
    """
    found = {text: _floats(text, most=1) for text in given}
    _refuse(option, found, f"write a feature, = and a number: --{option} obs.weather=0.5")
    return {_name(text): values[0] for text, values in found.items()}


def affines(given: Sequence[str]) -> dict[str, Affine]:
    """Read `NAME=SCALE` and `NAME=SCALE,SHIFT`.

    Raises:
        PlanError: listing what is written otherwise.

    Example:
        >>> affines(["obs.speed=3.6"])
        {'obs.speed': Affine(scale=3.6, shift=0.0)}
    """
    found = {text: _floats(text, most=2) for text in given}
    _refuse("rescaled", found, "write a feature, = and scale,shift: --rescaled obs.speed=3.6,0")
    return {_name(text): Affine(*values) for text, values in found.items()}


def policy(given: str) -> Policy:
    """Read `POLICY` and `POLICY,NOISE`.

    Raises:
        PlanError: noise that is no number.

    Example:
        >>> policy("replicate,0.01").noise
        0.01
    """
    word, comma, noise = given.partition(",")
    found = _numbers(noise) if comma else [0.0]
    hint = "write a policy, and for copies with noise a comma and a number: --fill replicate,0.01"
    _refuse("fill", {given: found if len(found) == 1 else []}, hint)
    return Policy(cast(Word, word), noise=found[0])


def _name(text: str) -> str:
    return text.rpartition("=")[0]


def _floats(text: str, most: int) -> list[float]:
    """Read the numbers behind the last `=`; none if they are not as many, or no numbers."""
    name, _, values = text.rpartition("=")
    found = _numbers(values)
    return found if name and len(found) <= most else []


def _numbers(text: str) -> list[float]:
    """Read numbers with commas between them; none if some are not."""
    try:
        return [float(value) for value in text.split(",")]
    except ValueError:
        return []


def _refuse(option: str, found: dict[str, list[float]], hint: str) -> None:
    wrong = [(option, text) for text, values in found.items() if not values]
    if wrong:
        raise PlanError(f"`--{option}` cannot be read.", wrong, hint)
