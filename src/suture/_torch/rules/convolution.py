"""Convolutions, plain, grouped, depthwise and transposed, over any number of spatial dims."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suture._bind import Shape, Window
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, spec
from suture._torch.rules._window import fitting, per_dim, slide, tied

PRODUCT = "linear mul neutral=0"


@rule("aten.convolution")
def convolution(
    input: TensorArgument,
    weight: TensorArgument,
    bias: TensorArgument | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
    *,
    out: list[Shape],
) -> Described:
    """Slide a kernel: `n (g i) h! w!, (g o) i kh kw, (g o) -> n (g o) y x`."""
    count, taps = input.ndim - 2, weight.shape[2:]
    given = (stride, padding, dilation, output_padding)
    *steps, extra = (per_dim(values, count) for values in given)
    pixels = zip(taps, *steps[:2], extra, strict=True)
    still = [pixel == (1, 1, 0, 0) for pixel in pixels]
    spatial, places, kernel = axes(count, "h"), axes(count, "y"), axes(count, "k")
    places = [h if kept else y for h, y, kept in zip(spatial, places, still, strict=True)]
    read = [h if kept else f"{h}!" for h, kept in zip(spatial, still, strict=True)]
    grouped_in, grouped_out = ("i", "o") if groups == 1 else ("(g i)", "(g o)")
    filters = [grouped_in, "o"] if transposed else [grouped_out, "i"]
    operands = [["n", grouped_in, *read], [*filters, *kernel]]
    words = [PRODUCT, PRODUCT]
    if bias is not None:
        operands.append([grouped_out])
        words.append("linear add")
    text = spec(operands, [["n", grouped_out, *places]])
    whole, cut = (spatial, input.shape[2:]), (places, out[0][2:])
    (sources, sizes), (at, counts) = (cut, whole) if transposed else (whole, cut)
    windows = tied(sources, at, kernel, map(slide, sizes, counts, taps, *steps))
    return Described(text, ", ".join(words), {} if groups == 1 else {"g": groups}, (), windows)


@rule("aten.im2col", algebra="linear moves")
def im2col(
    self: TensorArgument,
    kernel_size: list[int],
    dilation: list[int],
    padding: list[int],
    stride: list[int],
    *,
    out: list[Shape],
) -> Described:
    """Lay every window out as a column of channel × tap."""
    batch = ["n"] * (self.ndim == 4)
    text = spec([[*batch, "c", "h!", "w!"]], [[*batch, "(c kh kw)", "l"]])
    windows = _columns(("h", "w"), self.shape[-2:], kernel_size, stride, padding, dilation)
    return Described(text, None, {"kh": kernel_size[0], "kw": kernel_size[1]}, (), windows)


def _columns(
    sources: Sequence[str], sizes: Sequence[int], taps: Sequence[int], *steps: Sequence[int]
) -> tuple[Window, ...]:
    """Tie every column `l` and tap to the place that it reads, or is added to."""
    counts = map(fitting, sizes, taps, *steps)
    down, right = map(slide, sizes, counts, taps, *steps)
    columns = np.repeat(down, len(right), axis=0), np.tile(right, (len(down), 1))
    return tied(sources, ("l", "l"), ("kh", "kw"), columns)


@rule("aten.col2im", algebra="linear")
def col2im(
    self: TensorArgument,
    output_size: list[int],
    kernel_size: list[int],
    dilation: list[int],
    padding: list[int],
    stride: list[int],
    *,
    out: list[Shape],
) -> Described:
    """Add columns of channel × tap back to where their windows lie."""
    batch = ["n"] * (self.ndim == 3)
    text = spec([[*batch, "(c kh! kw!)", "l!"]], [[*batch, "c", "y", "x"]])
    windows = _columns(("y", "x"), output_size, kernel_size, stride, padding, dilation)
    return Described(text, None, {"kh": kernel_size[0], "kw": kernel_size[1]}, (), windows)
