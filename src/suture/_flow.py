"""How feature sets flow through one op, along the axes that its bound spec ties.

Knows specs: a set goes from one operand or result to another along the axes that both have, is
united over every axis that the other lacks or that is mixed, and follows constant picks. Does not
know any op, nor which values hold data (`_interactions`).

Sets of a value are an array with one dim per dim of the value, of size one where they do not
differ, and a last one for the values of an integer (`...:v` reads as its one-hot, `... v`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import accumulate, product
from math import prod

import numpy as np

from suture._bind import Bound, BoundOperand, Part
from suture._sets import EMPTY, Ids, Sets

VALUES = ":"
"""The axis of an integer's values where an op only moves it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of every dim of an operand.

    Attributes:
        axes: the axes of each dim's part.
        at: where along each dim the part lies; None for all of it.
    """

    axes: tuple[tuple[str, ...], ...]
    at: tuple[slice | None, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All axes in order of dims."""
        return tuple(name for part in self.axes for name in part)


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """One operand or result of a node, as sets leave it or come to it.

    Attributes:
        pieces: its dims in parts.
        axes: every axis it has.
        mixed: the axes of which every entry reads every entry.
    """

    pieces: tuple[Piece, ...]
    axes: frozenset[str]
    mixed: frozenset[str]


@lru_cache(maxsize=4096)
def ends(bound: Bound) -> tuple[tuple[End, ...], tuple[End, ...]]:
    """Spell the operands and the results of a bound spec out in pieces."""
    inputs, outputs = (
        tuple(_end(operand, bound) for operand in side) for side in (bound.inputs, bound.outputs)
    )
    return inputs, outputs


def _end(operand: BoundOperand, bound: Bound) -> End:
    dims = [list(_parts(parts, bound)) for parts in operand.dims]
    dims.append([((VALUES if operand.values is None else operand.values,), None)])
    pieces = tuple(
        Piece(tuple(axes for axes, _ in choice), tuple(at for _, at in choice))
        for choice in product(*dims)
    )
    mixed = {axis.name for dim in operand.dims for part in dim for axis in part if axis.mixed}
    return End(pieces, frozenset(n for piece in pieces for n in piece.names), frozenset(mixed))


def _parts(parts: Sequence[Part], bound: Bound) -> Iterator[tuple[tuple[str, ...], slice | None]]:
    """List the parts of a dim that have entries, each with its axes and where it lies."""
    named = [tuple(axis.name for axis in part) for part in parts]
    sizes = [prod(bound.sizes[name] for name in part) for part in named]
    for part, size, stop in zip(named, sizes, accumulate(sizes), strict=True):
        if len(named) == 1:
            yield part, None
        elif size:
            yield part, slice(stop - size, stop)


def flow(sets: Sets, bound: Bound, ids: Ids, source: End, target: End) -> Ids:
    """Bring the sets of one end of a node to another.

    Args:
        sets: where sets are numbered.
        bound: the node's bound spec.
        ids: the sets of `source`.
        source: where they come from.
        target: where they go to.

    Returns:
        The sets that reach each entry of `target`; empty where none do.
    """
    if _stays(source, target):
        return ids
    found: list[tuple[Piece, Ids]] = []
    for piece in target.pieces:
        arrays = [
            _aligned(sets, bound, _read(ids, start, bound), start, source, piece, target)
            for start in source.pieces
            if _meets(bound, start, source, piece, target)
        ]
        found.append((piece, _united(sets, arrays, len(piece.names))))
    return _compressed(_laid(found, bound))


def _stays(source: End, target: End) -> bool:
    """Whether every entry goes where it is: most ops are element by element."""
    if source.mixed or target.mixed or source.pieces != target.pieces:
        return False
    [names, *others] = [piece.names for piece in source.pieces]
    return not others and len({*names}) == len(names)


def _united(sets: Sets, arrays: Sequence[Ids], rank: int) -> Ids:
    if not arrays:
        return np.full((1,) * rank, EMPTY)
    return arrays[0] if len(arrays) == 1 else unite(sets, arrays)


def unite(sets: Sets, arrays: Sequence[Ids]) -> Ids:
    """Unite arrays of sets of equal rank, entry by entry; dims of size one broadcast."""
    some = [ids for ids in arrays if ids.size != 1 or ids.item() != EMPTY] or arrays[:1]
    high = reduce(np.maximum, some)
    if all(((ids == high) | (ids == EMPTY)).all() for ids in some):
        return _compressed(high)  # no entry meets two sets that are not empty
    return _compressed(sets.union(np.stack(np.broadcast_arrays(*some), axis=-1)))


