"""Experiments: a real call of an op, run again and again with other operands.

Knows how a sample is run in float64 and what moves in its results. Does not know rules.

The measurements are made once per sample and are the same for every rule that may be said of it:

* `influence(k)`: single entries of operand k are changed, one at a time;
* `meetings(a, b)`: entries of two operands are changed, alone and together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_leaves

from samples import Sample
from suture._rule import Call, TensorArgument
from suture._torch._call import arguments, make_call, tensor_places
from suture._torch._dtype import show

Flat = NDArray[np.float64]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]

STEPS = (1.0, -2.0, 5.0, 0.01)
CHANCES = (0.0, 1.0)
"""Whole steps make comparisons flip, large ones maxima, small ones stay where a log is defined; 0
and 1 decide what a chance leaves open."""
EXTREMES = (0.0, float("inf"), float("-inf"), float("nan"))
"""Tried where no step moves anything: what `isnan` or `logical_and` look for."""
MOST_ENTRIES = 160
"""Operands of more entries than this are probed at a random part of them, and along every dim."""
MORE_ENTRIES = 8
"""Probed pairwise besides the lines, which all run along the first entries."""
REFUSALS = (RuntimeError, IndexError, ValueError)
"""What torch raises where an operand's value is out of its op's range."""


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """What moves when single entries of one operand change.

    Attributes:
        entries: per change the flat entry of the operand.
        old: per change the integer before it; -1 for floating operands.
        new: per change the integer behind it; -1 for floating operands.
        moved: per change and result entry (all results flat, end to end) whether it moved.
    """

    entries: Ints
    old: Ints
    new: Ints
    moved: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Meetings:
    """Mixed second differences: what moves otherwise when two operands change together.

    Attributes:
        left: changes of the one operand.
        right: changes of the other.
        seen: per background, `left` and `right` change: whether the difference is not zero.
    """

    left: Influence
    right: Influence
    seen: tuple[Mask, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """One sample, its operands and how to run it with others."""

    sample: Sample
    named: Mapping[str, Any]
    places: tuple[str, ...]
    operands: tuple[Tensor, ...]
    known: tuple[bool, ...]
    results: tuple[Tensor, ...]
    call: Call
    base: Flat
    cuts: tuple[tuple[int, int], ...]
    seed: int = 7
    _seen: dict[Any, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        def side(tensors: Sequence[Tensor]) -> str:
            return ", ".join(map(show, tensors))

        return f"{self.sample.op}({side(self.operands)}) -> {side(self.results)}"

    def floats(self) -> list[int]:
        """List the operands that hold floating point numbers."""
        return [k for k, operand in enumerate(self.operands) if operand.is_floating_point()]

    def outputs(self, operands: Sequence[Tensor]) -> list[Tensor]:
        """Run the op; the operands given are not written to."""
        return _run(self.sample, self.named, operands, self.seed)

    def flat(self, changed: Mapping[int, Tensor]) -> Flat:
        """Run the op with some operands replaced; all results flat, end to end."""
        operands = [changed.get(k, operand) for k, operand in enumerate(self.operands)]
        return _flatten(self.outputs(operands))

    def influence(self, k: int) -> Influence:
        """Change every entry of operand k, one at a time."""
        if k not in self._seen:
            self._seen[k] = _influence(self, k)
        found: Influence = self._seen[k]
        return found

    def enriched(self) -> Experiment:
        """Add what moves where luck is another: rolled and small floats, all and no booleans."""
        found = {k: self.influence(k) for k in range(len(self.operands))}
        for variant in range(1, 4):
            other = _varied(self, variant)
            found = {k: _united(seen, other.influence(k)) for k, seen in found.items()}
        return replace(self, _seen={**self._seen, **found})

    def meetings(self, a: int, b: int) -> Meetings:
        """Change entries of operands a and b, alone and together."""
        if (a, b) not in self._seen:
            self._seen[a, b] = _meetings(self, a, b)
        found: Meetings = self._seen[a, b]
        return found


def experiment(sample: Sample) -> Experiment:
    """Set up a sample, its floating operands in float64."""
    given = arguments(sample.op, sample.args, sample.kwargs)
    known = {id(t): id(t) in sample.known for t in _tensors(given.values())}
    named = {name: _deep(value) for name, value in given.items()}
    places = tensor_places(sample.op, named)
    operands = tuple(t for t in places if t is not None)
    results = _run(sample, named, operands)
    seen = {id(new): known[id(old)] for new, old in _pairs(named, given)}

    def view(tensor: Tensor) -> TensorArgument:
        values = tensor.numpy() if seen[id(tensor)] else None
        return TensorArgument(tuple(tensor.shape), show(tensor).partition("[")[0], values)

    call = make_call(sample.op, named, view, [tuple(r.shape) for r in results])
    ends = (0, *accumulate(r.numel() for r in results))
    return Experiment(
        sample=sample,
        named=named,
        places=tuple(_place_names(sample, named)),
        operands=operands,
        known=tuple(seen[id(t)] for t in operands),
        results=tuple(results),
        call=call,
        base=_flatten(results),
        cuts=tuple(pairwise(ends)),
    )


def _tensors(values: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(list(values)) if isinstance(leaf, Tensor))


def _pairs(new: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(_tensors(new.values()), _tensors(old.values()), strict=True)


def _deep(value: Any) -> Any:
    """Copy an argument, so that no operand stands twice, floating ones in float64."""
    if isinstance(value, Tensor):
        copied = value.clone()
        return copied.double() if copied.is_floating_point() else copied
    return [_deep(item) for item in value] if isinstance(value, (list, tuple)) else value


def _place_names(sample: Sample, named: Mapping[str, Any]) -> Iterator[str]:
    """Name the argument that each operand stands in."""
    for argument in sample.op._schema.arguments:
        for _ in _tensors([named.get(argument.name)]):
            yield argument.name


def _varied(run: Experiment, variant: int) -> Experiment:
    """Put other values into operands that are not integers, and start random numbers elsewhere."""

    def varied(tensor: Tensor) -> Tensor:
        if tensor.dtype == torch.bool:
            return torch.full_like(tensor, variant != 2)
        if not tensor.is_floating_point():
            return tensor
        rolled = tensor.flatten().roll(variant).view(tensor.shape)
        return 0.1 * rolled if variant == 2 else rolled

    changed = replace(run, operands=tuple(map(varied, run.operands)), seed=run.seed + variant)
    base = _flatten(changed.outputs(changed.operands))
    return replace(changed, base=base, _seen={})


def _united(one: Influence, other: Influence) -> Influence:
    """Join what moved in two experiments with the same changes."""
    if one.moved.shape != other.moved.shape:
        return one
    return replace(one, moved=one.moved | other.moved)


def _run(
    sample: Sample, named: Mapping[str, Any], operands: Sequence[Tensor], seed: int = 7
) -> list[Tensor]:
    rest = iter(operands)

    def put(value: Any) -> Any:
        if isinstance(value, Tensor):
            return next(rest).clone()
        return [put(item) for item in value] if isinstance(value, (list, tuple)) else value

    filled = {name: put(value) for name, value in named.items()}
    keywords = {a.name for a in sample.op._schema.arguments if a.kwarg_only}
    if torch.Tag.nondeterministic_seeded in sample.op.tags:
        torch.manual_seed(seed)
    result = sample.op(
        *(value for name, value in filled.items() if name not in keywords),
        **{name: value for name, value in filled.items() if name in keywords},
    )
    return list(_tensors([result]))


def _flatten(results: Sequence[Tensor]) -> Flat:
    return np.concatenate([np.zeros(0), *(real(result).flatten().numpy() for result in results)])


def real(result: Tensor) -> Tensor:
    """Read a result as float64; a complex number as a generic mixture of its parts."""
    mixed = result.real + 0.37 * result.imag if result.is_complex() else result
    return mixed.double()


def differ(left: Flat, right: Flat) -> Mask:
    """Say which entries differ by more than rounding."""
    with np.errstate(invalid="ignore"):
        near = np.abs(left - right) <= 1e-9 * (1 + np.abs(left))
    same = (left == right) | (np.isnan(left) & np.isnan(right)) | (near & np.isfinite(left))
    return np.asarray(~same)


def replaced(tensor: Tensor, entry: int, value: complex) -> Tensor:
    """Copy a tensor with one flat entry changed."""
    copied = tensor.contiguous().clone()
    copied.view(-1)[entry] = torch.tensor(value, dtype=tensor.dtype)
    return copied


def _influence(run: Experiment, k: int) -> Influence:
    entries = _probed(run.operands[k])
    if not _is_number(run.operands[k]):
        return _gather(run, k, list(_integer_changes(run.operands[k], entries)))
    start = run.operands[k].reshape(-1).tolist()
    turn = 1 + 1j if run.operands[k].is_complex() else 1  # either part may be all that moves
    steps = [step * turn for step in STEPS]
    moved = _stepped(run, k, {e: [*(start[e] + step for step in steps), *CHANCES] for e in entries})
    if not moved.any():
        moved = _stepped(run, k, dict.fromkeys(entries, EXTREMES))
    blank = np.full(len(entries), -1)
    return Influence(np.asarray(entries, np.int64), blank, blank, moved)


def _is_number(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _stepped(run: Experiment, k: int, tried: Mapping[int, Sequence[complex]]) -> Mask:
    """Try values in every entry: whether one of them moves a result."""
    rows = [_tried(run, k, entry, values) for entry, values in tried.items()]
    return np.reshape(rows, (len(tried), run.base.size)).astype(bool)


def _tried(run: Experiment, k: int, entry: int, values: Sequence[complex]) -> Mask:
    """Say what moves by any of some values; once something does, two that add nothing end it."""
    moved, idle = np.zeros(run.base.size, bool), 0
    for value in values:
        more = _moved(run, k, entry, value) & ~moved
        moved |= more
        idle = 0 if more.any() else idle + 1
        if moved.any() and idle == 2:
            break
    return moved


def _moved(run: Experiment, k: int, entry: int, value: complex) -> Mask:
    try:
        now = run.flat({k: replaced(run.operands[k], entry, value)})
    except REFUSALS:
        return np.zeros(run.base.size, bool)
    return differ(run.base, now) if now.size == run.base.size else np.ones(run.base.size, bool)


def _gather(run: Experiment, k: int, changes: list[tuple[int, int, int]]) -> Influence:
    moved = [_moved(run, k, entry, new) for entry, _, new in changes]
    entry, old, new = np.reshape(np.asarray(changes, np.int64), (-1, 3)).T
    return Influence(entry, old, new, np.reshape(moved, (len(changes), run.base.size)).astype(bool))


def _integer_changes(tensor: Tensor, entries: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Change integers to others of the range that the sample itself uses, booleans to both."""
    flat = tensor.reshape(-1).long()
    if not len(flat):
        return
    low, high = min(0, int(flat.min())), max(1, int(flat.max()))
    for entry in entries:
        old = int(flat[entry])
        for new in range(low, high + 1):
            if new != old:
                yield entry, old, new


