"""A network under observation: the ops that it runs where parameters and data come together.

Knows torch: dispatch, storages, derivatives. Does not know features (`perturbed`), nor any axis
spec.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import TreeSpec, tree_flatten, tree_map_only, tree_unflatten

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Call:
    """One call of an op on data.

    Attributes:
        leaves: the arguments, flat, tensors copied.
        alike: how the arguments were nested.
        operands: place among the leaves -> the operand itself, where it holds numbers that are data
            or made of parameters.
        chosen: whether integers among the data choose entries of the others.
    """

    op: OpOverload
    leaves: tuple[Any, ...]
    alike: TreeSpec
    operands: Mapping[int, Tensor]
    chosen: bool
    _responses: dict[int, Tensor] = field(default_factory=dict)

    @cached_property
    def results(self) -> Tensor:
        """Give all results as they are: f64[results]."""
        return self._derived[0].detach()

    @cached_property
    def _derived(self) -> tuple[Tensor, Mapping[int, Tensor]]:
        """Run the op again, so that torch can go back to those operands that it derives by."""
        tracked = {place: self.leaves[place].clone().requires_grad_() for place in self.operands}
        try:
            return self._run(tracked), tracked
        except RuntimeError:  # running statistics are refused
            known = {place: each for place, each in tracked.items() if self._derives({place: each})}
            return self._run(known), known

    def _derives(self, tracked: Mapping[int, Tensor]) -> bool:
        try:
            return self._run(tracked).requires_grad
        except RuntimeError:
            return False

    def _run(self, operands: Mapping[int, Tensor]) -> Tensor:
        """Run the op again, some operands replaced."""
        given = [operands.get(at, leaf) for at, leaf in enumerate(self.leaves)]
        copied = [leaf.clone() if isinstance(leaf, Tensor) else leaf for leaf in given]
        args, kwargs = tree_unflatten(copied, self.alike)
        torch.default_generator.manual_seed(0)
        return torch.cat([t.flatten().double() for t in _tensors([self.op(*args, **kwargs)])])

    def response(self, place: int) -> Tensor:
        """Say how the results, all weighted at random, move with the entries of an operand."""
        if place not in self._responses:
            self._responses[place] = self.pulled(place, weights(len(self.results)))
        return self._responses[place]

    def pulled(self, place: int, weights: Tensor) -> Tensor:
        """Say how weighted results move with the entries of an operand: f64[entries]."""
        results, tracked = self._derived
        if place in tracked and results.requires_grad:
            (found,) = torch.autograd.grad(
                results, [tracked[place]], weights, retain_graph=True, allow_unused=True
            )
            if found is not None:
                return found.flatten()
        bumped = [self._run({place: each}) for each in _bumped(self.leaves[place])]
        return torch.stack([(moved - self.results).nan_to_num() @ weights for moved in bumped])


@cache
def weights(count: int) -> Tensor:
    """Draw weights that no sum cancels: f64[count]."""
    stream = torch.Generator().manual_seed(count)
    return torch.randn(count, dtype=torch.float64, generator=stream)


def _bumped(tensor: Tensor) -> Iterator[Tensor]:
    """Change every entry in turn."""
    for entry in range(tensor.numel()):
        changed = tensor.clone(memory_format=torch.contiguous_format)
        changed.view(-1)[entry] += 0.5
        yield changed


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One op as it ran, on the tensors themselves."""

    op: OpOverload
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    result: Any


