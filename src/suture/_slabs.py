"""Slabs: a tensor in stretches whose entries lie one behind the other, and a plan's blocks there.

Knows positions as runs. Does not know arrays, nor what fills a block.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod

from suture._partition import length
from suture._plan import Block, Fill, Runs, Term

Box = tuple[tuple[int, int], ...]
"""Positions of a tensor as one `(start, stop)` per dim."""


@dataclass(frozen=True, slots=True)
class Part:
    """What of a block lies within a box.

    Attributes:
        fill: what fills the block.
        region: where the part lies in the tensor.
        placed: where it lies in the box.
        chosen: its positions among those of the block, dim by dim.
    """

    fill: Fill
    region: tuple[Runs, ...]
    placed: tuple[Runs, ...]
    chosen: tuple[Runs, ...]


def slabs(shape: Sequence[int], limit: int) -> Iterator[Box]:
    """Cut a tensor into boxes of at most `limit` entries, in the order in which they lie.

    Example:
        >>> list(slabs((3, 4), 8))
        [((0, 2), (0, 4)), ((2, 3), (0, 4))]
        >>> list(slabs((2, 4), 3))[1:3]
        [((0, 1), (3, 4)), ((1, 2), (0, 3))]
    """
    if prod(shape) <= limit:
        yield tuple((0, size) for size in shape)
        return
    inner = prod(shape[1:])
    step = max(1, limit // max(1, inner))
    for start in range(0, shape[0], step):
        stop = min(start + step, shape[0])
        for rest in slabs(shape[1:], limit):
            yield ((start, stop), *rest)


def whole(block: Block) -> Part:
    """See a block as it is: in a box that is the whole tensor."""
    chosen = tuple(((0, size),) if size else () for size in block.shape)
    return Part(block.fill, block.region, block.region, chosen)


def part(block: Block, box: Box) -> Part | None:
    """Find what of a block lies within a box, None if nothing does.

    Example:
        >>> from suture._plan import Own
        >>> found = part(Block((((0, 2), (4, 9)),), Own()), ((5, 8),))
        >>> found.region, found.placed, found.chosen
        ((((5, 8),),), (((0, 3),),), (((3, 6),),))
    """
    cuts = [
        _within(runs, start, stop) for runs, (start, stop) in zip(block.region, box, strict=True)
    ]
    if not all(region for region, _ in cuts):
        return None
    placed = tuple(
        tuple((a - start, b - start) for a, b in region)
        for (region, _), (start, _) in zip(cuts, box, strict=True)
    )
    regions, chosen = tuple(c[0] for c in cuts), tuple(c[1] for c in cuts)
    return Part(block.fill, regions, placed, chosen)


def _within(runs: Runs, start: int, stop: int) -> tuple[Runs, Runs]:
    """Cut runs to a range; give them, and their positions among those of all runs."""
    if len(runs) == 1:  # nearly always
        a, b = max(start, runs[0][0]), min(stop, runs[0][1])
        return (((a, b),), ((a - runs[0][0], b - runs[0][0]),)) if a < b else ((), ())
    begins = accumulate((b - a for a, b in runs), initial=0)
    met = [
        (max(a, start), min(b, stop), at + max(a, start) - a)
        for (a, b), at in zip(runs, begins, strict=False)
        if a < stop and b > start
    ]
    return tuple((a, b) for a, b, _ in met), tuple((at, at + b - a) for a, b, at in met)


def chosen_of(runs: Runs, chosen: Runs) -> Runs:
    """Choose from runs by positions among all of theirs, joined where they touch.

    Example:
        >>> chosen_of(((10, 14), (0, 3)), ((2, 5),))
        ((12, 14), (0, 1))
    """
    ends = list(accumulate(stop - start for start, stop in runs))
    found: list[tuple[int, int]] = []
    for start, stop in chosen:
        at = bisect_right(ends, start)
        while start < stop:
            shift = runs[at][1] - ends[at]
            end = min(stop, ends[at])
            if found and found[-1][1] == start + shift:
                found[-1] = (found[-1][0], end + shift)
            else:
                found.append((start + shift, end + shift))
            start, at = end, at + 1
    return tuple(found)


def narrowed(term: Term, chosen: Sequence[Runs]) -> Term:
    """Leave of a term without reductions what fills the chosen positions of its block."""
    missing = len(chosen) - len(term.index)
    index = tuple(
        runs if length(runs) == 1 else chosen_of(runs, here)
        for runs, here in zip(term.index, chosen[missing:], strict=True)
    )
    return term if index == term.index else replace(term, index=index)
