"""A network under observation: the ops that it runs where parameters and data stand side by side.

Knows torch: dispatch, storages, derivatives. Does not know features (`perturbed`), nor any axis
spec.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """One call of an op that has operands of both kinds.

    Attributes:
        leaves: the arguments, flat, tensors copied.
        alike: how the arguments were nested.
        own: place among the leaves -> the operand itself, made of parameters alone.
    """

    op: OpOverload
    leaves: tuple[Any, ...]
    alike: TreeSpec
    own: Mapping[int, Tensor]
    _responses: dict[int, Tensor] = field(default_factory=dict)

    @cached_property
    def results(self) -> Tensor:
        """Give all results as they are: f64[results]."""
        return self._derived[0].detach()

    @cached_property
    def _derived(self) -> tuple[Tensor, Mapping[int, Tensor]]:
        """Run the op again, so that torch can go back to its operands."""
        tracked = {place: self.leaves[place].clone().requires_grad_() for place in self.own}
        try:
            return self._run(tracked), tracked
        except RuntimeError:  # torch does not derive every op by every operand
            return self._run({}), {}

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
            to = [tracked[place]]
            (found,) = torch.autograd.grad(
                results, to, weights, retain_graph=True, allow_unused=True
            )
            if found is not None:
                return found.flatten()
        bumped = [self._run({place: each}) for each in _bumped(self.leaves[place])]
        return torch.stack([(moved - self.results) @ weights for moved in bumped])


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


class Watch(TorchDispatchMode):
    """Sees every op as it runs, and knows of every storage what it is made of.

    Attributes:
        data: the storages that inputs reach.
        own: the storages that parameters reach.
        calls: the calls that have operands of both kinds.
        made: the calls without data, with their results.
    """

    def __init__(self, data: Iterable[Tensor], own: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.data, self.own = {_storage(t) for t in data}, {_storage(t) for t in own}
        self.calls: list[Call] = []
        self.made: list[tuple[OpOverload, Any, Any, Any]] = []
        self._kept: list[Any] = []

    def __torch_dispatch__(
        self, op: OpOverload, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        given = {_storage(tensor) for tensor in _tensors((*args, *kwargs.values()))}
        has_data, has_own = bool(given & self.data), bool(given & self.own - self.data)
        if has_data and has_own:
            self._note(op, args, kwargs)
        result = op(*args, **kwargs)
        storages = [_storage(tensor) for tensor in _tensors([result])]
        if has_data:
            self.data.update(storages)
        else:
            self.made.append((op, args, kwargs, result))
            self.own.update(storages if has_own else ())
        self._kept.append(result)  # or another tensor would get its storage's address
        return result

    def _note(self, op: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        leaves, alike = tree_flatten((tuple(args), kwargs))
        tensors = {at: leaf for at, leaf in enumerate(leaves) if isinstance(leaf, Tensor)}
        own = {at: t for at, t in tensors.items() if self._is_own(t) and t.is_floating_point()}
        copied = (
            leaf.detach().clone() if at in tensors else leaf for at, leaf in enumerate(leaves)
        )
        self.calls.append(Call(op, tuple(copied), alike, own))

    def _is_own(self, tensor: Tensor) -> bool:
        return _storage(tensor) in self.own - self.data


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
class Parts:
    """What is made of parameters alone, made again so that torch can go back to them.

    Attributes:
        held: the parameters, by name.
        watch: what was seen of them.
    """

    held: Mapping[str, Tensor]
    watch: Watch
    _roots: list[Tensor] = field(default_factory=list)
    _twins: dict[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for tensor in self.held.values():
            self._roots.append(tensor.detach().clone().requires_grad_())
            self._twins[id(tensor)] = self._roots[-1].clone()
        for op, args, kwargs, results in self.watch.made:
            args, kwargs = tree_map_only(Tensor, self._twin, (args, kwargs))
            pairs = zip(_tensors([results]), _tensors([op(*args, **kwargs)]), strict=True)
            self._twins.update((id(old), new) for old, new in pairs)

    def _twin(self, tensor: Tensor) -> Tensor:
        return self._twins.get(id(tensor), tensor)

    def given_back(self, met: Sequence[tuple[Tensor, Tensor]]) -> Iterator[tuple[str, Mask]]:
        """List the parameter entries that some entries of some operands are made of.

        Args:
            met: operands, each with the entries that are meant: bool, flat.
        """
        sums = [
            (1 + at / 7) * self._twin(operand).flatten() @ (weights(len(entries)) * entries)
            for at, (operand, entries) in enumerate(met)
        ]
        if not any(each.requires_grad for each in sums):
            return
        whole = torch.stack(sums).sum()
        found = torch.autograd.grad(whole, self._roots, retain_graph=True, allow_unused=True)
        for name, gradient in zip(self.held, found, strict=True):
            if gradient is not None:
                yield name, np.asarray(gradient.abs() > 1e-12)
