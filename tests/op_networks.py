"""Every op of the rule table as a network of its own.

Knows samples. Does not know interactions.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from samples import Sample
from suture import Schema, Subject

MOST_ENTRIES = 60
"""Operands of more entries are no inputs here: every entry is a feature."""

LEFT_OUT = {
    "aten.bernoulli.default": "chances are between 0 and 1",
    "aten.multinomial.default": "chances are between 0 and 1",
    "aten.normal.float_Tensor": "spreads are not negative",
    "aten.normal.Tensor_Tensor": "spreads are not negative",
    "aten.repeat_interleave.Tensor": "counts decide the size of the result",
    "aten._embedding_bag.default": "offsets begin with 0",
    "aten._embedding_bag_forward_only.default": "offsets begin with 0",
    "aten.native_batch_norm.default": "statistics that are not used have other sizes on meta",
    "aten._native_batch_norm_legit_functional.default": "the same",
    "aten._native_batch_norm_legit_no_training.default": "the same",
}
"""Ops that cannot be run on any numbers, or not on shapes as on numbers, with the reason."""


class Op(nn.Module):
    """An op that reads an input beside parameters, each of its results weighted by another."""

    def __init__(self, sample: Sample, place: int) -> None:
        super().__init__()
        self.op, self.place = sample.op, place
        self.leaves, self.alike = tree_flatten((tuple(sample.args), sample.kwargs))
        self.own = nn.ParameterDict(
            {
                str(at): nn.Parameter(leaf.double(), requires_grad=False)
                for at, leaf in enumerate(self.leaves)
                if isinstance(leaf, Tensor) and leaf.is_floating_point() and at != place
            }
        )
        self.weights = nn.ParameterList(
            torch.randn(result.shape, dtype=torch.float64)
            for result in self.results(self.leaves[place])
        )

    def results(self, x: Tensor) -> list[Tensor]:
        kept = [leaf.clone() if isinstance(leaf, Tensor) else leaf for leaf in self.leaves]
        for at, parameter in self.own.items():
            kept[int(at)] = parameter
        kept[self.place] = x
        args, kwargs = tree_unflatten(kept, self.alike)
        found = tree_leaves(self.op(*args, **kwargs))
        return [result for result in found if isinstance(result, Tensor)]

    def forward(self, x: Tensor) -> list[Tensor]:
        pairs = zip(self.results(x), self.weights, strict=True)
        return [result * weight for result, weight in pairs]


def networks(sample: Sample) -> Iterator[tuple[Subject, dict[str, int]]]:
    """Make a network for every operand, each entry a feature; with the number of its values."""
    leaves, _ = tree_flatten((tuple(sample.args), sample.kwargs))
    for place, leaf in enumerate(leaves):
        if isinstance(leaf, Tensor) and 0 < leaf.numel() <= MOST_ENTRIES:
            x = leaf.double() if leaf.is_floating_point() else leaf
            names = {dim: [*map(str, range(size))] for dim, size in enumerate(x.shape)}
            counted = not leaf.is_floating_point() and leaf.dtype != torch.bool
            high = {"x": int(leaf.max()) + 1} if counted else {}
            yield Subject(Op(sample, place).eval(), (x,), schema=Schema(inputs={"x": names})), high
