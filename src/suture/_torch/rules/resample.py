"""Resampling: space at another resolution, and space traded for channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from suture._bind import Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, spec
from suture._torch.rules.selection import picked_dims

# Interpolation is a fixed matrix along space.
rule("aten.upsample_linear1d", "n c h! -> n c y", "linear")
rule(
    "aten.upsample_bilinear2d aten.upsample_bicubic2d aten._upsample_bilinear2d_aa "
    "aten._upsample_bicubic2d_aa",
    "n c h! w! -> n c y x",
    "linear",
)
rule("aten.upsample_trilinear3d", "n c d! h! w! -> n c z y x", "linear")

# Samples at places that a grid of coordinates names.
rule("aten.grid_sampler_2d", "n c h! w!, n y x k -> n c y x", "linear, ")
rule("aten.grid_sampler_3d", "n c d! h! w!, n z y x k -> n c z y x", "linear, ")


def _nearest(
    self: TensorArgument, out: Shape, scales: list[float | None], shift: float
) -> Described:
    """Pick the nearest entry along each spatial dim, as torch rounds it: in single precision."""
    indices = {}
    for place, scale in enumerate(scales, start=2):
        size = self.shape[place]
        ratio = np.float32(1 / scale if scale else size / out[place])
        places = (np.arange(out[place], dtype=np.float32) + np.float32(shift)) * ratio
        indices[place] = np.minimum(np.floor(places), size - 1).astype(np.int64).tolist()
    return picked_dims(self.ndim, indices)


def _register_nearest(ops: str, shift: float) -> None:
    @rule(ops, algebra="linear moves")
    def nearest(
        self: TensorArgument, output_size: list[int], *, out: list[Shape], **scales: Any
    ) -> Described:
        return _nearest(self, out[0], list(scales.values()), shift)


_register_nearest(
    "aten.upsample_nearest1d.default aten.upsample_nearest2d.default "
    "aten.upsample_nearest3d.default",
    0.0,
)
_register_nearest(
    "aten._upsample_nearest_exact1d.default aten._upsample_nearest_exact2d.default "
    "aten._upsample_nearest_exact3d.default",
    0.5,
)


# A channel is a block of pixels: `(c a b) h w -> c (h a) (w b)`.
@rule("aten.pixel_shuffle", algebra="linear moves")
def pixel_shuffle(self: TensorArgument, upscale_factor: int, *, out: list[Shape]) -> Described:
    """Trade channels for space."""
    sizes = {"a": upscale_factor, "b": upscale_factor}
    return Described("... (c a b) h w -> ... c (h a) (w b)", sizes=sizes)


@rule("aten.pixel_unshuffle", algebra="linear moves")
def pixel_unshuffle(self: TensorArgument, downscale_factor: int, *, out: list[Shape]) -> Described:
    """Trade space for channels."""
    sizes = {"a": downscale_factor, "b": downscale_factor}
    return Described("... c (h a) (w b) -> ... (c a b) h w", sizes=sizes)


@rule("aten.channel_shuffle aten.native_channel_shuffle", algebra="linear moves")
def channel_shuffle(self: TensorArgument, groups: int, *, out: list[Shape]) -> Described:
    """Deal channels out over groups."""
    space = axes(self.ndim - 2, "h")
    text = spec([["n", "(g c)", *space]], [["n", "(c g)", *space]])
    return Described(text, sizes={"g": groups})
