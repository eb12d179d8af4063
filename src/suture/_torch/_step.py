"""Steps: the nodes that a probe runs, and what each of their operands is to it.

Knows how operands meet, from an op's algebra. Does not know features (`_pass`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import torch
from torch import Tensor

from suture._bind import BoundOperand
from suture._graph import Node
from suture._torch._drawn import is_float
from suture._torch._recording import Made
from suture._torch._running import Run, difference, running, stands_in, two_parts
from suture._torch._weights import Weights


class Role(Enum):
    """What an operand is to a probe.

    DATA may carry a feature. MET is a weight in a contraction with data, whose gradient is told
    from what is not zero; SCALE is any other weight, with a gradient of its own for each feature.
    BIAS is a weight that is added, and held at zero. FIXED is a constant, zero if it is added.
    """

    DATA = auto()
    MET = auto()
    SCALE = auto()
    BIAS = auto()
    FIXED = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One node that reads data.

    Attributes:
        chooses: the operand that says which of the others is meant, if data does.
        roles: per operand what it is.
        still: per operand its value, of those that are no data.
        floats: the results that have a gradient.
        run: runs its stand-in.
    """

    node: Node
    made: Made
    chooses: tuple[int, ...]
    roles: tuple[Role, ...]
    still: tuple[Tensor | None, ...]
    floats: tuple[int, ...]
    run: Run

    @property
    def data(self) -> list[int]:
        """The operands that may carry a feature."""
        return [at for at, role in enumerate(self.roles) if role is Role.DATA]

    @property
    def moves(self) -> bool:
        """Whether data is only moved."""
        return all(self.node.algebra[at].moves for at in self.data)

    def meeting(self, at: int) -> str | None:
        """Say how an operand meets the others."""
        return self.node.algebra[at].meeting

    def result(self, value: int) -> BoundOperand:
        """Give the dims of a result."""
        return self.node.bound.outputs[self.node.outputs.index(value)]


# What is no data is held at zero here too, as if it were added: else it would be the better one.
_KEEP_THE_BETTER = frozenset(
    f"aten.{name}"
    for name in ("maximum", "minimum", "fmax", "fmin", "clamp", "clamp_min", "clamp_max")
)

_CONDITIONS = {"aten.where.self": 0, "aten.masked_fill.Tensor": 1, "aten.masked_fill.Scalar": 1}
"""Ops that choose by an operand that is no integer: which."""


def step(node: Node, made: Made, data: set[int], weights: Weights) -> Step:
    """Say how a node that reads data is run."""
    chooses = _choosing(node, made, data)
    roles = [_role(node, made, at, data, weights, chooses) for at in range(len(node.inputs))]
    if _is_a_sum(node, roles):
        roles = [Role.SCALE if role is Role.MET else role for role in roles]
    still = tuple(
        None if role is Role.DATA else _held(node, made, at, weights, chooses)
        for at, role in enumerate(roles)
    )
    floats = tuple(value for value in node.outputs if is_float(weights.graph.values[value].dtype))
    run = running(made, weights.repairs)
    if not chooses and floats:
        run = _starting_at_zero(run, node, made, roles, still, weights)
    return Step(node, made, chooses, tuple(roles), still, floats, run)


def _choosing(node: Node, made: Made, data: set[int]) -> tuple[int, ...]:
    """List the operands with data that say which entries of the others are meant."""
    condition = _CONDITIONS.get(str(made.op))
    operands = enumerate(zip(node.inputs, node.bound.inputs, strict=True))
    return tuple(
        at
        for at, (value, operand) in operands
        if value in data and (operand.values is not None or at == condition)
    )


def _role(
    node: Node, made: Made, at: int, data: set[int], weights: Weights, chooses: tuple[int, ...]
) -> Role:
    value, algebra = node.inputs[at], node.algebra[at]
    if value in data:
        return Role.DATA
    if not weights.has_gradient(value):
        return Role.FIXED
    if chooses:
        return Role.SCALE
    if _is_added(node, made, at):
        return Role.BIAS
    contracted = algebra.meeting == "mul" and algebra.neutral == 0
    return Role.MET if contracted else Role.SCALE


def _is_added(node: Node, made: Made, at: int) -> bool:
    packet = str(made.op).rpartition(".")[0]
    return node.algebra[at].meeting == "add" or packet in _KEEP_THE_BETTER


def _held(node: Node, made: Made, at: int, weights: Weights, chooses: tuple[int, ...]) -> Tensor:
    """Give an operand that is no data: zeros if it is added, but not if data chooses it."""
    value = node.inputs[at]
    if not chooses and _is_added(node, made, at):
        return torch.zeros(weights.graph.values[value].shape, dtype=weights.dtype)
    return weights.at_meeting(value)


def _is_a_sum(node: Node, roles: Sequence[Role]) -> bool:
    """Whether data is only added to what other operands make: `x + w v`."""
    added = all(
        algebra.meeting == "add"
        for algebra, role in zip(node.algebra, roles, strict=True)
        if role is Role.DATA
    )
    return added and not {Role.MET, Role.SCALE}.isdisjoint(roles)


def _starting_at_zero(
    run: Run,
    node: Node,
    made: Made,
    roles: Sequence[Role],
    still: Sequence[Tensor | None],
    weights: Weights,
) -> Run:
    """Let an op give zeros for data that is zero, whatever it makes of weights and constants."""
    data = [role is Role.DATA for role in roles]
    if _is_a_sum(node, roles):
        return two_parts(run, [role in (Role.DATA, Role.BIAS) for role in roles])
    keeps = any(a.zero for a, is_data in zip(node.algebra, data, strict=True) if is_data)
    if Role.SCALE not in roles and (keeps or stands_in(made, weights.repairs)):
        return run
    zeros = [
        torch.zeros(weights.graph.values[value].shape, dtype=weights.dtype)
        if operand is None
        else operand
        for value, operand in zip(node.inputs, still, strict=True)
    ]
    return difference(run, run(zeros))
