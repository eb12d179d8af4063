"""Strategies for whole plans: any partition of any shape, filled with every word of the language.

Knows how to draw plans and states that fit them. Does not know how they are carried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from suture._plan import (
    Block,
    Fill,
    Label,
    Note,
    Own,
    Placement,
    Plan,
    Reduction,
    Run,
    Runs,
    Sum,
    Tensor,
    TensorPlan,
    Term,
    Value,
)
from suture._plan_check import source_tensors

FLOATS = ("f16", "f32", "f64")
EXACT = ("i64", "i16", "bool")
NUMPY = {"f16": "f2", "f32": "f4", "f64": "f8", "i64": "i8", "i16": "i2", "bool": "?"}

# Eighths: sums and products of a few are exact in f64, so that no order of adding shows.
eighths = st.integers(-40, 40).map(lambda n: n / 8)
names = st.text("abc.019", min_size=1, max_size=8)


@dataclass
class Pool:
    """The source tensors that a plan under construction reads."""

    dtype: str
    prefix: str
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def add(self, shape: Sequence[int]) -> Tensor:
        """Make a source tensor under a new name."""
        tensor = Tensor(f"{self.prefix}.{len(self.tensors)}", tuple(shape), self.dtype)
        return self.tensors.setdefault(tensor.name, tensor)


def runs_of(positions: Sequence[int]) -> Runs:
    """Run-length code positions in their order."""
    runs: list[tuple[int, int]] = []
    for position in positions:
        if runs and runs[-1][1] == position:
            runs[-1] = (runs[-1][0], position + 1)
        else:
            runs.append((position, position + 1))
    return tuple(runs)


Region = tuple[tuple[int, ...], ...]


@st.composite
def partitions(draw: st.DrawFn, shape: Sequence[int]) -> list[Region]:
    """Draw a partition of a shape into products of positions in any order."""
    orders = [draw(st.just(range(size)) | st.permutations(range(size))) for size in shape]
    pending = [tuple(map(tuple, orders))]
    done: list[Region] = []
    while pending:
        region = pending.pop()
        splittable = [dim for dim, positions in enumerate(region) if len(positions) > 1]
        if not splittable or len(pending) + len(done) > 5 or draw(st.booleans()):
            done.append(region)
            continue
        dim = draw(st.sampled_from(splittable))
        cut = draw(st.integers(1, len(region[dim]) - 1))
        parts = (region[dim][:cut], region[dim][cut:])
        pending += [(*region[:dim], part, *region[dim + 1 :]) for part in parts]
    return done


@st.composite
def indices(draw: st.DrawFn, length: int) -> tuple[int, Runs]:
    """Draw the size of a source dim and so many positions in it, in any order, repeats included."""
    if draw(st.booleans()):
        start = draw(st.integers(0, 2))
        return start + length + draw(st.integers(0, 1)), ((start, start + length),) * bool(length)
    size = draw(st.integers(1, 6))
    positions = draw(st.lists(st.integers(0, size - 1), min_size=length, max_size=length))
    return size, runs_of(positions)


@st.composite
def terms(draw: st.DrawFn, shape: Sequence[int], pool: Pool) -> Term:
    """Draw a term that fills a block of a shape: broadcast, permuted, scaled, reduced."""
    hidden = draw(st.integers(0, len(shape)))
    flat = draw(st.tuples(*[st.booleans()] * len(shape)))
    dims = [(1 if flat[dim] else shape[dim], False) for dim in range(hidden, len(shape))]
    reductions: list[Reduction] = []
    for _ in range(draw(st.integers(0, 2))):
        keepable = [dim for dim, (size, reduced) in enumerate(dims) if size == 1 and not reduced]
        keep = bool(keepable) and draw(st.booleans())
        dim = draw(st.sampled_from(keepable) if keep else st.integers(0, len(dims)))
        length = draw(st.sampled_from([1, 2, 4]))  # a mean of these is exact
        dims[dim : dim + keep] = [(length, True)]
        if not keep:
            reductions = [replace(r, dim=r.dim + (r.dim >= dim)) for r in reductions]
        weights = draw(st.none() | st.tuples(*[eighths] * length))
        reductions.append(Reduction(dim, weights, keep))
    drawn = [draw(indices(length)) for length, _ in dims]
    source = pool.add([size for size, _ in drawn])
    scale = draw(st.just(1.0) | eighths)
    return Term(source.name, tuple(runs for _, runs in drawn), scale, tuple(reductions))


@st.composite
def copies(draw: st.DrawFn, shape: Sequence[int], pool: Pool) -> Sum:
    """Draw a plain copy into a block of a shape."""
    drawn = [draw(indices(length)) for length in shape]
    source = pool.add([size for size, _ in drawn])
    return Sum((Term(source.name, tuple(runs for _, runs in drawn)),))


@st.composite
def values(draw: st.DrawFn, rank: int, constants: st.SearchStrategy[float]) -> Value:
    """Draw a constant, along a diagonal or not."""
    diagonal = None
    if rank > 1 and draw(st.booleans()):
        first, second = draw(st.permutations(range(rank)))[:2]
        diagonal = (first, second)
    return Value(draw(constants), diagonal)


def fills(shape: Sequence[int], pool: Pool) -> st.SearchStrategy[Fill]:
    """Draw what fills a block of a shape."""
    if pool.dtype in EXACT:
        constants = st.sampled_from([0.0, 1.0])
        return st.just(Own()) | values(len(shape), constants) | copies(shape, pool)
    constants = eighths | st.sampled_from([float("inf"), float("-inf")])
    several = st.lists(terms(shape, pool), min_size=1, max_size=3).map(tuple)
    summed = st.builds(Sum, several, st.just(0.0) | eighths)
    owned = st.builds(Own, st.just(1.0) | eighths)
    return owned | values(len(shape), constants) | copies(shape, pool) | summed


shapes = st.lists(st.integers(0, 5) | st.integers(1, 3), max_size=3).map(tuple)


@st.composite
def tensor_plans(draw: st.DrawFn, name: str) -> tuple[TensorPlan, list[Tensor]]:
    """Draw the plan of one target tensor, and the unpaired source tensors that it reads."""
    dtype = draw(st.sampled_from(FLOATS + EXACT))
    shape = draw(shapes)
    pool = Pool(dtype if dtype in EXACT else draw(st.sampled_from(FLOATS)), f"{name}.old")
    blocks = []
    for region in draw(partitions(shape)):
        fill = draw(fills([len(positions) for positions in region], pool))
        blocks.append(Block(tuple(map(runs_of, region)), fill))
    labels = tuple(
        Label(dim, draw(names), None, draw(st.integers(0, size - 1)))
        for dim, size in enumerate(shape)
        if size and draw(st.booleans())
    )
    unpaired = list(pool.tensors.values())
    paired = bool(unpaired) and draw(st.booleans())
    source = unpaired.pop() if paired else None
    tied = draw(st.sampled_from([(), (f"{name}.tied",)]))
    kind: Literal["parameter", "buffer"] = draw(st.sampled_from(["parameter", "buffer"]))
    target = Tensor(name, shape, dtype)
    reason = draw(st.sampled_from(["", "because"]))
    return TensorPlan(target, source, kind, tuple(blocks), labels, tied, reason), unpaired


@st.composite
def placements(draw: st.DrawFn, name: str) -> Placement:
    """Draw where the entries of an input or output sit."""
    sizes = draw(st.lists(st.integers(1, 5), max_size=2).map(tuple))
    tensor = Tensor(name, sizes, "f32")
    dims = tuple((Run(0, 0, size),) for size in sizes)
    values = draw(st.none() | st.just((Run(0, 3, 2), Run(2, 0, 1))))
    source = draw(st.none() | st.just(tensor))
    labels = () if values is None else (Label(-1, draw(names), 3, 0),)
    return Placement(name, source, tensor, dims, values, labels)


Kind = Literal["inexact", "approximate", "bound", "condition", "pairing", "cast"]
kinds: st.SearchStrategy[Kind] = st.sampled_from(get_args(Kind))


@st.composite
def notes(draw: st.DrawFn, outputs: tuple[Placement, ...]) -> Note:
    """Draw a note on some outputs, or on all."""
    named = tuple(one.name for one in outputs if draw(st.booleans()))
    return Note(draw(kinds), draw(names), draw(st.text(max_size=9)), named)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw a whole plan."""
    drawn = [draw(tensor_plans(f"layer.{i}.weight")) for i in range(draw(st.integers(1, 3)))]
    outputs = tuple(draw(placements(f"out{i}")) for i in range(draw(st.integers(0, 2))))
    return Plan(
        source=draw(st.text("0123456789abcdef", min_size=4)),
        target="b2",
        tensors=tuple(tensor for tensor, _ in drawn),
        inputs=tuple(draw(placements(f"in{i}")) for i in range(draw(st.integers(0, 1)))),
        outputs=outputs,
        notes=tuple(draw(st.lists(notes(outputs), max_size=2))),
        unpaired=tuple(tensor for _, unpaired in drawn for tensor in unpaired),
    )


def array(tensor: Tensor, rng: np.random.Generator) -> NDArray[Any]:
    """Make a numpy array of eighths that fits a tensor: exact in every float."""
    low, high = (0, 2) if tensor.dtype == "bool" else (-40, 41)
    numbers = rng.integers(low, high, tensor.shape)
    numbers = np.asarray(numbers / (1 if tensor.dtype in EXACT else 8))
    return numbers.astype(NUMPY[tensor.dtype])


State = dict[str, NDArray[Any]]


def states(plan: Plan, seed: int) -> tuple[State, State]:
    """Make a source and a target state that fit a plan."""
    rng = np.random.default_rng(seed)
    source = {name: array(tensor, rng) for name, tensor in source_tensors(plan).items()}
    target: State = {}
    for tensor in plan.tensors:
        initial = array(tensor.target, rng)
        target |= dict.fromkeys((tensor.target.name, *tensor.tied), initial)
    return source, target
