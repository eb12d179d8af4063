"""Views: the same entries in other dims. Pure movement; nothing is computed.

Knows how two shapes of one flat order are cut into common factors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from suture._bind import Pick, Shape, Window
from suture._errors import SpecError
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, broadcast, laid, mixed, replaced, spec, without
from suture._torch.rules._window import slide

MOVES = "linear moves"
SAME = "linear idempotent moves"


@rule(
    "aten.view.default aten._unsafe_view aten.reshape aten._reshape_alias aten.view_copy.default "
    "aten._reshape_copy",
    algebra=MOVES,
)
def view(self: TensorArgument, *, out: list[Shape], **asked: Any) -> Described:
    """Read the same flat order in another shape, cut into common factors: `n (a b) -> n a b`."""
    return regroup(self.shape, out[0])


def regroup(old: Shape, new: Shape) -> Described:
    """Describe one flat order in two shapes.

    A size of one is an axis too. It stays where both shapes have it; else it is a factor beside
    what is split or merged next to it, the following first. Between dims that stay whole nothing
    tells whether it belongs to the left or to the right (one head, or one batch?), so it is left
    alone.

    Raises:
        SpecError: shapes whose dims have no common factors.

    Example:
        >>> regroup((2, 5, 12), (10, 1, 3, 4)).spec
        'a0 a1 (b0 a2 a3) -> (a0 a1) b0 a2 a3'
        >>> regroup((2, 5, 12), (2, 5, 1, 12)).spec
        'a0 a1 a2 -> a0 a1 b0 a2'
    """
    if not all(old):
        return Described(spec([axes(len(old), "e")], [axes(len(new), "f")]))
    factors = list(_factors(old, new))
    sides: tuple[_Side, _Side] = ([[] for _ in old], [[] for _ in new])
    for count, (_, *dims) in enumerate(factors):
        for side, dim in zip(sides, dims, strict=True):
            side[dim].append(((count, 1, 0), f"a{count}"))
    ones = _ones(old, new, factors)
    for count, (order, *homes) in enumerate(ones):
        for side, home in zip(sides, homes, strict=True):
            if home is not None:
                side[home].append(((*order, count), f"b{count}"))
    texts = [[_product([name for _, name in sorted(dim)]) for dim in side] for side in sides]
    sizes = {f"a{count}": size for count, (size, _, _) in enumerate(factors)}
    sizes |= {f"b{count}": 1 for count in range(len(ones))}
    return Described(spec(texts[:1], texts[1:]), sizes=sizes)


_Side = list[list[tuple[tuple[int, int, int], str]]]
"""Per dim of one shape its axes, each with its place in the flat order."""

_Factor = tuple[int, int, int]
"""A common factor: its size, its old dim and its new dim."""

_One = tuple[tuple[int, int], int | None, int | None]
"""A size of one: its place among the factors, and the old and new dim that it is, or is part of."""


def _product(factors: Sequence[str]) -> str:
    return factors[0] if len(factors) == 1 else f"({' '.join(factors)})"


def _factors(old: Shape, new: Shape) -> Iterator[_Factor]:
    """Cut both shapes, sizes of one left out, into common factors from the left."""
    left, right = ([[dim, size] for dim, size in enumerate(s) if size > 1] for s in (old, new))
    while left and right:
        (i, a), (j, b) = left[0], right[0]
        size = min(a, b)
        if max(a, b) % size:
            raise _no_common_cuts(old, new)
        yield size, i, j
        for waiting in (left, right):
            waiting[0][1] //= size
            if waiting[0][1] == 1:
                waiting.pop(0)


def _ones(old: Shape, new: Shape, factors: Sequence[_Factor]) -> list[_One]:
    """Find out what each size of one is on the other side."""
    found: list[_One] = []
    for gap in range(len(factors) + 1):
        ours, theirs = (
            [d for d, size in enumerate(shape) if size == 1 and _before(d, factors, at) == gap]
            for at, shape in ((1, old), (2, new))
        )
        home, order = _home(gap, factors)
        for left, right in _partners(ours, theirs, home):
            found.append((order, left, right))
    return found


def _partners(
    ours: list[int], theirs: list[int], home: _Factor | None
) -> Iterator[tuple[int | None, int | None]]:
    """Pair sizes of one between the same factors; the last of the fewer takes what is left."""
    if not ours or not theirs:
        _, old, new = home or (1, None, None)
        yield from ((dim, new) for dim in ours)
        yield from ((old, dim) for dim in theirs)
    else:
        yield from zip_longest(ours, theirs[: len(ours)], fillvalue=theirs[-1])
        yield from ((ours[-1], dim) for dim in theirs[len(ours) :])


def _before(dim: int, factors: Sequence[_Factor], at: int) -> int:
    """Count the factors that come before a dim."""
    return sum(factor[at] < dim for factor in factors)


def _home(gap: int, factors: Sequence[_Factor]) -> tuple[_Factor | None, tuple[int, int]]:
    """Find the factor beside which a lone size of one belongs, if that is plain, and where."""
    after, before = (gap, 0), (gap - 1, 2)
    if gap == len(factors):
        return (factors[-1] if factors else None), before
    if gap == 0 or _shares(factors, gap - 1, gap) or _shares(factors, gap, gap + 1):
        return factors[gap], after
    if _shares(factors, gap - 2, gap - 1):
        return factors[gap - 1], before
    return None, after


def _shares(factors: Sequence[_Factor], one: int, other: int) -> bool:
    """Say whether two neighbouring factors lie in one dim on either side."""
    if one < 0 or other >= len(factors):
        return False
    return factors[one][1] == factors[other][1] or factors[one][2] == factors[other][2]


def _no_common_cuts(old: Shape, new: Shape) -> SpecError:
    return SpecError(
        f"A view from {list(old)} to {list(new)} cuts one flat order where no common factor lies.",
        hint="go through a shape whose dims are factors of both",
    )


# Dims in another order.
@rule("aten.t aten.t_copy", algebra=MOVES)
def t(self: TensorArgument, *, out: list[Shape]) -> Described:
    """Exchange the two dims of a matrix; a vector stays."""
    own = axes(self.ndim)
    return Described(spec([own], [own[::-1]]), MOVES if self.ndim == 2 else SAME)


@rule("aten.permute aten.permute_copy", algebra=MOVES)
def permute(self: TensorArgument, dims: list[int], *, out: list[Shape]) -> str:
    """Put dims in another order."""
    own = axes(self.ndim)
    return spec([own], [[own[place] for place in dims]])


@rule("aten.transpose.int aten.transpose_copy.int", algebra=MOVES)
def transpose(self: TensorArgument, dim0: int, dim1: int, *, out: list[Shape]) -> str:
    """Exchange two dims."""
    own = axes(self.ndim)
    if not own:
        return " -> "
    return spec([own], [replaced(replaced(own, dim0, own[dim1]), dim1, own[dim0])])


# Dims of size one come, each an axis of its own, and go.
@rule("aten.unsqueeze aten.unsqueeze_copy", algebra=MOVES)
def unsqueeze(self: TensorArgument, dim: int, *, out: list[Shape]) -> str:
    """Add a dim of size one."""
    result = replaced(axes(len(out[0])), dim, "u")
    return spec([without(result, [dim])], [result])


@rule("aten.squeeze aten.squeeze_copy", algebra=MOVES)
def squeeze(self: TensorArgument, dim: Any = None, *, out: list[Shape]) -> Described:
    """Take out dims of size one: those asked for, or all."""
    asked = range(self.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    gone = {place % self.ndim for place in asked} if self.ndim else set()
    own = axes(self.ndim)
    text = spec([own], [without(own, [p for p in gone if self.shape[p] == 1])])
    return Described(text, SAME if out[0] == self.shape else MOVES)


@rule("aten.expand aten.expand_copy", algebra=MOVES)
def expand(self: TensorArgument, *, out: list[Shape], **asked: Any) -> Described:
    """Broadcast dims of size one, and from the left."""
    result = axes(len(out[0]))
    text = spec([broadcast(self.shape, result, out[0])], [result])
    return Described(text, SAME if out[0] == self.shape else MOVES)


@rule("aten.repeat", algebra=MOVES)
def repeat(self: TensorArgument, repeats: list[int], *, out: list[Shape]) -> Described:
    """Lay whole copies end to end: `n -> (r n)`; a dim that is not repeated stays."""
    own = axes(self.ndim)
    lead = len(repeats) - self.ndim
    times = dict(zip(own, repeats[lead:], strict=True))
    result = [dim if times[dim] == 1 else f"(r{dim} {dim})" for dim in own]
    sizes = {f"r{dim}": count for dim, count in times.items() if count != 1}
    return Described(spec([own], [[*axes(lead, "n"), *result]]), sizes=sizes)


# A diagonal names one axis twice: `a a -> a`. Off the square, it is picked from both dims.
@rule("aten.diagonal aten.diagonal_copy", algebra=MOVES)
def diagonal(
    self: TensorArgument, offset: int = 0, dim1: int = 0, dim2: int = 1, *, out: list[Shape]
) -> Described:
    """Read entries whose two places differ by the offset."""
    own, along = axes(self.ndim), np.arange(out[0][-1])
    first, second = own[dim1], own[dim2]
    result = [*without(own, [dim1, dim2]), "d"]
    if self.shape[dim1] == self.shape[dim2] and not offset:
        return Described(spec([replaced(replaced(own, dim1, "d"), dim2, "d")], [result]))
    picks = (
        Pick("d", first, along + max(-offset, 0)),
        Pick("d", second, along + max(offset, 0)),
    )
    return Described(spec([own], [result]), picks=picks)


@rule("aten.diag_embed", algebra=MOVES)
def diag_embed(
    self: TensorArgument, offset: int = 0, dim1: int = -2, dim2: int = -1, *, out: list[Shape]
) -> Described:
    """Write the last dim on a diagonal among zeros: both dims are picked from it."""
    result, length = axes(len(out[0])), self.shape[-1]
    first, second = result[dim1], result[dim2]
    source = [*without(result, [dim1, dim2]), "d"]
    if not offset:
        return Described(spec([source], [replaced(replaced(result, dim1, "d"), dim2, "d")]))
    zeros = np.full(abs(offset), -1)
    early, late = np.append(np.arange(length), zeros), np.append(zeros, np.arange(length))
    rows, columns = (early, late) if offset > 0 else (late, early)
    picks = (Pick(first, "d", rows), Pick(second, "d", columns))
    return Described(spec([source], [result]), picks=picks)


@rule("aten.unfold aten.unfold_copy", algebra=MOVES)
def unfold(
    self: TensorArgument, dimension: int, size: int, step: int, *, out: list[Shape]
) -> Described:
    """Read windows along a dim: side by side they are factors; overlapping, no axis of it stays."""
    if not self.ndim:
        return Described(" -> s")
    dimension %= self.ndim  # the result has a dim more: from its end it is another
    own, rest = axes(self.ndim), self.shape[dimension] - out[0][dimension] * size
    if step != size:
        index = slide(self.shape[dimension], out[0][dimension], size, step)
        text = spec([mixed(own, [dimension])], [[*replaced(own, dimension, "w"), "s"]])
        return Described(text, windows=(Window(("w", "s"), own[dimension], index),))
    whole = replaced(own, dimension, laid(("(w s)", size), ("rest", rest)))
    text = spec([whole], [[*replaced(own, dimension, "w"), "s"]])
    return Described(text, sizes={"w": out[0][dimension], "s": size, "rest": rest})
