"""The promise: where the new network does not compute the old function, for which unit, and why.

Knows what breaks the function: fresh or lost units on an axis that is mixed, reduced, or contracted
with other data; lost units that preserved ones read; parameters and ops that came or went on the
way to an output that both models have; positions that hold others than before. Does not repair it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from suture._axes import Class
from suture._chosen import rows_told
from suture._couple import Column, Layout, plain
from suture._fill import preserved
from suture._growth import Growth
from suture._leads import told
from suture._limits import scaled, tied, why
from suture._marks import keep_places
from suture._match import Match
from suture._moved import moved
from suture._plan import LIMITS, Note, Placement, TensorPlan
from suture._positional import may_move
from suture._side import READ, TAPS, Side
from suture._strange import Maps, Spread, spreads
from suture._twins import Twins
from suture._world import spread


def promise(
    match: Match,
    sides: tuple[Side, Side],
    grown: Growth,
    tensors: Sequence[TensorPlan],
    inputs: Sequence[Placement],
    outputs: Sequence[Placement],
    maps: Maps,
) -> tuple[Note, ...]:
    """List what a person must know about a match, each note once.

    Args:
        match: which unit is which.
        sides: the source's side of it and the target's.
        grown: what the plan does beyond copying.
        tensors: what becomes of the target's tensors.
        inputs: where the entries of inputs sit.
        outputs: where the entries of outputs sit.
        maps: where the positions of the dims of paired tensors come from.

    Returns:
        Notes of every kind; the plan promises the old function if none is `inexact`.
    """
    source, target = sides
    lost, new = spreads(match, maps, grown.kept)
    notes = [
        *_mixing(target, "fresh", match, grown),
        *_mixing(source, "lost", match, None),
        *tied(target, grown),
        *scaled(target, grown),
        *_unseen(match),
        *_frail(match, target, maps),
        *_lost_reads(source),
        *_rewired(match, maps),
        *_fresh_paths(target, new),
        *_torn(target, grown, new),
        *_lost_paths(source),
        *_exposed(lost, outputs, "lost", source),
        *_exposed(new, outputs, "new", target),
        *_other_ops(source, target, lost, new),
        *_other_constants(match, source, target),
        *_other_sizes(source, target, new, grown.twins),
        *rows_told(match),
        *_picked(source),
        *_picked(target),
        *_other_outputs(match),
        *_lost_outputs(outputs),
        *_conditions(inputs),
        *_by_position(match, inputs, outputs),
        *_set_apart(tensors),
        *_removed(match),
    ]
    limits = [note.outputs or target.shared for note in notes if note.kind in LIMITS]
    limited = frozenset(name for each in limits for name in each)
    left = not limits or not limited.issuperset(target.shared)
    if left and may_move(match, maps, (*inputs, *outputs)):
        notes += _moved(match, (source, target), outputs, maps, grown.kept, limited)
    return tuple(dict.fromkeys(notes))


def _mixing(side: Side, changed: str, match: Match, grown: Growth | None) -> Iterator[Note]:
    """Find the axes along which changed units meet preserved ones without a parameter between."""
    for number in side.relevant:
        names = side.units.axes.names[number]
        for name, how in side.meetings(number).items():
            if how == READ or not (side.loses(names[name]) and side.keeps(names[name])):
                continue
            if grown is not None and (number, name) in grown.kept:
                continue
            if how == TAPS and side.units is match.target and _keeps_taps(match, names[name]):
                continue
            reason = f"{changed} units are {how} by {side.op(number)}"
            reason += "" if grown is None else why(side, number, grown.heard.get((number, name)))
            yield Note("inexact", side.where(names[name]), reason, side.leads(number))


def _keeps_taps(match: Match, member: Class) -> bool:
    """Whether the old taps of a kernel read what they read, so that new ones may be 0 beside."""
    column = plain(match.target.layout(member))
    if column is None or (match.partner[column] < 0).all():
        return False
    partner = match.partner[column]
    atoms = int(match.source.atom[partner.max()]), int(match.target.atom[column[0]])
    before = match.source.columns[atoms[0]]
    found = np.where(partner >= 0, np.searchsorted(before, partner), -1)
    theirs, ours = match.marks
    return keep_places((theirs, atoms[0], before), (ours, atoms[1], column), found)


def _frail(match: Match, target: Side, maps: Maps) -> Iterator[Note]:
    """Find fresh units that no 0 on the way to a preserved one can silence."""
    silenced = {
        (use.node, match.target.axes.find(member))
        for uses in target.uses.values()
        for use in uses
        for _, member in use.reads - use.frail
    }
    relevant = set(target.relevant)
    for name, uses in target.uses.items():
        for use in uses:
            for dim, member in use.frail if use.node in relevant else ():
                known = (use.node, match.target.axes.find(member)) in silenced
                came = maps.get((name, dim))
                if not known and came is not None and (came < 0).any():
                    reason = (
                        f"a 0 does not stay one on the way of fresh units to {target.op(use.node)}"
                    )
                    yield Note("inexact", f"{name} dim {dim}", reason, target.leads(use.node))


def _unseen(match: Match) -> Iterator[Note]:
    """Tell of constants whose values nobody knows, as of a model on the meta device."""
    for atom in sorted(match.marks[1].unknown):
        column = match.target.columns[atom]
        named = (name for name, dims in match.target.tensors.items() if _has(dims, column))
        subject = ", ".join(list(named)[:3])
        if (match.partner[column] < 0).any():
            reason = "grew along a constant without values (meta device): paired in order"
            yield Note("inexact", subject, reason)
        else:
            reason = "meets a constant without values (meta device): as if it were as before"
            yield Note("condition", subject, reason)


def _has(dims: Sequence[Layout], column: Column) -> bool:
    return any(np.isin(column[:1], c).any() for dim in dims for segment in dim for c in segment)


def _lost_reads(source: Side) -> Iterator[Note]:
    """Find lost units that preserved units read through a parameter, and that need not be 0."""
    silent = source.silent()
    for number in source.relevant:
        names, node = source.units.axes.names[number], source.units.graph.nodes[number]
        loud = not silent.issuperset(set(node.inputs) - source.parameters.keys())
        for name, how in source.meetings(number).items():
            loses = source.loses if loud else source.loses_inner
            if how == READ and loses(names[name]):
                reason = f"lost units were read by {source.op(number)}"
                yield Note("inexact", source.where(names[name]), reason, source.leads(number))


def _rewired(match: Match, maps: Maps) -> Iterator[Note]:
    """Find entries of preserved units along a paired dim that have no place in the target's."""
    kept = np.zeros(match.source.count, np.bool_)
    kept[match.partner[match.partner >= 0]] = True
    partner = np.where(kept[match.same] | (match.same < 0), 0, -1)
    for (name, dim), found in maps.items():
        layout = match.source.tensors[match.pairs.tensors[name]][dim]
        left = ~preserved(layout, partner)
        left[found[found >= 0]] = True
        if not left.all():
            reason = "preserved units meet it in the source, and in the target they do not"
            yield Note("inexact", f"{name} dim {dim}", reason)


