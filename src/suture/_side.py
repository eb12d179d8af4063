"""One side of a match, node by node: what is preserved where, and on the way to which output.

Knows one graph with its units and which of them have a partner. Does not know what follows for
the plan (`_promise`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suture._algebra import Algebra
from suture._axes import Class, Picked
from suture._couple import Column, Units, marked, plain
from suture._graph import Node
from suture._leads import leads, together, told
from suture._match import Match
from suture._roles import Tags, Use, has_data, tags
from suture._twins import words


class Met(NamedTuple):
    """How many entries of an axis meet at an op.

    `unknown` are the sizes of its factors that no tensor has, such as the places of a window.
    """

    entries: int
    unknown: tuple[int, ...]

    def differs(self, other: Met) -> bool:
        """Whether an op takes other entries together, as far as no tensor has them."""
        known = not (self.unknown and other.unknown)
        return self.unknown != other.unknown and not (known and self.entries == other.entries)


@dataclass(slots=True, eq=False)
class Side:
    """One graph of a match.

    Attributes:
        units: its units.
        changed: unit -> whether the other side lacks it.
        paired: the tensors of the state dict that the other side has.
        uses: what ops do with the parameters.
        from_inputs: unit -> whether it is an entry of an input.
        parameters: the values that come from parameters alone.
        twins: the nodes that the other side has too.
        passed: node -> the operand that it leaves as it is.
        alike: the nodes that change nothing at first.
        relevant: the nodes that lead to a shared output and give something preserved.
        shared: the outputs that the other side has.
        ahead: value -> those that it leads to.
    """

    units: Units
    changed: NDArray[np.bool_]
    paired: frozenset[str]
    uses: Mapping[str, tuple[Use, ...]]
    from_inputs: NDArray[np.bool_]
    parameters: Mapping[int, Tags]
    twins: frozenset[int] = frozenset()
    passed: Mapping[int, int] = field(default_factory=dict)
    alike: frozenset[int] = frozenset()
    relevant: tuple[int, ...] = ()
    shared: tuple[str, ...] = ()
    ahead: Mapping[int, frozenset[str]] = field(default_factory=dict)
    states: dict[Class, tuple[bool, bool, bool]] = field(default_factory=dict)
    places: dict[Class, str] = field(default_factory=dict)
    unknown: dict[Class, tuple[int, ...]] = field(default_factory=dict)
    ways: dict[tuple[int, tuple[bool, ...]], dict[str, str]] = field(default_factory=dict)

    def keeps(self, member: Class) -> bool:
        """Whether some entry of a class is preserved, or none of a tensor's."""
        return self._state(member)[0]

    def loses(self, member: Class) -> bool:
        """Whether some entry of a class is changed."""
        return self._state(member)[1]

    def loses_inner(self, member: Class) -> bool:
        """Whether some entry of a class is changed that is not simply an input's."""
        return self._state(member)[2]

    def loses_picked(self, pick: Picked) -> bool:
        """Whether some entry that a constant index picks is changed."""
        column = plain(self.units.layout(pick.source))
        if column is None:
            return self.loses(pick.source)
        return bool(self._marks(column[pick.index[pick.index >= 0]])[0].any())

    def _state(self, member: Class) -> tuple[bool, bool, bool]:
        member = self.units.axes.find(member)
        if member not in self.states:
            marks = [
                [self._marks(column) for column in segment] for segment in self.units.layout(member)
            ]
            changed = np.concatenate([marked([m[0] for m in segment]) for segment in marks])
            inner = np.concatenate([marked([m[1] for m in segment]) for segment in marks])
            self.states[member] = bool((~changed).any()), bool(changed.any()), bool(inner.any())
        return self.states[member]

    def _marks(self, column: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        known = column >= 0
        changed = known & self.changed[column]
        return changed, changed & ~self.from_inputs[column]

    def op(self, number: int) -> str:
        """Name a node's op and its module."""
        node = self.units.graph.nodes[number]
        packet = node.op.rpartition(".")[0].removeprefix("aten.")
        return f"{packet} in {node.place.module}" if node.place.module else packet

    def leads(self, number: int) -> tuple[str, ...]:
        """Name the outputs that a node leads to, as notes do: none if it leads to all."""
        return told(together(self.ahead, self.units.graph.nodes[number].outputs), self.shared)

    def hear(self, name: str) -> frozenset[str]:
        """Name the shared outputs that a parameter leads to."""
        nodes = self.units.graph.nodes
        values = (value for use in self.uses.get(name, ()) for value in nodes[use.node].outputs)
        return together(self.ahead, values)

    def ops(self, without: Callable[[Node], bool]) -> dict[str, list[str]]:
        """List the ops that compute something preserved on the way to each shared output."""
        nodes, found = self.units.graph.nodes, {name: list[str]() for name in self.shared}
        for number in self.relevant:
            if number in self.alike or without(nodes[number]):
                continue
            names = filter(None, [self.computes(number)])
            for name in names:
                for output in together(self.ahead, nodes[number].outputs):
                    found[output].append(name)
        return found

    def computes(self, number: int) -> str | None:
        """Name what a node computes; None if it moves entries, or adds or multiplies a parameter.

        Those parameters are accounted for one by one: a fresh one starts as the identity. So is the
        number that a node multiplies by which the other side has too.
        """
        node = self.units.graph.nodes[number]
        if all(algebra.moves for algebra in node.algebra):
            return None
        own = [value in self.parameters for value in node.inputs]
        data = [a for a, parameter in zip(node.algebra, own, strict=True) if not parameter]
        met = {a.meeting for a, parameter in zip(node.algebra, own, strict=True) if parameter}
        said = words(node) if number in self.twins else node.settings
        settings = f"({', '.join(said)})" if said else ""
        contracted = set(meetings(node, own).values()) - {TAPS}
        if len(data) == 1 and data[0].linear and met and met <= {"add", "mul"} and not contracted:
            return None
        bilinear = sum(a.linear and a.meeting == "mul" for a in node.algebra) == 2
        if contracted and bilinear and all(a.linear for a in node.algebra):
            mixed = any(
                axis.mixed for o in node.bound.inputs for d in o.dims for p in d for axis in p
            )
            return (node.op.rpartition(".")[0] if mixed else "contraction") + settings
        return node.op.rpartition(".")[0] + settings

    def alone(self) -> Iterator[tuple[str, Use]]:
        """List the uses, at relevant nodes, of parameters that the other side lacks."""
        relevant = set(self.relevant)
        for name, uses in self.uses.items():
            if name not in self.paired:
                yield from ((name, use) for use in uses if use.node in relevant)

    def meetings(self, number: int) -> dict[str, str]:
        """Say how the entries of each axis of a node meet each other; see `meetings`."""
        node = self.units.graph.nodes[number]
        if not has_data(node, self.parameters, self.units.graph):
            return {}
        # Layers that are alike share one bound spec.
        own = tuple(value in self.parameters for value in node.inputs)
        key = id(node.bound), own
        if key not in self.ways:
            self.ways[key] = meetings(node, own)
        return self.ways[key]

    def constants(self, called: Column) -> list[tuple[str, NDArray[Any]]]:
        """List the constants that vary and meet something preserved, with the op they meet in.

        What they choose from an axis is given as units, by the numbers that those are `called`.
        """
        nodes = self.units.graph.nodes
        found = (
            (self.op(number), self._constant(number, at, called))
            for number in self.relevant
            if number not in self.alike
            for at in range(len(nodes[number].inputs))
        )
        return [(op, entries) for op, entries in found if entries is not None]

    def _constant(self, number: int, at: int, called: Column) -> NDArray[Any] | None:
        node, names = self.units.graph.nodes[number], self.units.axes.names[number]
        entries: NDArray[Any] | None = self.units.graph.constants.get(node.inputs[at])
        if entries is None or not _varies(entries):
            return None
        axis = _indexed(node, at)
        column = None if axis is None else plain(self.units.layout(names[axis]))
        known = column is not None and (column >= 0).all()
        return called[column[entries]] if column is not None and known else entries

    def met(self, number: int) -> list[Met]:
        """List how many entries meet at a node, axis by axis, and of factors in no tensor."""
        node, names = self.units.graph.nodes[number], self.units.axes.names[number]
        # What a window slides along is not taken together, only what is in one window.
        long = {window.source for window in node.bound.windows}
        ways = self.meetings(number).items()
        together = (names[name] for name, how in ways if how != READ and name not in long)
        sizes = self.units.axes.sizes
        return [Met(sizes[self.units.axes.find(one)], self._unknown(one)) for one in together]

    def untold(self, number: int) -> bool:
        """Whether a node has an axis with factors that no tensor has."""
        return any(map(self._unknown, self.units.axes.names[number].values()))

    def _unknown(self, member: Class) -> tuple[int, ...]:
        member = self.units.axes.find(member)
        if member not in self.unknown:
            columns = (column for segment in self.units.layout(member) for column in segment)
            long = (column for column in columns if len(column) > 1)
            self.unknown[member] = tuple(len(c) for c in long if (c < 0).any())
        return self.unknown[member]

    def silent(self) -> frozenset[int]:
        """List the values that are 0 wherever an input is that the other side lacks, held at 0."""
        graph, dims = self.units.graph, self.units.axes.dims
        found = set(graph.inputs.values())
        for node in graph.nodes:
            operands = zip(node.inputs, node.algebra, strict=True)
            if all(
                _keeps_zero(value, algebra, found, self.parameters) for value, algebra in operands
            ):
                found.update(node.outputs)
            found.update(v for v in node.outputs if not any(map(self.loses, dims[v])))
        return frozenset(found)

    def where(self, member: Class) -> str:
        """Name the tensors whose dims hold the changed units of a class."""
        member = self.units.axes.find(member)
        if member not in self.places:
            self.places[member] = self._where(member)
        return self.places[member]

    def _where(self, member: Class) -> str:
        columns = [column for segment in self.units.layout(member) for column in segment]
        column = np.concatenate(columns)
        column = column[(column >= 0) & self.changed[column]]
        found = [
            f"{name} dim {dim}"
            for name, dims in self.units.tensors.items()
            for dim, layout in enumerate(dims)
            if any(np.isin(column[:1], c).any() for segment in layout for c in segment)
        ]
        return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def _indexed(node: Node, at: int) -> str | None:
    """Name the axis that an operand's entries choose from, if they do."""
    operand = node.bound.inputs[at]
    dims = [axis.name for dim in operand.dims for part in dim for axis in part]
    picked = [pick.source for pick in node.bound.picks if dims == [pick.axis]]
    return operand.values or next(iter(picked), None)


def _varies(entries: NDArray[Any]) -> bool:
    return bool(entries.size and (entries != entries.flat[0]).any())


def _keeps_zero(
    value: int, algebra: Algebra, silent: Collection[int], parameters: Collection[int]
) -> bool:
    """Whether an operand leaves the result 0 where the silent ones are."""
    return algebra.zero and (value in silent or (value in parameters and algebra.meeting == "mul"))


def sides(match: Match) -> tuple[Side, Side]:
    """Look at both sides of a match: the source, which loses units, and the target."""
    back = np.full(match.source.count, -1, np.int64)
    known = np.flatnonzero(match.partner >= 0)
    back[match.partner[known]] = known
    pairs = match.pairs
    return (
        _side(
            match.source,
            (match.same >= 0) & (back[match.same] == -1),
            pairs.tensors.values(),
            match.uses[0],
            pairs.outputs,
        ),
        _side(match.target, match.partner == -1, pairs.tensors, match.uses[1], pairs.outputs),
    )


def _side(
    units: Units,
    changed: NDArray[np.bool_],
    paired: Iterable[str],
    uses: Mapping[str, tuple[Use, ...]],
    outputs: Iterable[str],
) -> Side:
    from_inputs = np.zeros(units.count, np.bool_)
    for name in units.graph.inputs:
        for layout in (*units.tensors[name], units.values.get(name, ())):
            for column in (column for segment in layout for column in segment):
                from_inputs[column] = True
    side = Side(units, changed, frozenset(paired), uses, from_inputs, tags(units.graph))
    side.shared = tuple(outputs)
    side.relevant = tuple(_relevant(side, side.shared))
    side.ahead = leads(units.graph, side.shared)
    return side


def _relevant(side: Side, outputs: Iterable[str]) -> list[int]:
    """List the nodes, in order, that lead to a shared output and give something preserved."""
    graph, axes = side.units.graph, side.units.axes
    needed = {graph.outputs[name] for name in outputs}
    found = []
    for number in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[number]
        if needed.isdisjoint(node.outputs) or graph.constants.keys() >= set(node.outputs):
            continue
        needed.update(node.inputs)
        if all(side.keeps(dim) for dim in axes.dims[node.outputs[0]]):
            found.append(number)
    return found[::-1]


READ = "read"
MIXED = "mixed with preserved ones"
CONTRACTED = "contracted with other data"
REDUCED = "reduced"
TAPS = "taps of a kernel, read"


def meetings(node: Node, parameter: Sequence[bool]) -> dict[str, str]:
    """Say how the entries of each axis meet each other in a node, where they do.

    `parameter` says of each operand whether it comes from parameters alone. `READ` means that a
    parameter stands between them; every other word is for people.
    """
    kept = {a.name for o in node.bound.outputs for dim in o.dims for part in dim for a in part}
    kept |= {pick.source for pick in node.bound.picks}
    indexed = {operand.values for operand in node.bound.inputs if operand.values}
    found: dict[str, str] = {}
    holders: dict[str, list[bool]] = {}
    for operand, is_parameter in zip(node.bound.inputs, parameter, strict=True):
        for axis in (axis for dim in operand.dims for part in dim for axis in part):
            holders.setdefault(axis.name, []).append(is_parameter)
            if axis.mixed:
                found[axis.name] = MIXED
    unread = {pick.axis for pick in node.bound.picks if (pick.index < 0).all()}
    unread |= {name for name in _cut_off(node) if len(holders[name]) == 1}
    for name, owners in holders.items():
        if name in found or name in kept | indexed | unread:
            continue
        if owners == [True] and not all(parameter):
            found[name] = TAPS
        elif any(owners):
            found[name] = READ
        else:
            found[name] = CONTRACTED if len(owners) > 1 else REDUCED
    return found


def _cut_off(node: Node) -> set[str]:
    """List the axes that are part of a sum: those that stand nowhere else are not read at all."""
    sums = [dim for operand in node.bound.inputs for dim in operand.dims if len(dim) > 1]
    return {axis.name for dim in sums for part in dim for axis in part}
