"""Samples of lookups: indices in all ranks, known and not."""

import torch

from samples._sample import Sample, f, i, known, sample


def bag(mode: int, weights: bool = False) -> Sample:
    """Write an embedding bag over three bags of unequal lengths."""
    ids, offsets = torch.tensor([4, 1, 6, 0, 2, 5, 3]), torch.tensor([0, 2, 5])
    per_sample = f(7) if weights else None
    return sample(
        "aten._embedding_bag.default", f(8, 2), ids, offsets, False, mode, False, per_sample
    )


SAMPLES = [
    sample("aten.embedding.default", f(7, 4), i(2, 3, below=7)),
    sample("aten.embedding.default", f(7, 4), i(below=7)),
    sample("aten.embedding_renorm.default", 9 * f(7, 4), i(2, 3, below=7), 1.0, 2.0),
    sample("aten.one_hot.default", i(2, 3, below=5), 5),
    sample("aten.multinomial.default", f(2, 5).abs(), 3),
    bag(0),
    bag(1),
    bag(2),
    bag(0, weights=True),
    sample(
        "aten._embedding_bag_forward_only.default",
        f(8, 2),
        torch.tensor([4, 1, 6, 0, 2]),
        torch.tensor([0, 2, 3]),
    ),
    sample("aten.index.Tensor", f(5, 3), [i(2, 4, below=5)]),
    sample("aten.index.Tensor", f(2, 5, 3), [None, i(4, below=5)]),
    sample("aten.index.Tensor", f(5, 2, 4), [i(3, below=5), None, i(3, below=4)]),
    sample("aten.index.Tensor", f(2, 5, 4), [None, i(3, 1, below=5), i(6, below=4)]),
    sample("aten.index.Tensor", f(2, 5, 4), [None, known([3, 1, 1]), None]),
    sample("aten.index.Tensor", f(2, 4, 5), [None, known([3, 1, -1, 2]), known([0, 2, 1, 4])]),
    sample("aten.index.Tensor", f(5, 3), [known(torch.tensor([[1, 3], [4, 0]]))]),
    sample("aten._unsafe_index.Tensor", f(5, 3), [i(2, 4, below=5)]),
    sample("aten.index_put.default", f(5, 3), [i(2, below=5)], f(2, 3)),
    sample("aten.index_put.default", f(5, 3), [torch.tensor([4, 1])], f(2, 3), True),
    sample("aten.index_put.default", f(2, 5, 3), [None, torch.tensor([4, 1, 2, 0])], f(4, 1)),
    sample("aten._unsafe_index_put.default", f(5, 3), [torch.tensor([3, 0])], f(2, 3)),
    sample("aten.gather.default", f(2, 5, 3), 1, i(2, 4, 3, below=5)),
    sample("aten.gather.default", f(3, 5), 1, i(2, 4, below=5)),
    sample("aten.gather.default", f(5), 0, i(4, below=5)),
    sample("aten.scatter.src", f(2, 5, 3), 1, i(2, 4, 3, below=5), f(2, 4, 3)),
    sample("aten.scatter.value", f(2, 5), 1, i(2, 4, below=5), 1.5),
    sample("aten.scatter.value", f(2, 5), 1, i(2, 4, below=5), 0.0),
    sample("aten.scatter.reduce", f(2, 5), 1, i(2, 4, below=5), f(2, 4), reduce="add"),
    sample("aten.scatter_add.default", f(2, 5, 3), 1, i(2, 4, 3, below=5), f(2, 4, 3)),
    sample("aten.scatter_add.default", f(3, 5), 1, i(2, 4, below=5), f(2, 4)),
    sample("aten.scatter_reduce.two", f(2, 5), 1, i(2, 4, below=5), f(2, 4), "sum"),
    sample("aten.scatter_reduce.two", f(2, 5), 1, i(2, 4, below=5), f(2, 4), "amax"),
    sample("aten.index_add.default", f(2, 5, 3), 1, i(4, below=5), f(2, 4, 3)),
    sample("aten.index_copy.default", f(2, 5, 3), 1, torch.tensor([4, 0, 3, 1]), f(2, 4, 3)),
    sample("aten.index_fill.int_Scalar", f(2, 5, 3), 1, i(4, below=5), 1.5),
    sample("aten.index_fill.int_Scalar", f(2, 5, 3), 1, i(4, below=5), 0.0),
    sample("aten.index_fill.int_Tensor", f(2, 5, 3), 1, i(4, below=5), f()),
    sample("aten.take.default", f(2, 3), i(4, below=6)),
    sample("aten.take.default", f(6), i(4, below=6)),
]