def _meets(bound: Bound, start: Piece, source: End, stop: Piece, target: End) -> bool:
    """Whether two pieces hold common entries: a part of a sum meets only itself."""
    ours, theirs = frozenset(start.names), frozenset(stop.names)
    if any(bound.sizes.get(name) == 0 for name in ours):
        return False
    if any((name in ours) != (name in theirs) for name in source.axes & target.axes):
        return False
    ties = [tie for name in start.names if name not in theirs for tie in _ties(bound, name)]
    return all(tie in theirs for tie in ties if tie in target.axes)


def _ties(bound: Bound, name: str) -> Iterator[str]:
    """List the axes that a pick ties to an axis."""
    for pick in bound.picks:
        if name in (pick.axis, pick.source):
            yield pick.source if name == pick.axis else pick.axis


def _relations(bound: Bound) -> Iterator[dict[str, Ids]]:
    """List the constant indices as columns: per axis the entries that belong together."""
    for pick in bound.picks:
        taken = np.flatnonzero(pick.index >= 0)
        yield {pick.axis: taken, pick.source: pick.index[taken]}
    for window in bound.windows:
        at = np.nonzero(window.index >= 0)
        yield dict(zip(window.axes, at, strict=True)) | {window.source: window.index[at]}


def _read(ids: Ids, piece: Piece, bound: Bound) -> Ids:
    """Cut a piece out of an array and give it one dim per axis."""
    cut = ids[
        tuple(
            slice(None) if at is None or size == 1 else at
            for at, size in zip(piece.at, ids.shape, strict=True)
        )
    ]
    shape: list[int] = []
    for names, size in zip(piece.axes, cut.shape, strict=True):
        whole = names == (VALUES,)
        shape += [size] if whole else [1 if size == 1 else bound.sizes[name] for name in names]
    return cut.reshape(shape)


def _aligned(
    sets: Sets, bound: Bound, ids: Ids, start: Piece, source: End, stop: Piece, target: End
) -> Ids:
    """Bring one piece of sets to the axes of another."""
    ids, names = _diagonal(ids, list(start.names))
    kept = {name for name in names if name in stop.names and not _is_mixed(name, source, target)}
    open_ = set(stop.names) - (set(names) - kept)
    tying = list(_tying(bound, names, kept, source.mixed.union(stop.names)))
    tied = kept.union(*tying)
    gone = [at for at, name in enumerate(names) if name not in tied]
    ids, names = _over(sets, ids, gone), [name for name in names if name in tied]
    for at, columns in enumerate(tying, start=1):
        later = {name for other in tying[at:] for name in other if name in names}
        wanted = [name for name in columns if name in open_ | later]
        ids, names = _followed(sets, ids, names, columns, {n: bound.sizes[n] for n in wanted})
    return _placed(ids, names, stop.names, bound)


def _is_mixed(name: str, source: End, target: End) -> bool:
    return name in source.mixed or name in target.mixed


