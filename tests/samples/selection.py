"""Samples of selection: parts of a dim from its start, middle and end, and constant picks."""

import torch

from samples._sample import f, known, sample

SAMPLES = [
    sample("aten.slice.Tensor", f(2, 7), 1, 2, 5),
    sample("aten.slice.Tensor", f(7, 2), 0, 3, 9223372036854775807),
    sample("aten.slice.Tensor", f(2, 7), 1, 0, -2),
    sample("aten.slice.Tensor", f(2, 7), 1, 1, 7, 2),
    sample("aten.slice.Tensor", f(2, 7)),
    sample("aten.slice_copy.Tensor", f(2, 7), 1, 2, 5),
    sample("aten.flip.default", f(2, 3, 5), [0, -1]),
    sample("aten.roll.default", f(2, 5), [2], [1]),
    sample("aten.roll.default", f(5), [2]),
    sample("aten.roll.default", f(3, 4, 5), [1, 2, 1], [0, 2, 2]),
    sample("aten.split.Tensor", f(2, 7), 3, 1),
    sample("aten.unsafe_split.Tensor", f(7, 2), 3),
    sample("aten.split_copy.Tensor", f(7, 2), 3),
    sample("aten.split_with_sizes.default", f(2, 6), [1, 3, 2], -1),
    sample("aten.unsafe_split_with_sizes.default", f(2, 6), [1, 3, 2], -1),
    sample("aten.split_with_sizes_copy.default", f(2, 6), [1, 3, 2], -1),
    sample("aten.index_select.default", f(2, 5, 3), 1, torch.tensor([4, 0, 4, 1])),
    sample("aten.index_select.default", f(2, 5, 3), 1, known([4, 0, 1, 1])),
]
