"""Runs and product regions: whether they fit a shape, and whether blocks partition it.

Knows positions as runs. Does not expand them: every cost grows with the number of runs and blocks,
not with the number of entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import prod

from suture._plan import Block, Runs

Problem = tuple[str, str]
"""The place of a problem, as a path into the plan, and what is wrong there."""


def at(place: str, found: Iterator[Problem] | Sequence[Problem]) -> Iterator[Problem]:
    """Put a place before the places of problems found below it."""
    for below, text in found:
        yield place + (below if below.startswith("[") or not below else f".{below}"), text


def length(runs: Runs) -> int:
    """Count the positions in runs.

    Example:
        >>> length(((0, 2), (5, 8)))
        5
    """
    return sum(stop - start for start, stop in runs)


def misfits(runs: Runs, size: int) -> Iterator[Problem]:
    """List the runs that are empty or leave a dim of this size.

    Example:
        >>> list(misfits(((0, 2), (4, 4), (5, 9)), 8))
        [('[1]', '4..4 is empty'), ('[2]', '5..9 leaves a dim of 8')]
    """
    for which, (start, stop) in enumerate(runs):
        if stop <= start:
            yield f"[{which}]", f"{start}..{stop} is empty"
        elif start < 0 or stop > size:
            yield f"[{which}]", f"{start}..{stop} leaves a dim of {size}"


def repeats(runs: Runs) -> Iterator[Problem]:
    """List the positions that runs hold twice.

    Example:
        >>> list(repeats(((4, 6), (0, 5))))
        [('', 'holds 4..5 twice')]
    """
    for (_, stop), (start, end) in pairwise(sorted(runs)):
        if start < stop:
            yield "", f"holds {start}..{min(stop, end)} twice"


def union(several: Iterable[Runs]) -> Runs:
    """Sort runs that share no position, and join those that touch.

    Example:
        >>> union([((4, 6), (0, 2)), ((2, 3),)])
        ((0, 3), (4, 6))
    """
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(run for runs in several for run in runs):
        if joined and joined[-1][1] == start:
            start = joined.pop()[0]
        joined.append((start, stop))
    return tuple(joined)


def misplaced(region: Sequence[Runs], shape: Sequence[int]) -> Iterator[Problem]:
    """List what keeps a product of runs from being an index into a tensor of this shape."""
    if len(region) != len(shape):
        yield "", f"has {len(region)} dims where the tensor has {len(shape)}"
        return
    for dim, (runs, size) in enumerate(zip(region, shape, strict=True)):
        yield from at(f"[{dim}]", misfits(runs, size))


def partition(blocks: Sequence[Block], shape: Sequence[int]) -> list[Problem]:
    """List where blocks fail to hold every entry of a tensor of this shape exactly once.

    Example:
        >>> from suture._plan import Own
        >>> left, right = Block((((0, 2),),), Own()), Block((((1, 3),),), Own())
        >>> partition([left, right], (3,))
        [('blocks[1]', 'overlaps blocks[0]')]
        >>> partition([left], (3,))
        [('blocks', 'leave out 1 of 3 entries')]
        >>> partition([left, Block((((2, 3),),), Own())], (3,))
        []
    """
    return list(_regions(blocks, shape)) or _overlaps(blocks) or list(_gaps(blocks, shape))


def _regions(blocks: Sequence[Block], shape: Sequence[int]) -> Iterator[Problem]:
    for which, block in enumerate(blocks):
        place = f"blocks[{which}].region"
        yield from at(place, misplaced(block.region, shape))
        for dim, runs in enumerate(block.region):
            yield from at(f"{place}[{dim}]", repeats(runs))


def _overlaps(blocks: Sequence[Block]) -> list[Problem]:
    """List pairs of blocks that share a position along every dim: regions are products of runs."""
    shared = [(1 << len(blocks)) - 1 if block.size else 0 for block in blocks]
    for along in zip(*(block.region for block in blocks), strict=True):
        shared = [mask & met for mask, met in zip(shared, _meetings(along), strict=True)]
    return [
        (f"blocks[{later}]", f"overlaps blocks[{earlier}]")
        for later, mask in enumerate(shared)
        for earlier in range(later)
        if mask >> earlier & 1 and blocks[earlier].size
    ]


def _meetings(along: Sequence[Runs]) -> list[int]:
    """Find the blocks, as a set of bits, that each block shares a position with along one dim."""
    edges = sorted(
        (position, 1 << which)
        for which, runs in enumerate(along)
        for run in runs
        for position in run
    )
    # An edge flips its block's membership; the distinct memberships between edges are few even
    # where the runs are many, because a plan's blocks reuse few sets of positions.
    memberships, here = set(), 0
    for (position, bit), (following, _) in pairwise(edges):
        here ^= bit
        if position < following:
            memberships.add(here)
    met = [0] * len(along)
    for membership in memberships:
        for which in range(len(along)):
            if membership >> which & 1:
                met[which] |= membership
    return met


def _gaps(blocks: Sequence[Block], shape: Sequence[int]) -> Iterator[Problem]:
    """Count: blocks that do not overlap hold every entry if they hold as many as there are."""
    total = prod(shape)
    if missing := total - sum(block.size for block in blocks):
        yield "blocks", f"leave out {missing} of {total} entries"
