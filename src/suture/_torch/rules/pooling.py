"""Pooling: windows over space, channel by channel, `n c h! w! -> n c y x`.

The sizes of windows do not change what meets what; indices are places in the flattened image, which
no single axis counts.
"""

from __future__ import annotations

from suture._rule import rule

# The mean of a window is linear.
rule("aten.avg_pool1d aten.adaptive_avg_pool1d", "... h! -> ... y", "linear")
rule("aten.avg_pool2d aten._adaptive_avg_pool2d", "... h! w! -> ... y x", "linear")
rule("aten.avg_pool3d aten._adaptive_avg_pool3d", "... d! h! w! -> ... z y x", "linear")

# The largest of a window, with its place.
rule(
    "aten.max_pool2d_with_indices aten.adaptive_max_pool2d",
    "... h! w! -> ... y x, ... y x",
    "zero",
)
rule(
    "aten.max_pool3d_with_indices aten.adaptive_max_pool3d",
    "... d! h! w! -> ... z y x, ... z y x",
    "zero",
)

# Windows at places that are drawn per image and channel (an image alone counts as one).
rule("aten.fractional_max_pool2d", "n c h! w!, n c k -> n c y x, n c y x", "zero, ")
rule("aten.fractional_max_pool3d", "n c d! h! w!, n c k -> n c z y x, n c z y x", "zero, ")

# Back to the places that pooling remembered, zeros elsewhere.
BACK = "linear moves neutral=0, "
rule("aten.max_unpool2d", "... h! w!, ... h! w! -> ... y x", BACK)
rule("aten.max_unpool3d", "... d! h! w!, ... d! h! w! -> ... z y x", BACK)
