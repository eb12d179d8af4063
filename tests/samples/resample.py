"""Samples of resampling, to sizes that are no multiples, and of trades with channels."""

import torch

from samples._sample import f, sample

SAMPLES = [
    sample("aten.upsample_linear1d.default", f(2, 3, 5), [7], False),
    sample("aten.upsample_linear1d.default", f(2, 3, 9), [4], True),
    sample("aten.upsample_linear1d.default", f(2, 3, 5), [7], False, 1.45),
    sample("aten.upsample_bilinear2d.default", f(1, 2, 4, 5), [6, 7], True),
    sample("aten.upsample_bilinear2d.default", f(1, 2, 7, 4), [3, 8], False),
    sample("aten.upsample_bicubic2d.default", f(1, 2, 4, 5), [6, 7], False),
    sample("aten.upsample_bicubic2d.default", f(1, 2, 8, 7), [3, 4], True),
    sample("aten._upsample_bilinear2d_aa.default", f(1, 2, 6, 7), [4, 5], False),
    sample("aten._upsample_bilinear2d_aa.default", f(1, 2, 8, 5), [3, 6], True),
    sample("aten._upsample_bicubic2d_aa.default", f(1, 2, 6, 7), [4, 5], False),
    sample("aten.upsample_trilinear3d.default", f(1, 1, 2, 3, 4), [3, 5, 6], False),
    sample("aten.upsample_nearest1d.default", f(2, 3, 5), [7]),
    sample("aten.upsample_nearest1d.default", f(2, 3, 5), [13], 2.6),
    sample("aten.upsample_nearest2d.default", f(1, 2, 4, 5), [6, 3]),
    sample("aten.upsample_nearest3d.default", f(1, 1, 2, 3, 4), [3, 5, 6]),
    sample("aten._upsample_nearest_exact1d.default", f(2, 3, 5), [7]),
    sample("aten._upsample_nearest_exact2d.default", f(1, 2, 4, 5), [6, 3]),
    sample("aten._upsample_nearest_exact3d.default", f(1, 1, 2, 3, 4), [3, 5, 6]),
    sample("aten.grid_sampler_2d.default", f(1, 2, 4, 5), torch.tanh(f(1, 3, 6, 2)), 0, 0, False),
    sample(
        "aten.grid_sampler_3d.default",
        *(f(1, 1, 2, 3, 4), torch.tanh(f(1, 3, 2, 2, 3)), 0, 0, True),
    ),
    sample("aten.pixel_shuffle.default", f(1, 8, 1, 3), 2),
    sample("aten.pixel_shuffle.default", f(4, 5, 3), 2),
    sample("aten.pixel_unshuffle.default", f(1, 1, 4, 6), 2),
    sample("aten.channel_shuffle.default", f(1, 6, 2, 4), 2),
    sample("aten.native_channel_shuffle.default", f(1, 6, 2, 4), 3),
]
