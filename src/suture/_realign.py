"""Realignment: which tensors are which where layers were inserted, removed, or got another prefix.

Knows the order in which tensors are used, what ops do with them, and which inputs and outputs they
touch. Does not know entries. Two tensors are candidates if their names end alike (any index for any
index), an op does the same with each of their dims, and the same inputs and outputs lie along them.
Shapes choose nothing; they only refuse: a choice by names that loses entries which another keeps.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suture._algebra import Meeting
from suture._axes import Class
from suture._couple import Units
from suture._errors import MatchError
from suture._plan import Note
from suture._roles import Use

Steps = tuple[str, ...]
"""A keypath, step by step."""

Role = tuple[int, frozenset[int], frozenset[int], Meeting | None]
"""The number of a tensor's dims, those that its first op reads and looks up, how it meets data."""

End = tuple[str, int]
"""An input or output, and one of its dims."""

PAIRED, AGREES, MORE = 1 << 42, 1 << 21, 1
"""What an alignment is best in, the first before all: how many tensors pair, how many of them are
in the same place and role, and how many steps of their names are the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Used:
    """A tensor of a state dict as the ops see it.

    Attributes:
        name: what the model calls it.
        steps: the same, step by step.
        shape: its shape.
        order: where it is first used.
        role: what ops do with its dims and how they meet it, and the same of the tensor of most
            dims in its module.
        ends: per dim the inputs and outputs that have the same entries along one of theirs, and
            last those along any dim of its module's tensors.
    """

    name: str
    steps: Steps
    shape: tuple[int, ...]
    order: tuple[int, int]
    role: tuple[Role, Role]
    ends: tuple[frozenset[End], ...]

    def agrees(self, other: Used) -> bool:
        """Whether the network does the same with both."""
        return self.role == other.role and self.ends == other.ends


def used(units: Units, uses: Mapping[str, tuple[Use, ...]]) -> dict[str, Used]:
    """Describe every tensor that a call reaches, in order of first use."""
    graph, held = units.graph, {**units.graph.parameters, **units.graph.buffers}
    met = _ends(units)
    ends = {name: [met[units.axes.find(c)] for c in units.classes[name]] for name in held}
    roles = {name: _role(len(units.classes[name]), uses.get(name, ())) for name in held}
    modules: dict[str, list[str]] = defaultdict(list)
    for name in held:
        modules[name.rpartition(".")[0]].append(name)
    first: dict[int, tuple[int, int]] = {}
    for number, node in enumerate(graph.nodes):
        for place, value in enumerate(node.inputs):
            first.setdefault(value, (number, place))
    found: list[Used] = []
    for name, value in held.items():
        module = modules[name.rpartition(".")[0]]
        found.append(
            Used(
                name,
                tuple(name.split(".")),
                graph.values[value].shape,
                first.get(value, (len(graph.nodes), value)),
                (roles[name], max((roles[each] for each in module), key=lambda role: role[0])),
                (*ends[name], frozenset().union(*(dim for each in module for dim in ends[each]))),
            )
        )
    return {each.name: each for each in sorted(found, key=lambda each: each.order)}


def _ends(units: Units) -> defaultdict[Class, frozenset[End]]:
    """Axis class -> the inputs and outputs that have it, with the dim."""
    found: dict[Class, set[End]] = defaultdict(set)
    for name in (*units.graph.inputs, *units.graph.outputs):
        for dim, member in enumerate(units.classes[name]):
            found[units.axes.find(member)].add((name, dim))
    frozen = {member: frozenset(names) for member, names in found.items()}
    return defaultdict(frozenset, frozen)


def _role(rank: int, uses: Sequence[Use]) -> Role:
    """Say what the first op that brings it together with data does with a tensor."""
    if not uses:
        return rank, frozenset(), frozenset(), None
    reads, lookups = (frozenset(d for d, _ in dims) for dims in (uses[0].reads, uses[0].lookups))
    return rank, reads, lookups, uses[0].meeting


def realigned(
    by_name: Mapping[str, str],
    ruled: Set[str],
    source: Mapping[str, Used],
    target: Mapping[str, Used],
) -> tuple[dict[str, str], list[Note]]:
    """Pair anew what names do not pair, or pair wrongly because indices moved.

    Args:
        by_name: target tensor -> source tensor, as names have it.
        ruled: the target tensors among them that a rule of the user's named: they stay.
        source: the tensors of the source that a call reaches, in order of use.
        target: those of the target.

    Returns:
        Target tensor -> source tensor, and a note for every beginning of names that changed.

    Raises:
        MatchError: two alignments are equally good.
    """
    lists = _lists(by_name, ruled, source, target)
    fixed = {
        name: other
        for name, other in by_name.items()
        if name in ruled or name not in target or not _below(target[name], lists)
    }
    left = [each for each in source.values() if each.name not in {*fixed.values()}]
    right = [each for each in target.values() if each.name not in fixed]
    if not left or not right:
        return dict(by_name), []
    found = _aligned(left, right)
    found |= _beside(found, fixed, source, target)
    found = _whole(found, fixed, source)
    # What has no better partner keeps the one of its name.
    other = {n: o for n, o in by_name.items() if n not in found and o not in found.values()}
    return {**other, **fixed, **found}, _notes(found)


def _lists(
    by_name: Mapping[str, str],
    ruled: Set[str],
    source: Mapping[str, Used],
    target: Mapping[str, Used],
) -> set[Steps]:
    """Find the numbered lists in which names pair wrongly, or on both sides do not pair."""
    both = [(source[o], target[n]) for n, o in by_name.items() if o in source and n in target]
    wrong = [our for their, our in both if our.name not in ruled and not our.agrees(their)]
    lost = [each for each in source.values() if each.name not in {*by_name.values()}]
    new = [each for each in target.values() if each.name not in by_name]
    one, other = (
        {each.steps[:at] for each in side for at in _numbered(each.steps)} for side in (lost, new)
    )
    return {each.steps[:at] for each in wrong for at in _numbered(each.steps)[-1:]} | (one & other)


def _numbered(steps: Steps) -> list[int]:
    return [at for at, step in enumerate(steps) if step.isdecimal()]


def _below(each: Used, lists: set[Steps]) -> bool:
    return any(each.steps[:at] in lists for at in _numbered(each.steps))


def _ending(each: Used) -> Steps:
    """Write how a name ends, any index being as good as any other, and in how many lists it is."""
    plain = ["#" if step.isdecimal() else step for step in each.steps]
    return (*["#"] * plain.count("#"), "of", *plain[-2:])


def _aligned(left: Sequence[Used], right: Sequence[Used]) -> dict[str, str]:
    """Pair as many tensors as order of use allows, in the best way.

    Raises:
        MatchError: there are two best ways, or the best by names loses entries that another keeps.
    """
    alike, fits = (_gains(left, right, more) for more in (_alike, _fits))
    if not alike.any():
        return {}
    best = _in_a_best(alike)
    chosen = best if _is_one(best) else best & False
    if not chosen.any() or fits[chosen].sum() < _best(fits)[-1, -1]:
        raise _tie(left, right, best if best is not chosen else best | _in_a_best(fits))
    return {right[j].name: left[i].name for i, j in zip(*best.nonzero(), strict=True)}


def _in_a_best(gains: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which pairs are part of a best alignment."""
    before, behind = _best(gains), _best(gains[::-1, ::-1])[::-1, ::-1]
    through = before[:-1, :-1] + gains + behind[1:, 1:]
    best: NDArray[np.bool_] = (gains > 0) & (through == before[-1, -1])
    return best


