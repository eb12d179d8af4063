"""Writing specs: axis names in the order of dims, and operands joined to one text.

Knows the notation's surface. Does not know any op.
"""

from __future__ import annotations

from collections.abc import Sequence

Dims = Sequence[str]


def axes(count: int, letter: str = "a") -> list[str]:
    """Name `count` dims: `a0`, `a1`, ..."""
    return [f"{letter}{place}" for place in range(count)]


def spec(inputs: Sequence[Dims], outputs: Sequence[Dims]) -> str:
    """Join operands and results, each a list of dims, to the text of a spec."""
    sides = (", ".join(" ".join(dims) for dims in side) for side in (inputs, outputs))
    return " -> ".join(sides)


def replaced(dims: Dims, place: int, dim: str) -> list[str]:
    """Put another dim at one place."""
    changed = list(dims)
    changed[place] = dim
    return changed


def without(dims: Dims, places: Sequence[int]) -> list[str]:
    """Leave out the dims at some places, negative ones counted from the end."""
    gone = {place % len(dims) for place in places} if dims else set()
    return [dim for place, dim in enumerate(dims) if place not in gone]


def mixed(dims: Dims, places: Sequence[int]) -> list[str]:
    """Mark the dims at some places as mixed, `a!`."""
    marked = {place % len(dims) for place in places} if dims else set()
    return [dim + "!" * (place in marked) for place, dim in enumerate(dims)]


def broadcast(shape: Sequence[int], dims: Dims, sizes: Sequence[int]) -> list[str]:
    """Align a shape with dims from the right; a size of one against a larger one is `1`."""
    skip = len(dims) - len(shape)
    aligned = zip(shape, dims[skip:], sizes[skip:], strict=True)
    return ["1" if own == 1 and size != 1 else dim for own, dim, size in aligned]


def laid(*parts: tuple[str, int]) -> str:
    """Lay named parts end to end, `a+b`; a part without entries is not there."""
    return "+".join(name for name, size in parts if size) or parts[0][0]