def _fresh_paths(side: Side, new: Spread) -> Iterator[Note]:
    """Find fresh parameters that carry preserved units, or table rows, into preserved units.

    How far new features get through a parameter that they alone reach is told apart.
    """
    nodes = side.units.graph.nodes
    for name, use in side.alone():
        if use.node in side.alike or new.alone(nodes[use.node]):
            continue
        carries = any(side.keeps(member) for _, member in use.reads) or use.lookups
        if carries or (not use.reads and use.meeting is None):
            reason = f"a fresh parameter on the way to preserved units ({side.op(use.node)})"
            yield Note("inexact", name, reason, side.leads(use.node))


def _torn(side: Side, grown: Growth, new: Spread) -> Iterator[Note]:
    """Find fresh parameters that cannot begin as what each of their places asks for."""
    nodes = side.units.graph.nodes
    for name, use in side.alone():
        if use.node in side.alike or new.alone(nodes[use.node]) or use.reads or use.lookups:
            continue
        asked, begun = {"add": 0.0, "mul": 1.0}.get(use.meeting or ""), grown.recipes[name].value
        alike = all(other.meeting == use.meeting for other in side.uses[name])
        if asked is not None and (not alike if begun is None else begun != asked):
            reason = f"would have to begin as {asked:g} for {side.op(use.node)}"
            reason += ", and as something else elsewhere"
            yield Note("inexact", name, reason, side.leads(use.node))


