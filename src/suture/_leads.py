"""Leads: which outputs of a graph a value leads to.

Knows the order of the ops. Does not know what a value holds, nor how much of it gets through.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from suture._graph import Graph


def leads(graph: Graph, outputs: Collection[str]) -> Mapping[int, frozenset[str]]:
    """Say of every value that leads to some of these outputs to which."""
    found: dict[int, frozenset[str]] = {}
    for name in outputs:
        value = graph.outputs[name]
        found[value] = found.get(value, frozenset()) | {name}
    for node in reversed(graph.nodes):
        ahead = together(found, node.outputs)
        for value in node.inputs if ahead else ():
            found[value] = found.get(value, frozenset()) | ahead
    return found


def together(found: Mapping[int, frozenset[str]], values: Iterable[int]) -> frozenset[str]:
    """Name the outputs that some of these values lead to."""
    return frozenset[str]().union(*(found.get(value, ()) for value in values))


def told(ahead: frozenset[str], outputs: Collection[str]) -> tuple[str, ...]:
    """Write outputs in order, as a note does: none if they are all.

    Example:
        >>> told(frozenset({"v"}), ["a", "v"]), told(frozenset("av"), ["a", "v"])
        (('v',), ())
    """
    return () if len(ahead) == len(outputs) else tuple(o for o in outputs if o in ahead)
