"""Roles: what an op does with each dim of a parameter when it meets data.

Knows how a parameter is followed through views and arithmetic with other parameters up to the op
where it meets data. Does not know which entries are fresh (`_fill`).

At that op an axis of the parameter that reaches the result is *written*; one that does not is
*read* (contracted with data, or a kernel's taps), unless integers choose along it: then it is
*looked up*.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from suture._algebra import Meeting
from suture._axes import Axes, Class
from suture._graph import Graph, Node

Tag = tuple[str, int]
"""A parameter's name and one of its dims."""

Tags = tuple[frozenset[Tag], ...]
"""Per dim of a value computed from parameters alone, the parameter dims it comes from."""


@dataclass(frozen=True, slots=True)
class Use:
    """One meeting of a parameter with data.

    Attributes:
        node: where, as an index into `Graph.nodes`.
        reads: the axis classes read, with the parameter's dim.
        taps: those among them that no data has: the offsets of a kernel.
        lookups: the axis classes looked up, with the parameter's dim.
        frail: those read along which a 0 does not stay one on its way there (`exp`, a length).
        meeting: how the op meets the parameter, if it states it.
    """

    node: int
    reads: frozenset[tuple[int, Class]]
    taps: frozenset[tuple[int, Class]]
    lookups: frozenset[tuple[int, Class]]
    meeting: Meeting | None
    frail: frozenset[tuple[int, Class]] = frozenset()


def uses(graph: Graph, axes: Axes) -> dict[str, tuple[Use, ...]]:
    """List the uses of every parameter and buffer, by name, in order."""
    followed = tags(graph)
    frail = _frail(graph, followed)
    found: dict[str, list[Use]] = defaultdict(list)
    for number, node in enumerate(graph.nodes):
        for place in _meeting_places(node, followed, graph):
            for name, use in _uses_at(number, place, graph, axes, followed).items():
                lost = frozenset(role for role in use.reads if (name, role[0]) in frail)
                found[name].append(replace(use, frail=lost) if lost else use)
    for name, twin in graph.mirrors.items():
        found[name] = found[twin]
    return {name: tuple(each) for name, each in found.items()}


def tags(graph: Graph) -> Mapping[int, Tags]:
    """Follow parameters through everything that involves no data."""
    if graph not in _TAGS:
        _TAGS[graph] = _tags(graph)
    return _TAGS[graph]


_TAGS: WeakKeyDictionary[Graph, Mapping[int, Tags]] = WeakKeyDictionary()
"""What was followed, while the graph is there: each step of a plan asks for it."""


def _tags(graph: Graph) -> dict[int, Tags]:
    held = {**graph.parameters, **graph.buffers}
    found: dict[int, Tags] = {
        value: tuple(frozenset({(name, dim)}) for dim in range(len(graph.values[value].shape)))
        for name, value in held.items()
    }
    for node in graph.nodes:
        if any(value in found for value in node.inputs) and not has_data(node, found, graph):
            along = _along(node, found)
            for operand, value in zip(node.bound.outputs, node.outputs, strict=True):
                names = [{axis.name for part in dim for axis in part} for dim in operand.dims]
                found[value] = tuple(
                    frozenset().union(*(along[name] for name in dim)) for dim in names
                )
    return found


def _frail(graph: Graph, tags: Mapping[int, Tags]) -> frozenset[Tag]:
    """Find the parameter dims along which a 0 does not stay one where it is followed through.

    Along a mixed axis whose neutral element is 0 one does: the others keep the length.
    """
    found: set[Tag] = set()
    for node in graph.nodes:
        for operand, value, algebra in zip(
            node.bound.inputs, node.inputs, node.algebra, strict=True
        ):
            for dim, tag in zip(operand.dims, tags.get(value, ()), strict=False):
                kept = algebra.neutral == 0 and any(axis.mixed for part in dim for axis in part)
                if not algebra.zero and not kept:
                    found |= tag
    return frozenset(found)


def has_data(node: Node, tags: Mapping[int, Tags], graph: Graph) -> bool:
    """Whether a node reads anything but parameters and constants."""
    return any(value not in tags and value not in graph.constants for value in node.inputs)


def _along(node: Node, tags: Mapping[int, Tags]) -> dict[str, frozenset[Tag]]:
    """Find the parameter dims that each axis of a node comes from."""
    along: dict[str, frozenset[Tag]] = defaultdict(frozenset)
    for operand, value in zip(node.bound.inputs, node.inputs, strict=True):
        for dim, tag in zip(operand.dims, tags.get(value, ()), strict=False):
            for part in dim:
                for axis in part:
                    along[axis.name] |= tag
    for pick in node.bound.picks:
        along[pick.axis] |= along[pick.source]
    return along


def _meeting_places(node: Node, tags: Mapping[int, Tags], graph: Graph) -> list[int]:
    """List the operands at which parameters meet data; of parameters alone, the last reads."""
    places = [place for place, value in enumerate(node.inputs) if value in tags]
    if has_data(node, tags, graph):
        return places
    return places[-1:] if len(places) > 1 else []


def _uses_at(
    number: int, place: int, graph: Graph, axes: Axes, tags: Mapping[int, Tags]
) -> dict[str, Use]:
    node, names = graph.nodes[number], axes.names[number]
    kept = {a.name for o in node.bound.outputs for dim in o.dims for part in dim for a in part}
    kept |= {pick.source for pick in node.bound.picks if pick.axis in kept}
    others = [operand for i, operand in enumerate(node.bound.inputs) if i != place]
    met = {a.name for o in others for dim in o.dims for part in dim for a in part}
    indexed = {operand.values for operand in node.bound.inputs if operand.values}
    found: dict[str, dict[str, set[tuple[int, Class]]]] = {}
    operand, value = node.bound.inputs[place], node.inputs[place]
    for dim, tag in zip(operand.dims, tags[value], strict=True):
        for name, number_of_dim in tag:
            groups = found.setdefault(name, {"reads": set(), "taps": set(), "lookups": set()})
            for axis in (axis.name for part in dim for axis in part):
                role = (number_of_dim, axes.find(names[axis]))
                if axis in indexed:
                    groups["lookups"].add(role)
                elif axis not in kept:
                    groups["reads"].add(role)
                    groups["taps"] |= {role} if axis not in met else set()
    meeting = node.algebra[place].meeting
    return {
        name: Use(
            number,
            frozenset(groups["reads"]),
            frozenset(groups["taps"]),
            frozenset(groups["lookups"]),
            meeting,
        )
        for name, groups in found.items()
    }
