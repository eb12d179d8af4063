"""What keeps an optimizer's state from being carried: everything that is wrong, in one list.

Knows a transfer that is about to be made. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from suture._following import Following, is_number, shape_of
from suture._held import Fact
from suture._plan import Sum
from suture._schedule import WRITTEN
from suture._slots import REFUSED, Slot, slot_of

RESERVED = ("params", "param_names")
"""What a group has that is no option."""


def unfollowed(following: Following) -> list[Fact]:
    """List what keeps a transfer from being made."""
    strange = [*_strange(following)]
    if strange:
        return strange
    checks = (
        _refused,
        _shapes,
        _slots,
        _classes,
        _needs,
        _beginnings,
        _counters,
        _unheld,
        _options,
        _progress,
    )
    return [fact for check in checks for fact in check(following)]


def _strange(following: Following) -> Iterator[Fact]:
    """List what an optimizer holds and the plan does not know."""
    noted = {note.subject for note in following.plan.notes}
    for name in following.old.slots:
        if name not in following.sources and name not in noted and not _tied(following, name):
            yield "source", f"{name} is not in the plan"
    for name in following.new.names.values():
        if name not in following.tensors:
            yield "target", f"{name} is not in the plan"
    if following.fresh not in ("mean", "zero"):
        yield "fresh", f"{following.fresh!r} is neither 'mean' nor 'zero'"


def _tied(following: Following, name: str) -> bool:
    """Whether a parameter of the source has another name that the plan knows."""
    found = following.old.parameters.get(name)
    return found is not None and not following.sources.keys().isdisjoint(found.names)


def _refused(following: Following) -> Iterator[Fact]:
    for side in (following.old, following.new):
        for name in following.classes(side):
            if name in REFUSED:
                yield side.given.side, f"{name} cannot follow: {REFUSED[name]}"


def _shapes(following: Following) -> Iterator[Fact]:
    """List parameters of the models that are not those of the plan."""
    planned = {name: each.target.shape for name, each in following.tensors.items()}
    for side, shapes in ((following.old, following.sources), (following.new, planned)):
        for name in side.group:
            found = side.parameters.get(name)
            if found is not None and name in shapes and found.shape != shapes[name]:
                wanted = _sizes(shapes[name])
                yield (
                    side.given.side,
                    (f"{name} is {_sizes(found.shape)}; the plan was made for {wanted}"),
                )


def _slots(following: Following) -> Iterator[Fact]:
    """List slots that are not what their parameter asks for, or that nobody knows."""
    known = following.sources
    for name in [name for name in following.old.slots if name in known]:
        for slot, value in following.old.slots[name].items():
            if value is not None and slot not in following.dropped:
                yield from _slot(following, name, slot, value)


def _slot(following: Following, name: str, slot: str, value: Any) -> Iterator[Fact]:
    how, shape = following.how(slot, name), following.sources[name]
    if how is None:
        found = type(value).__name__ if shape_of(value) is None else _sizes(value.shape)
        yield "source", f"nobody knows how {slot} of {name} follows, a {found}"
    elif how.follows == "counter" and not is_number(value):
        yield "source", f"{slot} of {name} is no number"
    elif how.follows != "counter" and shape_of(value) not in _wanted(how, shape):
        found = "no array" if shape_of(value) is None else _sizes(value.shape)
        yield "source", f"{slot} of {name} is {found}; {name} is {_sizes(shape)}"
    elif how.follows != "counter" and following.known(slot) is None:
        register = f'suture.slot("{slot}", "gradient")'
        for target in _scaled(following, name):
            yield (
                "source",
                (f"{slot} of {name} is scaled in {target}: say how it follows, as {register}"),
            )


def _scaled(following: Following, source: str) -> list[str]:
    """List the target's parameters that carry entries of a source's with another gradient."""
    return [
        name
        for name, pieces in following.pieces.items()
        if any(one.source == source and (one.scale, one.gradient) != (1, 1) for one in pieces)
    ]


def _wanted(how: Slot, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    if how.over is None:
        return [shape]
    at = len(shape) + how.over
    if at < 0:
        return []
    return [(*shape[:at], *middle, *shape[at + 1 :]) for middle in ((1,), ())]


def _classes(following: Following) -> Iterator[Fact]:
    """List what two optimizers do not have in common."""
    old, new = (following.classes(side) for side in (following.old, following.new))
    kinds = following.kinds()
    if old[:1] == new[:1] or not old or not new or not following.old.slots:
        return
    if None in kinds:
        yield "classes", f"{old[0]} and {new[0]}: nobody knows what they have in common"
        return
    found = {slot for slots in following.old.slots.values() for slot in slots}
    kept = found - following.dropped
    for slot in sorted(kept):
        one, other = slot_of(slot, old), slot_of(slot, new)
        if one is not None and other is not None and one.follows != other.follows:
            yield "classes", f"{slot} is a {one.follows} to {old[0]}, a {other.follows} to {new[0]}"
    if not any(how is None or how.follows != "counter" for how in (slot_of(s, new) for s in kept)):
        yield "classes", f"{new[0]} keeps nothing of what {old[0]} does"


def _needs(following: Following) -> Iterator[Fact]:
    """List slots without which the target's optimizer could not step."""
    kind, missing = following.kinds()[1], dict[str, list[str]]()
    old, new = (following.classes(side) for side in (following.old, following.new))
    # One class keeps on both sides what it keeps, whatever it derives from, unless options differ.
    always = () if old == new or kind is None else kind.slots
    for name, group in following.new.group.items() if kind is not None else ():
        kept = following.kept(name)
        for slot in (*always, *kind.under(group)) if kept and kind is not None else ():
            if slot not in kept:
                missing.setdefault(slot, []).append(name)
    for slot, names in missing.items():
        more = f" and {len(names) - 1} more" * (len(names) > 1)
        yield "target", f"needs {slot} of {names[0]}{more}; the source does not keep it"


