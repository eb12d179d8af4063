"""Policies: what becomes of all fresh entries together, in the user's words.

Knows the words, and what each makes of the blocks that keep the old function. Does not know how
those are found (`_fill`), where copies may stand (`_replicate`), nor how single entries begin
(`_starts`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Literal, cast, get_args

from suture._axes import Class
from suture._errors import PlanError, near_miss
from suture._leads import told
from suture._plan import Fill, Note, Own, Sum, TensorPlan, Term, Value
from suture._roles import Tag
from suture._side import Side
from suture._starts import Start

Word = Literal["exact", "own", "zeros", "replicate"]


@dataclass(frozen=True, slots=True)
class Policy:
    """How all that has no source begins.

    Attributes:
        name: `"exact"` (so that the old function is kept and everything learns), `"own"` (as the
            target was initialised, whatever becomes of the function), `"zeros"` (0 wherever
            `"exact"` leaves an initialisation), or `"replicate"` (as copies of preserved units,
            which their readers share).
        scale: what every initialisation of a parameter that is kept is multiplied by.
        starts: new outputs and categories by name, which begin otherwise.
        noise: what the initialisation of the weights into copies is multiplied by and added to
            them, but for the first of each unit; for `"replicate"` alone. The old function is an
            approximation then.

    Example:
        >>> quiet = Policy("exact", scale=0.1)  # as `fill` of suture.plan
        >>> apart = Policy("replicate", noise=0.01)
    """

    name: Word = "exact"
    scale: float = 1.0
    starts: Mapping[str, Start] = field(default_factory=dict)
    noise: float = 0.0


def policy(fill: str | Policy | Mapping[str, Start]) -> Policy:
    """Read what a user says of fresh entries.

    Raises:
        PlanError: a word that is no policy, a scale that is no number above 0, or noise that is
            none or has no copies to go to.
    """
    match fill:
        case str():
            said = Policy(cast(Word, fill))
        case Policy():
            said = fill
        case _:
            said = Policy(starts=fill)
    known = get_args(Word)
    if said.name not in known:
        facts = [("known", ", ".join(known))]
        raise PlanError(f"There is no fill {said.name!r}.", facts, near_miss(said.name, known))
    scale: object = said.scale
    if not isinstance(scale, (int, float)) or not isfinite(scale) or scale <= 0:
        hint = 'write suture.Policy("zeros") for fresh entries of 0'
        raise PlanError(f"A scale of {scale!r} is no finite number above 0.", hint=hint)
    _demand_noise(said.noise, said.name)
    return said


def _demand_noise(noise: object, name: Word) -> None:
    if not isinstance(noise, (int, float)) or not isfinite(noise) or noise < 0:
        raise PlanError(f"A noise of {noise!r} is no finite number of 0 or more.")
    if noise and name != "replicate":
        hint = f'write suture.Policy("replicate", noise={noise:g})'
        raise PlanError(f"Noise is added to copies, and {name!r} asks for none.", hint=hint)


def refilled(
    tensors: Sequence[TensorPlan], said: Policy, side: Side
) -> tuple[list[TensorPlan], list[Note]]:
    """Fill fresh entries as a policy says.

    Args:
        tensors: what becomes of the target's tensors so that the old function is kept.
        said: the policy.
        side: the target's side of the match.

    Returns:
        The same tensors with other fills, and notes on what that costs.
    """
    change = _CHANGES.get(said.name)
    found = [
        tensor
        if change is None or _is_structure(tensor) or (change is _zero and _divides(tensor, side))
        else replace(tensor, blocks=tuple(replace(b, fill=change(b.fill)) for b in tensor.blocks))
        for tensor in tensors
    ]
    changed = [
        new.target.name for old, new in zip(tensors, found, strict=True) if old.blocks != new.blocks
    ]
    notes = _heard(changed, side) if change is _own else _dead(changed, side)
    return [_scaled(tensor, said.scale) for tensor in found], [*notes]


def _is_structure(tensor: TensorPlan) -> bool:
    """Whether a tensor does not learn, or is left as it is."""
    floats = tensor.target.dtype.startswith(("f", "bf"))
    return tensor.kind == "buffer" or bool(tensor.reason) or not floats


def _own(fill: Fill) -> Fill:
    """Keep the initialisation of what is fresh, and copy the rest as it is."""
    match fill:
        case Sum((Term(reductions=()) as term,), 0):
            return Sum((replace(term, scale=1.0),))
        case _:
            return Own()


def _zero(fill: Fill) -> Fill:
    return Value(0.0) if isinstance(fill, Own) else fill


_CHANGES: dict[str, Callable[[Fill], Fill]] = {"own": _own, "zeros": _zero}


def _divides(tensor: TensorPlan, side: Side) -> bool:
    """Whether something is divided by a tensor, or a length or logarithm taken of it."""
    for node in side.units.graph.nodes:
        own = all(value in side.parameters for value in node.inputs)
        for value, algebra in zip(node.inputs, node.algebra, strict=True):
            tags = frozenset[Tag]().union(*side.parameters.get(value, ()))
            if any(name == tensor.target.name for name, _ in tags):
                bent = own and not (algebra.linear or algebra.moves)
                if bent or (algebra.degree is not None and algebra.degree < 0):
                    return True
    return False


def _scaled(tensor: TensorPlan, scale: float) -> TensorPlan:
    """Multiply what keeps its initialisation."""
    if scale == 1 or _is_structure(tensor):
        return tensor
    blocks = [
        replace(block, fill=Own(block.fill.scale * scale)) if isinstance(block.fill, Own) else block
        for block in tensor.blocks
    ]
    return replace(tensor, blocks=tuple(blocks))


def _heard(changed: Sequence[str], side: Side) -> Iterator[Note]:
    """Tell of what would have to be otherwise for the old function, and which outputs hear it."""
    for name in changed:
        if ahead := side.hear(name):
            reason = "fresh entries begin as their own, and the old function hears them"
            yield Note("inexact", name, reason, told(ahead, side.shared))


def _dead(changed: Collection[str], side: Side) -> Iterator[Note]:
    """Tell of fresh units that are 0 on the way in, for they are 0 on the way out as well."""
    units = side.units
    for atom, column in units.columns.items() if changed else ():
        if not side.changed[column].any():
            continue
        roles = [role for name in units.graph.parameters for role in _roles(name, atom, side)]
        written = [name for name, read in roles if not read]
        if any(read for _, read in roles) and written and {*written} <= {*changed}:
            reason = "fresh units are 0 on the way in and out: where 0 gives 0, nothing learns"
            yield Note("dead", side.where(atom), reason)


def _roles(name: str, atom: Class, side: Side) -> Iterator[tuple[str, bool]]:
    """Say of every dim of a parameter that an axis is along whether it is read there."""
    units = side.units
    reads = {dim for use in side.uses.get(name, ()) for dim, _ in use.reads}
    for dim, layout in enumerate(units.tensors[name]):
        columns = (column for segment in layout for column in segment)
        if any((units.atom[column[column >= 0]] == atom).any() for column in columns):
            yield name, dim in reads
