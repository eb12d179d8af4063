"""Features: what a network sees, entry by entry, and what each is called.

Knows inputs, their named dims and values. Does not know how features reach parameters
(`_interactions`).

Every scalar of an input is a feature. Where a schema names dims of an input, those dims tell
features apart and the others group them: `obs.theta` is theta in every row of the batch. Where it
names the values of an integer input, each value is a feature. Of an input without names, dims along
which the network only repeats itself (a batch) group too; the others count: `image.0.3.5`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate, product
from math import prod

import numpy as np

from suture._axes import Axes, Class, axes
from suture._errors import SchemaError, near_miss
from suture._fill import below
from suture._graph import Graph, Node
from suture._refine import refine
from suture._schema import resolve
from suture._sets import EMPTY, Ids


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """The features of a graph.

    Attributes:
        names: feature -> its full name.
        inputs: keypath of an input -> its entries as sets (`_sets`): one dim per dim of the input,
            of size one where it groups, and one for the values of an integer.
    """

    names: tuple[str, ...]
    inputs: Mapping[str, Ids]


def numbers(names: Sequence[str], name: str) -> Ids:
    """Find a feature by its full name, or all features below a beginning of their names.

    Raises:
        SchemaError: there is none.

    Example:
        >>> names = ("obs", "hero.0.health", "hero.0.mana", "hero.1.health")
        >>> numbers(names, "obs").tolist(), numbers(names, "hero.0").tolist()
        ([0], [1, 2])
    """
    if name in names:
        return np.array([names.index(name)])
    beginning = f"{name}."
    below = [at for at, full in enumerate(names) if full.startswith(beginning)]
    if below:
        return np.array(below)
    facts = [("features", f"{len(names):,}, e.g. {', '.join(names[:3])}" if names else "none")]
    known = [*dict.fromkeys(beginning for full in names for beginning in _beginnings(full))]
    raise SchemaError(f"No feature is called {name!r}.", facts, near_miss(name, known))


def _beginnings(name: str) -> list[str]:
    """List a name and what it begins with, the shortest first."""
    return [*accumulate(name.split("."), "{}.{}".format)]


def features(graph: Graph) -> Features:
    """List the features of a graph, in order of its inputs.

    Raises:
        SchemaError: two features have one full name.
    """
    names: list[str] = []
    inputs: dict[str, Ids] = {}
    for keypath, dims in _told_apart(graph).items():
        shape = [len(dim) for dim in dims]
        inputs[keypath] = np.arange(len(names), len(names) + prod(shape)).reshape(shape) + 1
        names += _full(keypath, dims)
    _refuse_twice(names)
    return Features(tuple(names), inputs)


def common(
    source: Graph, target: Graph, cuts: tuple[Mapping[str, Dims], Mapping[str, Dims]]
) -> tuple[Features, Features]:
    """Give the features that both schemas know one number on both sides.

    An input without names counts as one feature, by its keypath, or as one for each of the parts
    that `cuts` number (`_cuts`). What only one side knows is one feature, the last, called `""`.
    """
    sides = [
        {k: parts.get(k) or _named(graph, k) for k in seen(graph)}
        for graph, parts in zip((source, target), cuts, strict=True)
    ]
    full = [{k: _full(k, dims) for k, dims in side.items()} for side in sides]
    known = [{name for names in spelt.values() for name in names} for spelt in full]
    shared = sorted(known[0] & known[1])
    number = {name: place + 1 for place, name in enumerate(shared)}
    places = [{name for k, dims in side.items() for name in _full(k, dims[:-1])} for side in sides]
    theirs, ours = (
        Features((*shared, ""), {k: _numbered(k, side[k], spelt[k], number, other) for k in side})
        for side, spelt, other in zip(sides, full, places[::-1], strict=True)
    )
    return theirs, ours


def _numbered(
    keypath: str, dims: Dims, full: Sequence[str], number: Mapping[str, int], others: Set[str]
) -> Ids:
    """Give the entries of an input their numbers; `others` are places that the other side knows.

    A value that the other side does not know counts for nothing at a place that it knows: it never
    occurs in a state that both know.
    """
    absent = [EMPTY if place in others else len(number) + 1 for place in _full(keypath, dims[:-1])]
    each = np.repeat(absent, len(dims[-1])) if dims[-1] is not GROUPED else np.array(absent)
    found = [number.get(name, int(at)) for name, at in zip(full, each, strict=True)]
    return np.array(found, np.int64).reshape([len(dim) for dim in dims])


def seen(graph: Graph) -> list[str]:
    """List the inputs that are seen; a state that an output carries on is remembered instead."""
    return [name for name in graph.inputs if name not in graph.schema.state.values()]


Dims = tuple[Sequence[str], ...]
"""Per dim of an input, and last for its values, what its entries are called; `""` groups them."""

GROUPED = ("",)
"""What the entries of a dim are called that are not told apart."""


def _told_apart(graph: Graph) -> dict[str, Dims]:
    """Say of every input which of its entries are told apart, and how."""
    unnamed = [name for name in seen(graph) if name not in graph.schema.inputs]
    repeated = _repeated(graph) if unnamed else {}
    return {
        name: (*repeated[name], GROUPED) if name in repeated else _named(graph, name)
        for name in seen(graph)
    }


def _named(graph: Graph, keypath: str) -> Dims:
    """Tell the entries of an input apart by what a schema names."""
    rank = len(graph.tensor(keypath).shape)
    labels = graph.schema.inputs.get(keypath)
    told = {} if labels is None else resolve(labels, rank)
    return (*(told.get(dim, GROUPED) for dim in range(rank)), told.get(None, GROUPED))


def _full(keypath: str, dims: Dims) -> list[str]:
    """Write the full names of all entries, in C order."""
    plain = [dim for dim in dims if dim is not GROUPED]
    return [".".join((keypath, *parts)) for parts in product(*plain)]


def _refuse_twice(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        twice = [(name, f"{n} features") for name, n in Counter(names).items() if n > 1]
        sentence = "Features have one full name."
        raise SchemaError(sentence, twice, "leave dots out of the names of a schema")


def _repeated(graph: Graph) -> dict[str, Dims]:
    """Tell the entries of inputs apart by position, but along dims that the network only repeats.

    Along such a dim nothing is contracted, mixed, picked or looked up, and no parameter has it, so
    exchanging two of its entries exchanges what they reach and nothing else.
    """
    found = axes(graph)
    refine(found)
    used = below(found, _used(graph, found))
    return {
        name: tuple(
            GROUPED if used.isdisjoint(below(found, {member})) else [*map(str, range(size))]
            for member, size in zip(found.dims[value], graph.values[value].shape, strict=True)
        )
        for name, value in graph.inputs.items()
        if name not in graph.schema.inputs
    }


def _used(graph: Graph, found: Axes) -> set[Class]:
    """Find the classes of which single entries matter to some op or parameter."""
    held = {**graph.parameters, **graph.buffers}.values()
    used = {member for value in held for member in found.dims[value]} | {*found.values.values()}
    for node, names in zip(graph.nodes, found.names, strict=True):
        used.update(names[name] for name in _chosen(node))
    return used


def _chosen(node: Node) -> set[str]:
    """Find the axes of a node that do not simply pass through it, entry by entry."""
    read, kept = (
        [axis for operand in side for dim in operand.dims for part in dim for axis in part]
        for side in (node.bound.inputs, node.bound.outputs)
    )
    mixed = {axis.name for axis in read if axis.mixed}
    gone = {axis.name for axis in read} - {axis.name for axis in kept}
    return gone | mixed | {name for pick in node.bound.picks for name in (pick.axis, pick.source)}
