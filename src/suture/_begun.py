"""Beginnings: which rows of which tensors a new output or category has, and how they begin.

Knows names, units and what parameters are used for. Does not know blocks (`_starts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

import numpy as np

from suture._couple import Layout, Units, marked, plain
from suture._errors import PlanError, near_miss
from suture._match import Match
from suture._plan import Block, Label, Own, Placement, TensorPlan, Value
from suture._roles import Use
from suture._starts import Bias, CopyOf, MeanOfOld, OwnInit, Start, averaged, copied, filled

Named = dict[str, tuple[Placement, Label]]
"""Full name -> where it stands."""


def begun(
    match: Match,
    tensors: Sequence[TensorPlan],
    placements: Sequence[Placement],
    said: Mapping[str, Start],
) -> list[TensorPlan]:
    """Begin new outputs and categories as is said.

    Args:
        match: which unit is which.
        tensors: what becomes of the target's tensors.
        placements: where the entries of inputs and outputs sit.
        said: full name of a new entry -> how it begins.

    Returns:
        The same tensors, with other blocks for the rows of those entries.

    Raises:
        PlanError: listing names that are not new, and words that do not fit.
    """
    beginning = _Beginning(match, {t.target.name: t.blocks for t in tensors}, placements)
    for name, start in said.items():
        beginning.begin(name, start)
    if beginning.facts:
        hint = next(filter(None, beginning.hints), None)
        raise PlanError("What new entries begin as does not fit.", beginning.facts, hint)
    return [replace(tensor, blocks=beginning.blocks[tensor.target.name]) for tensor in tensors]


@dataclass(frozen=True, slots=True)
class _Row:
    """A position of a tensor along a dim, and what the tensor is there."""

    tensor: str
    dim: int
    at: int
    roles: frozenset[str]


@dataclass(slots=True)
class _Beginning:
    """The blocks of all tensors on their way."""

    match: Match
    blocks: dict[str, tuple[Block, ...]]
    placements: Sequence[Placement]
    facts: list[tuple[str, str]] = field(default_factory=list)
    hints: list[str | None] = field(default_factory=list)

    def begin(self, name: str, start: Start | object) -> None:
        """Begin one new entry."""
        fresh = {n: at for n, at in self._named().items() if at[1].source is None}
        if name not in fresh:
            is_old = name in self._named()
            told = "is in the old model too" if is_old else "is no new output or category"
            self.facts.append((name, told))
            self.hints.append(None if is_old else near_miss(name, [*fresh]))
            return
        rows = self._rows(*fresh[name])
        match start:
            case OwnInit():
                self._fill(rows, Own())
            case Bias(value):
                self.facts += [(name, text) for text in _unfit(rows, value)]
                self._constant(rows, float(value))
            case CopyOf(old):
                self._copy(name, rows, old)
            case MeanOfOld():
                self._average(name, rows, fresh[name][0], fresh[name][1].dim)
            case _:
                known = "OwnInit(), Bias(-5.0), CopyOf(name) or MeanOfOld()"
                self.facts.append((name, f"{start!r} is no start: write {known}"))

    def _named(self) -> Named:
        """List the entries of outputs, and the categories of inputs, that the target has."""
        return {
            label.name: (placement, label)
            for placement in self.placements
            for label in placement.labels
            if label.target is not None and (label.dim < 0 or self._is_output(placement))
        }

    def _is_output(self, placement: Placement) -> bool:
        return placement.name in self.match.target.graph.outputs

    def _rows(self, placement: Placement, label: Label) -> list[_Row]:
        """List the rows of tensors that write an entry, or that it chooses."""
        units = self.match.target
        column = plain(_layout(units, placement.name, label.dim))
        if column is None or label.target is None:
            return []
        return [*self._holding(int(column[label.target]))]

    def _holding(self, unit: int) -> Iterator[_Row]:
        uses = self.match.uses[1]
        for name in self.blocks:
            for dim, layout in enumerate(self.match.target.tensors[name]):
                roles = frozenset(_roles(uses.get(name, ()), dim))
                for at in _along(layout, unit):
                    if roles - {"read"}:
                        yield _Row(name, dim, at, roles)

    def _fill(self, rows: Sequence[_Row], fill: Own | Value) -> None:
        for row in rows:
            self.blocks[row.tensor] = filled(self.blocks[row.tensor], row.dim, row.at, fill)

    def _constant(self, rows: Sequence[_Row], value: float) -> None:
        biases = [row for row in rows if "bias" in row.roles]
        self._fill([row for row in rows if row not in biases[:1]], Value(0.0))
        self._fill(biases[:1], Value(value))

    def _copy(self, name: str, rows: Sequence[_Row], old: str) -> None:
        known = {n: at for n, at in self._named().items() if at[1].source is not None}
        if old not in known:
            self.facts.append((name, f"{old!r} is no old output or category"))
            self.hints.append(near_miss(old, [*known]))
            return
        theirs = self._rows(*known[old])
        places = [[(row.tensor, row.dim) for row in each] for each in (rows, theirs)]
        if places[0] != places[1] or not rows:
            self.facts.append((name, f"no tensor holds it beside {old}"))
            return
        for row, other in zip(rows, theirs, strict=True):
            blocks = self.blocks[row.tensor]
            self.blocks[row.tensor] = copied(blocks, row.dim, row.at, other.at)

    def _average(self, name: str, rows: Sequence[_Row], placement: Placement, dim: int) -> None:
        runs = placement.values if dim < 0 else placement.dims[dim] if placement.dims else ()
        layout = _layout(self.match.target, placement.name, dim)
        column = plain(layout)
        kept = [at for run in runs or () for at in range(run.target, run.target + run.length)]
        if column is None or not kept or not rows:
            self.facts.append((name, "there is no old entry beside it"))
            return
        units = {int(column[at]) for at in kept}
        for row in rows:
            layout = self.match.target.tensors[row.tensor][row.dim]
            old = [at for unit in units for at in _along(layout, unit)]
            self.blocks[row.tensor] = averaged(self.blocks[row.tensor], row.dim, row.at, old)


def _layout(units: Units, name: str, dim: int) -> Layout:
    return units.values[name] if dim < 0 else units.tensors[name][dim]


def _along(layout: Layout, unit: int) -> list[int]:
    masks = [marked([column == unit for column in segment]) for segment in layout]
    found: list[int] = np.flatnonzero(np.concatenate(masks)).tolist()
    return found


def _roles(uses: Sequence[Use], dim: int) -> Iterator[str]:
    """Say what a tensor is along a dim: a table, weights, a bias, or what another product reads."""
    for use in uses:
        if dim in {at for at, _ in use.lookups}:
            yield "table"
        elif dim in {at for at, _ in use.reads}:
            yield "read"
        elif use.reads:
            yield "weights"
        else:
            yield "bias" if use.meeting == "add" else "factor"


def _unfit(rows: Sequence[_Row], value: float | object) -> Iterator[str]:
    """Say why an entry cannot begin as a constant."""
    roles = frozenset[str]().union(*(row.roles for row in rows))
    tables = [row.tensor for row in rows if "table" in row.roles]
    if not isinstance(value, (int, float)) or not isfinite(value):
        yield f"a bias of {value!r} is no finite number"
    if tables:
        yield f"its row of {tables[0]} is looked up: a bias would leave it 0"
    elif "weights" not in roles:
        yield "no weights write it"
    elif "factor" in roles:
        yield "it is more than weights and a bias"
    elif value and "bias" not in roles:
        yield "no bias is added to it"