def _is_one(best: NDArray[np.bool_]) -> bool:
    return bool((best.sum(axis=0) < 2).all() and (best.sum(axis=1) < 2).all())


def _gains(
    left: Sequence[Used], right: Sequence[Used], more: Callable[[Used, Used], int]
) -> NDArray[np.int64]:
    """Say what each pair would be worth: i64[left, right], 0 for what cannot be one."""
    whole, last = (defaultdict[Steps, list[int]](list) for _ in range(2))
    for place, each in enumerate(right):
        whole[_ending(each)].append(place)
        last[each.steps[-1:]].append(place)
    gains = np.zeros((len(left), len(right)), np.int64)
    for row, their in enumerate(left):
        # A name of one step, as of a layer that is the whole model, may end any other.
        bare = last[their.steps[-1:]]
        bare = bare if len(their.steps) == 1 else [at for at in bare if len(right[at].steps) == 1]
        for place in {*whole[_ending(their)], *bare}:
            gains[row, place] = _gain(their, right[place], more)
    return gains


def _gain(their: Used, our: Used, more: Callable[[Used, Used], int]) -> int:
    same, agrees = their.name == our.name, their.agrees(our)
    if len(their.shape) != len(our.shape) or not (same or agrees):
        return 0
    return PAIRED + AGREES * agrees + MORE * more(their, our)


def _alike(their: Used, our: Used) -> int:
    """Count the steps that two names have in common, from their ends."""
    return sum(a == b for a, b in zip(reversed(their.steps), reversed(our.steps), strict=False))


def _fits(their: Used, our: Used) -> int:
    """Whether no entry of a tensor would be lost."""
    return all(old <= new for old, new in zip(their.shape, our.shape, strict=True))


