"""Refinement: one axis class that is made up in several ways is brought to their common cuts.

Knows sums and products of classes. Does not know entries. Equal makeups tie their parts; `(4 6)`
and `(8 3)` become `(4 2 3)`; `5+7` and `3+9` become `3+2+7`; a sum cut along the rows of a
product cuts the first factor. What cannot be brought together is left standing, to be checked
against the maps found.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import prod

from suture._axes import Axes, Class, Makeup


def refine(axes: Axes) -> None:
    """Tie and split classes until each is made up in one way, or in ways that do not meet."""
    waiting = list(axes.makeups)
    while waiting:
        _settle_all(axes, waiting)
        # What is made of itself may come to light elsewhere than where a makeup was added.
        waiting = [member for member in list(axes.makeups) if _settle(axes, member)]


def _settle_all(axes: Axes, waiting: list[Class]) -> None:
    """Settle classes and those that this adds makeups to: work grows with the changes alone."""
    axes.added.clear()
    while waiting:
        member = waiting.pop()
        if _settle(axes, member):
            waiting += [member, *axes.added]
            axes.added.clear()


def _settle(axes: Axes, member: Class) -> bool:
    """Bring the makeups of one class together; say whether anything changed."""
    if member not in axes.makeups:
        return False
    found = dict.fromkeys(axes.made_of(member))
    makeups = [m for m in found if not _comes_back(axes, m, member)]
    axes.makeups[member] = makeups
    if not makeups:
        del axes.makeups[member]
    ordered = sorted(makeups, key=lambda makeup: makeup.kind == "product")
    return any(_meet(axes, member, ordered[at:]) for at in range(len(ordered) - 1))


def _comes_back(axes: Axes, makeup: Makeup, member: Class) -> bool:
    """Whether a class is made of itself and sizes of one, in one step or in several."""
    size, seen, waiting = axes.sizes[member], set[Class](), [*makeup.parts]
    while waiting:
        part = waiting.pop()
        if part == member:
            return True
        if axes.sizes[part] == size and part not in seen:
            seen.add(part)
            waiting += [p for m in axes.made_of(part) if m.kind == "product" for p in m.parts]
    return False


def _meet(axes: Axes, member: Class, makeups: list[Makeup]) -> bool:
    """Bring the first of some makeups together with all that it meets, sums before products."""
    [first, *others], apart = makeups, list[Makeup]()
    for other in others:
        merged = _merged(axes, first, other)
        if merged is None:
            apart.append(other)
        else:
            first = merged
    if len(apart) == len(others):
        return False
    added = [m for m in axes.makeups[axes.find(member)] if m not in makeups]
    axes.makeups[axes.find(member)] = [*added, first, *apart]
    return True


def _merged(axes: Axes, first: Makeup, second: Makeup) -> Makeup | None:
    """Bring two makeups to their common cuts; None if they have none."""
    match first.kind, second.kind:
        case "sum", "sum":
            return _merge_sums(axes, first.parts, second.parts)
        case "product", "product":
            return _merge_products(axes, first.parts, second.parts)
        case _:
            return _cut_product(axes, first.parts, second.parts)


def _sizes(axes: Axes, parts: tuple[Class, ...]) -> list[int]:
    return [axes.sizes[part] for part in parts]


def _merge_sums(axes: Axes, one: tuple[Class, ...], other: tuple[Class, ...]) -> Makeup:
    """Cut both sums at every boundary of either; parts that fall together are one class."""
    ends = sorted({*accumulate(_sizes(axes, one)), *accumulate(_sizes(axes, other))})
    pieces = [axes.new(end - start) for start, end in pairwise([0, *ends])]
    for parts in (one, other):
        _distribute(axes, parts, pieces, "sum")
    return Makeup("sum", tuple(map(axes.find, pieces)))


def _distribute(axes: Axes, parts: tuple[Class, ...], pieces: list[Class], kind: str) -> None:
    """Make every part up from the run of pieces that fills it."""
    rest = list(pieces)
    for part in parts:
        taken: list[Class] = []
        while _total(axes, taken, kind) < axes.sizes[part]:
            taken.append(rest.pop(0))
        axes.add_makeup(part, "sum" if kind == "sum" else "product", taken)


def _total(axes: Axes, pieces: list[Class], kind: str) -> int:
    sizes = [axes.sizes[piece] for piece in pieces]
    return sum(sizes) if kind == "sum" else prod(sizes) if pieces else 0


def _merge_products(axes: Axes, one: tuple[Class, ...], other: tuple[Class, ...]) -> Makeup | None:
    """Tie equal factors; split unequal ones at their common cuts, where these divide each other."""
    if _sizes(axes, one) == _sizes(axes, other):
        for pair in zip(one, other, strict=True):
            axes.tie(*pair)
        return Makeup("product", tuple(map(axes.find, one)))
    plain = [tuple(p for p in parts if axes.sizes[p] > 1) for parts in (one, other)]
    longer = max(one, other, key=len)
    if _sizes(axes, plain[0]) == _sizes(axes, plain[1]):
        for pair in zip(*plain, strict=True):
            axes.tie(*pair)
        return Makeup("product", tuple(map(axes.find, longer)))
    return _split_products(axes, *plain)


def _split_products(axes: Axes, one: tuple[Class, ...], other: tuple[Class, ...]) -> Makeup | None:
    cuts = sorted(
        {cut for parts in (one, other) for cut in accumulate(_sizes(axes, parts), int.__mul__)}
    )
    if any(larger % smaller for smaller, larger in pairwise(cuts)):
        return None
    pieces = [axes.new(larger // smaller) for smaller, larger in pairwise([1, *cuts])]
    for parts in (one, other):
        _distribute(axes, parts, pieces, "product")
    return Makeup("product", tuple(map(axes.find, pieces)))


def _cut_product(axes: Axes, parts: tuple[Class, ...], factors: tuple[Class, ...]) -> Makeup | None:
    """Cut the first factor where a sum cuts its product, if it cuts between rows."""
    rows = prod(_sizes(axes, factors[1:]))
    if any(size % rows for size in _sizes(axes, parts)):
        return None
    pieces = [axes.new(size // rows) for size in _sizes(axes, parts)]
    for part, piece in zip(parts, pieces, strict=True):
        axes.add_makeup(part, "product", [piece, *factors[1:]])
    axes.add_makeup(factors[0], "sum", pieces)
    return Makeup("product", factors)
