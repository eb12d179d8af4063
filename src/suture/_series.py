"""Series: axes that come one after the other in the target where the source has one.

Knows a layer that was put between a layer and its reader: what the new layer writes is read where
the old axis was read, so both stand for the old one. Does not know whether the new layer can carry
every unit on (`_paths`).

Source: Net2Net (Chen et al., 2016), section 2.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from suture._couple import Column, Units, plain
from suture._plan import Note
from suture._roles import Use


def in_series(
    partner: Column,
    source: Units,
    target: Units,
    tensors: Mapping[str, str],
    uses: Mapping[str, tuple[Use, ...]],
) -> list[Note]:
    """Pair what new layers write with the axis that they read, where paired tensors read it.

    Args:
        partner: target unit -> source unit, written to.
        source: the source's units.
        target: the target's units.
        tensors: target name -> source name, of tensors that belong together.
        uses: what ops do with the target's parameters.

    Returns:
        A note for every axis that was paired so.
    """
    behind: dict[int, _Behind] = {}
    for name, read, written in _layers(target, tensors, uses):
        kept = partner[read] >= 0
        came, went = int(target.atom[read[0]]), int(target.atom[written[0]])
        old = int(source.atom[partner[read[kept]][0]]) if kept.any() else -1
        if came in behind and not kept.any():
            old = behind[came].atom
        if old >= 0 and came != went and (partner[written] == -1).all():
            behind[went] = _Behind(old, name, came, written)
    notes = []
    for other, dim, column, before in _readers(source, target, tensors, uses):
        at = int(target.atom[column[0]])
        while at in behind and (partner[behind[at].column] == -1).all():
            if int(source.atom[before[0]]) != behind[at].atom:
                break
            count = min(len(before), len(behind[at].column))
            partner[behind[at].column[:count]] = before[:count]
            reason = f"{behind[at].layer} lies before it: its units are those that it reads"
            notes.append(Note("pairing", f"{other} dim {dim}", reason))
            at = behind[at].before
    return notes


@dataclass(frozen=True, slots=True, eq=False)
class _Behind:
    """An axis behind a new layer: the source's atom before it, the layer, the atom it reads."""

    atom: int
    layer: str
    before: int
    column: Column


def _layers(
    target: Units, tensors: Mapping[str, str], uses: Mapping[str, tuple[Use, ...]]
) -> Iterator[tuple[str, Column, Column]]:
    """List the fresh matrices, with the axis that each reads and the one that it writes."""
    order = sorted((use.node, name) for name, each in uses.items() for use in each)
    for name in dict.fromkeys(name for _, name in order if name not in tensors):
        dims = target.tensors.get(name, ())
        taps = {dim for use in uses[name] for dim, _ in use.taps}
        read = {dim for use in uses[name] for dim, _ in use.reads} - taps
        written = {*range(len(dims))} - read - taps
        if len(read) == len(written) == 1:
            came, went = (plain(dims[dim]) for dim in (*read, *written))
            if came is not None and went is not None:
                yield name, came, went


def _readers(
    source: Units,
    target: Units,
    tensors: Mapping[str, str],
    uses: Mapping[str, tuple[Use, ...]],
) -> Iterator[tuple[str, int, Column, Column]]:
    """List the dims along which paired parameters read, with the units there on both sides."""
    for name, other in tensors.items():
        for dim in sorted({dim for use in uses.get(name, ()) for dim, _ in use.reads}):
            column, before = plain(target.tensors[name][dim]), plain(source.tensors[other][dim])
            if column is not None and before is not None:
                yield name, dim, column, before
