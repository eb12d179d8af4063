"""What a network takes by position: slices, picks, windows, constants that vary along an axis.

Knows whether anything that a match moves, adds or loses lies along such an axis. Does not know what
comes of it (`_trail`): that is asked only where something may.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from suture._axes import Class
from suture._couple import Units
from suture._fill import below
from suture._graph import Graph, Node
from suture._match import Match
from suture._occurrences import Positions
from suture._plan import Placement
from suture._strange import Maps
from suture._world import spread


def may_move(match: Match, maps: Maps, placements: Sequence[Placement]) -> bool:
    """Whether an op may find other entries where it looks for them by position.

    Not where both networks are wired alike, entries keep their order, and none come or go along an
    axis that an op takes by position.

    Args:
        match: which unit is which.
        maps: where the positions of the dims of paired tensors come from.
        placements: the same of inputs and outputs.
    """
    if _wiring(match.source.graph) != _wiring(match.target.graph):
        return True
    changed: tuple[set[Class], set[Class]] = set(), set()
    for at, found in (*maps.items(), *_placed(placements)):
        kept = found[found >= 0]
        if (np.diff(kept) < 0).any():
            return True
        theirs, ours = match.classes(at)
        if len(kept) < len(found) or len(kept) < match.source.axes.sizes[theirs]:
            changed[0].add(theirs)
            changed[1].add(ours)
    sides = zip((match.source, match.target), changed, strict=True)
    return any(not _by_position(units).isdisjoint(below(units.axes, own)) for units, own in sides)


def _wiring(graph: Graph) -> list[object]:
    """List what reads what, whatever its sizes."""
    held = (graph.parameters, graph.buffers, graph.inputs, graph.outputs)
    return [*map(dict, held), *((node.op, node.inputs, node.outputs) for node in graph.nodes)]


def _placed(placements: Sequence[Placement]) -> Iterator[tuple[tuple[str, int], Positions]]:
    """List where the positions of the dims of inputs and outputs come from."""
    for placement in placements:
        for dim, runs in enumerate(placement.dims):
            theirs, ours = spread(runs)
            size = placement.target.shape[dim] if placement.target else 0
            found = np.full(size, -1)
            found[ours] = theirs
            yield (placement.name, dim), found


def _by_position(units: Units) -> set[Class]:
    """Find the axes that some op takes by position, with all that they are made of."""
    axes = units.axes
    found: set[Class] = set()
    for node, names in zip(units.graph.nodes, axes.names, strict=True):
        found.update(names[name] for name in _taken(node))
        for value, operand in zip(node.inputs, node.bound.inputs, strict=True):
            dims = zip(axes.dims[value], operand.dims, strict=True)
            found.update(member for member, parts in dims if len(parts) > 1)
            if _varies(units.graph.constants.get(value)):
                found.update(axes.dims[value])
    return below(axes, found)


def _taken(node: Node) -> Iterator[str]:
    """List the axes of a node along which constant indices choose."""
    for pick in node.bound.picks:
        yield from (pick.axis, pick.source)
    for window in node.bound.windows:
        yield window.source


def _varies(entries: object) -> bool:
    array = None if entries is None else np.asarray(entries)
    return array is not None and bool(array.size and (array != array.flat[0]).any())
