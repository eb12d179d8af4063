"""Samples of softmax, scans and orders."""

import torch

from samples._sample import f, sample

SAMPLES = [
    sample("aten._softmax.default", f(2, 3, 4), 1, False),
    sample("aten._log_softmax.default", f(2, 3, 4), -1, False),
    sample("aten._safe_softmax.default", f(2, 3, 4), 1),
    sample("aten.softmax.int", f(2, 3, 4), 1),
    sample("aten.log_softmax.int", f(2, 3, 4), 1),
    sample("aten.cumsum.default", f(2, 3, 4), 1),
    sample("aten.cumprod.default", f(2, 3, 4), 1),
    sample("aten.logcumsumexp.default", f(2, 3, 4), 1),
    sample("aten.cummax.default", f(2, 5), 1),
    sample("aten.cummin.default", f(2, 5), 1),
    sample("aten.sort.default", f(2, 5), -1),
    sample("aten.sort.default", f(5, 2), 0, True),
    sample("aten.sort.stable", f(2, 5), stable=True, dim=1),
    sample("aten.topk.default", f(2, 5), 3),
    sample("aten.topk.default", f(5, 2), 3, 0, False),
    sample("aten.renorm.default", 9 * f(2, 3, 4), 2.0, 1, 1.0),
    sample("aten.bucketize.Tensor", f(2, 3), torch.tensor([-0.5, 0.1, 0.2, 0.9]).double()),
    sample("aten.bucketize.Scalar", 0.15, torch.tensor([-0.5, 0.1, 0.2, 0.9]).double()),
    sample("aten.searchsorted.Tensor", f(5).sort().values, f(2, 3)),
    sample("aten.searchsorted.Tensor", f(2, 5).sort().values, f(2, 3)),
]
