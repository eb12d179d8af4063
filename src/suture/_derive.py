"""Deriving: the graph of a model of which only the tensors' shapes are left.

Knows that it is the changed model's graph with other sizes, and when that has one answer. What
would take more than sizes (a constant, an index, a number that may follow from a size) is refused.
Does not know how sizes follow from each other (`_sizes`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from suture._axes import Axes, Class, axes, operands
from suture._bind import Shape
from suture._errors import MatchError, SchemaError
from suture._graph import Graph, Node
from suture._pair import pair
from suture._plan import Note, Tensor
from suture._rename import Rules
from suture._schema import Labels, Schema, check, resolve
from suture._size_words import asked, dims, pinned
from suture._sizes import ContradictionError, Follows, Sizes, solve
from suture._unsure import unsure

Fact = tuple[str, str]

INSTEAD = "give the old model instead of its checkpoint"
SAME = "derived: taken to do what the target does, but at the sizes of the checkpoint"
BY_PLACE = "taken to be named as in the target, in that order: a checkpoint holds no names"


@dataclass(frozen=True, slots=True)
class Derived:
    """A graph that was derived, and what was taken for granted.

    Attributes:
        graph: the graph of the old model, as if it had been traced.
        notes: what nothing tells, for the plan.
    """

    graph: Graph
    notes: tuple[Note, ...]


def derive(
    target: Graph,
    tensors: Iterable[Tensor],
    rename: Rules | None = None,
    *,
    schema: Schema | None = None,
    sizes: Mapping[str, str] | None = None,
) -> Derived:
    """Derive the graph of an old model from the changed one's and the shapes of its checkpoint.

    Args:
        target: the graph of the changed model, from `suture.trace`.
        tensors: the names, shapes and dtypes of the checkpoint's tensors.
        rename: regular expression -> replacement for the names of the checkpoint's tensors where
            the target calls them otherwise, as in `suture.plan`.
        schema: what the old model's inputs and outputs were called; if None, as in the target, in
            that order, where their sizes are the same.
        sizes: what the shapes do not tell: `{"q.weight dim 0": "4x8"}` for the dim of a tensor of
            the target, or of several (`*` stands for any text), factors in C order and parts laid
            end to end as in `"4x8+4x8"`.

    Returns:
        The old model's graph under the checkpoint's names, for `suture.plan`, and notes that belong
        into its plan.

    Raises:
        MatchError: the target has layers that the checkpoint has not, or the reverse; no sizes fit,
            or several do; or something in the target is not known at other sizes.
        SchemaError: names that do not fit, or of which nobody can say what they were.

    Example:
        >>> import torch
        >>> from suture import Subject, trace
        >>> def graph(width):
        ...     layers = torch.nn.Linear(3, width), torch.nn.Tanh(), torch.nn.Linear(width, 2)
        ...     return trace(Subject(torch.nn.Sequential(*layers), (torch.zeros(5, 3),)))
        >>> old, new = graph(4), graph(6)
        >>> derived = derive(new, [old.tensor(name) for name in old.parameters])
        >>> derived.graph.fingerprint == old.fingerprint
        True
    """
    names = _paired(target, tensors, rename or {})
    found = axes(target)
    said = pinned(found, target, sizes or {})
    known = _known(found, target, names, schema or Schema(), said)
    solved = _solved(found, target, known)
    if facts := unsure(target, found, solved):
        sentence = "The target's graph does not tell what it is at the checkpoint's sizes."
        raise MatchError(sentence, _first(facts), INSTEAD)
    graph = _resized(target, found, solved, names)
    named, unsaid = _named(target, graph, schema, _values(target, found, solved))
    return Derived(replace(graph, schema=named), (Note("condition", "source", SAME), *unsaid))


def _paired(target: Graph, tensors: Iterable[Tensor], rules: Rules) -> dict[str, Tensor]:
    """Find the checkpoint's tensor for each of the target's.

    Raises:
        MatchError: tensors that only one side has, or of other ranks.
    """
    given = {tensor.name: tensor for tensor in tensors}
    old = Graph((), (), {}, {}, {}, {}, {}, unreached=given)
    found = pair(old, replace(target, inputs={}, outputs={}, schema=Schema()), rules).tensors
    held = {**target.parameters, **target.buffers}
    facts = [("target", f"{name} is not in the checkpoint") for name in held if name not in found]
    facts += [
        ("old", f"{name} {tensor.type} is not in the target, or not with as many dims")
        for name, tensor in given.items()
        if name not in found.values()
    ]
    if facts:
        sentence = "The checkpoint is not of a model that differs in sizes alone."
        raise MatchError(sentence, _first(facts), INSTEAD)
    return {name: given[old] for name, old in found.items()}


def _first(facts: list[Fact], shown: int = 6) -> list[Fact]:
    """Show some facts, and count the others."""
    more = [("and", f"{len(facts) - shown} more")] if len(facts) > shown else []
    return [*facts[:shown], *more]


def _known(
    found: Axes, target: Graph, names: Mapping[str, Tensor], schema: Schema, told: Sizes
) -> dict[Class, int]:
    """Give every class along a tensor of the checkpoint, or with names, its size there.

    `told` are sizes that somebody says.

    Raises:
        MatchError: one axis has several.
    """
    said: dict[Class, dict[int, str]] = {}
    for member in _ones(found, target):
        said.setdefault(found.find(member), {})[1] = "an op that broadcasts it"
    values = {**target.parameters, **target.buffers}
    for name, tensor in names.items():
        value = values.get(target.mirrors.get(name, name))
        if value is not None:
            for dim, (member, size) in enumerate(zip(found.dims[value], tensor.shape, strict=True)):
                said.setdefault(found.find(member), {}).setdefault(size, f"{name} dim {dim}")
    for member, size in told.items():
        said.setdefault(member, {}).setdefault(size, "what is said of sizes")
    for member, size, where in _counted(found, target, schema):
        said.setdefault(found.find(member), {}).setdefault(size, where)
    facts = [
        ("axis", ", ".join(f"{size} in {where}" for size, where in sizes.items()))
        for sizes in said.values()
        if len(sizes) > 1
    ]
    if facts:
        sentence = "An axis of the target has two sizes in the checkpoint."
        raise MatchError(sentence, facts, INSTEAD)
    return {member: size for member, sizes in said.items() for size in sizes}


def _counted(found: Axes, target: Graph, schema: Schema) -> Iterator[tuple[Class, int, str]]:
    """List the axes that a schema counts by naming their entries."""
    for group, values in ((schema.inputs, target.inputs), (schema.outputs, target.outputs)):
        for name, labels in group.items():
            value = values.get(name)
            if value is None:
                continue
            rank = len(found.dims[value])
            for dim, names in resolve(labels, rank).items():
                if dim is None and value in found.values:
                    yield found.values[value], len(names), f"the names of {name}"
                elif dim is not None and 0 <= dim < rank:
                    yield found.dims[value][dim], len(names), f"the names of {name} dim {dim}"


def _ones(found: Axes, target: Graph) -> Iterable[Class]:
    """List the dims that an op takes for a size of one."""
    for node in target.nodes:
        for operand, value in operands(node):
            dims = zip(found.dims[value], operand.dims, strict=True)
            yield from (member for member, parts in dims if not any(parts))


def _solved(found: Axes, target: Graph, known: Mapping[Class, int]) -> Sizes:
    """Find all sizes.

    Raises:
        MatchError: none fit, or several.
    """
    inputs = {found.find(c) for value in target.inputs.values() for c in found.dims[value]}
    try:
        solved = solve(found, known, inputs, [*_moves(found, target)])
    except ContradictionError as error:
        every = dims(found, target)
        facts = [("dim", name) for name, member in every.items() if member == error.whole]
        facts = facts or [("inputs", "of the sizes that the target's example has")]
        sentence = "No sizes of the target's graph fit the checkpoint."
        raise MatchError(sentence, facts, INSTEAD) from None
    if isinstance(solved, dict):
        return solved
    facts = asked(found, target, solved)
    told = [text.partition(", ")[0] for label, text in facts if label == "either"]
    hint = f"say the sizes: --size {told[0]!r}; or {INSTEAD}" if told else INSTEAD
    raise MatchError("The checkpoint does not tell all sizes of the old model.", facts, hint)


def _moves(found: Axes, target: Graph) -> Iterator[Follows]:
    """List what windows and indices make of which axis."""
    for node, names in zip(target.nodes, found.names, strict=True):
        for pick in node.bound.picks:
            yield Follows(found.find(names[pick.source]), (found.find(names[pick.axis]),))
        for window in node.bound.windows:
            results = tuple(found.find(names[name]) for name in window.axes)
            yield Follows(found.find(names[window.source]), results)


def _resized(
    target: Graph, found: Axes, sizes: Mapping[Class, int], names: Mapping[str, Tensor]
) -> Graph:
    """Give a graph other sizes, and its tensors the names and dtypes of the checkpoint's."""
    values = [
        replace(value, shape=tuple(sizes[found.find(member)] for member in found.dims[number]))
        for number, value in enumerate(target.values)
    ]
    for name, tensor in names.items():
        if name not in target.unreached:
            number = {**target.parameters, **target.buffers}[name]
            values[number] = replace(values[number], dtype=tensor.dtype)
    nodes = [
        _node(node, {name: sizes[found.find(member)] for name, member in of.items()})
        for node, of in zip(target.nodes, found.names, strict=True)
    ]
    old = {name: tensor.name for name, tensor in names.items()}
    return replace(
        target,
        values=tuple(values),
        nodes=tuple(nodes),
        parameters={old[name]: value for name, value in target.parameters.items()},
        buffers={old[name]: value for name, value in target.buffers.items()},
        constants={
            value: _constant(entries, values[value].shape)
            for value, entries in target.constants.items()
        },
        tied={old[name]: others for name, others in target.tied.items() if name in old},
        unreached={old[n]: names[n] for n in target.unreached if n in names},
        unreached_parameters=frozenset(
            old[name] for name in target.unreached_parameters if name in names
        ),
        mirrors={old[n]: old[twin] for n, twin in target.mirrors.items() if n in names},
    )


