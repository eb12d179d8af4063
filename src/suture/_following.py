"""Following: what each slot beside each of the target's parameters becomes.

Knows both sides' state by name, the plan, and how slots follow. Does not know how state dicts are
read (`_held`), what may be wrong with them (`_unfollowed`), nor how the plan of a slot is made
(`_moments`).
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from numbers import Number
from typing import Any

from suture._arrays import arrays_of
from suture._carried import Carried, carried, readings
from suture._followed import Followed, OptimizerReport
from suture._held import Held, Options
from suture._moments import moments
from suture._partition import length
from suture._plan import Plan, TensorPlan
from suture._plan_check import source_tensors
from suture._planned import Planned, begun
from suture._slots import Kind, Slot, kind_by_options, kind_of, slot_of


@dataclass(slots=True, eq=False)
class Following:
    """A transfer that is about to be made.

    Attributes:
        plan: the parameters' plan.
        old: what the source's optimizer holds; `new` what the target's does.
        fresh: how fresh entries of sizes begin.
        options: what groups take from the source.
        tensors: name of the target -> what becomes of it, by each of its names.
        pieces: the same -> what is carried of it; of parameters alone.
        sources: name of the source -> the tensor's shape.
        dropped: the source's slots that the target's optimizer does not keep.
    """

    plan: Plan
    old: Held
    new: Held
    fresh: str
    options: Collection[str]
    tensors: dict[str, TensorPlan] = field(default_factory=dict)
    pieces: dict[str, tuple[Carried, ...]] = field(default_factory=dict)
    sources: dict[str, tuple[int, ...]] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.sources |= {name: each.shape for name, each in source_tensors(self.plan).items()}
        self.dropped = self._dropped()
        read = readings(self.plan)
        for tensor in (each for each in self.plan.tensors if each.kind == "parameter"):
            names = (tensor.target.name, *tensor.tied)
            self.tensors |= dict.fromkeys(names, tensor)
            self.pieces |= dict.fromkeys(names, carried(tensor, read))

    def classes(self, side: Held) -> tuple[str, ...]:
        """Name the classes of a side's optimizer, of a state dict by its options."""
        return side.given.classes or self._alike(side)

    def _alike(self, side: Held) -> tuple[str, ...]:
        """Name the class that a side's groups have the options of."""
        slots = {slot for slots in self.old.slots.values() for slot in slots}
        kind = kind_by_options((option for g in side.given.groups for option in g), slots)
        return (kind.name,) if kind else ()

    def kinds(self) -> tuple[Kind | None, Kind | None]:
        """Find what is known of both optimizers; a state dict that says nothing is as the other."""
        old, new = (self.classes(side) for side in (self.old, self.new))
        return kind_of(old or new), kind_of(new or old)

    def how(self, slot: str, name: str) -> Slot | None:
        """Say how a slot of a source's parameter follows; None where nobody knows."""
        known = self.known(slot)
        if known is not None:
            return known
        value, shape = self.old.slots[name][slot], self.sources[name]
        if is_number(value):
            return Slot(slot, "counter")
        return Slot(slot, "update") if shape_of(value) == shape else None

    def known(self, slot: str) -> Slot | None:
        """Find what is said of a slot."""
        classes = self.classes(self.old)
        likely = () if kind_of(classes) is not None else self._alike(self.old)
        return slot_of(slot, (*classes, *likely) or self.classes(self.new))

    def lived(self, name: str, slot: str | None = None) -> list[Carried]:
        """List what is carried of a parameter from those that have a state, or a slot of it."""
        return [
            piece
            for piece in self.pieces[name]
            if piece.source in self.old.slots
            and (slot is None or self.old.slots[piece.source].get(slot) is not None)
        ]

    def kept(self, name: str) -> list[str]:
        """List the slots that go over to a parameter of the target."""
        found = (slot for piece in self.lived(name) for slot in self.old.slots[piece.source])
        return [
            slot
            for slot in dict.fromkeys(found)
            if slot not in self.dropped and self.lived(name, slot)
        ]

    def _dropped(self) -> frozenset[str]:
        old, new = self.kinds()
        found = {slot for slots in self.old.slots.values() for slot in slots}
        groups = self.new.given.groups
        if new is None:
            return frozenset()
        if old is not new:
            kept = {slot for group in groups for slot in new.keeps(group)}
            return frozenset(found - kept)
        asked = {slot for option, slot in new.asked.items() if any(g.get(option) for g in groups)}
        return frozenset({*new.asked.values()} & found - asked)

    def planned(self) -> dict[str, Any]:
        """Make the target's new state dict, with `Planned` for what is not calculated yet.

        Nothing in it but what `Planned` reads is shared with what was given.
        """
        given, state = self.new.given, copy.deepcopy(dict(self.new.given.state["state"]))
        for key, name in self.new.names.items():
            kept = self.kept(name)
            if kept:
                state[key] = {slot: self._value(name, slot) for slot in kept}
        self._together(state)
        groups = [copy.deepcopy({**group, **self._taken(group)}) for group in self.new.given.groups]
        return {**given.state, "state": state, "param_groups": groups}

    def _together(self, state: dict[Any, dict[str, Any]]) -> None:
        """Begin with zeros what an optimizer cannot step without beside others that have begun."""
        kind = self.kinds()[1]
        for group in self.new.given.groups if kind is not None else ():
            for option, slot in kind.together.items() if kind is not None else ():
                found = [state[key][slot] for key in group["params"] if slot in state.get(key, ())]
                for key in group["params"] if found and group.get(option) else ():
                    like = found[0].like if isinstance(found[0], Planned) else found[0]
                    if arrays_of(like) is not None:
                        target = self.tensors[self.new.names[key]].target
                        state.setdefault(key, {}).setdefault(slot, begun(target, like))

    def _taken(self, group: Options) -> Options:
        """Take options of a group from the source."""
        theirs = self.groups_of(group)
        return {option: theirs[0][option] for option in self.options if theirs}

    def groups_of(self, group: Options) -> list[Options]:
        """List the source's groups that the parameters of one of the target's come from."""
        keys = {*group["params"]}
        names = [name for key, name in self.new.names.items() if key in keys]
        sources = dict.fromkeys(piece.source for name in names for piece in self.pieces[name])
        return [self.old.group[source] for source in sources if source in self.old.group]

    def _value(self, name: str, slot: str) -> Any:
        pieces = self.lived(name, slot)
        first = self.old.slots[pieces[0].source][slot]
        how, kind = self.how(slot, pieces[0].source), arrays_of(first)
        assert how is not None, "what nobody knows is refused before"
        if how.follows == "counter" or kind is None:
            return copy.deepcopy(first) if kind is None else kind.copy(first)
        tensor = self.tensors[name]
        plan = moments(
            tensor, pieces, how, fresh=self.fresh, kept=first.ndim == len(tensor.target.shape)
        )
        found = {source: slots.get(slot) for source, slots in self.old.slots.items()}
        arrays = {source: each for source, each in found.items() if arrays_of(each) is not None}
        weight = self.new.parameters[name].array if how.follows == "weight" else None
        return Planned(plan, arrays, first, self._beginning(name, how), weight)

    def _beginning(self, name: str, how: Slot) -> float:
        return 0.0 if how.begins is None else float(self.new.group[name][how.begins])

    def report(self, state: Mapping[str, Any]) -> OptimizerReport:
        """Say what was carried, into a state dict that `planned` made."""
        classes = tuple((self.classes(side) or ("state dict",))[0] for side in (self.old, self.new))
        return OptimizerReport(
            state,
            tuple(self._followed(key, name, state) for key, name in self.new.names.items()),
            (classes[0], classes[1]),
            tuple(sorted(self.dropped)),
            tuple(name for name, _ in self.unheld()),
        )

    def _followed(self, key: Any, name: str, state: Mapping[str, Any]) -> Followed:
        pieces, size = self.lived(name), self.tensors[name].target.size
        slots = tuple(state["state"].get(key, ()))
        return Followed(
            name,
            slots,
            _count(pieces),
            size,
            _count([piece for piece in pieces if piece.gradient != 1]),
            _count([piece for piece in pieces if not piece.alone]),
        )

    def unheld(self) -> Iterator[tuple[str, list[str]]]:
        """List parameters of the target's model that train and its optimizer does not hold.

        With each come those of the source that the old optimizer held.
        """
        held = self.names(self.new)
        for each in self.new.given.parameters or ():
            if each.trains and held.isdisjoint(each.names):
                pieces = (piece for name in each.names for piece in self.pieces.get(name, ()))
                sources = dict.fromkeys(piece.source for piece in pieces)
                yield each.names[0], [one for one in sources if one in self.names(self.old)]

    def names(self, side: Held) -> set[str]:
        """List the names of what a side's optimizer holds."""
        found = (
            side.parameters[name].names if name in side.parameters else (name,)
            for name in side.group
        )
        return {name for names in found for name in names}


def _count(pieces: Sequence[Carried]) -> int:
    return sum(prod(map(length, piece.region)) for piece in pieces)


def is_number(value: Any) -> bool:
    """Whether a slot's value is one number."""
    return isinstance(value, Number) or shape_of(value) == ()


def shape_of(value: Any) -> tuple[int, ...] | None:
    """Give an array's shape, None for what is no array."""
    return None if arrays_of(value) is None else tuple(value.shape)
