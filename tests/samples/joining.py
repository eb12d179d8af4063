"""Samples of joining tensors and writing over parts."""

from samples._sample import f, sample

SAMPLES = [
    sample("aten.cat.default", [f(2, 3), f(2, 4)], 1),
    sample("aten.cat.default", [f(2, 3), f(5, 3), f(1, 3)]),
    sample("aten.slice_scatter.default", f(2, 7), f(2, 3), 1, 1, 4),
    sample("aten.slice_scatter.default", f(7, 2), f(3, 2), 0, 4),
    sample("aten.slice_scatter.default", f(2, 7), f(2, 1), 1, -1),
    sample("aten.slice_scatter.default", f(2, 7), f(2, 3), 1, 1, 6, 2),
    sample("aten.block_diag.default", [f(2, 3), f(4, 5)]),
    sample("aten.block_diag.default", [f(2, 3), f(4)]),
    sample("aten.glu.default", f(2, 6)),
    sample("aten.glu.default", f(2, 8, 3), 1),
]
