"""Samples of lookups: indices in all ranks, known and not."""

import torch

from samples._sample import Sample, f, i, known, sample


def ids(*values: int) -> torch.Tensor:
    """Write indices, some of them twice, so that one row is seen to reach several places."""
    return torch.tensor(values)


def bag(mode: int, *, op: str = "_embedding_bag.default", weighted: bool = False) -> Sample:
    """Write an embedding bag over three bags of unequal lengths."""
    chosen, weights = ids(4, 1, 6, 4, 2, 1, 4, 3), f(8) if weighted else None
    offsets = known([0, 2, 5])
    return sample(f"aten.{op}", f(7, 2), chosen, offsets, False, mode, False, weights)


SAMPLES = [
    sample("aten.embedding.default", f(7, 4), i(2, 3, below=7)),
    sample(
        "aten.embedding_renorm.default",
        *(9 * f(7, 4), torch.tensor([[5, 1, 1], [1, 5, 4]])),
        *(1.0, 2.0),
    ),
    sample("aten.repeat_interleave.Tensor", torch.tensor([1, 0, 2, 1, 3])),
    sample("aten.one_hot.default", i(2, 3, below=5), 5),
    sample("aten.multinomial.default", f(2, 5).abs(), 3),
    bag(0),
    bag(1),
    bag(2),
    bag(0, weighted=True),
    bag(0, op="_embedding_bag_forward_only.default"),
    sample("aten.index.Tensor", f(5, 3), [i(2, 4, below=5)]),
    sample("aten.index.Tensor", f(2, 5, 3), [None, ids(4, 1, 4, 0)]),
    sample("aten.index.Tensor", f(5, 2, 4), [ids(4, 1, 4, 0, 2, 1), None, ids(3, 0, 3, 3, 1, 0)]),
    sample("aten.index.Tensor", f(2, 5, 4), [None, i(3, 1, below=5), i(6, below=4)]),
    sample("aten.index.Tensor", f(2, 5, 4), [None, known([3, 1, 1]), None]),
    sample("aten.index.Tensor", f(2, 4, 5), [None, known([3, 1, -1, 2]), known([0, 2, 1, 4])]),
    sample("aten.index.Tensor", f(5, 3), [known(torch.tensor([[1, 3, 1], [4, 1, 0]]))]),
    sample("aten._unsafe_index.Tensor", f(5, 3), [i(2, 4, below=5)]),
    sample("aten.gather.default", f(2, 5, 3), 1, i(2, 4, 3, below=5)),
    sample("aten.gather.default", f(3, 5), 1, i(2, 4, below=5)),
    sample("aten.gather.default", f(5), 0, ids(4, 1, 4, 0)),
]
