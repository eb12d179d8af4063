"""The audit of axes: what a bound spec claims against what an experiment shows, both ways.

Knows what counts as a contradiction. Does not know how experiments are run, nor algebra.

Sound: what moves was allowed to. Complete: where the spec lets a pair of axes be related in some
kind (off the diagonal; one entry reading several; one reaching several), the pair is really seen
so. Contracted axes, which no result has, are told by mixed second differences: axes of one name
meet on their diagonal alone, axes of two names or with `!` do not.

Not seen: axes of size one, `!` on an axis that only one tensor has, two contracted axes of
different sizes, operands that move nothing of a result (of another result they must), and constants
whose values the rule has read: they stand in the spec, but say nothing there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from audit_claims import (
    NOWHERE,
    Coordinates,
    Occurrence,
    Relation,
    occurrences,
    related,
    roots,
    standing,
)
from audit_experiment import Experiment, Influence
from audit_symmetry import are_aligned, is_carried, symmetry_findings
from audit_windows import window_findings
from suture._bind import Bound, BoundOperand, Pick

Sides = Mapping[str, Callable[[Relation], Relation]]

ONE_SIDE: Sides = {
    "off the diagonal": lambda relation: relation & ~np.eye(len(relation), dtype=bool)
}
BOTH_SIDES: Sides = {
    "above the diagonal": lambda relation: np.triu(relation, 1),
    "below the diagonal": lambda relation: np.tril(relation, -1),
}
"""A scan (cumsum) is seen on one side alone: enough for `!`, too little for axes of two names."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """An operand or result as the spec sees it: name in messages, axes, its values' axis."""

    label: str
    axes: list[Occurrence]
    values: str | None
    picks: tuple[Pick, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """An operand and a result with what may move and what moved, change × entry."""

    allowed: Relation
    moved: Relation


def axis_findings(run: Experiment, bound: Bound) -> list[str]:
    """List every contradiction between a bound spec and an experiment."""
    operands = _tensors("operand", bound, bound.inputs)
    results = _tensors("result", bound, bound.outputs)
    pairs = {
        (k, o): _pair(run, operand, k, result, o)
        for k, operand in enumerate(operands)
        for o, result in enumerate(results)
        if not run.known[k]
    }
    return [
        *_results_say_no_mixing(results),
        *_every_operand_moves(run, operands, results, pairs),
        *_influences(run, bound, operands, results, pairs),
        *_own_pairs(run, operands, results, pairs),
        *_contractions(run, bound, operands, results),
        *symmetry_findings(run, bound),
        *window_findings(run, bound),
    ]


def _tensors(kind: str, bound: Bound, tensors: Sequence[BoundOperand]) -> list[Tensor]:
    return [
        Tensor(f"{kind} {place}", occurrences(tensor, bound), tensor.values, bound.picks)
        for place, tensor in enumerate(tensors)
    ]


def _results_say_no_mixing(results: Sequence[Tensor]) -> Iterator[str]:
    for result in results:
        if any(axis.mixed for axis in result.axes):
            yield f"{result.label}: `!` belongs to operands."


def _pair(run: Experiment, operand: Tensor, k: int, result: Tensor, o: int) -> Pair:
    influence = run.influence(k)
    start, stop = run.cuts[o]
    columns = standing(result.axes, result.picks, np.arange(stop - start))
    allowed = np.zeros((len(influence.entries), stop - start), bool)
    for rows in _standings(operand, influence):
        allowed = allowed | related(rows, columns)
    return Pair(allowed, influence.moved[:, start:stop])


def _standings(operand: Tensor, changes: Influence) -> Iterator[dict[str, Coordinates]]:
    """Coordinates of changes: an integer leaves one entry of the axis it indexes for another."""
    rows = standing(operand.axes, operand.picks, changes.entries)
    if operand.values is None:
        yield rows
    else:
        for value in (changes.old, changes.new):
            yield rows | roots(operand.values, value, operand.picks)


def _every_operand_moves(
    run: Experiment,
    operands: Sequence[Tensor],
    results: Sequence[Tensor],
    pairs: dict[tuple[int, int], Pair],
) -> Iterator[str]:
    for k, operand in enumerate(operands):
        alive = not run.known[k] and run.operands[k].numel() > 0
        if alive and not any(pairs[k, o].moved.any() for o in range(len(results))):
            yield f"{operand.label}: it moves nothing."


def _influences(
    run: Experiment,
    bound: Bound,
    operands: Sequence[Tensor],
    results: Sequence[Tensor],
    pairs: dict[tuple[int, int], Pair],
) -> Iterator[str]:
    looked_up = {root for x in operands if x.values for root in _names(x.values, x.picks)}
    for (k, o), pair in pairs.items():
        if not pair.moved.any():
            continue
        strays = pair.moved & ~pair.allowed
        changes = run.influence(k)
        if strays.any():
            yield _stray(strays, changes, operands[k], results[o])
        yield from _poor(pair, changes, operands[k], results[o], looked_up, bound)
        yield from _poor_values(pair, changes, operands[k], results[o])
        if run.results[o].is_floating_point():
            yield from _unsupported(run, bound, pair, changes, operands[k], results[o])


def _names(name: str, picks: Sequence[Pick]) -> set[str]:
    """Name the roots of an axis."""
    found = {name}
    for pick in picks:
        if pick.axis in found:
            found.add(pick.source)
    return found


def _stray(strays: Relation, changes: Influence, operand: Tensor, result: Tensor) -> str:
    """Show one entry that moves another that the spec keeps apart from it."""
    change, entry = np.argwhere(strays)[0]
    left = _address(operand, int(changes.entries[change]))
    right = _address(result, int(entry))
    step = f" from {changes.old[change]} to {changes.new[change]}" if operand.values else ""
    return (
        f"{operand.label} at ({left}){step} moves {result.label} at ({right}); the spec forbids it."
    )


def _address(tensor: Tensor, entry: int) -> str:
    at = [(str(axis), axis.at[entry]) for axis in tensor.axes]
    return ", ".join(f"{axis} = {place}" for axis, place in at if place != NOWHERE)


def _poor(
    pair: Pair,
    changes: Influence,
    operand: Tensor,
    result: Tensor,
    looked_up: set[str],
    bound: Bound,
) -> Iterator[str]:
    """Find pairs of axes that the spec lets be related in ways that are never seen."""
    for one, other in product(operand.axes, result.axes):
        ends = _names(one.name, operand.picks), _names(other.name, result.picks)
        common = min(ends[0] & ends[1], default=None)
        size = 0 if common is None else bound.sizes.get(common, 0)
        rows = _indicator(_in_root(one, common, operand.picks)[changes.entries], size)
        columns = _indicator(_in_root(other, common, result.picks), size)
        if 1 not in (rows.shape[1], columns.shape[1]):
            sides = BOTH_SIDES if common is None else ONE_SIDE
            allowed = _kinds(rows.T @ pair.allowed @ columns > 0, sides)
            seen = _kinds(rows.T @ pair.moved @ columns > 0, sides)
            lax = one.mixed or looked_up & (ends[0] | ends[1]) or _in_a_window(bound, one, other)
            missing = allowed - seen - (SEVERAL if lax else set())
            if missing:
                yield _unseen(operand, one, result, other, sorted(missing))


def _in_root(axis: Occurrence, root: str | None, picks: Sequence[Pick]) -> Coordinates:
    """Coordinates along an axis, or along what it is picked from."""
    return axis.at if root is None else roots(axis.name, axis.at, picks)[root]


SEVERAL = {"reads several", "reaches several"}
"""Not asked of `!` (disjoint windows), nor where values choose (each reads what it chooses), nor of
what a window says (it says which)."""


def _in_a_window(bound: Bound, one: Occurrence, other: Occurrence) -> bool:
    return any({one.name, other.name} <= {*w.axes, w.source} for w in bound.windows)


def _unseen(a: Tensor, one: Occurrence, b: Tensor, other: Occurrence, kinds: Sequence[str]) -> str:
    pair = f"{a.label}, {one}, and {b.label}, {other}"
    return f"{pair}: allowed but never seen: {'; '.join(kinds)}."


def _indicator(at: Coordinates, size: int = 0) -> NDArray[np.float32]:
    """Entries × coordinates; entries that stand nowhere along the axis have a row of zeros."""
    size = max(size, int(at.max(initial=-1)) + 1)
    return np.asarray(at[:, None] == np.arange(size)[None, :], np.float32)


def _kinds(relation: Relation, sides: Sides) -> set[str]:
    """Say of which kinds a relation between two axes is."""
    square = relation.shape[0] == relation.shape[1]
    kinds = {
        "one moves the other": relation.any(),
        "reads several": (relation.sum(axis=0) > 1).any(),
        "reaches several": (relation.sum(axis=1) > 1).any(),
    }
    kinds |= {side: square and of(relation).any() for side, of in sides.items()}
    return {kind for kind, holds in kinds.items() if holds}


def _unsupported(
    run: Experiment, bound: Bound, pair: Pair, changes: Influence, operand: Tensor, result: Tensor
) -> Iterator[str]:
    """Find axes that are `!` and shared, though no symmetry and no scan shows that they are one."""
    for one, other in product(operand.axes, result.axes):
        if one.mixed and one.name == other.name and bound.sizes[one.name] > 1:
            rows, columns = _indicator(one.at[changes.entries]), _indicator(other.at)
            seen = rows.T @ pair.moved @ columns > 0
            if not _is_scan(seen) and not is_carried(run, bound, one.name):
                yield f"{operand.label}, {one}, and {result.label}: nothing shows one axis."


def _is_scan(seen: Relation) -> bool:
    """Say whether entries reach themselves, and others on one side alone."""
    sides = np.triu(seen, 1).any(), np.tril(seen, -1).any()
    return bool(np.diag(seen).all() and not all(sides))


def _poor_values(pair: Pair, changes: Influence, operand: Tensor, result: Tensor) -> Iterator[str]:
    """Find result axes that a value chooses an entry of, though the spec does not say so."""
    if operand.values is None:
        return
    for axis in result.axes:
        elsewhere = (axis.at != changes.old[:, None]) & (axis.at != changes.new[:, None])
        elsewhere &= axis.at != NOWHERE
        if (pair.allowed & elsewhere).any() and not (pair.moved & elsewhere).any():
            yield (
                f"the values of {operand.label} (:{operand.values}) choose entries of "
                f"{result.label}, {axis}; the spec does not say so."
            )


def _own_pairs(
    run: Experiment,
    operands: Sequence[Tensor],
    results: Sequence[Tensor],
    pairs: dict[tuple[int, int], Pair],
) -> Iterator[str]:
    """Find two axes of one tensor of which only the diagonal is alive."""
    for k in (k for k in range(len(operands)) if not run.known[k]):
        operand, mine = operands[k], [pairs[k, o] for o in range(len(results))]
        allowed = np.any([pair.allowed.any(axis=1) for pair in mine], axis=0)
        moved = np.any([pair.moved.any(axis=1) for pair in mine], axis=0)
        yield from _diagonals(operand, run.influence(k).entries, allowed, moved)
    for o, result in enumerate(results):
        mine = [pair for (_, at), pair in pairs.items() if at == o]
        start, stop = run.cuts[o]
        allowed = np.any([np.zeros(stop - start), *(p.allowed.any(axis=0) for p in mine)], axis=0)
        moved = np.any([np.zeros(stop - start), *(p.moved.any(axis=0) for p in mine)], axis=0)
        yield from _diagonals(result, np.arange(stop - start), allowed, moved)


def _diagonals(
    tensor: Tensor, entries: Coordinates, allowed: Relation, moved: Relation
) -> Iterator[str]:
    for one, other in combinations(tensor.axes, 2):
        rows, columns = (_indicator(axis.at[entries]) for axis in (one, other))
        may, does = (
            _kinds(rows.T @ (alive[:, None] * columns) > 0, ONE_SIDE) for alive in (allowed, moved)
        )
        if does and "off the diagonal" in may - does:
            yield _unseen(tensor, one, tensor, other, ["off the diagonal"])


def _contractions(
    run: Experiment, bound: Bound, operands: Sequence[Tensor], results: Sequence[Tensor]
) -> Iterator[str]:
    """Compare every two contracted axes of one size by mixed second differences."""
    kept = {root for r in results for axis in r.axes for root in _names(axis.name, r.picks)}
    free = [
        [axis for axis in _with_values(x) if not kept & _names(axis.name, x.picks)]
        for x in operands
    ]
    for a, b in combinations((k for k in range(len(operands)) if not run.known[k]), 2):
        for one in free[a]:
            for other in free[b]:
                size, width = bound.sizes.get(one.name), bound.sizes.get(other.name)
                if 1 not in (size, width) and (size == width or None in (size, width)):
                    yield from _contraction(run, bound, a, one, b, other, operands)


def _with_values(operand: Tensor) -> list[Occurrence]:
    """List an operand's axes, that of its values too (its coordinates are those of each change)."""
    values = (
        [] if operand.values is None else [Occurrence(operand.values, False, -1, np.zeros(0, int))]
    )
    return [*operand.axes, *values]


def _contraction(
    run: Experiment,
    bound: Bound,
    a: int,
    one: Occurrence,
    b: int,
    other: Occurrence,
    operands: Sequence[Tensor],
) -> Iterator[str]:
    met = run.meetings(a, b)
    common = sorted(_names(one.name, operands[a].picks) & _names(other.name, operands[b].picks))
    root = common[0] if common else None
    same = _same(
        _along(one, met.left, operands[a], root), _along(other, met.right, operands[b], root)
    )
    tied = any((seen & same[0]).any() and not (seen & same[1]).any() for seen in met.seen)
    apart = any((seen & same[1]).any() for seen in met.seen)
    pair = f"operand {a}, {one}, and operand {b}, {other}"
    mixed = one.mixed or other.mixed
    aligned = one.name == other.name and are_aligned(run, bound, one.name, a)
    if common and not mixed and not (tied or aligned):
        yield f"{pair}: contracted, but entries {'off the diagonal' if apart else 'never'} meet."
    if common and mixed and not aligned and {a, b} <= set(run.floats()):
        yield f"{pair}: `!`, but nothing shows one axis."
    if common and mixed and (tied or not apart) and {a, b} <= set(run.floats()):
        yield f"{pair}: `!`, but no two entries off the diagonal meet."
    if not common and tied:
        yield f"{pair}: kept apart, but entries meet on the diagonal alone."


def _along(
    axis: Occurrence, changes: Influence, operand: Tensor, root: str | None
) -> list[Coordinates]:
    """Coordinates of changes along an axis or its root: where they are, or where values point."""
    indexes = axis.dim < 0
    places = [changes.old, changes.new] if indexes else [axis.at[changes.entries]]
    if root is None:
        return places
    return [roots(axis.name, at, operand.picks)[root] for at in places]


def _same(left: list[Coordinates], right: list[Coordinates]) -> tuple[Relation, Relation]:
    """Say which changes are at one coordinate, and which are at different ones."""
    equal = [x[:, None] == y[None, :] for x in left for y in right]
    valid = np.all([x >= 0 for x in left], axis=0)[:, None] & np.all(
        [y >= 0 for y in right], axis=0
    )
    same = np.any(equal, axis=0)
    return valid & same, valid & ~same