def _probed(tensor: Tensor) -> list[int]:
    """Choose flat entries: all, or a random part and the lines along every dim."""
    if tensor.numel() <= MOST_ENTRIES:
        return list(range(tensor.numel()))
    draw = np.random.default_rng(3).choice(tensor.numel(), MOST_ENTRIES, replace=False)
    return sorted({*draw.tolist(), *_lines(tensor)})


def _lines(tensor: Tensor) -> list[int]:
    """Choose the flat entries along every dim, through the first entry and near the middle."""
    if not tensor.numel():
        return []
    grid = np.arange(tensor.numel()).reshape(tensor.shape)
    sides = [np.moveaxis(grid, dim, 0).reshape(size, -1) for dim, size in enumerate(grid.shape)]
    lines = [side[:, at] for side in sides for at in (0, side.shape[1] // 2)]
    return sorted({0, *np.concatenate([np.zeros(0, int), *lines]).tolist()})


def _meetings(run: Experiment, a: int, b: int) -> Meetings:
    left, right = (_line_changes(run.operands[k]) for k in (a, b))
    seen = [_second_differences(run, a, b, left, right, {})]
    zeros = {k: torch.zeros_like(run.operands[k]) for k in (a, b) if k in run.floats()}
    if zeros:
        seen.append(_second_differences(run, a, b, left, right, zeros))
    return Meetings(_bare(left), _bare(right), tuple(seen))


def _bare(changes: list[tuple[int, int, float]]) -> Influence:
    entries, old, new = np.reshape(changes, (-1, 3)).T.astype(np.int64)
    return Influence(entries, old, new, np.zeros((len(changes), 0), bool))


def _line_changes(tensor: Tensor) -> list[tuple[int, int, float]]:
    """Changes along the lines; floating operands have a step instead of a new value."""
    if tensor.is_floating_point():
        return [(entry, -1, 1.25) for entry in _lines(tensor)]
    return [
        (e, p, float(q)) for e, p, q in _integer_changes(tensor, _lines(tensor)) if abs(q - p) < 3
    ]


def _second_differences(
    run: Experiment,
    a: int,
    b: int,
    left: list[tuple[int, int, float]],
    right: list[tuple[int, int, float]],
    background: Mapping[int, Tensor],
) -> Mask:
    def changed(k: int, change: tuple[int, int, float]) -> Tensor:
        tensor = background.get(k, run.operands[k])
        start = float(tensor.reshape(-1)[change[0]]) if tensor.is_floating_point() else 0.0
        return replaced(tensor, change[0], start + change[2])

    def flat(moved: Mapping[int, Tensor]) -> Flat:
        try:
            return run.flat({**background, **moved})
        except REFUSALS:
            return np.full(run.base.size, np.nan)

    lefts = [changed(a, change) for change in left]
    rights = [changed(b, change) for change in right]
    start = flat({})
    alone = [flat({a: x}) for x in lefts], [flat({b: y}) for y in rights]
    seen = np.zeros((len(left), len(right)), bool)
    for i, x in enumerate(lefts):
        for j, y in enumerate(rights):
            seen[i, j] = _meets(flat({a: x, b: y}), alone[0][i], alone[1][j], start)
    return seen


def _meets(both: Flat, left: Flat, right: Flat, start: Flat) -> bool:
    """Say whether a mixed second difference is not zero; what is not finite says nothing."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(both - left - right + start)
        scale = 1 + np.abs(both) + np.abs(left) + np.abs(right) + np.abs(start)
    return bool(np.any(np.isfinite(difference) & (difference > 1e-9 * scale)))
