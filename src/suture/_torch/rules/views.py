"""Views: the same entries in other dims. Pure movement; nothing is computed.

Knows how two shapes of one flat order are cut into common factors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from suture._bind import Shape
from suture._errors import SpecError
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, broadcast, laid, mixed, replaced, spec, without

MOVES = "linear moves"


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

    A size of one is an axis too, a factor beside what follows it (at the end, before it).

    Raises:
        SpecError: shapes whose dims have no common factors.

    Example:
        >>> regroup((2, 5, 12), (10, 1, 3, 4)).spec
        'a0 a1 (a2 a3 a4) -> (a0 a1) a2 a3 a4'
    """
    if not all(old):
        return Described(spec([axes(len(old), "e")], [axes(len(new), "f")]))
    sides: tuple[list[list[str]], list[list[str]]] = ([[] for _ in old], [[] for _ in new])
    sizes: dict[str, int] = {}
    for count, (size, places) in enumerate(_factors(old, new)):
        name = f"a{count}"
        sizes[name] = size
        for side, place in zip(sides, places, strict=True):
            if place >= 0:
                side[place].append(name)
    texts = [[_product(factors) for factors in side] for side in sides]
    return Described(spec(texts[:1], texts[1:]), sizes=sizes)


def _product(factors: Sequence[str]) -> str:
    return factors[0] if len(factors) == 1 else f"({' '.join(factors)})"


def _factors(old: Shape, new: Shape) -> Iterator[tuple[int, tuple[int, int]]]:
    """Cut both shapes into common factors from the left: size, and dim (or -1) on each side."""
    i = j = 0
    a, b = [*old, 1], [*new, 1]  # what is left of each dim, and a sentinel
    while i < len(old) and j < len(new):
        if a[i] == b[j]:
            yield a[i], (i, j)
            i, j = i + 1, j + 1
        elif b[j] % a[i] == 0:
            yield a[i], (i, j)
            b[j] //= a[i]
            i += 1
        elif a[i] % b[j] == 0:
            yield b[j], (i, j)
            a[i] //= b[j]
            j += 1
        else:
            raise _no_common_cuts(old, new)
    yield from ((1, (place, len(new) - 1)) for place in range(i, len(old)))
    yield from ((1, (len(old) - 1, place)) for place in range(j, len(new)))


def _no_common_cuts(old: Shape, new: Shape) -> SpecError:
    return SpecError(
        f"A view from {list(old)} to {list(new)} cuts one flat order where no common factor lies.",
        hint="go through a shape whose dims are factors of both",
    )


# Dims in another order.
@rule("aten.t aten.t_copy", algebra=MOVES)
def t(self: TensorArgument, *, out: list[Shape]) -> str:
    """Exchange the two dims of a matrix; a vector stays."""
    own = axes(self.ndim)
    return spec([own], [own[::-1]])


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
def squeeze(self: TensorArgument, dim: Any = None, *, out: list[Shape]) -> str:
    """Take out dims of size one: those asked for, or all."""
    asked = range(self.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    gone = {place % self.ndim for place in asked} if self.ndim else set()
    own = axes(self.ndim)
    return spec([own], [without(own, [p for p in gone if self.shape[p] == 1])])


@rule("aten.expand aten.expand_copy", algebra=MOVES)
def expand(self: TensorArgument, size: list[int], *, out: list[Shape], **settings: Any) -> str:
    """Broadcast dims of size one, and from the left."""
    result = axes(len(out[0]))
    return spec([broadcast(self.shape, result, out[0])], [result])


@rule("aten.repeat", algebra=MOVES)
def repeat(self: TensorArgument, repeats: list[int], *, out: list[Shape]) -> Described:
    """Lay whole copies end to end: `n -> (r n)`; a dim that is not repeated stays."""
    own = axes(self.ndim)
    lead = len(repeats) - self.ndim
    times = dict(zip(own, repeats[lead:], strict=True))
    result = [dim if times[dim] == 1 else f"(r{dim} {dim})" for dim in own]
    sizes = {f"r{dim}": count for dim, count in times.items() if count != 1}
    return Described(spec([own], [[*axes(lead, "n"), *result]]), sizes=sizes)


# A diagonal names one axis twice: `a a -> a`. Off the square, what lies beside it are parts.
@rule("aten.diagonal aten.diagonal_copy", algebra=MOVES)
def diagonal(
    self: TensorArgument, offset: int = 0, dim1: int = 0, dim2: int = 1, *, out: list[Shape]
) -> Described:
    """Read entries whose two places differ by the offset."""
    rows, columns, sizes = _beside(self.shape[dim1], self.shape[dim2], offset)
    own = replaced(replaced(axes(self.ndim), dim1, rows), dim2, columns)
    return Described(spec([own], [[*without(own, [dim1, dim2]), "d"]]), sizes=sizes)


@rule("aten.diag_embed", algebra=MOVES)
def diag_embed(
    self: TensorArgument, offset: int = 0, dim1: int = -2, dim2: int = -1, *, out: list[Shape]
) -> Described:
    """Write the last dim on a diagonal among zeros."""
    rows, columns, sizes = _beside(out[0][dim1], out[0][dim2], offset)
    result = replaced(replaced(axes(len(out[0])), dim1, rows), dim2, columns)
    return Described(spec([[*without(result, [dim1, dim2]), "d"]], [result]), sizes=sizes)


def _beside(rows: int, columns: int, offset: int) -> tuple[str, str, dict[str, int]]:
    """Cut two dims into what lies before the diagonal, the diagonal `d`, and what lies behind."""
    above, left = max(-offset, 0), max(offset, 0)
    length = min(rows - above, columns - left)
    below, right = rows - above - length, columns - left - length
    sizes = {"d": length, "pa": above, "pb": below, "pl": left, "pr": right}
    return (
        laid(("pa", above), ("d", length), ("pb", below)),
        laid(("pl", left), ("d", length), ("pr", right)),
        sizes,
    )


@rule("aten.unfold aten.unfold_copy", algebra=MOVES)
def unfold(
    self: TensorArgument, dimension: int, size: int, step: int, *, out: list[Shape]
) -> Described:
    """Read windows along a dim: side by side they are factors; overlapping, no axis of it stays."""
    own = axes(self.ndim)
    rest = self.shape[dimension] - out[0][dimension] * size if self.ndim else 1
    if step != size or not own:
        return Described(spec([mixed(own, [dimension])], [[*replaced(own, dimension, "w"), "s"]]))
    whole = replaced(own, dimension, laid(("(w s)", size), ("rest", rest)))
    text = spec([whole], [[*replaced(own, dimension, "w"), "s"]])
    return Described(text, sizes={"w": out[0][dimension], "s": size, "rest": rest})
