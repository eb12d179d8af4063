"""Samples of reductions: one dim, several, all; kept or not."""

import torch

from samples._sample import b, f, sample

ORDERED = ("amax", "amin", "logsumexp")

SAMPLES = [
    *(
        sample(f"aten.{op}", f(2, 3, 4), *rest)
        for op in ["sum.dim_IntList", "mean.dim", *(f"{op}.default" for op in ORDERED)]
        for rest in (([1],), ([0, -1], True))
    ),
    sample("aten.nansum.default", f(2, 3), [1]),
    sample("aten.sum.default", f(2, 3)),
    sample("aten.mean.default", f(2, 3)),
    sample("aten.max.default", f(2, 3)),
    sample("aten.min.default", f(4, 5)),
    sample("aten.min.default", f(4, 3)),
    sample("aten.max.dim", f(2, 3, 4), 1),
    sample("aten.min.dim", f(2, 3, 4), -1, True),
    sample("aten.median.dim", f(2, 7, 3), 1),
    sample("aten.median.dim", f(2, 8, 3), 1),
    sample("aten.nanmedian.dim", f(2, 7, 3), 1),
    sample("aten.nanmedian.dim", f(2, 8, 3), 1),
    sample("aten.mode.default", torch.tensor([[3.0, 3, 1, 2, 5, 6], [1, 4, 0, 2, 6, 4]]), 1),
    sample("aten.median.default", f(4, 5)),
    sample("aten.median.default", f(3, 5)),
    sample("aten.nanmedian.default", f(4, 5)),
    sample("aten.nanmedian.default", f(3, 5)),
    sample("aten.kthvalue.default", f(4, 7), 4, 1),
    sample("aten.prod.dim_int", f(2, 3, 4), 1),
    sample("aten.prod.default", f(2, 3)),
    sample("aten.any.dim", b(2, 3, 4) & False, 1),
    sample("aten.any.default", b(2, 3) & False),
    sample("aten.all.dim", b(2, 3, 4) | True, 1),
    sample("aten.all.default", b(2, 3) | True),
    sample("aten.count_nonzero.dim_IntList", b(2, 3) * f(2, 3), [1]),
    sample("aten.var.correction", f(2, 3, 4), [1]),
    sample("aten.var.correction", f(2, 3, 4), None, correction=0, keepdim=True),
    sample("aten.std.correction", f(2, 3, 4), [0, 2]),
    sample("aten.std_mean.correction", f(2, 3, 4), [1]),
    sample("aten.var_mean.correction", f(2, 3, 4), [1], keepdim=True),
    sample("aten.linalg_vector_norm.default", f(2, 3, 4), 2, [1]),
    sample("aten.linalg_vector_norm.default", f(2, 3, 4), 3, [0, 2], True),
    sample("aten.linalg_vector_norm.default", f(2, 3), float("-inf"), [1]),
    sample("aten.norm.ScalarOpt_dim", f(2, 3, 4), None, [1]),
    sample("aten.norm.Scalar", f(2, 3), 1),
    sample("aten.argmax.default", f(2, 5), 1),
    sample("aten.argmin.default", f(2, 5), 0, True),
    sample("aten.argmax.default", f(2, 5)),
]