def _lost_paths(side: Side) -> Iterator[Note]:
    """Find parameters that the target lacks although they lead to preserved units."""
    for name, use in side.alone():
        reason = f"the target has no such parameter ({side.op(use.node)})"
        yield Note("inexact", name, reason, side.leads(use.node))


def _exposed(
    strange: Spread, outputs: Sequence[Placement], what: str, side: Side
) -> Iterator[Note]:
    """Find the preserved entries of outputs that features reach which one side alone sees."""
    shared = [one for one in outputs if one.source is not None and one.target is not None]
    kept = {one.name: [spread(runs)[strange.side] for runs in one.dims] for one in shared}
    reached = [name for name, positions in kept.items() if strange.reaches(name, positions)]
    if reached:
        through = f", first through {side.op(strange.met[0])}" if strange.met else ""
        ahead = told(frozenset(reached), side.shared)
        yield Note("inexact", ", ".join(reached), f"{what} features reach it{through}", ahead)


def _other_ops(source: Side, target: Side, lost: Spread, new: Spread) -> Iterator[Note]:
    """Compare what is computed on the way to the outputs that both models have.

    What strange features alone reach does not count: how far it gets is told apart.
    """
    theirs, ours = source.ops(lost.alone), target.ops(new.alone)
    found: dict[str, list[str]] = {}
    for output in target.shared:
        for reason in _otherwise(theirs[output], ours[output]):
            found.setdefault(reason, []).append(output)
    for reason, outputs in found.items():
        yield Note("inexact", "ops", reason, told(frozenset(outputs), target.shared))


def _otherwise(theirs: Sequence[str], ours: Sequence[str]) -> Iterator[str]:
    """Say how two lists of ops differ, if they do."""
    before, after = Counter(theirs), Counter(ours)
    came, went = after - before, before - after
    if came or went:
        signs = (("+", came), ("-", went))
        listed = [f"{s} {op} x{n}" for s, ops in signs for op, n in sorted(ops.items())]
        yield f"the target computes otherwise: {', '.join(listed)}"
    elif list(theirs) != list(ours):
        yield "the target computes the same in another order"


def _other_constants(match: Match, source: Side, target: Side) -> Iterator[Note]:
    """Compare the constants of equal shape that both networks meet, in order."""
    theirs = source.constants(np.arange(match.source.count))
    ours = target.constants(match.partner)
    for (_, before), (op, after) in zip(theirs, ours, strict=False):
        if before.shape == after.shape and not np.array_equal(before, after):
            shape = f"[{','.join(map(str, after.shape))}]"
            yield Note("inexact", "constants", f"{op} meets another constant {shape} than before")


def _other_sizes(source: Side, target: Side, new: Spread, twins: Twins) -> Iterator[Note]:
    """Compare how many entries meet along axes that no tensor has, such as places of a window."""
    nodes = target.units.graph.nodes
    for number in target.relevant:
        old = twins.nodes.get(number)
        if old is None or new.alone(nodes[number]):
            continue
        if source.untold(old) or target.untold(number):
            for before, after in zip(source.met(old), target.met(number), strict=False):
                if before.differs(after):
                    counts = (" x ".join(map(str, one.unknown or [1])) for one in (after, before))
                    said = f"{target.op(number)} takes {{}} entries together, {{}} before"
                    yield Note("inexact", "sizes", said.format(*counts), target.leads(number))


def _moved(
    match: Match,
    sides: tuple[Side, Side],
    outputs: Sequence[Placement],
    maps: Maps,
    kept: Collection[tuple[int, str]],
    limited: frozenset[str],
) -> Iterator[Note]:
    """Find what the network takes by position where other entries are than before."""
    if match.reach[1].tells:
        for where, ahead in moved(match, sides, outputs, maps, kept, limited):
            reason = "the network takes by position, and other entries are there"
            yield Note("inexact", where, reason, ahead)