class Watch(TorchDispatchMode):
    """Sees every op as it runs, and knows of every storage what it is made of.

    Attributes:
        data: the storages that inputs reach.
        own: the storages that parameters reach.
        noted: the steps of which to keep a copy.
        choose: what becomes of numbers that integers among the data have chosen.
        steps: all ops, in order.
        calls: noted step -> a copy of it, where data comes to it.
    """

    def __init__(
        self,
        data: Iterable[Tensor],
        own: Iterable[Tensor],
        noted: Container[int],
        choose: Callable[[Tensor], object],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.data, self.own = {_storage(t) for t in data}, {_storage(t) for t in own}
        self.noted, self.choose = noted, choose
        self.steps: list[Step] = []
        self.calls: dict[int, Call] = {}

    def __torch_dispatch__(
        self, op: OpOverload, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        given = [*_tensors((*args, *kwargs.values()))]
        data = [tensor for tensor in given if _storage(tensor) in self.data]
        own = not data and any(_storage(tensor) in self.own for tensor in given)
        chosen = not all(tensor.is_floating_point() for tensor in data)
        if data and len(self.steps) in self.noted:
            self._note(op, args, kwargs, chosen)
        result = op(*args, **kwargs)
        for tensor in _tensors([result]):
            if data or own:
                (self.data if data else self.own).add(_storage(tensor))
            if chosen and tensor.is_floating_point():
                self.choose(tensor)
        self.steps.append(Step(op, args, kwargs, result))  # and so no storage is used again
        return result

    def _note(
        self, op: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any], chosen: bool
    ) -> None:
        leaves, alike = tree_flatten((tuple(args), kwargs))
        tensors = {at: leaf for at, leaf in enumerate(leaves) if isinstance(leaf, Tensor)}
        copied = {at: tensor.detach().clone() for at, tensor in tensors.items()}
        kept = tuple(copied.get(at, leaf) for at, leaf in enumerate(leaves))
        met = {at: t for at, t in tensors.items() if t.is_floating_point() and self._counts(t)}
        self.calls[len(self.steps)] = Call(op, kept, alike, met, chosen)

    def _counts(self, tensor: Tensor) -> bool:
        return _storage(tensor) in self.own | self.data


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """List tensors, and those of lists."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


@dataclass(slots=True, eq=False)
class Again:
    """A network run again as it was seen, so that torch can go back to its parameters.

    Attributes:
        held: the parameters, by name.
        given: the inputs, each with what it held at the start.
        watch: what was seen.
    """

    held: Mapping[str, Tensor]
    given: Mapping[Tensor, Tensor]
    watch: Watch
    _roots: list[Tensor] = field(default_factory=list)
    _twins: dict[int, Tensor] = field(default_factory=dict)
    _operands: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._twins = {id(tensor): before.clone() for tensor, before in self.given.items()}
        for tensor in self.held.values():
            self._roots.append(tensor.detach().clone().requires_grad_())
            self._twins[id(tensor)] = self._roots[-1].clone()
        torch.default_generator.manual_seed(0)
        for number, step in enumerate(self.watch.steps):
            self._keep(number)
            pairs = zip(_tensors([step.result]), _tensors([self._run(step)]), strict=True)
            self._twins.update((id(old), new) for old, new in pairs)

    def _keep(self, number: int) -> None:
        """Keep operands as they are before a step: it, or a later one, may write over them."""
        if number in self.watch.calls:
            for place, operand in self.watch.calls[number].operands.items():
                self._operands[number, place] = self._twin(operand).flatten().clone()

    def _run(self, step: Step) -> Any:
        args, kwargs = tree_map_only(Tensor, self._twin, (step.args, step.kwargs))
        try:
            return step.op(*args, **kwargs)
        except RuntimeError:  # torch does not derive every op by every operand
            args, kwargs = tree_map_only(Tensor, Tensor.detach, (args, kwargs))
            return step.op(*args, **kwargs)

    def _twin(self, tensor: Tensor) -> Tensor:
        return self._twins.get(id(tensor), tensor)

    def given_back(self, met: Mapping[tuple[int, int], Tensor]) -> Iterator[tuple[str, Mask]]:
        """List the parameter entries that some entries of some operands are made of.

        Args:
            met: step and place of operands -> the entries that are meant: bool, flat.
        """
        sums = [
            (1 + at / 7) * self._operands[place] @ (weights(len(entries)) * entries)
            for at, (place, entries) in enumerate(met.items())
        ]
        if not any(each.requires_grad for each in sums):
            return
        whole = torch.stack(sums).sum()
        found = torch.autograd.grad(whole, self._roots, retain_graph=True, allow_unused=True)
        for name, gradient in zip(self.held, found, strict=True):
            if gradient is not None:
                yield name, np.asarray(gradient.abs() > 1e-12)
