"""Orders: in which a file or a model has its tensors, and which of those are parameters.

Knows state dicts and plans. Does not know optimizers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from suture._arrays import Array, arrays_of
from suture._files._checkpoint import Checkpoint
from suture._plan import Plan, TensorPlan
from suture._plan_check import source_tensors
from suture._wrappers import counters, plain_names

Scope = Callable[[str], bool]
T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A tensor in the old file: the plan's name for it, and whether it is a parameter.

    None is a tensor of which the plan does not say: nothing in the target is paired with it.
    """

    name: str
    is_parameter: bool | None


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Both models' tensors by all of their names, each in the order of the model's state dict."""

    plan: Plan
    old: Mapping[str, Kept]
    new: Mapping[str, TensorPlan]


def within(named: Mapping[str, T], scope: Scope) -> list[T]:
    """List tensors in order, tied ones where their first name stands."""
    return [*dict.fromkeys(each for name, each in named.items() if scope(name))]


ORDERED = ("torch", "lightning", "stable-baselines3")
"""Formats that keep the order of a state dict; safetensors sorts by dtype and name."""


def target_order(
    plan: Plan, fresh: Checkpoint | Mapping[str, Any] | None
) -> dict[str, TensorPlan] | None:
    """Say in which order the target has its tensors: by all names; None where that is not known."""
    if fresh is None or (isinstance(fresh, Checkpoint) and fresh.format not in ORDERED):
        return None
    state = fresh.arrays if isinstance(fresh, Checkpoint) else fresh
    known = {name: t for t in plan.tensors for name in (t.target.name, *t.tied)}
    found = {n: known[n] for n in plain_names(state, known).values() if n in known}
    rank: dict[str, int] = {}
    for at, tensor in enumerate(found.values()):
        rank.setdefault(tensor.target.name, at)
    wanted = [t.target.name for t in plan.tensors if t.kind == "parameter"]
    if any(name not in rank for name in wanted) or _turns([rank[name] for name in wanted]) > 1:
        return None
    return found


def is_of_the_model(plan: Plan, held: Sequence[Kept]) -> bool:
    """Whether a file's parameters may stand in the order in which their model has them.

    The plan has those that went over in the new model's order, and models seldom change places.
    """
    rank = {kept.name: at for at, kept in enumerate(held)}
    paired = [t.source.name for t in plan.tensors if t.source is not None]
    return _turns([rank[name] for name in paired if name in rank]) <= 1


def _turns(ranks: Sequence[int]) -> int:
    """Count how often an order goes back.

    A plan has the parameters that a call reaches in the model's order, then the others in it: what
    goes back more than once, as what is sorted by name does, is no order of that model.
    """
    return sum(one > other for one, other in pairwise(ranks))


def kept_tensors(plan: Plan, arrays: Mapping[str, Array]) -> dict[str, Kept]:
    """See the tensors of a file by all of their names, tied ones as one."""
    kinds = {t.source.name: t.kind for t in plan.tensors if t.source is not None}
    known = source_tensors(plan)
    counted = counters(arrays, known)
    plain = plain_names([name for name in arrays if name not in counted], known)
    places: dict[Hashable, list[str]] = {}
    for name, inner in plain.items():
        places.setdefault(_place(inner, arrays[name]), []).append(inner)
    one = {names[0]: _tensor(plan, names, kinds) for names in places.values()}
    first = {name: names[0] for names in places.values() for name in names}
    return {name: one[first[name]] for name in plain.values()}


def _tensor(plan: Plan, names: Sequence[str], kinds: Mapping[str, str]) -> Kept:
    paired = [name for name in names if name in kinds]
    known = paired or [name for name in names if name in source_tensors(plan)] or names
    return Kept(known[0], kinds[paired[0]] == "parameter" if paired else None)


def _place(name: str, array: Array) -> Hashable:
    """Say where a tensor lies: tied ones lie in one place."""
    kind = arrays_of(array)
    return name if kind is None or 0 in array.shape else (kind.place(array), tuple(array.shape))
