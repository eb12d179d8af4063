"""Convolutions, plain, grouped, depthwise and transposed, over any number of spatial dims."""

from __future__ import annotations

from typing import Any

from suture._bind import Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, spec

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
    count = input.ndim - 2
    each = [_at(values, count) for values in (stride, padding, output_padding)]
    still = [
        (size, *rest) == (1, 1, 0, 0) for size, *rest in zip(weight.shape[2:], *each, strict=True)
    ]
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
    return Described(text, ", ".join(words), {} if groups == 1 else {"g": groups})


def _at(values: list[int], count: int) -> list[int]:
    """One value per spatial dim; a single one stands for all."""
    return list(values) if len(values) == count else [values[0]] * count


@rule("aten.im2col", algebra="linear moves")
def im2col(
    self: TensorArgument, kernel_size: list[int], *, out: list[Shape], **others: Any
) -> Described:
    """Lay every window out as a column of channel × tap."""
    batch = ["n"] * (self.ndim == 4)
    text = spec([[*batch, "c", "h!", "w!"]], [[*batch, "(c kh kw)", "l"]])
    return Described(text, sizes={"kh": kernel_size[0], "kw": kernel_size[1]})


@rule("aten.col2im", algebra="linear")
def col2im(
    self: TensorArgument,
    output_size: list[int],
    kernel_size: list[int],
    *,
    out: list[Shape],
    **others: Any,
) -> Described:
    """Add columns of channel × tap back to where their windows lie."""
    batch = ["n"] * (self.ndim == 3)
    text = spec([[*batch, "(c kh! kw!)", "l!"]], [[*batch, "c", "y", "x"]])
    return Described(text, sizes={"kh": kernel_size[0], "kw": kernel_size[1]})
