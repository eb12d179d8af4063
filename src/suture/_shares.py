"""Shares: how copies of units are read, and where they add up all the same.

Knows which parameters take uneven shares of copies, so that copies part when they learn, and which
cannot, because they write the copies too (a tied head). Does not know who asks for copies
(`_replicate`).

Source: Net2Net (Chen et al., 2016), section 2.2; LEMON (Wang et al., 2024), figure 3, for uneven
shares.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import reduce
from math import log

import numpy as np
from numpy.typing import NDArray

from suture._axes import Class
from suture._fill import below
from suture._match import Match
from suture._side import CONTRACTED, REDUCED, Side


def shares(match: Match, name: str) -> dict[int, NDArray[np.float64]]:
    """Find the dims along which a parameter reads copies, and the share of each position."""
    found: dict[int, NDArray[np.float64]] = {}
    reads = {read for use in match.uses[1].get(name, ()) for read in use.reads}
    for dim, member in reads if match.copies else ():
        if _has_copies(match, member) and _is_shared(match, name, dim):
            layout = match.target.tensors[name][dim]
            found[dim] = np.concatenate([_outer(_share(match, c) for c in s) for s in layout])
    return found


def repeated(match: Match, side: Side) -> dict[int, float]:
    """Find the nodes at which copies add up: to so many times, as a logarithm, what one gave."""
    found: dict[int, float] = defaultdict(float)
    if match.copies is None:
        return found
    for number in side.relevant:
        node, names = match.target.graph.nodes[number], match.target.axes.names[number]
        for name, how in side.meetings(number).items():
            sums = how in (CONTRACTED, REDUCED)
            if sums and any(algebra.neutral == 0 for algebra in node.algebra):
                found[number] += _times(match, names[name])
    for name, uses in match.uses[1].items():
        for use in uses:
            for dim, member in use.reads:
                if not _is_shared(match, name, dim):
                    found[use.node] += _times(match, member)
    return found


def _times(match: Match, member: Class) -> float:
    """Give the logarithm of how often each entry of a class comes."""
    counts = match.copies.counts if match.copies else {}
    inside = below(match.target.axes, {member}) if counts else set()
    return sum(log(count) for atom, count in counts.items() if atom in inside)


def _has_copies(match: Match, member: Class) -> bool:
    copied = match.copies.atoms if match.copies else frozenset()
    return bool(copied) and not copied.isdisjoint(below(match.target.axes, {member}))


def _is_shared(match: Match, name: str, dim: int) -> bool:
    """Whether all that uses a parameter reads one of its dims."""
    uses = match.uses[1].get(name, ())
    return all(any(at == dim for at, _ in use.reads) for use in uses)


def _share(match: Match, column: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.ones(len(column)) if match.copies is None else match.copies.share(column)


def _outer(columns: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Multiply what is said of the factors of a segment, position by position."""
    return reduce(lambda outer, inner: np.multiply.outer(outer, inner).ravel(), columns)