def _beginnings(following: Following) -> Iterator[Fact]:
    """List slots of which nobody knows how their fresh entries begin."""
    for name, group in following.new.group.items():
        for slot in following.kept(name):
            how = following.how(slot, following.lived(name, slot)[0].source)
            if how is not None and how.begins is not None and how.begins not in group:
                yield "target", f"{slot} of {name} begins as {how.begins}, which its group has not"
            if how is not None and how.follows == "weight":
                yield from _weight(following, name, slot)


def _weight(following: Following, name: str, slot: str) -> Iterator[Fact]:
    """List what a slot that holds weights misses: the target's weight, and what is added to it."""
    if name not in following.new.parameters:
        yield "target", f"{slot} of {name} begins as the weight: give the model"
    fills = (block.fill for block in following.tensors[name].blocks)
    read = dict.fromkeys(term.source for f in fills if isinstance(f, Sum) for term in f.terms)
    for source in read:
        if following.old.slots.get(source, {}).get(slot) is None:
            yield "source", f"{slot} of {name} is made of that of {source}, which has none"


def _counters(following: Following) -> Iterator[Fact]:
    """List parameters made of several that have not stepped as often."""
    for name in following.new.group:
        slots = [following.old.slots[piece.source] for piece in following.lived(name)]
        for slot in following.kept(name):
            values = {float(each[slot]) for each in slots if is_number(each.get(slot))}
            if len(values) > 1:
                several = ", ".join(f"{value:g}" for value in sorted(values))
                yield "source", f"{slot} of what {name} is made of is {several}"


def _unheld(following: Following) -> Iterator[Fact]:
    """List parameters that would never move again, or never at all."""
    read = {piece.source for pieces in following.pieces.values() for piece in pieces}
    is_whole = read <= following.names(following.old)
    for name, sources in following.unheld():
        if sources:
            held = f"the source's held {', '.join(sources)}"
            yield "target", f"{name} trains, and its optimizer does not hold it; {held}"
        elif is_whole:
            yield "target", f"{name} is new and trains, and its optimizer does not hold it"


def _options(following: Following) -> Iterator[Fact]:
    for option in following.options:
        for number, group in enumerate(following.new.given.groups):
            theirs = following.groups_of(group)
            begun = option in group or (theirs and all(option in each for each in theirs))
            if option in RESERVED or not begun:
                yield "options", f"{option!r} is no option of the target's group {number}"
            elif any(option not in each for each in theirs):
                yield "options", f"{option!r} is no option of the source's groups"
            elif any(not _same(each[option], theirs[0][option]) for each in theirs):
                values = ", ".join(dict.fromkeys(str(each[option]) for each in theirs))
                yield (
                    "options",
                    (f"the target's group {number} comes from groups with {option} {values}"),
                )


def _progress(following: Following) -> Iterator[Fact]:
    """Say what an optimizer counts in its groups: its slots would go on, and that begin anew."""
    classes = [following.classes(side)[:1] for side in (following.old, following.new)]
    if classes[0] != classes[1]:
        return
    begun = {*RESERVED, *WRITTEN, *following.options}
    begun |= {option for group in following.new.given.groups for option in group}
    held = {o: v for group in following.old.given.groups for o, v in group.items()}
    for option in sorted(held.keys() - begun):
        yield "source", f"has {option} in its groups, the target has none: options=({option!r},)"


def _same(one: Any, other: Any) -> bool:
    return bool(one == other)


def _sizes(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
