"""Binding: a spec at given shapes, with every `...` spelled out and every axis given its size.

Knows how sizes follow from shapes. Does not know what axes mean (`_axes`, `_couple`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from suture._errors import SpecError
from suture._spec import Axis, Dim, Dots, One, Operand, Product, Spec, Sum, parse

Shape = tuple[int, ...]
Part = tuple[Axis, ...]
"""The factors of one part of a dim; a plain axis is a part of one factor, `1` a part of none."""


@dataclass(frozen=True, slots=True)
class BoundOperand:
    """Per dim the parts laid end to end, each a product of axes; `values` as in the spec."""

    dims: tuple[tuple[Part, ...], ...]
    values: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pick:
    """`axis = source[index]`: a constant index of entries; -1 stands for a constant (padding)."""

    axis: str
    source: str
    index: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """`(y k) = source[index]`: which entry of a mixed axis each tap of each window reads.

    `index` has one dim per axis; -1 stands for a constant (padding). It says more of a `!` than the
    text can: feature sets follow it, units do not.
    """

    axes: tuple[str, ...]
    source: str
    index: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A spec at given shapes.

    Attributes:
        inputs: the operands' dims in axes.
        outputs: the results' dims in axes.
        sizes: the size of every axis in entries.
        picks: the axes that are picked from others by a constant index.
        windows: the axes of which windows read some entries each.
    """

    spec: Spec
    inputs: tuple[BoundOperand, ...]
    outputs: tuple[BoundOperand, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)
    picks: tuple[Pick, ...] = ()
    windows: tuple[Window, ...] = ()


def bind(
    spec: str,
    inputs: Sequence[Shape],
    outputs: Sequence[Shape],
    sizes: Mapping[str, int] | None = None,
    picks: Sequence[Pick] = (),
    windows: Sequence[Window] = (),
) -> Bound:
    """Bind a spec at shapes.

    Args:
        spec: a spec in the notation.
        inputs: the operands' shapes in entries.
        outputs: the results' shapes in entries.
        sizes: sizes of axes in entries that do not follow from the shapes.
        picks: the constant indices that stand beside the text.
        windows: the same for windows over a mixed axis.

    Returns:
        The bound spec.

    Raises:
        SpecError: shapes and spec do not fit, or a size does not follow.

    Example:
        >>> bind("n (a b) -> n a b", [(2, 12)], [(2, 3, 4)]).sizes
        {'n': 2, 'a': 3, 'b': 4}
    """
    given = tuple(sorted((sizes or {}).items()))
    bound = _bind(spec, tuple(inputs), tuple(outputs), given)
    if not picks and not windows:
        return bound
    return replace(bound, picks=tuple(picks), windows=tuple(windows))


@lru_cache(maxsize=100_000)
def _bind(
    text: str,
    inputs: tuple[Shape, ...],
    outputs: tuple[Shape, ...],
    given: tuple[tuple[str, int], ...],
) -> Bound:
    spec = _called(parse(text), inputs, outputs)
    operands, shapes = (*spec.inputs, *spec.outputs), (*inputs, *outputs)
    facts = _facts(text, inputs, outputs)
    if (len(spec.inputs), len(spec.outputs)) != (len(inputs), len(outputs)):
        raise SpecError(
            f"The spec has {len(spec.inputs)} operands and {len(spec.outputs)} results, "
            f"the call {len(inputs)} and {len(outputs)}.",
            facts,
        )
    ranks = [_dots_rank(op, shape, facts) for op, shape in zip(operands, shapes, strict=True)]
    largest = _dots_sizes(operands, shapes, ranks)
    dims = [
        _expand(op, shape, rank, largest)
        for op, shape, rank in zip(operands, shapes, ranks, strict=True)
    ]
    sizes = _solve(dims, shapes, dict(given), facts)
    bound = [BoundOperand(d, op.values) for d, op in zip(dims, operands, strict=True)]
    return Bound(spec, tuple(bound[: len(inputs)]), tuple(bound[len(inputs) :]), sizes)


