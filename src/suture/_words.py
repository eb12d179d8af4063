"""Runs, regions, fills and names of a plan in words.

Knows how each word of the plan's language is said. Does not know what becomes of a tensor as a
whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from suture._plan import Block, Fill, IndexMap, Label, Own, Reduction, Runs, Sum, Term, Value

SHOWN = 8
"""So many items of a list are shown before the rest is counted."""


def listed(items: Iterable[str], shown: int = SHOWN) -> str:
    """Join items with commas; of many, show the first and count the others.

    Example:
        >>> listed(map(str, range(12)))
        '0, 1, 2, 3, 4, 5, 6, ... 5 more'
    """
    items = list(items)
    if len(items) > shown:
        items[shown - 1 :] = [f"... {len(items) - shown + 1} more"]
    return ", ".join(items)


def number(value: float) -> str:
    """Write a number as short as it can be said exactly.

    Example:
        >>> number(1.0), number(0.1), number(float("-inf"))
        ('1', '0.1', '-inf')
    """
    return repr(float(value)).removesuffix(".0")


def span(start: int, stop: int) -> str:
    """Write positions from start up to stop, without stop."""
    return str(start) if stop == start + 1 else f"{start}..{stop}"


def spans(runs: Runs) -> str:
    """Write runs as a list.

    Example:
        >>> spans(((0, 64), (70, 71)))
        '0..64, 70'
    """
    return listed(span(*run) for run in runs)


def region(block: Sequence[Runs], shape: Sequence[int] | None = None) -> str:
    """Write a product of runs; `:` is the whole of a dim where the shape is known.

    Example:
        >>> region((((0, 3),), ((0, 2), (4, 5))), (3, 5))
        '[:, {0..2, 4}]'
    """
    sizes = shape if shape is not None else [None] * len(block)
    dims = (
        ":" if runs == ((0, size),) else spans(runs) if len(runs) == 1 else f"{{{spans(runs)}}}"
        for runs, size in zip(block, sizes, strict=True)
    )
    return f"[{', '.join(dims)}]"


def unmentioned(runs: Iterable[tuple[int, int]], size: int) -> Runs:
    """List the positions of a dim that runs leave out.

    Example:
        >>> unmentioned([(6, 7), (0, 2)], 8)
        ((2, 6), (7, 8))
    """
    left, end = [], 0
    for start, stop in sorted([*runs, (size, size)]):
        if start > end:
            left.append((end, start))
        end = max(end, stop)
    return tuple(left)


def along(runs: IndexMap, source: int | None, target: int | None) -> str:
    """Say which ranges of a dim come from where, are fresh or dropped; "" if all stays.

    Example:
        >>> from suture._plan import Run
        >>> along((Run(1, 0, 1), Run(3, 1, 1)), 3, 4)
        '1 <- 0, 3 <- 1; fresh 0, 2; dropped 2'
    """
    stay = source == target and all(run.source == run.target for run in runs)
    if stay and (source is None or not unmentioned(_taken(runs), source)):
        return ""
    pairs = zip(_made(runs), _taken(runs), strict=True)
    moved = listed(f"{span(*made)} <- {span(*taken)}" for made, taken in pairs)
    fresh = "" if target is None else spans(unmentioned(_made(runs), target))
    dropped = "" if source is None else spans(unmentioned(_taken(runs), source))
    parts = (moved, fresh and f"fresh {fresh}", dropped and f"dropped {dropped}")
    return "; ".join(part for part in parts if part)


def _made(runs: IndexMap) -> Iterator[tuple[int, int]]:
    return ((run.target, run.target + run.length) for run in runs)


def _taken(runs: IndexMap) -> Iterator[tuple[int, int]]:
    return ((run.source, run.source + run.length) for run in runs)


def named(labels: Iterable[Label]) -> str:
    """Say which named entries of one dim are new, moved or gone; "" if all stay.

    Example:
        >>> named([Label(1, "x", None, 0), Label(1, "theta", 0, 1), Label(1, "y", 2, 2)])
        'new x at 0; moved theta 0 -> 1'
    """
    labels = list(labels)
    new = listed(f"{one.name} at {one.target}" for one in labels if one.source is None)
    gone = listed(f"{one.name} from {one.source}" for one in labels if one.target is None)
    moved = listed(
        f"{one.name} {one.source} -> {one.target}"
        for one in labels
        if None not in (one.source, one.target) and one.source != one.target
    )
    parts = (new and f"new {new}", moved and f"moved {moved}", gone and f"gone {gone}")
    return "; ".join(part for part in parts if part)


def filling(fill: Fill) -> str:
    """Say in a word what fills a block.

    Example:
        >>> filling(Own()), filling(Value(0.0)), filling(Value(1.0, (0, 1)))
        ('own init', '0', 'identity')
    """
    match fill:
        case Own(scale):
            return _own(scale)
        case Value(value, None):
            return number(value)
        case Value(value):
            return "identity" if value == 1 else f"identity * {number(value)}"
        case Sum((Term(scale=scale, reductions=reductions),), 0):
            return "reduced" if reductions else "scaled" if scale != 1 else "from"
        case Sum():
            return "sum"
        case _:
            assert_never(fill)


def content(block: Block, shape: Sequence[int]) -> str:
    """Say where a block is, and what is computed for it where its word does not say.

    Example:
        >>> whole = (((0, 3),),)
        >>> content(Block(whole, Sum((Term("a", whole), Term("b", (((2, 5),),), 0.5)))), (3,))
        '[:] <- a[0..3] + 0.5 * b[2..5]'
    """
    where = region(block.region, shape)
    match block.fill:
        case Value(_, (i, j)):
            return f"{where} across dims {i}, {j}"
        case Sum(terms, own):
            noise = [_own(own)] if own else []
            return f"{where} <- {' + '.join([*map(expression, terms), *noise])}"
        case _:
            return where


def _own(scale: float) -> str:
    return "own init" if scale == 1 else f"own init * {number(scale)}"


def expression(term: Term) -> str:
    """Write a term as a formula, the reductions from the last to the first.

    Example:
        >>> expression(Term("w", (((0, 2),), ((0, 3),)), 0.5, (Reduction(1, (1.0, 2.0, 4.0)),)))
        '0.5 * sum(w[0..2, 0..3], dim 1, weights 1, 2, 4)'
    """
    text = term.source + region(term.index)
    for reduction in term.reductions:
        text = _reduced(text, reduction)
    return text if term.scale == 1 else f"{number(term.scale)} * {text}"


def _reduced(text: str, reduction: Reduction) -> str:
    kept = ", kept" if reduction.keep else ""
    if reduction.weights is None:
        return f"mean({text}, dim {reduction.dim}{kept})"
    return (
        f"sum({text}, dim {reduction.dim}{kept}, weights {listed(map(number, reduction.weights))})"
    )