def _node(node: Node, sizes: Mapping[str, int]) -> Node:
    """Give a node other sizes; picks along those that change take nothing, as before."""
    picks = tuple(
        replace(pick, index=_constant(pick.index, (sizes[pick.axis],))) for pick in node.bound.picks
    )
    return replace(node, bound=replace(node.bound, sizes=sizes, picks=picks))


def _constant(entries: Any, shape: Shape) -> Any:
    """Give entries another shape; along dims that change they are all alike."""
    if entries is None or entries.shape == shape:
        return entries
    pairs = zip(entries.shape, shape, strict=True)
    first = entries[tuple(slice(None) if now == new else slice(1) for now, new in pairs)]
    return np.broadcast_to(first, shape)


def _values(target: Graph, found: Axes, sizes: Mapping[Class, int]) -> frozenset[str]:
    """Find the inputs whose values index an axis of another size than now."""
    indexed = {name: found.values.get(value) for name, value in target.inputs.items()}
    return frozenset(
        name
        for name, member in indexed.items()
        if member is not None and sizes[found.find(member)] != found.sizes[found.find(member)]
    )


def _named(
    target: Graph, graph: Graph, schema: Schema | None, others: Collection[str]
) -> tuple[Schema, list[Note]]:
    """Name the old model's inputs and outputs; `others` had other values.

    Raises:
        SchemaError: names that do not fit; or the target's names do not, and nobody gave others.
    """
    inputs, outputs = (
        {name: graph.values[value].shape for name, value in group.items()}
        for group in (graph.inputs, graph.outputs)
    )
    if schema is not None:
        check(schema, inputs, outputs)
        return schema, []
    facts = [
        (name, f"was {graph.tensor(name).type}, is {target.tensor(name).type} in the target")
        for group in (target.schema.inputs, target.schema.outputs)
        for name, labels in group.items()
        if _differs(target.tensor(name), graph.tensor(name), labels, name in others)
    ]
    if facts:
        sentence = "A checkpoint does not hold the names of the old model's features."
        hint = "give the old names: --source-schema path/to/file.py:function, or schema=Schema(...)"
        raise SchemaError(sentence, facts, hint)
    named = [*target.schema.inputs, *target.schema.outputs]
    return target.schema, [Note("pairing", name, BY_PLACE) for name in named]


def _differs(now: Tensor, old: Tensor, labels: Labels, others: bool) -> bool:
    """Whether as many names as before do not fit a tensor any more, or its values."""
    named = resolve(labels, len(now.shape))
    return any(others if dim is None else now.shape[dim] != old.shape[dim] for dim in named)
