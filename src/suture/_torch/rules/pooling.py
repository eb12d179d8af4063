"""Pooling: windows over space, channel by channel, `n c h! w! -> n c y x`.

Indices are places in the flattened image, which no single axis counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suture._bind import Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._window import per_dim, shared_out, slide, windowed


def _slid(ops: str, algebra: str, count: int) -> None:
    """Register pools over windows of one length."""

    @rule(ops, algebra=algebra)
    def pool(
        self: TensorArgument,
        kernel_size: Sequence[int],
        stride: Sequence[int] = (),
        padding: Sequence[int] = (0,),
        *,
        out: list[Shape],
        dilation: Sequence[int] = (1,),
        **others: Any,
    ) -> Described:
        given = (kernel_size, stride or kernel_size, padding, dilation)
        taps, *steps = (per_dim(values, count) for values in given)
        indices = map(slide, self.shape[-count:], out[0][-count:], taps, *steps)
        return windowed(["..."], out, list(indices))


def _adapted(ops: str, algebra: str, count: int) -> None:
    """Register pools to a given size."""

    @rule(ops, algebra=algebra)
    def pool(self: TensorArgument, output_size: Sequence[int], *, out: list[Shape]) -> Described:
        indices = map(shared_out, self.shape[-count:], out[0][-count:])
        return windowed(["..."], out, list(indices))


# The mean of a window is linear.
MEAN = "linear"
_slid("aten.avg_pool1d", MEAN, 1)
_slid("aten.avg_pool2d", MEAN, 2)
_slid("aten.avg_pool3d", MEAN, 3)
_adapted("aten.adaptive_avg_pool1d", MEAN, 1)
_adapted("aten._adaptive_avg_pool2d", MEAN, 2)
_adapted("aten._adaptive_avg_pool3d", MEAN, 3)

# The largest of a window, with its place.
LARGEST = "zero"
_slid("aten.max_pool2d_with_indices", LARGEST, 2)
_slid("aten.max_pool3d_with_indices", LARGEST, 3)
_adapted("aten.adaptive_max_pool2d", LARGEST, 2)
_adapted("aten.adaptive_max_pool3d", LARGEST, 3)

# Windows at places that are drawn per image and channel (an image alone counts as one).
rule("aten.fractional_max_pool2d", "n c h! w!, n c k -> n c y x, n c y x", "zero, ")
rule("aten.fractional_max_pool3d", "n c d! h! w!, n c k -> n c z y x, n c z y x", "zero, ")

# Back to the places that pooling remembered, zeros elsewhere.
BACK = "linear moves neutral=0, "
rule("aten.max_unpool2d", "... h! w!, ... h! w! -> ... y x", BACK)
rule("aten.max_unpool3d", "... d! h! w!, ... d! h! w! -> ... z y x", BACK)
