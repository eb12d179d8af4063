"""The graph: what a trace leaves behind, free of any framework.

Knows values, nodes with their bound specs, and what the model calls its tensors. Holds no weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from suture._algebra import Algebra
from suture._bind import Bound, Shape
from suture._plan import Tensor
from suture._schema import Schema


@dataclass(frozen=True, slots=True)
class Place:
    """Where an op was called: the module's keypath and class, and the line of the user's code."""

    module: str
    kind: str
    line: str

    def __str__(self) -> str:
        where = f"{self.kind}.forward ({self.module})" if self.module else f"{self.kind}.forward"
        return f"{self.line}, {where}" if self.kind else self.line


@dataclass(frozen=True, slots=True)
class Value:
    """One tensor of the trace: shape in entries, dtype as `f32`."""

    shape: Shape
    dtype: str


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One op: the values it reads and gives (indices into `Graph.values`), its spec and algebra.

    `settings` are the numbers, switches and words among its arguments, as text; sizes are not.
    """

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    bound: Bound
    algebra: tuple[Algebra, ...]
    place: Place
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False, weakref_slot=True)
class Graph:
    """What a model does to shapes.

    Attributes:
        values: every tensor met, by index.
        nodes: every op in order of use.
        parameters: keypath -> value, of those that a call reached; tied ones under their first
            name.
        buffers: the same for the buffers that a state dict holds.
        inputs: keypath into the arguments -> value.
        outputs: keypath into the result -> value.
        constants: value -> its entries, of tensors that depend on neither weights nor inputs; None
            where they are not known.
        tied: first name -> the other names of the same tensor.
        unreached: parameters and buffers that no call reached.
        unreached_parameters: the parameters among them.
        mirrors: unreached name -> the reached twin whose plan it takes.
        schema: the names that the user gave.
    """

    values: tuple[Value, ...]
    nodes: tuple[Node, ...]
    parameters: Mapping[str, int]
    buffers: Mapping[str, int]
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    constants: Mapping[int, Any]
    tied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unreached: Mapping[str, Tensor] = field(default_factory=dict)
    unreached_parameters: frozenset[str] = frozenset()
    mirrors: Mapping[str, str] = field(default_factory=dict)
    schema: Schema = field(default_factory=Schema)

    def __repr__(self) -> str:
        sides = (", ".join(map(self._show, names)) for names in (self.inputs, self.outputs))
        count = f"{len(self.nodes)} ops, {len(self.parameters)} parameters"
        return f"Graph({' -> '.join(sides)}; {count})"

    def _show(self, name: str) -> str:
        return f"{name} {self.tensor(name).type}"

    @property
    def fingerprint(self) -> str:
        """A hex digest of the structure: names, shapes, ops and specs, not the weights."""
        digest = sha256()
        for text in self._lines():
            digest.update(text.encode())
        return digest.hexdigest()

    def _lines(self) -> list[str]:
        named = (self.parameters, self.buffers, self.inputs, self.outputs)
        lines = [
            f"{name}={value}:{self.values[value]}\n"
            for group in named
            for name, value in group.items()
        ]
        lines += [f"{name}:{tensor}\n" for name, tensor in self.unreached.items()]
        lines += [f"{self.schema}{self.tied}{self.mirrors}\n"]
        lines += [f"{node.op}{node.inputs}{node.outputs}{node.bound.spec}\n" for node in self.nodes]
        return lines

    def tensor(self, name: str) -> Tensor:
        """Describe a parameter, buffer, input, output or unreached tensor by name."""
        if name in self.unreached:
            return self.unreached[name]
        for group in (self.parameters, self.buffers, self.inputs, self.outputs):
            if name in group:
                value = self.values[group[name]]
                return Tensor(name, value.shape, value.dtype)
        raise KeyError(name)

    def kind(self, name: str) -> Literal["parameter", "buffer"]:
        """Say whether a tensor of the state dict is a parameter or a buffer."""
        parameters = {*self.parameters, *self.unreached_parameters}
        return "parameter" if name in parameters else "buffer"
