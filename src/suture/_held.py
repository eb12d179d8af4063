"""What an optimizer holds: its state by parameter name, however it was given.

Knows state dicts of optimizers, with names and with positions only. Does not know plans, slots or a
framework: adapters know an optimizer's parameters as objects.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from suture._wrappers import plain_names

Fact = tuple[str, str]
Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """A parameter of a model: its names, the first one first, its array, and whether it trains."""

    names: tuple[str, ...]
    array: Any
    trains: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape in entries."""
        return tuple(self.array.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """One side as a user gives it.

    Attributes:
        side: `"source"` or `"target"`.
        state: the optimizer's state dict.
        classes: the class of a live optimizer and those that it derives from; none of a dict.
        known: what a plan calls this side's parameters; wrappers before names are seen through.
        identity: what a live optimizer's parameters are called in the model, in order; None without
            a model, and for what is not the model's.
        parameters: those of the model; None without one.
        order: the names of the optimizer's parameters, in its order, if a user gives them.
    """

    side: str
    state: Mapping[str, Any]
    classes: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    identity: tuple[str | None, ...] | None = None
    parameters: tuple[Parameter, ...] | None = None
    order: tuple[str, ...] | None = None

    @property
    def groups(self) -> Sequence[Options]:
        """The parameter groups with their options."""
        found: Sequence[Options] = self.state["param_groups"]
        return found

    @property
    def keys(self) -> list[Hashable]:
        """What the state dict calls its parameters, in order."""
        return [key for group in self.groups for key in group["params"]]


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What an optimizer holds, by name.

    Attributes:
        names: key of the state dict -> the parameter's name, in order.
        slots: name -> slot -> value; only parameters with any.
        group: name -> the options of its group.
        parameters: name -> the model's parameter, by each of its names.
    """

    given: Given
    names: Mapping[Hashable, str]
    slots: Mapping[str, Mapping[str, Any]]
    group: Mapping[str, Options]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


def held(given: Given) -> tuple[Held | None, list[Fact]]:
    """Find out whose state is whose.

    Returns:
        What is held, None where that cannot be known, and why.
    """
    names, faults = _names(given)
    if names is None:
        return None, [(given.side, text) for text in faults]
    by_key = dict(zip(given.keys, names, strict=True))
    aliases = {name: p for p in given.parameters or () for name in p.names}
    strange = [key for key in given.state["state"] if key not in by_key]
    faults += [f"holds state of {key!r}, which is in none of its groups" for key in strange]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults += [f"{name} is in it twice" for name in twice]
    missing = [name for name in names if aliases and name not in aliases]
    faults += [f"{name} is in the optimizer and not in the model" for name in missing]
    state = given.state["state"]
    slots = {name: state[key] for key, name in by_key.items() if state.get(key)}
    group = {by_key[key]: each for each in given.groups for key in each["params"]}
    for name in [*slots]:
        if name in aliases:
            slots |= dict.fromkeys(aliases[name].names, slots[name])
    return Held(given, by_key, slots, group, aliases), [(given.side, text) for text in faults]


def _names(given: Given) -> tuple[list[str] | None, list[str]]:
    """Name the parameters, by the surest way there is."""
    keys, written = given.keys, _written(given)
    if given.order is not None:
        return _as_many(_plain(given, given.order), len(keys), "names are given")
    if given.identity is not None:
        return _by_identity(given.identity, written)
    if written is not None:
        return written, []
    if given.parameters is None:
        return None, ["has positions and no names; give its model, or the names in its order"]
    if len(given.groups) > 1:
        count = len(given.groups)
        return None, [f"has {count} groups without names; give the names in its order"]
    for found in (given.parameters, [each for each in given.parameters if each.trains]):
        if len(found) == len(keys):
            return [each.names[0] for each in found], []
    return _as_many([each.names[0] for each in given.parameters], len(keys), "are in the model")


def _as_many(names: list[str], count: int, where: str) -> tuple[list[str] | None, list[str]]:
    if len(names) == count:
        return names, []
    return None, [f"holds {count} parameters; {len(names)} {where}"]


def _written(given: Given) -> list[str] | None:
    """Read the names that a state dict has, as keys or beside them."""
    keys = given.keys
    if keys and all(isinstance(key, str) for key in keys):
        return _plain(given, map(str, keys))
    names = [name for group in given.groups for name in group.get("param_names", ())]
    return _plain(given, names) if keys and len(names) == len(keys) else None


def _plain(given: Given, names: Iterable[str]) -> list[str]:
    listed = [*names]
    plain = plain_names(listed, given.known)
    return [plain[name] for name in listed]


def _by_identity(
    identity: Sequence[str | None], written: Sequence[str] | None
) -> tuple[list[str] | None, list[str]]:
    """Name what a live optimizer holds; what it calls them itself must agree."""
    strange = [at for at, name in enumerate(identity) if name is None]
    if strange:
        return None, [f"holds a parameter, number {at}, that is not the model's" for at in strange]
    names = [str(name) for name in identity]
    pairs = zip(names, written or names, strict=True)
    return names, [
        f"calls {other} what the model calls {name}: its state was loaded in another order"
        for name, other in pairs
        if other != name
    ]
