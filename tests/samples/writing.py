"""Samples of writing by an index: replaced and added to, known places and not."""

import torch

from samples._sample import f, i, known, sample

SAMPLES = [
    sample("aten.index_put.default", f(5, 3), [i(2, 4, below=5), i(2, 4, below=3)], f(2, 4)),
    sample("aten.index_put.default", f(5, 3), [i(2, 4, below=5)], f(2, 4, 3), True),
    sample("aten._unsafe_index_put.default", f(5, 3), [i(2, 4, below=5), i(4, below=3)], f(2, 1)),
    sample("aten.scatter.src", f(2, 5, 3), 1, i(2, 4, 3, below=5), f(2, 4, 3)),
    sample("aten.scatter.value", f(2, 5), 1, i(2, 4, below=5), 1.5),
    sample("aten.scatter.value", f(2, 5), 1, i(2, 4, below=5), 0.0),
    sample("aten.scatter_add.default", f(2, 5, 3), 1, i(2, 4, 3, below=5), f(2, 4, 3)),
    sample("aten.scatter_add.default", f(3, 5), 1, i(2, 4, below=5), f(2, 4)),
    sample("aten.scatter_reduce.two", f(2, 5), 1, i(2, 4, below=5), f(2, 4), "sum"),
    sample("aten.scatter_reduce.two", f(2, 5), 1, i(2, 4, below=5), f(2, 4), "amax"),
    sample("aten.scatter_reduce.two", f(2, 5), 1, i(2, 4, below=5), f(2, 4), "prod"),
    sample("aten.index_add.default", f(2, 5, 3), 1, known([4, 0, 4, 1]), f(2, 4, 3)),
    sample("aten.index_copy.default", f(2, 5, 3), 1, known([4, 0, 1]), f(2, 3, 3)),
    sample("aten.index_fill.int_Scalar", f(2, 6, 3), 1, torch.tensor([4, 1]), 1.5),
    sample("aten.index_fill.int_Scalar", f(2, 6, 3), 1, torch.tensor([4, 1]), 0.0),
    sample("aten.index_fill.int_Tensor", f(2, 6, 3), 1, torch.tensor([4, 1]), f()),
]
