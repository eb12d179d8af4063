"""Which entry of the source a plan puts at each entry of the target.

Knows the words of a plan. Does not know what is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suture import Plan
from suture._plan import Runs, Sum, TensorPlan, Term
from suture._plan_check import source_tensors

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where everything comes from.

    Attributes:
        numbers: a number for every entry of every source tensor.
        found: for every entry of every target tensor the number of the one it comes from, −1
            without one. Scales are left out: they say how much, not what.
    """

    numbers: dict[str, Places]
    found: dict[str, Places]

    def kept(self, names: Iterable[str]) -> int:
        """How many entries of some source tensors are in the target, wherever."""
        found = np.concatenate([each.ravel() for each in self.found.values()])
        return sum(int(np.isin(self.numbers[name], found).sum()) for name in names)


def placed(plan: Plan) -> Placed:
    """Give every entry of the source a number, and look where the plan puts it."""
    numbers: dict[str, Places] = {}
    begin = 0
    for name, tensor in source_tensors(plan).items():
        numbers[name] = np.arange(begin, begin + tensor.size).reshape(tensor.shape)
        begin += tensor.size
    return Placed(numbers, {each.target.name: _found(each, numbers) for each in plan.tensors})


def _found(tensor: TensorPlan, numbers: dict[str, Places]) -> Places:
    found = np.full(tensor.target.shape, -1, np.int64)
    for block in tensor.blocks:
        match block.fill:
            case Sum((Term(reductions=()) as term,)):
                read = numbers[term.source][np.ix_(*map(_positions, term.index))]
                found[np.ix_(*map(_positions, block.region))] = read
            case _:
                pass
    return found


def _positions(runs: Runs) -> Places:
    return np.concatenate([np.arange(*run) for run in runs])
