"""Newcomers: the entries of one input or output that the target alone has, by name.

Knows the placements of a plan. Does not know what becomes of the entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from suture._errors import RecoveryError, near_miss
from suture._plan import Label, Placement

Fact = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Newcomers:
    """Where the new entries of a tensor stand, and one number for each.

    Attributes:
        tensor: the input or output.
        dim: counted from the end, whatever dims stand before it; None if the whole tensor is new.
        size: of that dim, in entries.
        positions: along that dim.
        values: as many as positions; one if the whole tensor is new.
    """

    tensor: str
    dim: int | None
    size: int
    positions: tuple[int, ...]
    values: tuple[float, ...]


def newcomers(
    placements: Sequence[Placement],
    kind: str,
    tensor: str,
    values: float | Mapping[str, float],
) -> Newcomers:
    """Find new entries by name.

    Args:
        placements: the inputs or the outputs of a plan.
        kind: what they are, `"input"` or `"output"`.
        tensor: the name of one of them.
        values: a number for all new entries, or full name -> number for some of them.

    Raises:
        RecoveryError: the plan has no such tensor, or listing every name that is not new there.
    """
    placed = {each.name: each for each in placements if each.target is not None}
    if tensor not in placed:
        facts = [("known", name) for name in placed]
        hint = near_miss(tensor, [*placed])
        raise RecoveryError(f"The new model has no {kind} {tensor!r}.", facts, hint)
    placement = placed[tensor]
    known = {label.name: label for label in placement.labels if label.source is None}
    is_whole = placement.source is None and not known
    named = [tensor] if is_whole else [*known]
    chosen = values if isinstance(values, Mapping) else dict.fromkeys(named, values)
    _demand_finite(tensor, chosen)
    if is_whole and [*chosen] == [tensor]:
        return Newcomers(tensor, None, 0, (), (chosen[tensor],))
    _demand_new(placement, chosen, known)
    found = sorted((known[name].target or 0, value) for name, value in chosen.items())
    return _along(placement, known[next(iter(chosen))].dim, found)


def _along(placement: Placement, dim: int, found: Sequence[tuple[int, float]]) -> Newcomers:
    assert placement.target is not None, "what the target does not have is refused before"
    shape = placement.target.shape
    positions, values = zip(*found, strict=True)
    return Newcomers(placement.name, dim - len(shape), shape[dim], positions, values)


def _demand_new(
    placement: Placement, chosen: Mapping[str, float], known: Mapping[str, Label]
) -> None:
    """Refuse names that are not those of new entries along one dim.

    Raises:
        RecoveryError: listing them.
    """
    facts = [*_strangers(placement, chosen, known)]
    dims = {known[name].dim for name in chosen if name in known}
    if len(dims) > 1:
        facts += [(f"dim {known[name].dim}", name) for name in chosen if name in known]
    if not chosen:
        facts.append(("named", "nothing"))
    if facts:
        close = (near_miss(name, [*known]) for name in chosen if name not in known)
        hint = next(filter(None, close), None) or _hint(known)
        raise RecoveryError(f"New entries of {placement.name} go by name.", facts, hint)


def _strangers(
    placement: Placement, chosen: Mapping[str, float], known: Mapping[str, Label]
) -> Iterator[Fact]:
    old = {label.name for label in placement.labels if label.source is not None}
    for name in chosen:
        if name in old:
            yield "old", f"{name} is there already in the old model"
        elif name not in known:
            yield "unknown", name
        elif placement.values is not None and known[name].dim == -1:
            yield "category", f"{name} is a value, not an entry"


def _hint(known: Mapping[str, Label]) -> str:
    if known:
        return f"new are {', '.join(known)}; those of one dim go together"
    return "name the entries in the schemas of both models, and make the plan again"


def _demand_finite(tensor: str, values: Mapping[str, float]) -> None:
    wrong = [(name, f"{value!r}") for name, value in values.items() if not isfinite(value)]
    if wrong:
        raise RecoveryError(f"New entries of {tensor} begin at finite numbers.", wrong)
