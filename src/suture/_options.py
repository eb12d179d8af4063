"""Options of the command line that say more than a word: `NAME=VALUE`, read and refused.

Knows how they are written. Does not know the models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from suture._errors import MatchError, PlanError
from suture._plan import Affine
from suture._policies import Policy, Word, policy
from suture._starts import Bias, CopyOf, MeanOfOld, OwnInit, Start

STARTS: Mapping[str, Start] = {"own": OwnInit(), "mean": MeanOfOld()}
"""How a new entry begins, by a word."""


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


def sizes(given: Sequence[str]) -> dict[str, str]:
    """Read `TENSOR dim N=SIZES`.

    Raises:
        MatchError: listing what has no `=`.

    Example:
        >>> sizes(["q.weight dim 0=4x8"])
        {'q.weight dim 0': '4x8'}
    """
    wrong = [("size", text) for text in given if "=" not in text]
    if wrong:
        hint = "write the dim of a tensor, = and its sizes: --size 'q.weight dim 0=4x8'"
        raise MatchError("`--size` cannot be read.", wrong, hint)
    return {name: text for name, _, text in (each.rpartition("=") for each in given)}


def fill(given: Sequence[str]) -> Policy:
    """Read a policy, and `NAME=START`, where a start is a number, a word or an old entry's name.

    A policy is `POLICY` or, with noise on copies, `POLICY,NOISE`.

    Raises:
        PlanError: several policies, or one that is none, or noise that is no number.

    Example:
        >>> fill(["exact", "logits.brake=-5", "logits.sprint=logits.run"]).starts
        {'logits.brake': Bias(value=-5.0), 'logits.sprint': CopyOf(name='logits.run')}
    """
    words = [text for text in given if "=" not in text]
    if len(words) > 1:
        raise PlanError("All that is fresh begins by one policy.", [("fill", w) for w in words])
    named = [text.partition("=") for text in given if "=" in text]
    said = policy(_policy(words[0]) if words else "exact")
    return replace(said, starts={name: _start(text) for name, _, text in named})


def _policy(given: str) -> Policy:
    word, comma, noise = given.partition(",")
    found = _numbers(noise) if comma else [0.0]
    hint = "write a policy, and for copies with noise a comma and a number: --fill replicate,0.01"
    _refuse("fill", {given: found if len(found) == 1 else []}, hint)
    return Policy(cast(Word, word), noise=found[0])


def _start(text: str) -> Start:
    try:
        return Bias(float(text))
    except ValueError:
        return STARTS.get(text) or CopyOf(text)


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