def _diagonal(ids: Ids, names: list[str]) -> tuple[Ids, list[str]]:
    """Read an axis that stands twice along its diagonal."""
    for name in [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        first, second = [at for at, other in enumerate(names) if other == name][:2]
        sizes = ids.shape[first], ids.shape[second]
        if 1 in sizes:
            ids = np.take(ids, 0, axis=first if sizes[0] == 1 else second)
            ids = np.moveaxis(ids, first if sizes[0] != 1 else second - 1, -1)
        else:
            ids = ids.diagonal(axis1=first, axis2=second)
        names = [*(other for other in names if other != name), name]
    return ids, names


def _over(sets: Sets, ids: Ids, dims: Sequence[int]) -> Ids:
    """Unite sets over some dims, which go."""
    if not dims:
        return ids
    moved = np.moveaxis(ids, dims, range(-len(dims), 0))
    kept = moved.shape[: ids.ndim - len(dims)]
    flat = moved.reshape(*kept, -1)
    return flat[..., 0] if flat.shape[-1] == 1 else _compressed(sets.union(flat))


def _tying(
    bound: Bound, names: Sequence[str], kept: Set[str], ends: Set[str]
) -> Iterator[dict[str, Ids]]:
    """List the constant indices that some axes are left by, to the wanted or from the mixed ones.

    Of a mixed axis, what no window reads goes nowhere at all.
    """
    for columns in _relations(bound):
        if (columns.keys() & {*names}) - kept and columns.keys() & ends:
            yield columns


def _followed(
    sets: Sets,
    ids: Ids,
    names: Sequence[str],
    columns: Mapping[str, Ids],
    wanted: Mapping[str, int],
) -> tuple[Ids, list[str]]:
    """Bring sets along a constant index: each place along the wanted axes gets its entries'.

    Returns:
        The sets, and their axes: those that the index does not have, and the wanted ones.
    """
    rest = [name for name in names if name not in columns]
    held = [name for name in names if name in columns]
    moved = ids.transpose([names.index(name) for name in (*rest, *held)])
    outer, inner = moved.shape[: len(rest)], dict(zip(held, moved.shape[len(rest) :], strict=True))
    table = _inverse(_flat(columns, inner), _flat(columns, wanted), prod(wanted.values()))
    found = np.where(table < 0, EMPTY, moved.reshape(*outer, -1)[..., table])
    united = sets.union(found).reshape((*outer, *wanted.values()))
    return _compressed(united), [*rest, *wanted]


def _flat(columns: Mapping[str, Ids], sizes: Mapping[str, int]) -> Ids:
    """Flatten places along some axes in C order; along one of size one all are the same."""
    flat = np.zeros(len(next(iter(columns.values()))), np.int64)
    for name, size in sizes.items():
        flat = flat * size + (columns[name] if size > 1 else 0)
    return flat


def _inverse(entries: Ids, places: Ids, size: int) -> Ids:
    """List the entries that go to each place, -1 where there are no more: i64[size, k]."""
    width = int(entries.max(initial=0)) + 1
    places, entries = np.divmod(np.unique(places * width + entries), width)
    rank = np.arange(len(places)) - np.searchsorted(places, places)
    table = np.full((size, int(rank.max(initial=0)) + 1), -1)
    table[places, rank] = entries
    return table


def _placed(ids: Ids, names: Sequence[str], wanted: Sequence[str], bound: Bound) -> Ids:
    """Put dims in the order wanted, of size one where there are none."""
    once = list(dict.fromkeys(wanted))
    order = [names.index(name) for name in once if name in names]
    moved = ids.transpose(order)
    sizes = {names[at]: size for at, size in zip(order, moved.shape, strict=True)}
    laid = moved.reshape([sizes.get(name, 1) for name in once])
    for name in [name for name in once if wanted.count(name) > 1]:
        laid = _embedded(laid, once, wanted, name, bound.sizes[name])
    return laid


def _embedded(ids: Ids, held: list[str], wanted: Sequence[str], name: str, size: int) -> Ids:
    """Write an axis that is wanted twice on the diagonal, with nothing beside it."""
    line = np.moveaxis(ids, held.index(name), -1)[..., None]
    square = np.where(np.eye(size, dtype=bool), line, EMPTY)
    places = [place for place, other in enumerate(wanted) if other == name]
    held.remove(name)
    return np.moveaxis(square, (-2, -1), places)


def _laid(found: Sequence[tuple[Piece, Ids]], bound: Bound) -> Ids:
    """Lay pieces end to end along their dims."""
    arrays = [(piece, _folded(ids, piece, bound)) for piece, ids in found]
    if len(arrays) == 1:
        return arrays[0][1]
    shape = list(np.broadcast_shapes(*({a.shape for _, a in _along_none(arrays)})))
    for dim, at in _ends(piece for piece, _ in arrays):
        shape[dim] = at
    whole = np.full(shape, EMPTY)
    for piece, ids in arrays:
        whole[tuple(slice(None) if at is None else at for at in piece.at)] = ids
    return whole


def _along_none(arrays: Sequence[tuple[Piece, Ids]]) -> Iterator[tuple[Piece, Ids]]:
    """Cut the dims along which pieces lie to one entry, so that the others broadcast."""
    for piece, ids in arrays:
        yield piece, ids[tuple(slice(None) if at is None else slice(0, 1) for at in piece.at)]


def _ends(pieces: Iterator[Piece]) -> Iterator[tuple[int, int]]:
    """Where along each dim the pieces end that lie along it, the last one last."""
    for piece in pieces:
        yield from ((dim, at.stop) for dim, at in enumerate(piece.at) if at is not None)


def _folded(ids: Ids, piece: Piece, bound: Bound) -> Ids:
    """Make one dim of the axes of each part."""
    place, wide, shape = 0, [], []
    for names in piece.axes:
        sizes = ids.shape[place : place + len(names)]
        full = any(size > 1 for size in sizes) and len(names) > 1
        wide += [bound.sizes[name] for name in names] if full else list(sizes)
        shape.append(prod(wide[place : place + len(names)]))
        place += len(names)
    return np.broadcast_to(ids, wide).reshape(shape)


def _compressed(ids: Ids) -> Ids:
    """Make dims of size one where the sets do not differ."""
    for dim, size in enumerate(ids.shape):
        if size > 1:
            first = ids[(slice(None),) * dim + (slice(0, 1),)]
            if (ids == first).all():
                ids = first
    return ids