def _called(spec: Spec, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Spec:
    """Read an empty side: no tensor if the call has none, else a number (no dims)."""
    nothing = (Operand(()),)
    return Spec(
        () if spec.inputs == nothing and not inputs else spec.inputs,
        () if spec.outputs == nothing and not outputs else spec.outputs,
    )


def _facts(text: str, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> list[tuple[str, str]]:
    def show(shapes: Sequence[Shape]) -> str:
        return ", ".join(f"[{','.join(map(str, shape))}]" for shape in shapes)

    return [("spec", text), ("shapes", f"{show(inputs)} -> {show(outputs)}")]


def _dots_rank(operand: Operand, shape: Shape, facts: list[tuple[str, str]]) -> int:
    """Count the dims that an operand's `...` stands for (0 without one)."""
    named = sum(not isinstance(dim, Dots) for dim in operand.dims)
    has_dots = named < len(operand.dims)
    if len(shape) < named or (len(shape) > named and not has_dots):
        least = "at least " if has_dots else ""
        raise SpecError(
            f"The operand '{operand}' has {least}{named} dims, the tensor has {len(shape)}.", facts
        )
    return len(shape) - named


def _dots_sizes(
    operands: Sequence[Operand], shapes: Sequence[Shape], ranks: Sequence[int]
) -> dict[int, int]:
    """Size of the dims behind `...`, keyed by their place from the right."""
    largest: dict[int, int] = {}
    for operand, shape, rank in zip(operands, shapes, ranks, strict=True):
        start = _dots_at(operand)
        for place, size in enumerate(reversed(shape[start : start + rank])):
            if largest.get(place, 1) == 1:
                largest[place] = size
    return largest


def _dots_at(operand: Operand) -> int:
    return next((i for i, dim in enumerate(operand.dims) if isinstance(dim, Dots)), 0)


def _expand(
    operand: Operand, shape: Shape, rank: int, largest: Mapping[int, int]
) -> tuple[tuple[Part, ...], ...]:
    """Write an operand's dims as parts, `...` spelled out as axes `...0`, `...1` from the right."""
    dims: list[tuple[Part, ...]] = []
    for dim in operand.dims:
        if isinstance(dim, Dots):
            sizes = shape[len(dims) : len(dims) + rank]
            places = reversed(range(rank))
            dims += [
                _broadcast(place, size, dim.mixed, largest)
                for place, size in zip(places, sizes, strict=True)
            ]
        else:
            dims.append(_parts(dim))
    return tuple(dims)


def _broadcast(place: int, size: int, mixed: bool, largest: Mapping[int, int]) -> tuple[Part, ...]:
    if size == 1 and largest[place] != 1:
        return ((),)
    return ((Axis(f"...{place}", mixed),),)


def _parts(dim: Dim) -> tuple[Part, ...]:
    match dim:
        case Axis():
            return ((dim,),)
        case Product(factors):
            return (factors,)
        case Sum(parts):
            return tuple(part.factors if isinstance(part, Product) else (part,) for part in parts)
        case One():
            return ((),)
        case Dots():
            raise AssertionError("dots are spelled out before")


def _solve(
    dims: Sequence[tuple[tuple[Part, ...], ...]],
    shapes: Sequence[Shape],
    sizes: dict[str, int],
    facts: list[tuple[str, str]],
) -> dict[str, int]:
    """Give every axis its size: each dim is one equation, solved once a single size is unknown."""
    waiting = [
        (parts, size)
        for operand, shape in zip(dims, shapes, strict=True)
        for parts, size in zip(operand, shape, strict=True)
    ]
    while waiting:
        left = [equation for equation in waiting if not _solved(*equation, sizes, facts)]
        if len(left) == len(waiting):
            parts, size = left[0]
            raise SpecError(
                f"The sizes in '{_show(parts)}' do not follow from its {size} entries.", facts
            )
        waiting = left
    return sizes


def _solved(
    parts: tuple[Part, ...], size: int, sizes: dict[str, int], facts: list[tuple[str, str]]
) -> bool:
    """Check one dim, or find the one size that it still leaves open."""
    open_parts = [part for part in parts if any(axis.name not in sizes for axis in part)]
    unknown = {axis.name for part in open_parts for axis in part if axis.name not in sizes}
    if len(unknown) > 1 or len(open_parts) > 1:
        return False
    known = sum(prod(sizes[a.name] for a in part) for part in parts if part not in open_parts)
    if open_parts:
        factor = prod(sizes[a.name] for a in open_parts[0] if a.name in sizes)
        (name,) = unknown
        sizes[name] = (size - known) // factor if factor else 0
        if sizes[name] < 0:
            raise SpecError(f"'{_show(parts)}' has more than the dim's {size} entries.", facts)
        known += factor * sizes[name]
    if known != size:
        bindings = ", ".join(f"{a.name}={sizes[a.name]}" for part in parts for a in part)
        raise SpecError(
            f"'{_show(parts)}' has {known} entries, the tensor's dim has {size}.",
            [*facts, ("sizes", bindings or "none")],
        )
    return True


def _show(parts: tuple[Part, ...]) -> str:
    texts = [" ".join(map(str, part)) or "1" for part in parts]
    return "+".join(f"({t})" if len(p) > 1 else t for t, p in zip(texts, parts, strict=True))
