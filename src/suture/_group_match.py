"""Matching by feature groups alone: the paper's matcher, the baseline for coupling.

Knows keys: the features that reach an entry, compared modulo those that one side alone knows. A
key that the source lacks is fresh, a key that moved is copied from its old place, and where no
difference is seen the leading entries are copied, right or wrong. What a fresh entry is filled
with, and whether the old function can be promised, is asked of the units (`_match`).

Source: Raiman, Zhang and Dennison, *Neural Network Surgery with Sets*, section 2.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from suture._couple import Units, length
from suture._errors import MatchError, PlanError
from suture._graph import Graph
from suture._match import Match, along, match, own_names
from suture._occurrences import ONE_GROUP, STRANGE, Groups, Positions
from suture._phi import Interactions
from suture._plan import Note
from suture._rename import Rules
from suture._sets import Ids
from suture._signature import Dim

Phis = tuple[Interactions, Interactions]
"""The interactions of the source and of the target."""


def match_by_groups(source: Units, target: Units, phis: Phis, rename: Rules | None = None) -> Match:
    """Find where the entries of the target come from by the features that reach them.

    Args:
        source: the units of the trained model.
        target: the units of the changed model.
        phis: the interactions of both, by whichever method.
        rename: regular expression -> replacement, for the names of the source's tensors.

    Returns:
        The match of the units, with the places of all entries by feature groups; as notes where
        those are not the places of the units.

    Raises:
        MatchError: the units do not match.
        SchemaError: something is named on one side only.
    """
    found, keys = match(source, target, rename), Keys(phis)
    placed = {
        (name, dim): leading(_groups(found, keys, name, dim), (length(theirs), length(ours)))
        for name in found.shared
        for dim in _dims(found, name)
        for theirs, ours in [found.layouts((name, dim))]
    }
    apart = [
        Note("inexact", f"{name} dim {dim}", "its feature groups lie elsewhere than its units")
        for name, dim in placed
        if not _agrees(found, (name, dim), placed[name, dim])
    ]
    return replace(found, placed=placed, notes=(*found.notes, *apart))


def check_phis(phis: object, source: Graph, target: Graph) -> None:
    """Refuse interactions that were not found in these two networks.

    Raises:
        PlanError: naming every parameter that does not fit.
    """
    hint = "give phi=(of source, of target)"
    sentence = "The matcher needs the interactions of the source and of the target."
    if not isinstance(phis, tuple) or [type(phi) for phi in phis] != [Interactions] * 2:
        raise PlanError(sentence, [("phi", f"is {type(phis).__name__}")], hint)
    facts = [
        (side, f"{name} is {_held(phi, name)} in phi, {graph.tensor(name).type} in the {side}")
        for side, graph, phi in (("source", source, phis[0]), ("target", target, phis[1]))
        for name in graph.parameters
        if _held(phi, name) != graph.tensor(name).type
    ]
    if facts:
        raise PlanError("The interactions are those of other networks.", facts, hint)


def _held(phi: Interactions, name: str) -> str:
    return phi.touched[name].tensor.type if name in phi.touched else "nothing"


@dataclass(slots=True, eq=False)
class Keys:
    """Numbers for the feature sets of two maps: equal where they share the same features."""

    phis: Phis
    _numbers: dict[bytes, int] = field(default_factory=dict)
    _shared: tuple[Ids, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = [phi.features for phi in self.phis]
        common = {name: at for at, name in enumerate(sorted(set(names[0]) & set(names[1])))}
        self._shared = tuple(np.array([common.get(n, STRANGE) for n in side]) for side in names)

    def along(self, side: int, tensor: str, dim: int) -> Ids:
        """Give the key of each position along a dim: i64[size], or i64[1] where all have one."""
        touched = self.phis[side].touched.get(tensor)
        if touched is None:
            return np.array([self._number(b"")])
        sets = np.moveaxis(touched.sets, dim, 0)
        united = self.phis[side].sets.union(sets.reshape(sets.shape[0], -1))
        distinct, back = np.unique(united, return_inverse=True)
        return np.array([self._key(side, number) for number in distinct.tolist()])[back]

    def _key(self, side: int, number: int) -> int:
        members = self._shared[side][self.phis[side].sets.members(number)]
        known = np.sort(members[members != STRANGE])
        return STRANGE if len(members) and not len(known) else self._number(known.tobytes())

    def _number(self, content: bytes) -> int:
        return self._numbers.setdefault(content, len(self._numbers))


def _groups(match: Match, keys: Keys, name: str, dim: int) -> Groups:
    """Give the keys along a dim of a parameter, or the names along one of an input or output."""
    if name in match.pairs.tensors:
        return keys.along(0, match.pairs.tensors[name], dim), keys.along(1, name, dim)
    return own_names(match, name, dim) or ONE_GROUP


def _dims(match: Match, name: str) -> Iterator[int]:
    """List the dims of a shared tensor; -1 for values."""
    yield from range(len(match.target.tensors[name]))
    if name in match.target.values and match.shared[name] in match.source.values:
        yield -1


def _agrees(match: Match, at: Dim, places: Positions) -> bool:
    """Whether the units of a dim lie where its groups place them."""
    try:
        return np.array_equal(along(match, at), places)
    except MatchError:
        return False


def leading(groups: Groups, sizes: tuple[int, int]) -> Positions:
    """Pair positions of equal keys in order; what is too many is fresh.

    Args:
        groups: the keys of the source's and of the target's positions, i64[size] or i64[1].
        sizes: the number of positions on both sides.

    Returns:
        Per target position the source position, -1 where it is fresh.

    Example:
        >>> leading((np.array([7, 8, 8]), np.array([8, STRANGE, 7, 9])), (3, 4))
        array([ 1, -1,  0, -1])
    """
    left, right = np.broadcast_to(groups[0], sizes[:1]), np.broadcast_to(groups[1], sizes[1:])
    order, ordered = np.argsort(left, kind="stable"), np.argsort(right, kind="stable")
    keys, wanted = left[order], right[ordered]
    place = np.searchsorted(keys, wanted) + np.arange(len(wanted)) - np.searchsorted(wanted, wanted)
    held = (place < np.searchsorted(keys, wanted, "right")) & (wanted != STRANGE)
    found = np.full(len(right), -1, np.int64)
    found[ordered[held]] = order[place[held]]
    return found
