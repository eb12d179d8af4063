"""Lookups by data: what may be chosen, where no integer says what is.

Knows axis specs: no gradient shows what an integer chooses. A feature that is a position among
integers may choose any entry, so the average of all stands for its choice; one that is a value of
an integer chooses its own. Where constant integers choose as well, they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suture._bind import BoundOperand
from suture._graph import Graph, Node
from suture._torch._fed import ANY

Dim = tuple[tuple[str, ...], ...]
"""The axes of a dim, part by part."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What each of K features chooses of a table.

    Attributes:
        entries: [K, ...] without the dims that are looked up, with a gradient.
        dims: the axes of the table's dims.
        at: those that are looked up.
        choices: the entry that each feature chooses, or `ANY`, where there is one such dim.
        size: its size.
    """

    entries: Tensor
    dims: tuple[Dim, ...]
    at: tuple[int, ...]
    choices: Tensor
    size: int

    def reached(self, entries: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say which entries of the table were reached, from those of `entries` that were.

        Returns:
            bool[K, ...], broadcastable to the table.
        """
        mask = np.expand_dims(entries, [dim + 1 for dim in self.at])
        if bool((self.choices == ANY).all()):
            return mask
        chosen = codes(self.choices, self.size).numpy() != 0
        around = [1] * (mask.ndim - 1)
        around[self.at[0]] = self.size
        both: NDArray[np.bool_] = mask & chosen.reshape(-1, *around)
        return both


def _within(choices: Tensor, size: int) -> Tensor:
    """Leave out choices that are no entry of an axis: they are another's."""
    return choices.where(choices < size, ANY)


