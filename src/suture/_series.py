"""Series: axes that come one after the other in the target where the source has one.

Knows a layer that was put between a layer and its reader: what the new layer writes is read where
the old axis was read, so both stand for the old one. Does not know whether the new layer can carry
every unit on (`_paths`).

Source: Net2Net (Chen et al., 2016), section 2.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    along: dict[int, tuple[int, str]] = {}
    notes = []
    for name, read, written in _layers(target, tensors, uses):
        kept = partner[read] >= 0
        came, went = int(target.atom[read[0]]), int(target.atom[written[0]])
        if kept.any():
            along[came] = int(source.atom[partner[read[kept]][0]]), ""
        if came in along and came != went and (partner[written] == -1).all():
            along[went] = along[came][0], name
    for other, dim, column, before in _readers(source, target, tensors, uses):
        atom = int(target.atom[column[0]])
        if along.get(atom, (-1, ""))[1] and (partner[column] == -1).all():
            if int(source.atom[before[0]]) != along[atom][0]:
                continue
            count = min(len(before), len(column))
            partner[column[:count]] = before[:count]
            reason = f"{along[atom][1]} lies before it: its units are those that it reads"
            notes.append(Note("pairing", f"{other} dim {dim}", reason))
    return notes


def _layers(
    target: Units, tensors: Mapping[str, str], uses: Mapping[str, tuple[Use, ...]]
) -> Iterator[tuple[str, Column, Column]]:
    """List the fresh matrices, with the axis that each reads and the one that it writes."""
    order = sorted((use.node, name) for name, each in uses.items() for use in each)
    for name in dict.fromkeys(name for _, name in order if name not in tensors):
        dims = target.tensors.get(name, ())
        read = {dim for use in uses[name] for dim, _ in use.reads}
        columns = [plain(layout) for layout in dims]
        if len(dims) == 2 and len(read) == 1 and columns[0] is not None and columns[1] is not None:
            (dim,) = read
            came, went = columns[dim], columns[1 - dim]
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
