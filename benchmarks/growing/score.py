"""How much of a model is where it should be, judged by hand.

Knows per-dim positions, so that 70 billion entries are counted and not listed. Does not know who
put them there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

import suture
from by_hand import Axes, Hand
from suture._plan import Block, Runs, Sum, Term

Positions = NDArray[np.intp]
Removed = Mapping[tuple[str, int], Positions]
"""(parameter, dim) -> the positions that somebody takes out, in order."""


@dataclass(frozen=True, slots=True)
class Score:
    """Entries of a model, counted.

    Attributes:
        carried: those that have a place in the other model, by hand.
        right: those of them that somebody put there.
        wrong: those that somebody put elsewhere.
    """

    carried: int
    right: int
    wrong: int

    @property
    def share(self) -> float:
        """The share of what has a place that is there."""
        return self.right / self.carried


def carried(hand: Hand) -> int:
    """Count the entries that have a place in the other model."""
    return sum(prod(int((dim.came >= 0).sum()) for dim in dims) for dims in hand.values())


def placed_by(plan: suture.Plan, hand: Hand) -> Score:
    """Judge a plan; tied parameters count once."""
    names = {tensor.target.name for tensor in plan.tensors} & hand.keys()
    known = {name: hand[name] for name in names}
    right = put = 0
    for tensor in plan.tensors:
        for block in tensor.blocks if tensor.target.name in known else ():
            match block.fill:
                case Sum((Term(source=name, reductions=()) as term,)):
                    put += block.size
                    if name == tensor.target.name:
                        right += _agreeing(block, term, known[name])
                case _:
                    pass
    return Score(carried(known), right, put - right)


def _agreeing(block: Block, term: Term, dims: Axes) -> int:
    """Count the entries of a block that come from where they should."""
    sides = zip(block.region, term.index, dims, strict=True)
    return prod(int((dim.came[_positions(to)] == _positions(of)).sum()) for to, of, dim in sides)


def _positions(runs: Runs) -> Positions:
    return np.concatenate([np.arange(*run) for run in runs])


def shrunk_by(removed: Removed, hand: Hand) -> Score:
    """Judge what is taken out of a wide model to make it narrow again.

    Args:
        removed: what somebody takes out.
        hand: where every entry of the narrow model comes from in the wide one.

    Returns:
        The score; a parameter is right if exactly what should is taken out of each of its dims.
    """
    right = wrong = 0
    for name, dims in hand.items():
        wanted = (np.setdiff1d(np.arange(dim.source), dim.came) for dim in dims)
        found = (removed.get((name, number), np.array([], np.intp)) for number in range(len(dims)))
        if all(np.array_equal(a, b) for a, b in zip(wanted, found, strict=True)):
            right += prod(dim.came.size for dim in dims)
        else:
            wrong += prod(dim.came.size for dim in dims)
    return Score(carried(hand), right, wrong)
