"""Samples of padding, unequal on every side."""

from samples._sample import f, sample

SAMPLES = [
    sample("aten.constant_pad_nd.default", f(2, 5), [1, 2]),
    sample("aten.constant_pad_nd.default", f(2, 3, 5), [1, 2, 0, 1], 1.5),
    sample("aten.constant_pad_nd.default", f(2, 7), [-1, 2]),
    sample("aten.constant_pad_nd.default", f(2, 7), [3, -2], 1.5),
    sample("aten.reflection_pad1d.default", f(2, 3, 5), [2, 3]),
    sample("aten.reflection_pad2d.default", f(1, 2, 4, 5), [2, 3, 1, 2]),
    sample("aten.reflection_pad3d.default", f(2, 3, 2, 4), [2, 3, 1, 0, 1, 2]),
    sample("aten.replication_pad1d.default", f(2, 3, 5), [2, 3]),
    sample("aten.replication_pad2d.default", f(2, 3, 5), [2, 0, 1, 2]),
    sample("aten.replication_pad3d.default", f(2, 3, 2, 4), [2, 3, 1, 0, 1, 2]),
    sample("aten._pad_circular.default", f(2, 3, 5), [2, 3]),
    sample("aten._pad_circular.default", f(1, 2, 4, 5), [2, 3, 1, 0]),
]