def _best(gains: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum the best alignment of all beginnings: i64[left + 1, right + 1]."""
    best = np.zeros((gains.shape[0] + 1, gains.shape[1] + 1), np.int64)
    for row, gain in enumerate(gains):
        taken = np.where(gain > 0, best[row, :-1] + gain, 0)
        best[row + 1, 1:] = np.maximum.accumulate(np.maximum(best[row, 1:], taken))
    return best


def _tie(left: Sequence[Used], right: Sequence[Used], best: NDArray[np.bool_]) -> MatchError:
    names = [each.name for each in right]
    choices = [
        (their.name, [names[at] for at in np.flatnonzero(row).tolist()])
        for their, row in zip(left, best, strict=True)
    ]
    facts = [(name, " or ".join(fit)) for name, fit in choices if len(fit) > 1]
    if not facts:
        several = [(n, np.flatnonzero(c).tolist()) for n, c in zip(names, best.T, strict=True)]
        facts = [(n, " or ".join(left[i].name for i in c)) for n, c in several if len(c) > 1]
    other = [heads(name, each) for name, fit in choices if len(fit) > 1 for each in fit]
    rules = [f'rename={{r"^{re.escape(old)}\\.": "{new}."}}' for old, new in other if old != new]
    hint = f"say which is which: {rules[0]}" if rules else None
    sentence = "Layers were inserted or removed, and several alignments fit equally well."
    return MatchError(sentence, facts, hint)


def _beside(
    found: Mapping[str, str],
    fixed: Mapping[str, str],
    source: Mapping[str, Used],
    target: Mapping[str, Used],
) -> dict[str, str]:
    """Pair what the new beginnings of other names pair too: a token that no layer holds."""
    paired = {*found.values(), *fixed.values()}
    left = [name for name in source if name not in paired]
    begins = dict.fromkeys(heads(old, new) for new, old in found.items() if old != new)
    pairs = {
        new + name.removeprefix(old): name
        for old, new in sorted(begins, key=lambda each: len(each[0]))
        for name in left
        if _under(name, old)
    }
    return {
        name: other
        for name, other in pairs.items()
        if name in target and name not in {**found, **fixed} and target[name].agrees(source[other])
    }


def _whole(
    found: Mapping[str, str], fixed: Mapping[str, str], source: Mapping[str, Used]
) -> dict[str, str]:
    """Leave out new beginnings of names that only a part took: there is another module."""
    names = {other: name for name, other in {**fixed, **found}.items()}
    parts = {
        (old, new)
        for old, new in {heads(other, name) for name, other in found.items()}
        if _renames(old, new) and not _all_moved(old, new, names, source)
    }
    return {name: other for name, other in found.items() if heads(other, name) not in parts}


def _all_moved(old: str, new: str, names: Mapping[str, str], source: Iterable[str]) -> bool:
    """Whether all tensors below a module are below the new one, but for whole layers that went."""
    below = [name for name in source if _under(name, old)]
    went = [name for name in below if not _under(names.get(name, "."), new)]
    stayed = {_layer(name) for name in below} - {None} - {_layer(name) for name in went}
    return all(_layer(name) is not None for name in went) and bool(stayed or not went)


def _layer(name: str) -> str | None:
    """Name the numbered layer that holds a tensor among others; None where it is no such one."""
    steps = name.split(".")
    at = [place for place, step in enumerate(steps[:-2]) if step.isdecimal()]
    return ".".join(steps[: at[0] + 1]) if at else None


def _renames(old: str, new: str) -> bool:
    """Whether a head differs in more than its indices."""
    words = [[s for s in head.split(".") if not s.isdecimal()] for head in (old, new)]
    return bool(old) and words[0] != words[1]


def _under(name: str, head: str) -> bool:
    return not head or name == head or name.startswith(f"{head}.")


def heads(old: str, new: str) -> tuple[str, str]:
    """Leave out what two names have in common at their ends.

    Example:
        >>> heads("transformer.h.0.attn.weight", "model.blocks.0.attn.weight")
        ('transformer.h', 'model.blocks')
    """
    one, other = old.split("."), new.split(".")
    while one and other and one[-1] == other[-1]:
        one.pop()
        other.pop()
    return ".".join(one), ".".join(other)


def _notes(found: Mapping[str, str]) -> list[Note]:
    return [
        Note("pairing", new or "the model", f"was {old or 'the model'} {_WHY}")
        for old, new in dict.fromkeys(_changes(found))
    ]


_WHY = "in the source; paired by order of use and coupling"


def _changes(found: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from (heads(old, new) for new, old in found.items() if old != new)
