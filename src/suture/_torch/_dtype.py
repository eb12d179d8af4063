"""Short names of dtypes, as arrays are printed: `f32[768,3072]`."""

from __future__ import annotations

import torch

_SHORT = {
    torch.float64: "f64", torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
    torch.int64: "i64", torch.int32: "i32", torch.int16: "i16", torch.int8: "i8",
    torch.uint8: "u8", torch.bool: "bool", torch.complex64: "c64", torch.complex128: "c128",
}  # fmt: skip


def short(dtype: torch.dtype) -> str:
    """Name a dtype in a few letters; those without a short name keep torch's own."""
    return _SHORT.get(dtype, str(dtype).removeprefix("torch."))


def show(tensor: torch.Tensor) -> str:
    """Print a tensor as dtype and shape.

    Example:
        >>> show(torch.zeros(2, 3))
        'f32[2,3]'
    """
    return f"{short(tensor.dtype)}[{','.join(map(str, tensor.shape))}]"
