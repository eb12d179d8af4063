"""Samples of convolutions: plain, grouped, depthwise, transposed, without bias, in every rank."""

from typing import Any

from torch import Tensor

from samples._sample import Sample, f, sample


def conv(x: Tensor, w: Tensor, bias: Tensor | None, *, groups: int = 1, **others: Any) -> Sample:
    """Write a convolution whose other arguments have their usual values."""
    rank = x.ndim - 2
    stride, padding, dilation = (
        others.get(name, [usual] * rank)
        for name, usual in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    transposed, extra = others.get("transposed", False), others.get("output_padding", [0] * rank)
    rest = (stride, padding, dilation, transposed, extra, groups)
    return sample("aten.convolution.default", x, w, bias, *rest)


SPREAD: dict[str, Any] = {"transposed": True, "stride": [3, 2], "dilation": [2, 3]}

SAMPLES = [
    conv(f(2, 3, 7), f(4, 3, 2), f(4)),
    conv(f(1, 2, 4, 5), f(3, 2, 2, 3), f(3)),
    conv(f(1, 1, 7, 4), f(5, 1, 3, 2), None, stride=[2, 1], padding=[1, 0]),
    conv(f(2, 3, 8), f(4, 3, 2), f(4), dilation=[3], padding=[1]),
    conv(f(1, 1, 2, 3, 4), f(5, 1, 1, 2, 3), f(5)),
    # Windows that step over entries, read some twice, and lie beside the image.
    conv(f(1, 1, 9, 10), f(6, 1, 3, 2), None, stride=[3, 2], padding=[2, 1], dilation=[1, 3]),
    conv(f(1, 1, 3, 6, 5), f(1, 1, 2, 3, 4), f(1), stride=[2, 3, 1], padding=[0, 2, 1]),
    conv(f(2, 3, 7), f(4, 3, 1), f(4), stride=[3], padding=[1]),
    # Pointwise: space stays as it is, along one dim or both.
    conv(f(2, 3, 4, 5), f(1, 3, 1, 1), f(1)),
    conv(f(1, 3, 4, 5), f(6, 3, 1, 2), f(6)),
    # Grouped (2 groups of 3 to 2 groups of 4), depthwise, depthwise with a multiplier of 2.
    conv(f(1, 6, 7), f(8, 3, 2), f(8), groups=2),
    conv(f(2, 3, 7), f(3, 1, 2), f(3), groups=3),
    conv(f(1, 2, 5, 4), f(6, 1, 2, 3), None, groups=2),
    # Transposed: the kernel's first dim is the input's channels.
    conv(f(2, 3, 5), f(3, 4, 2), f(4), transposed=True),
    conv(f(2, 6, 5), f(6, 4, 3), f(8), transposed=True, groups=2, stride=[2], output_padding=[1]),
    conv(f(1, 1, 4, 5), f(1, 6, 2, 3), None, transposed=True, padding=[1, 0]),
    conv(f(1, 2, 4), f(2, 5, 3), f(5), transposed=True, stride=[3], padding=[3], dilation=[2]),
    conv(f(1, 1, 4, 3), f(1, 6, 3, 2), f(6), **SPREAD, padding=[1, 2], output_padding=[2, 0]),
    sample("aten.im2col.default", f(2, 3, 4, 5), [2, 3], [1, 1], [0, 0], [1, 1]),
    sample("aten.im2col.default", f(2, 4, 5), [3, 2], [1, 2], [1, 0], [1, 1]),
    sample("aten.im2col.default", f(1, 2, 8, 7), [2, 3], [3, 1], [1, 2], [2, 3]),
    sample("aten.col2im.default", f(2, 18, 9), [4, 5], [2, 3], [1, 1], [0, 0], [1, 1]),
    sample("aten.col2im.default", f(18, 9), [4, 5], [2, 3], [1, 1], [0, 0], [1, 1]),
    sample("aten.col2im.default", f(2, 6, 12), [8, 7], [2, 3], [3, 1], [1, 2], [2, 3]),
]
