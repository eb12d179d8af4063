"""Limits of growth, in words: what keeps fresh units from being unheard, and factors from fitting.

Knows what notes say of it. Does not know what else breaks a promise (`_promise`).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp

from suture._growth import Growth
from suture._plan import Note
from suture._side import Side

EPS = 1e-2
"""A number that a norm adds to a variance is below this."""


def tied(side: Side, grown: Growth) -> Iterator[Note]:
    """Find where tied tables read fresh units that they cannot but write."""
    for number, member in sorted(grown.loud):
        reason = f"a tied table writes fresh units, and {side.op(number)} reads them by it"
        yield Note("inexact", side.where(member), reason)


def why(side: Side, number: int, obstacle: int | None) -> str:
    """Say what keeps fresh units from being written so that a node does not hear them."""
    if obstacle is None:
        return ""
    between = f"; {side.op(obstacle)} stands between it and what writes them"
    copied = any(algebra.repeats for algebra in side.units.graph.nodes[number].algebra)
    return between + (": exact at whole multiples alone" if copied else "")


def scaled(side: Side, grown: Growth) -> Iterator[Note]:
    """Find where growth asks for scales that cannot all be had."""
    for number in grown.disagree:
        reason = f"growth asks for factors that cannot all be had at {side.op(number)}"
        yield Note("inexact", "scales", reason, side.leads(number))
    for number, log in grown.bounded.items():
        shifts = [abs(a.shift or 0.0) for a in side.units.graph.nodes[number].algebra]
        yield _weighed(side, number, exp(-log), max(shifts))


def _weighed(side: Side, number: int, times: float, shift: float) -> Note:
    """Say how much more a number weighs beside what it is added to: a bound if it is an eps."""
    op, ahead = side.op(number), side.leads(number)
    if shift > EPS:
        reason = f"{shift:g} weighs {times:.3g} times as much as before in {op}"
        return Note("inexact", "scales", reason, ahead)
    bound = f"what it gives differs by at most {abs(times - 1):.3g} eps / variance of itself"
    reason = f"eps weighs {times:.3g} times as much beside the variance in {op}: {bound}"
    return Note("bound", "eps", reason, ahead)
