"""Resampling: space at another resolution, and space traded for channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suture._bind import Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, spec
from suture._torch.rules._window import Index, listed, windowed
from suture._torch.rules.selection import picked_dims

Weights = NDArray[np.float64]
Kernel = Callable[[Weights], Weights]
Reads = Callable[[int, int, float | None, bool], Index | None]

ROUNDING = 1e-9


def _interpolated(ops: str, reads: Reads) -> None:
    """Register interpolations: a fixed matrix along each dim of space."""

    @rule(ops, algebra="linear")
    def interpolation(
        self: TensorArgument,
        output_size: Sequence[int],
        align_corners: bool,
        *,
        out: list[Shape],
        **scales: float | None,
    ) -> Described:
        dims = zip(self.shape[2:], out[0][2:], scales.values(), strict=True)
        return windowed(["n", "c"], out, [reads(*dim, align_corners) for dim in dims])


def _edged(kernel: Kernel) -> Reads:
    """Weigh the entries around a place; beyond an edge lies again what lies at it."""

    def reads(size: int, places: int, scale: float | None, align_corners: bool) -> Index | None:
        at, _ = _centres(size, places, scale, align_corners)
        entries, weights = np.arange(-2, size + 2), np.zeros((places, size))
        np.add.at(weights.T, entries.clip(0, size - 1), kernel(entries - at).T)
        return _listed(weights, scale)

    return reads


def _smoothed(kernel: Kernel) -> Reads:
    """Weigh by a kernel as wide as a step, so that no entry is stepped over."""

    def reads(size: int, places: int, scale: float | None, align_corners: bool) -> Index | None:
        at, step = _centres(size, places, scale, align_corners)
        weights = kernel((np.arange(size) - at) / max(step, 1))
        # Between aligned corners torch lays places elsewhere, not at the corners.
        return None if align_corners else _listed(weights, scale)

    return reads


def _listed(weights: Weights, scale: float | None) -> Index | None:
    """List what is read; torch may or may not scale what is to keep its size."""
    kept = scale and weights.shape[0] == weights.shape[1]
    return None if kept else listed(np.abs(weights) > ROUNDING)


def _centres(
    size: int, places: int, scale: float | None, align_corners: bool
) -> tuple[Weights, float]:
    """Find where each place lies among the entries, as a column, and how far they are apart."""
    place = np.arange(places, dtype=np.float64)[:, None]
    if align_corners:
        step = (size - 1) / max(places - 1, 1)
        return place * step, step
    step = 1 / scale if scale else size / places
    return (place + 0.5) * step - 0.5, step


def _linear(distance: Weights) -> Weights:
    weights: Weights = np.maximum(1 - np.abs(distance), 0)
    return weights


def _cubic(a: float) -> Kernel:
    """Make the kernel of a cubic convolution.

    Source: Keys, *Cubic convolution interpolation for digital image processing*, 1981, equation 4.
    """

    def kernel(distance: Weights) -> Weights:
        x = np.abs(distance)
        inner, outer = ((a + 2) * x - (a + 3)) * x**2 + 1, a * (((x - 5) * x + 8) * x - 4)
        return np.where(x <= 1, inner, np.where(x < 2, outer, 0))

    return kernel


_interpolated(
    "aten.upsample_linear1d.default aten.upsample_bilinear2d.default "
    "aten.upsample_trilinear3d.default",
    _edged(_linear),
)
_interpolated("aten.upsample_bicubic2d.default", _edged(_cubic(-0.75)))
_interpolated("aten._upsample_bilinear2d_aa.default", _smoothed(_linear))
_interpolated("aten._upsample_bicubic2d_aa.default", _smoothed(_cubic(-0.5)))


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
