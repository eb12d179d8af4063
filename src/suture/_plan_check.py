"""Whether a plan is whole: every entry has one block, every position exists, every word fits.

Knows what the plan's words demand of shapes and dtypes. Does not know arrays, nor whether the plan
is a good one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import isfinite, isnan
from typing import assert_never

from suture._dtypes import DTYPES, is_shape, reaches
from suture._errors import PlanError
from suture._partition import Problem, at, length, misplaced, partition, repeats
from suture._plan import (
    Block,
    IndexMap,
    Label,
    Note,
    Own,
    Placement,
    Plan,
    Sum,
    Tensor,
    TensorPlan,
    Term,
    Value,
)

DTYPE = re.compile(r"bool|(bf|f|c|i|u)\d{1,3}(_\w+)?", re.ASCII)
"""Dtypes of any framework: files hold fewer (`_dtypes`)."""

LARGEST = 2**63 - 1
"""The last position that anything counts to."""

EXACT = re.compile(r"bool|[iu]\d")


def problems(plan: Plan) -> list[Problem]:
    """List everything that keeps a plan from being whole, each with its place.

    Example:
        >>> bias = Tensor("bias", (3,), "f32")
        >>> short = Block((((0, 2),),), Own())
        >>> problems(Plan("a1", "b2", (TensorPlan(bias, None, "parameter", (short,)),)))
        [('tensors[0].blocks', 'leave out 1 of 3 entries')]
    """
    sources = source_tensors(plan)
    found = [*_sources(plan, sources), *_twice(plan)]
    for which, tensor in enumerate(plan.tensors):
        found += at(f"tensors[{which}]", _tensor(tensor, sources))
    for side, placements in (("inputs", plan.inputs), ("outputs", plan.outputs)):
        for which, placement in enumerate(placements):
            found += at(f"{side}[{which}]", _placement(placement))
    for which, note in enumerate(plan.notes):
        found += at(f"notes[{which}]", _note(note, {one.name for one in plan.outputs}))
    return found


def check(plan: Plan) -> None:
    """Refuse a plan that is not whole.

    Raises:
        PlanError: with every problem and its place.
    """
    if found := problems(plan):
        raise broken(found)


def broken(found: Sequence[Problem]) -> PlanError:
    """Make one error of all problems of a plan."""
    count = "a problem" if len(found) == 1 else f"{len(found)} problems"
    width = max(len(place) for place, _ in found) + 1
    return PlanError(
        f"The plan has {count}.", [(place.ljust(width), text) for place, text in found]
    )


def source_tensors(plan: Plan) -> dict[str, Tensor]:
    """Collect the source tensors that a plan knows, by name."""
    paired = (tensor.source for tensor in plan.tensors if tensor.source is not None)
    return {tensor.name: tensor for tensor in (*plan.unpaired, *paired)}


def exact(dtype: str) -> bool:
    """Say whether a dtype holds integers or booleans, on which no arithmetic is done.

    Example:
        >>> exact("i64"), exact("bool"), exact("bf16")
        (True, True, False)
    """
    return EXACT.match(dtype) is not None


def _sources(plan: Plan, sources: Mapping[str, Tensor]) -> Iterator[Problem]:
    for which, tensor in enumerate(plan.unpaired):
        yield from at(f"unpaired[{which}]", _described(tensor))
        if sources[tensor.name] != tensor:
            yield f"unpaired[{which}]", f"{tensor.name!r} is {sources[tensor.name].type} elsewhere"
    for which, paired in enumerate(tensor.source for tensor in plan.tensors):
        if paired is not None and sources[paired.name] != paired:
            elsewhere = sources[paired.name].type
            yield f"tensors[{which}].source", f"{paired.name!r} is {elsewhere} elsewhere"


def _twice(plan: Plan) -> Iterator[Problem]:
    """List target names that are given more than one plan."""
    names = Counter(name for plan in plan.tensors for name in (plan.target.name, *plan.tied))
    for name, count in names.items():
        if count > 1:
            yield "tensors", f"{name!r} is planned {count} times"


def _described(tensor: Tensor) -> Iterator[Problem]:
    if not DTYPE.fullmatch(tensor.dtype):
        yield "dtype", f"{tensor.dtype!r} is no dtype such as 'f32'"
    sizes = [(dim, size) for dim, size in enumerate(tensor.shape) if not 0 <= size <= LARGEST]
    for dim, size in sizes:
        yield f"shape[{dim}]", f"{size} is no size"
    width = DTYPES[tensor.dtype].itemsize if tensor.dtype in DTYPES else 1
    if not sizes and not is_shape(tensor.shape, width):
        yield "shape", f"{tensor.type} is larger than any array"


def _tensor(plan: TensorPlan, sources: Mapping[str, Tensor]) -> Iterator[Problem]:
    sides = (("target", plan.target), ("source", plan.source))
    described = [
        p for side, tensor in sides if tensor is not None for p in at(side, _described(tensor))
    ]
    if described:
        yield from described
        return
    yield from partition(plan.blocks, plan.target.shape)
    for which, block in enumerate(plan.blocks):
        yield from at(f"blocks[{which}].fill", _fill(block, plan.target, sources))
    yield from _labels(plan.labels, plan.source, plan.target)


def _fill(block: Block, target: Tensor, sources: Mapping[str, Tensor]) -> Iterator[Problem]:
    match block.fill:
        case Own(scale):
            yield from _scale("scale", scale, 1.0, target)
        case Value():
            yield from _value(block.fill, block, target)
        case Sum(terms, own):
            yield from _scale("own", own, 0.0, target)
            if not terms:
                yield "terms", "are none; say a value of 0"
            if exact(target.dtype) and len(terms) > 1:
                yield "terms", f"are added, but {target.name} is {target.type}"
            for which, term in enumerate(terms):
                yield from at(f"terms[{which}]", _term(term, block, target, sources))
        case _:
            assert_never(block.fill)


def _scale(place: str, scale: float, nothing: float, target: Tensor) -> Iterator[Problem]:
    """Check a factor, which changes `nothing` where no arithmetic is done."""
    if not isfinite(scale):
        yield place, f"{scale} is not finite"
    elif exact(target.dtype) and scale != nothing:
        yield place, f"is {scale:g}, but {target.name} is {target.type}"
    elif not exact(target.dtype) and not reaches(target.dtype, max(1.0, abs(scale))):
        yield place, f"is {scale:g}, which does not fit {target.type}"


def _value(fill: Value, block: Block, target: Tensor) -> Iterator[Problem]:
    if isnan(fill.value):
        yield "value", "is not a number"
    elif not _holds(target.dtype, fill.value):
        yield "value", f"{fill.value:g} does not fit {target.type}"
    if fill.diagonal is not None:
        rank = len(block.region)
        i, j = fill.diagonal
        if i == j or not (0 <= i < rank and 0 <= j < rank):
            yield "diagonal", f"({i}, {j}) are not two of {rank} dims"


def _holds(dtype: str, value: float) -> bool:
    """Say whether a dtype holds a value: exactly, or rounded among floats."""
    if not exact(dtype):
        return reaches(dtype, value)
    if dtype == "bool":
        return value in (0, 1)
    bits = int(dtype[1:].partition("_")[0])
    low, high = (0, 2**bits) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    return value.is_integer() and low <= value < high


def _term(
    term: Term, block: Block, target: Tensor, sources: Mapping[str, Tensor]
) -> Iterator[Problem]:
    source = sources.get(term.source)
    if source is None:
        yield "source", f"{term.source!r} is no known source"
        return
    yield from _scale("scale", term.scale, 1.0, target)
    if not _converts(source.dtype, target.dtype):
        yield "source", f"{source.name} is {source.type}, which {target.dtype} does not take"
    elif exact(target.dtype) and term.reductions:
        yield "reductions", f"are none for {target.type}"
    unfit = [*at("index", misplaced(term.index, source.shape)), *_reductions(term, target)]
    yield from unfit or _broadcasts(term, block)


def _converts(source: str, target: str) -> bool:
    """Say whether values may go from one dtype to another: among floats, or complex, or alike."""
    kinds = {dtype: dtype.lstrip("b")[0] for dtype in (source, target) if not exact(dtype)}
    return source == target or (len(kinds) == 2 and kinds[source] == kinds[target])


def _reductions(term: Term, target: Tensor) -> Iterator[Problem]:
    lengths = [length(runs) for runs in term.index]
    for which, reduction in enumerate(term.reductions):
        place = f"reductions[{which}]"
        if not 0 <= reduction.dim < len(lengths):
            yield f"{place}.dim", f"{reduction.dim} is none of {len(lengths)} dims"
        elif any(reduction.dim == other.dim for other in term.reductions[:which]):
            yield f"{place}.dim", f"{reduction.dim} is reduced twice"
        elif reduction.weights is None and lengths[reduction.dim] == 0:
            yield place, "is the mean of nothing"
        elif reduction.weights is not None and len(reduction.weights) != lengths[reduction.dim]:
            count = len(reduction.weights)
            yield f"{place}.weights", f"are {count} for {lengths[reduction.dim]} positions"
        elif reduction.weights is not None and not all(map(isfinite, reduction.weights)):
            yield f"{place}.weights", "are not all finite"
        elif not exact(target.dtype):
            largest = max(map(abs, (1.0, *(reduction.weights or ()))))
            if not reaches(target.dtype, largest):
                yield f"{place}.weights", f"reach {largest:g}, which does not fit {target.type}"


def _broadcasts(term: Term, block: Block) -> Iterator[Problem]:
    left = term_shape(term)
    missing = len(block.shape) - len(left)
    pairs = zip(left, block.shape[max(missing, 0) :], strict=False)
    if missing < 0 or any(size not in (1, wanted) for size, wanted in pairs):
        yield "", f"leaves {list(left)} to fill {list(block.shape)}"


def term_shape(term: Term) -> tuple[int, ...]:
    """Compute the shape that a term leaves after its reductions, in entries.

    Example:
        >>> from suture._plan import Reduction
        >>> term_shape(Term("w", (((0, 3),), ((2, 4), (0, 5))), reductions=(Reduction(0),)))
        (7,)
    """
    reduced = {reduction.dim: reduction.keep for reduction in term.reductions}
    return tuple(
        1 if dim in reduced else length(runs)
        for dim, runs in enumerate(term.index)
        if reduced.get(dim, True)
    )


def is_copy(fill: Sum) -> bool:
    """Say whether a sum is a copy: one term, read as it is, bit by bit.

    Example:
        >>> term = Term("w", (((0, 3),),))
        >>> is_copy(Sum((term,))), is_copy(Sum((term, term))), is_copy(Sum((term,), own=0.1))
        (True, False, False)
    """
    terms = fill.terms
    plain = len(terms) == 1 and terms[0].scale == 1 and not terms[0].reductions
    return plain and fill.own == 0


def _labels(
    labels: Sequence[Label], source: Tensor | None, target: Tensor | None
) -> Iterator[Problem]:
    for which, label in enumerate(labels):
        place = f"labels[{which}]"
        if label.source is None and label.target is None:
            yield place, f"{label.name!r} stands on neither side"
        yield from at(place, _stands(label, "source", label.source, source))
        yield from at(place, _stands(label, "target", label.target, target))


def _stands(
    label: Label, side: str, position: int | None, tensor: Tensor | None
) -> Iterator[Problem]:
    """Check that a named entry is where its label says, on one side."""
    if position is None:
        return
    sizes = tensor.shape if tensor is not None else ()
    if not 0 <= label.dim < len(sizes):
        yield "dim", f"{label.dim} is no dim of the {side}"
    elif not 0 <= position < sizes[label.dim]:
        yield side, f"{position} leaves a dim of {sizes[label.dim]}"


def _placement(placement: Placement) -> Iterator[Problem]:
    source, target = placement.source, placement.target
    present = [side for side in (source, target) if side is not None]
    if not present:
        yield "", f"{placement.name!r} stands on neither side"
    described = [problem for side in present for problem in _described(side)]
    ranks = {len(side.shape) for side in present}
    if described:
        yield from described
    elif len(present) == 2 and ranks != {len(placement.dims)}:
        yield "dims", f"are {len(placement.dims)} for {' -> '.join(s.type for s in present)}"
    else:
        for dim, runs in enumerate(placement.dims):
            sizes = [
                None if side is None else side.shape[dim : dim + 1] for side in (source, target)
            ]
            yield from at(f"dims[{dim}]", _index_map(runs, *(s[0] if s else None for s in sizes)))
    if placement.values is not None:
        yield from _values(placement, placement.values)
    named = [label for label in placement.labels if placement.values is None or label.dim != -1]
    yield from _labels(named, source, target)
    yield from _said(placement, [*named, Label(-1, placement.name, None, None)])


def _values(placement: Placement, values: IndexMap) -> Iterator[Problem]:
    """Check values that index an axis, and their names, as far as no size is known."""
    yield from at("values", _index_map(values, None, None))
    for which, label in enumerate(placement.labels):
        for side, value in (("source", label.source), ("target", label.target)):
            if label.dim == -1 and value is not None and not 0 <= value <= LARGEST:
                yield f"labels[{which}].{side}", f"{value} is no position"


def _said(placement: Placement, labels: Sequence[Label]) -> Iterator[Problem]:
    """Check what is said of features: that they are there, and that it can be undone."""
    names = {label.name for label in labels}
    for which, held in enumerate(placement.held):
        if held.name not in names or placement.source is None:
            yield f"held[{which}].name", f"{held.name!r} is no entry of the source"
    both = {label.name for label in labels if None not in (label.source, label.target)}
    for which, one in enumerate(placement.rescaled):
        if one.name not in both:
            yield f"rescaled[{which}].name", f"{one.name!r} does not stand on both sides"
        if one.affine.scale == 0:
            yield f"rescaled[{which}].affine.scale", "is 0, which nothing undoes"


def _note(note: Note, outputs: Collection[str]) -> Iterator[Problem]:
    for which, name in enumerate(note.outputs):
        if name not in outputs:
            yield f"outputs[{which}]", f"{name!r} is no output"


def _index_map(runs: IndexMap, source: int | None, target: int | None) -> Iterator[Problem]:
    """Check runs against the sizes of a dim on both sides, where they are known."""
    for which, run in enumerate(runs):
        if run.length <= 0:
            yield f"[{which}].length", f"{run.length} is no length"
        for side, start, size in (("source", run.source, source), ("target", run.target, target)):
            limit = LARGEST if size is None else size
            if start < 0 or start + run.length > limit:
                yield f"[{which}].{side}", f"{start}..{start + run.length} leaves a dim of {limit}"
    yield from repeats(tuple((run.target, run.target + run.length) for run in runs))
