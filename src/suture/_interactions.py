"""Interactions: which features reach which entries of which parameters, by boolean logic.

Knows when a parameter meets data. Does not know any op: sets follow the axis specs (`_flow`).

Source: Raiman, Zhang and Dennison, *Neural Network Surgery with Sets*, section 2.3.2: parameter
with parameter, nothing; parameter with data, the parameter gains the data's features; data with
data, the union.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from suture._algebra import Algebra
from suture._bind import Bound, Window
from suture._errors import TraceError, demand
from suture._features import Features, features
from suture._flow import End, ends, flow, unite
from suture._graph import Graph, Node
from suture._phi import Interactions, Touched
from suture._sets import EMPTY, Ids, Sets


def interactions(graph: Graph) -> Interactions:
    """Find which features interact with which entries of which parameters.

    Every scalar of an input is a feature; a schema names them, and groups what it does not name.
    Nothing is run and no weight is read: feature sets follow the axis specs of the ops, so that
    time grows with the number of ops and of distinct sets. The result holds every interaction that
    the network can show; where a spec says that every entry of an axis reads every entry (`!`), it
    may hold more.

    Args:
        graph: what `suture.trace` recorded.

    Returns:
        The interactions of every parameter and buffer.

    Raises:
        SchemaError: two features have one full name.
        TraceError: something that is not a graph.

    Example:
        >>> import torch
        >>> from suture import Schema, Subject, trace
        >>> schema = Schema(inputs={"input": ["x", "v"]})
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 4))
        >>> phi = interactions(trace(Subject(model, (torch.zeros(5, 2),), schema=schema)))
        >>> phi.features
        ('input.x', 'input.v')
        >>> phi.mask("0.weight", "input.v")
        array([[False,  True]])
        >>> phi.total  # 6 entries with one feature each, 3 + 12 + 4 with both
        44

    Source: Raiman, Zhang and Dennison, *Neural Network Surgery with Sets*, section 2.3.2.
    """
    sentence = f"Interactions are found in a Graph, not in {type(graph).__name__}."
    demand(graph, Graph, TraceError(sentence, hint="trace it first: interactions(trace(subject))"))
    seen = features(graph)
    return boolean(graph, seen, Sets(len(seen.names)))


def boolean(graph: Graph, seen: Features, sets: Sets) -> Interactions:
    """Let the sets of some features flow through a graph, numbered in `sets`."""
    run = Run(graph, seen, sets)
    run.forward()
    return run.interactions()


def given_back(
    graph: Graph, names: Sequence[str], sets: Sets, met: Mapping[int, Ids]
) -> Interactions:
    """Give what met values made of parameters alone back to those parameters.

    Args:
        graph: what the model does.
        names: the features' full names.
        sets: where their sets are numbered.
        met: value that depends on no data -> the sets that met each entry.
    """
    touched = {value: ids[..., None] for value, ids in met.items()}
    return Run(graph, Features(tuple(names), {}), sets, touched=touched).interactions()


@dataclass(slots=True, eq=False)
class Run:
    """One pass of feature sets over a graph.

    Attributes:
        carried: value of data -> the sets that it carries.
        touched: value of parameters alone -> the sets that meet it.
        settled: says what a value carries, given what comes to it.
        own: the values that depend on parameters and constants alone.
        laid: values of data in which entries of parameters lie that have not met data: those that
            carry nothing.
    """

    graph: Graph
    seen: Features
    sets: Sets
    settled: Callable[[int, Ids], Ids] = lambda _, ids: ids
    carried: dict[int, Ids] = field(default_factory=dict)
    touched: dict[int, Ids] = field(default_factory=dict)
    own: set[int] = field(init=False)
    laid: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.own = without_data(self.graph)

    def forward(self) -> None:
        """Carry sets from the inputs to the outputs, again while a state changes."""
        for name, value in self.graph.inputs.items():
            nothing = np.full((1,) * (len(self.graph.values[value].shape) + 1), EMPTY)
            self.carried[value] = self.settled(value, self.seen.inputs.get(name, nothing))
        self._sweep()
        while self._remember():
            self._sweep()

    def _sweep(self) -> None:
        for node in self.graph.nodes:
            if not self.own.issuperset(node.inputs):
                self._meet(node)

    def _remember(self) -> bool:
        """Carry every state on into the next step; say whether one changed."""
        changed = False
        for output, state in self.graph.schema.state.items():
            new = self.carried.get(self.graph.outputs[output])
            old = self.carried[self.graph.inputs[state]]
            if new is not None and not np.array_equal(joined := unite(self.sets, [old, new]), old):
                self.carried[self.graph.inputs[state]] = joined
                changed = True
        return changed

    def _meet(self, node: Node) -> None:
        """Carry the data of one node on, and touch the parameters that it meets."""
        bound = with_constants(node, self.graph)
        inputs, outputs = ends(bound)
        data = [at for at, value in enumerate(node.inputs) if value in self.carried]
        sets = {at: self._read(node, at) for at in data}
        lays = False
        for at, value in enumerate(node.inputs):
            if value in self.laid or (value in self.own and value not in self.graph.constants):
                met = _met(node.algebra, at, data)
                arrays = [self._flow(bound, sets[o], inputs[o], inputs[at]) for o in met if o != at]
                self._touch(value, arrays)
                lays |= value in self.laid or all((ids == EMPTY).all() for ids in arrays)
        for value, end in zip(node.outputs, outputs, strict=True):
            arrays = [self._flow(bound, sets[at], inputs[at], end) for at in data]
            self.carried[value] = self.settled(value, unite(self.sets, arrays))
            if lays and (self.carried[value] == EMPTY).any():
                self.laid.add(value)
            for at in data:
                if node.inputs[at] in self.laid and not node.algebra[at].moves:
                    beside = self._flow(bound, sets[at], inputs[at], end)
                    back = self._flow(bound, beside, end, inputs[at])
                    self._touch(node.inputs[at], [back])

    def _read(self, node: Node, at: int) -> Ids:
        """Read an operand; what is not moved nor an index does not tell its values apart."""
        ids = self.carried[node.inputs[at]]
        tells = node.algebra[at].moves or node.bound.inputs[at].values is not None
        return ids if tells or ids.shape[-1] == 1 else self.sets.union(ids)[..., None]

    def _flow(self, bound: Bound, ids: Ids, source: End, target: End) -> Ids:
        return flow(self.sets, bound, ids, source, target)

    def _touch(self, value: int, arrays: list[Ids]) -> None:
        known = [self.touched[value]] if value in self.touched else []
        if known or arrays:
            met = unite(self.sets, [*known, *arrays])
            still = self.carried[value] == EMPTY if value in self.laid else True
            self.touched[value] = np.where(still, met, EMPTY)

    def interactions(self) -> Interactions:
        """Say what touches each parameter and buffer."""
        self._backward()
        graph = self.graph
        held = {**graph.parameters, **graph.buffers}
        held |= {name: held[twin] for name, twin in graph.mirrors.items()}
        touched = {
            name: Touched(graph.tensor(name), graph.kind(name), self._touches(value))
            for name, value in held.items()
        }
        idle = graph.unreached_parameters - held.keys()
        unreached = tuple(tensor for name, tensor in graph.unreached.items() if name in idle)
        return Interactions(self.seen.names, self.sets, touched, unreached)

    def _backward(self) -> None:
        """Give what touches a value made of parameters back to those parameters."""
        for node in reversed(self.graph.nodes):
            met = [v for v in node.outputs if v in self.touched and v not in self.graph.constants]
            if met and (self.own.issuperset(node.inputs) or not self.laid.isdisjoint(met)):
                self._give_back(node)

    def _give_back(self, node: Node) -> None:
        bound = with_constants(node, self.graph)
        inputs, outputs = ends(bound)
        for value, end in zip(node.inputs, inputs, strict=True):
            if value in self.laid or (value in self.own and value not in self.graph.constants):
                pairs = zip(node.outputs, outputs, strict=True)
                met = [(self.touched[v], start) for v, start in pairs if v in self.touched]
                self._touch(value, [self._flow(bound, ids, start, end) for ids, start in met])

    def _touches(self, value: int) -> Ids:
        """Give the sets that touch a parameter, one dim per dim of it."""
        rank = len(self.graph.values[value].shape)
        found = self.touched.get(value)
        return np.full((1,) * rank, EMPTY) if found is None else found[..., 0]


def without_data(graph: Graph) -> set[int]:
    """Find the values that depend on parameters, buffers and constants alone."""
    own = {*graph.parameters.values(), *graph.buffers.values(), *graph.constants}
    for node in graph.nodes:
        if own.issuperset(node.inputs):
            own.update(node.outputs)
    return own


def _met(algebra: Sequence[Algebra], at: int, data: Sequence[int]) -> list[int]:
    """List the data that an operand meets.

    Where two operands are only moved, each result is of one or the other. What is added to a
    product with data meets the product, which is data, and not the other factor.
    """
    met = [o for o in data if not (algebra[at].moves and algebra[o].moves)]
    factor = algebra[at].meeting == "mul" and any(algebra[o].meeting == "mul" for o in met)
    return [o for o in met if not (factor and algebra[o].meeting == "add")]


def with_constants(node: Node, graph: Graph) -> Bound:
    """Add what constant integers say of the axis that they index."""
    bound, windows = node.bound, []
    for operand, value in zip(bound.inputs, node.inputs, strict=True):
        entries = graph.constants.get(value)
        dims = [[axis.name for part in dim for axis in part] for dim in operand.dims]
        if operand.values and entries is not None and all(len(dim) == 1 for dim in dims):
            size = bound.sizes[operand.values]
            index = np.asarray(entries, np.int64) % size
            windows.append(Window(tuple(name for [name] in dims), operand.values, index))
    return replace(bound, windows=(*bound.windows, *windows)) if windows else bound
