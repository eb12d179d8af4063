"""One pass: a batch of features is carried through a network, and gradients back.

Knows values and gradients. Does not know any op (`_network`, `stand_ins`), nor lookups (`_lookup`).

A value is there for each of K features, [K, ...], and zero where it does not carry that feature;
one that is zero for all of them is not computed. Integers are floats that say where a feature is
carried, and have no gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suture._errors import TraceError
from suture._masks import Masks
from suture._torch._fed import ANY, Fed
from suture._torch._lookup import Lookup, Row, codes
from suture._torch._met import MATRICES, Meeting, product
from suture._torch._network import Network
from suture._torch._step import Role, Step

LARGEST = 30
"""Powers of two up to which values grow, or shrink, before they are scaled back."""


@dataclass(slots=True, eq=False)
class Pass:
    """One way there and back for a batch of K features.

    Attributes:
        told: the integers of which the values are features.
        places: where each feature of the batch stands among all that are probed.
        found: value without data -> what was reached of it so far.
        live: value -> its entries [K, ...]; values that are zero for all K have none.
    """

    network: Network
    fed: Fed
    told: set[int]
    places: list[int]
    found: Mapping[int, Masks]
    live: dict[int, Tensor] = field(default_factory=dict)

    def run(self) -> None:
        """Carry the features on, and the gradient of the sum of all outputs back."""
        try:
            states = self._states()
            with torch.enable_grad():
                self._forward(states)
                self._backward()
        finally:
            # Values know the pass by their hooks: as long as it knows them, nothing of it is freed.
            self.live.clear()

    def _backward(self) -> None:
        outputs = [self.live.get(value) for value in self.network.graph.outputs.values()]
        costs = [y.sum() for y in outputs if y is not None and y.requires_grad]
        if costs:
            _backward(torch.stack(costs).sum())

    def _states(self) -> dict[int, Tensor]:
        """Find what states carry in the end: each goes back in until none carries anything new."""
        graph, states = self.network.graph, dict[int, Tensor]()
        pairs = {graph.inputs[i]: graph.outputs[o] for o, i in graph.schema.state.items()}
        before = -1
        while pairs and before < (before := _carried(states)):
            with torch.no_grad():
                self._forward(states)
            for state, output in pairs.items():
                if output in self.live:
                    carries = (self.live[output] != 0).to(self.network.dtype)
                    states[state] = torch.maximum(carries, states.get(state, carries))
        return states

    def _forward(self, states: Mapping[int, Tensor]) -> None:
        self.live = {**self.fed.inputs, **states}
        for step in self.network.steps:
            if not self.live.keys().isdisjoint(step.node.inputs) and not self._is_zero(step):
                self._step(step)

    def _is_zero(self, step: Step) -> bool:
        """Whether a factor is zero for all features, and nothing is added to the product."""
        met = {at: step.node.inputs[at] in self.live for at in step.data}
        added = any(is_live and step.meeting(at) == "add" for at, is_live in met.items())
        zero = any(not is_live and step.meeting(at) == "mul" for at, is_live in met.items())
        return zero and not added

    def _step(self, step: Step) -> None:
        try:
            self._run(step)
        except (RuntimeError, NotImplementedError) as error:
            at = [("at", str(step.node.place)), ("op", step.node.op)]
            raise _refused("An op cannot be run on many features at once.", at, error) from error

    def _run(self, step: Step) -> None:
        if step.made.op is torch.ops.aten.one_hot.default:
            self._encode(*step.node.inputs, *step.node.outputs)
        elif step.chooses and step.floats:
            self._choose(step)
        elif step.floats or step.moves:
            self._compute(step)
        for value in self.network.read.intersection(step.node.outputs):
            if value not in step.floats and value not in self.live:
                self._say_where(step, value)

    def _compute(self, step: Step) -> None:
        """Run an op, with a weight for each feature where it needs one, and watch the gradient."""
        given = [at for at, role in enumerate(step.roles) if role in _BATCHED]
        batch = {place: self._operand(step, place) for place in given}
        results = _multiplied(step, batch) or _batched(step, batch)
        for value, y in zip(step.floats or step.node.outputs, results, strict=False):
            self._watch(step, batch, y)
            self._keep(value, y if step.moves else in_range(y))

    def _operand(self, step: Step, place: int) -> Tensor:
        """Give an operand for each feature: data, or a weight of which the gradient is wanted."""
        value, still, count = step.node.inputs[place], step.still[place], len(self.places)
        if still is not None:
            leaf = still.expand(count, *still.shape).clone().requires_grad_()
            leaf.register_post_accumulate_grad_hook(partial(self._reached, value))
            return leaf
        if value in self.live:
            return self.live[value]
        shape = self.network.graph.values[value].shape
        return torch.zeros(count, *shape, dtype=self.network.dtype)

    def _keep(self, value: int, y: Tensor | None) -> None:
        """Keep a value, if it carries anything."""
        if y is not None:
            self.live[value] = y

    def _watch(self, step: Step, batch: Mapping[int, Tensor], y: Tensor) -> None:
        """Have an eye on the gradient of a result, where weights have met data."""
        if not torch.is_grad_enabled() or _WEIGHTS.isdisjoint(step.roles):
            return
        if not y.requires_grad:
            y.requires_grad_()
        if not (carries := nonzero(y)).all():
            y.register_hook(partial(_where, torch.from_numpy(carries)))
        data = [nonzero(batch[at]) if at in step.data else None for at in range(len(step.roles))]
        for place in (at for at, role in enumerate(step.roles) if role is Role.MET):
            meeting = Meeting(step.made, step.run, place, step.still, data)
            y.register_hook(partial(self._met, meeting, step.node.inputs[place]))

    def _met(self, meeting: Meeting, value: int, gradient: Tensor) -> None:
        found = self.found[self.network.first[value]]
        for feature, mask in meeting.reached(nonzero(gradient)):
            found.reach(self.places[feature], mask)

    def _reached(self, value: int, leaf: Tensor) -> None:
        """Note where the weights of all features have a gradient, which then goes."""
        gradient, leaf.grad = leaf.grad, None
        if gradient is not None:
            self._note(value, nonzero(gradient))

    def _note(self, value: int, reached: NDArray[np.bool_]) -> None:
        found = self.found[self.network.first[value]]
        for feature in np.flatnonzero(reached.reshape(len(reached), -1).any(1)).tolist():
            found.reach(self.places[feature], reached[feature])

    def _encode(self, ids: int, coded: int) -> None:
        """Write integers as codes, with ones for all values that are meant."""
        shape = self.network.graph.values[coded].shape
        meant = codes(self._choices([ids]), shape[-1]).to(self.network.dtype)
        meant = meant.reshape(-1, *(1,) * (len(shape) - 1), shape[-1])
        self.live[coded] = self.live[ids][..., None] * meant

    def _lookup(self, step: Step, value: int) -> Lookup:
        choices = self._choices([step.node.inputs[at] for at in step.chooses])
        return Lookup(step.node, step.still, step.chooses, choices, self.network.graph, value)

    def _choices(self, indices: Sequence[int]) -> Tensor:
        """Give the values that features mean, if these integers tell them apart."""
        choices = self.fed.choices
        return choices if self.told.issuperset(indices) else torch.full_like(choices, ANY)

    def _choose(self, step: Step) -> None:
        """Let every entry of data be chosen, and of weights where that is what is fed."""
        node, value = step.node, step.floats[0]
        lookup = self._lookup(step, value)
        live = {at: self.live[node.inputs[at]] for at in step.data if node.inputs[at] in self.live}
        chooses = [at for at in step.chooses if at in live]
        found = [lookup.laid(at, x) for at, x in live.items() if at not in chooses]
        for table in lookup.tables if chooses else ():
            row = lookup.row(table)
            self._watch_row(node.inputs[table], row)
            found += [lookup.chosen(row, at, live[at]) for at in chooses]
        if step.made.arguments.get("value"):  # a number that is written
            found += [lookup.laid(at, live[at]) for at in chooses]
        if found:
            self._keep(value, in_range(torch.stack(found).sum(0)))

    def _watch_row(self, value: int, row: Row) -> None:
        if value in self.network.first:
            hook = partial(self._reached_row, value, row)
            row.entries.register_post_accumulate_grad_hook(hook)

    def _reached_row(self, value: int, row: Row, leaf: Tensor) -> None:
        gradient, leaf.grad = leaf.grad, None
        if gradient is not None:
            self._note(value, row.reached(nonzero(gradient)))

    def _say_where(self, step: Step, value: int) -> None:
        """Say of a value without gradient where it carries a feature: where what it reads does.

        Beside a result with a gradient, it is a place in what was read: as that does.
        """
        shape = self.network.graph.values[value].shape
        beside = [self.live[v] for v in step.floats if v in self.live]
        parts = [y.detach() != 0 for y in beside if y.shape[1:] == shape]
        if not parts:
            lookup = self._lookup(step, value)
            read = {at: self.live.get(step.node.inputs[at]) for at in step.data}
            parts = [lookup.laid(at, x) != 0 for at, x in read.items() if x is not None]
        self._keep(value, torch.stack(parts).any(0).to(self.network.dtype))


_BATCHED = (Role.DATA, Role.SCALE, Role.BIAS)
_WEIGHTS = {Role.MET, Role.SCALE, Role.BIAS}


def _batched(step: Step, batch: Mapping[int, Tensor]) -> tuple[Tensor, ...]:
    """Run an op for all features."""

    def run(*operands: Tensor) -> tuple[Tensor, ...]:
        still = list(step.still)
        for place, operand in zip(batch, operands, strict=True):
            still[place] = operand
        return tuple(step.run(still))

    results: tuple[Tensor, ...] = torch.vmap(run, randomness="different")(*batch.values())
    return results


def _multiplied(step: Step, batch: Mapping[int, Tensor]) -> tuple[Tensor, ...]:
    """Multiply data by a matrix of weights, if that is what an op does."""
    if step.made.op not in MATRICES or step.roles[-2:] != (Role.DATA, Role.MET):
        return ()
    last = len(step.roles) - 1
    weight, term = step.still[last], batch.get(0) if last == 2 else None
    assert weight is not None
    return (product(step.made, batch[last - 1], weight, term),)


def _backward(cost: Tensor) -> None:
    try:
        cost.backward()
    except (RuntimeError, NotImplementedError) as error:
        raise _refused("An op has no gradient.", [], error) from error


def _refused(sentence: str, at: list[tuple[str, str]], error: Exception) -> TraceError:
    said = ("torch", str(error).strip().split("\n")[0])
    hint = "find the interactions without gradients: suture.interactions(suture.trace(subject))"
    return TraceError(sentence, [*at, said], hint)


def _carried(states: Mapping[int, Tensor]) -> int:
    """Count what states carry."""
    return sum(int((state != 0).sum()) for state in states.values())


def _where(carries: Tensor, gradient: Tensor) -> Tensor:
    """Let a gradient through where a value carries its feature."""
    return gradient * carries


def nonzero(x: Tensor) -> NDArray[np.bool_]:
    """Say where a tensor is not zero; on arrays, which wait for no thread."""
    found: NDArray[np.bool_] = x.detach().numpy() != 0
    return found


def in_range(y: Tensor) -> Tensor | None:
    """Scale the values of features that would leave the range of floats, by powers of two.

    Where a value is zero does not change, nor what bends where it bends.

    Returns:
        The values; None where all are zero.
    """
    flat = y.detach().numpy().reshape(len(y), -1)
    peaks = np.maximum(flat.max(axis=1, initial=0), -flat.min(axis=1, initial=0))
    if not np.isfinite(peaks).all():
        return in_range(y.nan_to_num())
    if not peaks.any():
        return None
    exponents = np.frexp(peaks)[1]
    shifts = np.where(peaks == 0, 0, exponents.clip(-LARGEST, LARGEST) - exponents)
    if not shifts.any():
        return y
    scales = torch.from_numpy(np.ldexp(np.ones_like(peaks), shifts))
    return y * scales.reshape(-1, *(1,) * (y.ndim - 1))
