"""Claims: what one would hope for, arm against arm on the same seeds, and whether it was seen.

Knows pairs of arms. Does not know how they came about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from continuing.figures import ROUNDING, Figures, Spread
from continuing.tasks import Task

Seeds = Sequence[Mapping[str, Figures]]
"""The figures of all arms, seed by seed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """That `better` is better than `worse` in some figures."""

    text: str
    better: str
    worse: str


CLAIMS = (
    Claim("weights by surgery, not by leading slices", "reset", "naive"),
    Claim("optimizer carried, not reset", "carried", "reset"),
    Claim("both, beside what is done by hand", "carried", "naive"),
    Claim("all of recovery, optimizer carried", "carried + recovery", "carried"),
    Claim("all of recovery, optimizer reset", "reset + recovery", "reset"),
    Claim("all of recovery, naive", "naive + recovery", "naive"),
    Claim("warm-up alone", "carried + warm-up", "carried"),
    Claim("pull alone", "carried + pull", "carried"),
    Claim("gate on new features alone", "carried + gate", "carried"),
    Claim("bias on new actions alone", "carried + bias", "carried"),
    Claim("fresh second moments from their mean, not 0", "carried", "carried, fresh from 0"),
)


def judged(task: Task, seeds: Seeds, claim: Claim, measure: str) -> tuple[Spread, str]:
    """Compare two arms seed by seed: by how much the better one is better, and a verdict.

    The verdict is `"holds"` or `"reversed"` where the 95% confidence interval of the paired
    difference is on one side of 0, `"equal"` where no seed shows any, else `"not shown"`.
    """
    sign = 1 if task.better == "higher" else -1
    gains = [
        sign * (getattr(each[claim.better], measure) - getattr(each[claim.worse], measure))
        for each in seeds
    ]
    gain = Spread.of(gains)
    if max(map(abs, gains)) <= ROUNDING:
        return gain, "equal"
    if abs(gain.mean) <= gain.reach:
        return gain, "not shown"
    return gain, "holds" if gain.mean > 0 else "reversed"


def meant(seeds: Seeds) -> Iterator[Claim]:
    """List the claims whose arms there are."""
    return (each for each in CLAIMS if {each.better, each.worse} <= seeds[0].keys())
