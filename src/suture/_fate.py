"""What becomes of one tensor: its fate in a word, and the rows that say it dim by dim.

Knows how a plan's blocks add up to dims that come from somewhere. Does not know the screen.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import assert_never

from suture._partition import length, union
from suture._plan import (
    Block,
    Fill,
    IndexMap,
    Label,
    Own,
    Placement,
    Run,
    Runs,
    Sum,
    Tensor,
    TensorPlan,
    Term,
    Value,
)
from suture._plan_check import is_copy
from suture._words import along, content, filling, listed, named

Line = tuple[str, str]
"""A row of the screen: its label and its text."""


def fate(plan: TensorPlan) -> tuple[str, str]:
    """Say in a sign and a word what becomes of a tensor.

    Example:
        >>> bias, whole = Tensor("bias", (3,), "f32"), (((0, 3),),)
        >>> fate(TensorPlan(bias, None, "parameter", (Block(whole, Own()),)))
        ('+', 'new: own init')
    """
    carried = [block for block in plan.blocks if isinstance(block.fill, Sum)]
    if not carried and plan.target.size:
        blocks = united(plan)
        filled = filling(blocks[0].fill) if len(blocks) == 1 else ""
        sign, word = ("+", "new") if plan.source is None else ("~", "reinitialised")
        return sign, f"{word}: {filled}" if filled else word
    words = _changes(plan) or ["copied"]
    if plan.source is not None and plan.source.dtype != plan.target.dtype:
        words.append("cast")
    return "=" if words == ["copied"] else "~", ", ".join(words)


def _changes(plan: TensorPlan) -> list[str]:
    """Name what differs from a copy."""
    maps = dim_maps(plan)
    if maps is None or plan.source is None:
        several = len({term.source for term in _terms(plan)}) > 1
        return ["merged" if several else "calculated"]
    sizes = list(zip(plan.source.shape, plan.target.shape, strict=True))
    kept = [[run.source for run in runs] for runs in maps]
    found = {
        "widened": any(new > old for old, new in sizes),
        "shrunk": any(new < old for old, new in sizes),
        "reordered": any(order != sorted(order) for order in kept),
        "scaled": any(term.scale != 1 for term in _terms(plan)),
        "noisy": any(isinstance(b.fill, Sum) and b.fill.own != 0 for b in plan.blocks),
    }
    words = [word for word, is_so in found.items() if is_so]
    stays = not any(dim_rows(plan)) and all(isinstance(b.fill, Sum) for b in plan.blocks if b.size)
    return words if words or stays else ["changed in part"]


def _terms(plan: TensorPlan) -> Iterator[Term]:
    fills = (block.fill for block in plan.blocks)
    return (term for fill in fills if isinstance(fill, Sum) for term in fill.terms)


def dim_maps(plan: TensorPlan) -> tuple[IndexMap, ...] | None:
    """Find where the positions of each dim come from, None if that does not say it all.

    It does where each sum is one term of the paired source that reads a product of the same dims,
    and no two blocks disagree about a position.

    Example:
        >>> bias, old = Tensor("bias", (3,), "f32"), Tensor("bias", (2,), "f32")
        >>> kept = Block((((1, 3),),), Sum((Term("bias", (((0, 2),),)),)))
        >>> fresh = Block((((0, 1),),), Own())
        >>> dim_maps(TensorPlan(bias, old, "parameter", (fresh, kept)))
        ((Run(target=1, source=0, length=2),),)
    """
    carried = [block for block in plan.blocks if isinstance(block.fill, Sum) and block.size]
    if plan.source is None or len(plan.source.shape) != len(plan.target.shape):
        return None
    if not all(_same_dims(block, plan.source) for block in carried):
        return None
    fills = ((block.region, block.fill) for block in carried)
    pairs = [(made, fill.terms[0].index) for made, fill in fills if isinstance(fill, Sum)]
    maps = [
        _joined([run for made, taken in pairs for run in _runs(made[dim], taken[dim])])
        for dim in range(len(plan.target.shape))
    ]
    found = tuple(runs for runs in maps if runs is not None)
    return found if len(found) == len(maps) else None


def _same_dims(block: Block, source: Tensor) -> bool:
    """Say whether a sum is one term that reads the paired source dim by dim."""
    match block.fill:
        case Sum((Term(source.name, index, _, ()),)):
            return block.shape == tuple(map(length, index))
        case _:
            return False


def _runs(made: Runs, taken: Runs) -> Iterator[Run]:
    """Pair target positions with source positions, cut where either side is."""
    targets, sources = list(reversed(made)), list(reversed(taken))
    while targets:
        (target, end), (source, stop) = targets.pop(), sources.pop()
        size = min(end - target, stop - source)
        yield Run(target, source, size)
        targets += [(target + size, end)] * (target + size < end)
        sources += [(source + size, stop)] * (source + size < stop)


def _joined(runs: Sequence[Run]) -> IndexMap | None:
    """Join runs that touch or agree; None if two disagree about a position."""
    joined: list[Run] = []
    for run in sorted(runs, key=lambda run: run.target):
        last = joined[-1] if joined else Run(-1, -1, 0)
        end, shift = last.target + last.length, last.source - last.target
        if run.target > end or (run.target == end and run.source - run.target != shift):
            joined.append(run)
        elif run.source - run.target != shift:
            return None
        else:
            joined[-1] = Run(
                last.target, last.source, max(last.length, run.target + run.length - last.target)
            )
    return tuple(joined)


def rows(plan: TensorPlan) -> list[Line]:
    """Say what becomes of a tensor: its names, its dims, what is not copied, and why."""
    source = plan.source
    renamed = source is not None and source.name != plan.target.name and dim_maps(plan) is not None
    found = [("from", source.name)] if source is not None and renamed else []
    found += [("tied", listed(plan.tied))] if plan.tied else []
    found += [*dim_rows(plan), *_fillings(plan)]
    return found + ([("because", plan.reason)] if plan.reason else [])


def dim_rows(plan: TensorPlan) -> Iterator[Line]:
    """Say for each dim that changes which ranges come from where and what its names do."""
    maps = dim_maps(plan)
    carried = any(isinstance(block.fill, Sum) for block in plan.blocks)
    for dim, size in enumerate(plan.target.shape):
        texts = [named(label for label in plan.labels if label.dim == dim)]
        if maps is not None and carried and plan.source is not None:
            texts.insert(0, along(maps[dim], plan.source.shape[dim], size))
        yield from _labelled(f"dim {dim}", texts)


def _labelled(label: str, texts: Sequence[str]) -> Iterator[Line]:
    """Put a label before the first of the texts that say something."""
    said = [text for text in texts if text]
    return zip([label, *[""] * len(said)], said, strict=False)


def _fillings(plan: TensorPlan) -> Iterator[Line]:
    """Say what fills the blocks, but copies that the dims tell and what the fate tells."""
    mapped = dim_maps(plan) is not None
    places: dict[str, list[str]] = {}
    blocks = united(plan)
    for block in blocks:
        if not _told(block.fill, mapped, len(blocks) == 1):
            places.setdefault(filling(block.fill), []).append(content(block, plan.target.shape))
    for word, where in places.items():
        formulas = any(" <- " in place for place in where)
        yield from _labelled(word, where if formulas else [listed(where)])


def united(plan: TensorPlan) -> list[Block]:
    """Unite blocks of one fill that differ along one dim, where the order of entries is nothing.

    Example:
        >>> rows = [Block((((i, i + 1),), ((0, 3),)), Own()) for i in (1, 0)]
        >>> united(TensorPlan(Tensor("w", (2, 3), "f32"), None, "parameter", tuple(rows)))
        [Block(region=(((0, 2),), ((0, 3),)), fill=Own(scale=1.0))]
    """
    found = [block for block in plan.blocks if block.size]
    for dim in range(len(plan.target.shape)):
        groups: dict[Hashable, list[Block]] = {}
        for block in found:
            rest = (*block.region[:dim], (), *block.region[dim + 1 :])
            groups.setdefault((rest, block.fill) if _uniform(block.fill) else block, []).append(
                block
            )
        found = [_union(group, dim) if len(group) > 1 else group[0] for group in groups.values()]
    return found


def _uniform(fill: Fill) -> bool:
    match fill:
        case Own() | Value(_, None):
            return True
        case _:
            return False


def _union(group: Sequence[Block], dim: int) -> Block:
    first = group[0].region
    runs = union(block.region[dim] for block in group)
    return Block((*first[:dim], runs, *first[dim + 1 :]), group[0].fill)


def _told(fill: Fill, mapped: bool, alone: bool) -> bool:
    """Say whether the dims tell of a copy, or the fate of the only block."""
    match fill:
        case Sum():
            return mapped and is_copy(fill)
        case Own() | Value():
            return alone and _uniform(fill)
        case _:
            assert_never(fill)


def placement_sign(placement: Placement) -> str:
    """Say in a sign what becomes of an input or output."""
    if placement.source is None:
        return "+"
    if placement.target is None:
        return "-"
    return "~" if placement_rows(placement) else "="


def placement_rows(placement: Placement) -> list[Line]:
    """Say for each dim that changes which ranges come from where and what its names do."""
    found: list[Line] = []
    for dim, runs in enumerate(placement.dims):
        sizes = [side.shape[dim] if side else None for side in (placement.source, placement.target)]
        labels = _on(placement.labels, dim)
        found += _labelled(f"dim {dim}", [along(runs, *sizes), named(labels)])
    if placement.values is not None:
        names = named(_on(placement.labels, -1))
        found += _labelled("values", [along(placement.values, None, None), names])
    return found


def _on(labels: Sequence[Label], dim: int) -> list[Label]:
    return [label for label in labels if label.dim == dim]
