"""Samples of pooling: overlapping and padded windows, with and without a batch."""

import torch

from samples._sample import f, sample

PLACES = torch.tensor([0, 2, 9, 11, 1, 4, 8, 14, 5, 3, 13, 10])
"""Where pooling found its maxima: no place twice, many next to each other."""

SAMPLES = [
    sample("aten.avg_pool1d.default", f(2, 3, 7), [3], [2], [1]),
    sample("aten.avg_pool2d.default", f(1, 2, 4, 5), [2, 3], [1, 2]),
    sample("aten.avg_pool2d.default", f(2, 5, 4), [3, 2], [2, 1], [1, 0]),
    sample("aten.avg_pool3d.default", f(1, 1, 3, 4, 5), [2, 2, 2], [1, 1, 1]),
    # Windows that hang over the end, step over entries, or are spread.
    sample("aten.avg_pool1d.default", f(2, 3, 8), [3], [2], [1], True),
    sample("aten.avg_pool1d.default", f(2, 8), [2], [3]),
    sample("aten.avg_pool2d.default", f(1, 2, 9, 8), [4, 3], [3, 2], [1, 0], True, False),
    sample("aten.avg_pool2d.default", f(1, 2, 7, 9), [3]),
    sample("aten.avg_pool3d.default", f(1, 4, 7, 6), [2, 3, 2], [3, 2, 1], [1, 1, 0], True),
    sample("aten.adaptive_avg_pool1d.default", f(1, 2, 7), [3]),
    sample("aten._adaptive_avg_pool2d.default", f(1, 2, 7, 5), [4, 3]),
    sample("aten._adaptive_avg_pool2d.default", f(1, 2, 3, 7), [5, 4]),
    sample("aten._adaptive_avg_pool3d.default", f(1, 3, 5, 7), [2, 3, 4]),
    sample("aten.max_pool2d_with_indices.default", f(1, 2, 4, 5), [2, 3], [1, 2]),
    sample("aten.max_pool2d_with_indices.default", f(2, 5, 4), [3, 2], [2, 1], [1, 0]),
    sample("aten.max_pool3d_with_indices.default", f(1, 1, 3, 4, 5), [2, 2, 2], [1, 1, 1]),
    sample(
        "aten.max_pool2d_with_indices.default",
        *(f(2, 9, 8), [3, 2], [3, 2], [1, 1], [2, 3], True),
    ),
    sample(
        "aten.max_pool3d_with_indices.default",
        *(f(1, 5, 7, 6), [2, 3, 2], [2, 3, 1], [1, 0, 0], [1, 1, 2], True),
    ),
    sample("aten.adaptive_max_pool2d.default", f(1, 2, 7, 5), [4, 3]),
    sample("aten.adaptive_max_pool3d.default", f(1, 3, 5, 7), [2, 3, 4]),
    sample(
        "aten.fractional_max_pool2d.default",
        *(f(2, 3, 7, 8), [2, 2], [4, 5]),
        torch.sigmoid(f(2, 3, 2)),
    ),
    sample(
        "aten.fractional_max_pool3d.default",
        *(f(1, 2, 5, 6, 7), [2, 2, 2], [3, 4, 5]),
        torch.sigmoid(f(1, 2, 3)),
    ),
    sample("aten.max_unpool2d.default", f(1, 1, 3, 4), PLACES.reshape(1, 1, 3, 4), [6, 8]),
    sample(
        "aten.max_unpool3d.default",
        *(f(1, 1, 2, 3, 1), torch.tensor([0, 13, 6, 21, 10, 3]).reshape(1, 1, 2, 3, 1)),
        *([2, 3, 4], [1, 1, 1], [0, 0, 0]),
    ),
]