def codes(choices: Tensor, size: int) -> Tensor:
    """Write the values that each feature means as a code: [K, size], ones for `ANY`."""
    return ((choices[:, None] == torch.arange(size)) | (choices == ANY)[:, None]).float()


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """One node, of which operands are laid along the axes of a result.

    Attributes:
        still: per operand its value, of those that are no data.
        chooses: the operands with data that choose.
        choices: the value that each feature means by them, or `ANY`: i64[K].
        value: the result.
    """

    node: Node
    still: Sequence[Tensor | None]
    chooses: Sequence[int]
    choices: Tensor
    graph: Graph
    value: int

    @property
    def tables(self) -> list[int]:
        """The operands without data that have entries to choose."""
        still = enumerate(self.still)
        return [at for at, entries in still if entries is not None and entries.is_floating_point()]

    def laid(self, at: int, x: Tensor) -> Tensor:
        """Average over the axes that the result lacks, or that are mixed; repeat along the others.

        Args:
            at: the operand.
            x: a batch of it, [K, ...].

        Returns:
            [K, ...] as the result.
        """
        own = _dims(self.node.bound.inputs[at])
        x, dims = self._picked(x, own)
        found = self._on_result(x, dims, [dim for dim in own if self._is_mixed(at, dim)])
        return self._where_it_chooses(at, found)

    def row(self, at: int) -> Row:
        """Choose from an operand without data along the axes that data indexes."""
        table, dims = self.still[at], _dims(self.node.bound.inputs[at])
        assert table is not None
        indexed = {self.node.bound.inputs[index].values for index in self.chooses}
        looked_up = tuple(
            place
            for place, dim in enumerate(dims)
            if not indexed.isdisjoint(name for part in dim for name in part)
        )
        size = table.shape[looked_up[0]] if len(looked_up) == 1 else 0
        choices = _within(self.choices, size)
        average = table.mean(looked_up) if looked_up else table
        entries = average.expand(len(choices), *average.shape).clone()
        single = (choices != ANY).nonzero()[:, 0]
        if len(single):
            entries[single] = table.movedim(looked_up[0], 0)[choices[single]]
        return Row(entries.requires_grad_(), dims, looked_up, choices, size)

    def chosen(self, row: Row, at: int, gate: Tensor) -> Tensor:
        """Lay what is chosen along the result, where the choice is fed.

        Args:
            row: what is chosen.
            at: the operand that chooses.
            gate: a batch of it, [K, ...].
        """
        dims = tuple(dim for place, dim in enumerate(row.dims) if place not in row.at)
        chooses = _dims(self.node.bound.inputs[at])
        entries, dims = self._cut(*self._picked(row.entries, dims), chooses)
        # Together first: where a choice and what is written stand at one place, they meet there.
        both = (*chooses, *(dim for dim in dims if dim not in chooses))
        sizes = dict(zip((*dims, *chooses), (*entries.shape[1:], *gate.shape[1:]), strict=True))
        shape = [sizes[dim] for dim in both]
        product = _along(gate, chooses, both, shape) * _along(entries, dims, both, shape)
        mixed = [name for name in both if name in chooses and self._is_mixed(at, name)]
        return self._where_it_chooses(at, self._on_result(product, both, mixed))

    def _where_it_chooses(self, at: int, x: Tensor) -> Tensor:
        """Of what goes where an operand says, keep what goes to the values that are meant."""
        wanted = _dims(self.node.bound.outputs[self.node.outputs.index(self.value)])
        axis = ((self.node.bound.inputs[at].values or "",),)
        if axis not in wanted:
            return x
        dim = wanted.index(axis) + 1
        around = [1] * x.ndim
        around[0], around[dim] = x.shape[0], x.shape[dim]
        meant = codes(_within(self.choices, x.shape[dim]), x.shape[dim])
        return x * meant.reshape(around).to(x.dtype)

    def _on_result(self, x: Tensor, dims: tuple[Dim, ...], mixed: Sequence[Dim]) -> Tensor:
        wanted = _dims(self.node.bound.outputs[self.node.outputs.index(self.value)])
        gone = [at for at, dim in enumerate(dims, 1) if dim in mixed]
        x = x.mean(gone) if gone else x
        x, dims = self._cut(x, tuple(dim for dim in dims if dim not in mixed), wanted)
        return _along(x, dims, wanted, self.graph.values[self.value].shape)

    def _is_mixed(self, at: int, dim: Dim) -> bool:
        operand = self.node.bound.inputs[at]
        found = operand.dims[_dims(operand).index(dim)]
        return any(axis.mixed for part in found for axis in part)

    def _picked(self, x: Tensor, dims: tuple[Dim, ...]) -> tuple[Tensor, tuple[Dim, ...]]:
        """Choose what constant integers choose."""
        for operand, index in zip(self.node.bound.inputs, self.still, strict=True):
            dim = ((operand.values or "",),)
            if index is not None and dim in dims:
                at = dims.index(dim)
                x = x.movedim(at + 1, 1)[:, index]
                dims = (*_dims(operand), *dims[:at], *dims[at + 1 :])
        return x, dims

    def _cut(
        self, x: Tensor, dims: tuple[Dim, ...], wanted: tuple[Dim, ...]
    ) -> tuple[Tensor, tuple[Dim, ...]]:
        """Of parts laid end to end, keep the one that the result has."""
        sizes = self.node.bound.sizes
        found = list(dims)
        for at, dim in enumerate(dims):
            start = 0
            for part in dim if len(dim) > 1 else ():
                size = int(np.prod([sizes[name] for name in part]))
                if (part,) in wanted:
                    x, found[at] = x.narrow(at + 1, start, size), (part,)
                    break
                start += size
        return x, tuple(found)


def _dims(operand: BoundOperand) -> tuple[Dim, ...]:
    return tuple(tuple(tuple(axis.name for axis in part) for part in dim) for dim in operand.dims)


def _along(
    x: Tensor, dims: tuple[Dim, ...], wanted: tuple[Dim, ...], shape: Sequence[int]
) -> Tensor:
    """Average over the dims that are not wanted, and repeat along the wanted ones that lack."""
    stays = [dim in wanted and size != 1 for dim, size in zip(dims, x.shape[1:], strict=True)]
    gone = [at for at, stay in enumerate(stays, 1) if not stay]
    x = x.mean(gone) if gone else x
    kept = [dim for dim, stay in zip(dims, stays, strict=True) if stay]
    order = [dim for dim in dict.fromkeys(wanted) if dim in kept]
    x = x.permute(0, *(1 + kept.index(dim) for dim in order))
    sizes = [size if dim in kept else 1 for dim, size in zip(wanted, shape, strict=True)]
    return x.reshape(-1, *sizes).expand(-1, *shape)