def _picked(side: Side) -> Iterator[Note]:
    """Find constant picks across products, whose units coupling does not follow."""
    for pick in side.units.checks:
        if side.loses(pick.axis) or side.loses_picked(pick):
            reason = "entries are picked across a product of axes; their units are not followed"
            yield Note("inexact", side.where(pick.source) or side.where(pick.axis), reason)


def _other_outputs(match: Match) -> Iterator[Note]:
    if not match.pairs.outputs:
        sides = (match.source.graph.outputs, match.target.graph.outputs)
        theirs, ours = (", ".join(side) for side in sides)
        reason = f"the source gives {theirs}, the target {ours}: nothing can be kept or compared"
        yield Note("inexact", "outputs", reason)


def _lost_outputs(outputs: Sequence[Placement]) -> Iterator[Note]:
    for placement in outputs:
        both = placement.source is not None and placement.target is not None
        if both and not all(placement.dims):
            reason = "no entry of the old output is in the new one"
            yield Note("inexact", placement.name, reason, (placement.name,))


def _removed(match: Match) -> Iterator[Note]:
    """List the source tensors that no target tensor takes."""
    graph, taken = match.source.graph, {*match.pairs.tensors.values()}
    for name in (*graph.parameters, *graph.buffers, *graph.unreached):
        if name not in taken:
            yield Note("unused", name, "the target has no tensor of this name")


def _conditions(inputs: Sequence[Placement]) -> Iterator[Note]:
    for placement in inputs:
        if placement.source is not None:
            held = {one.name: one.value for one in placement.held}
            for name in dict.fromkeys([*lost_names(placement), *held]):
                value = held.get(name, held.get(placement.name, 0.0))
                yield Note("condition", name, f"is gone: the old function as if it were {value:g}")
            for name in _lost_values(placement):
                yield Note("condition", name, "is gone: the old function where it does not occur")


def _lost_values(placement: Placement) -> list[str]:
    """List the values of an integer input that the source alone knows, by name."""
    if placement.target is None:
        return []
    return [one.name for one in placement.labels if one.dim == -1 and one.target is None]


def lost_names(placement: Placement) -> list[str]:
    """List what the source alone sees of an input, by name; unnamed entries by number."""
    if placement.target is None:
        return [placement.name]
    named = [one.name for one in placement.labels if one.dim >= 0 and one.target is None]
    if placement.labels or placement.source is None:
        return named
    counts = zip(placement.source.shape, placement.dims, strict=False)
    lost = [
        (dim, size - sum(run.length for run in runs)) for dim, (size, runs) in enumerate(counts)
    ]
    return [f"{placement.name} dim {dim}: {count} entries" for dim, count in lost if count]


def _by_position(
    match: Match, inputs: Sequence[Placement], outputs: Sequence[Placement]
) -> Iterator[Note]:
    """Say where no names tell which entries of an input or output are the same.

    Outputs of one size are mostly the same entries; of another, nothing tells which came or went.
    """
    schema = match.target.graph.schema
    unsure = [placement for placement in inputs if placement.name not in schema.inputs]
    unsure += [p for p in outputs if p.name not in schema.outputs and _is_resized(p)]
    for placement in unsure:
        if placement.source and placement.target:
            yield Note("pairing", placement.name, "has no names: entries pair by position")


def _is_resized(placement: Placement) -> bool:
    sides = placement.source, placement.target
    return len({each.shape for each in sides if each is not None}) > 1


def _set_apart(tensors: Sequence[TensorPlan]) -> Iterator[Note]:
    for tensor in tensors:
        if tensor.reason:
            yield Note("unreached", tensor.target.name, tensor.reason)
        if tensor.source is not None and tensor.source.dtype != tensor.target.dtype:
            cast = f"{tensor.source.dtype} becomes {tensor.target.dtype}"
            yield Note("cast", tensor.target.name, cast)
