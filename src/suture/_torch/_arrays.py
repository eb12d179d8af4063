"""Torch's part of the arrays that plans are carried out on.

Knows tensors, on any device. Does not know plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from suture._arrays import Array, Arrays, dtype_name, pieces, positions, scattered, whole_slices
from suture._dtypes import ADDED, DTYPES
from suture._partition import length
from suture._plan import Runs

SIGNED = {1: np.int8, 2: np.int16}
BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.complex128}


def name_of(dtype: torch.dtype) -> str:
    """Name a dtype as a plan does.

    Example:
        >>> name_of(torch.bfloat16), name_of(torch.int64)
        ('bf16', 'i64')
    """
    return dtype_name(str(dtype).removeprefix("torch."))


def torch_arrays(array: Array) -> Arrays | None:
    """Give torch's arrays if this is one of them."""
    return TORCH if isinstance(array, torch.Tensor) else None


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """See the same memory as a dtype that every indexing kernel knows; many lack u16 or f8."""
    return tensor.view(BITS[tensor.element_size()])


def tensor_of(array: NDArray[Any]) -> torch.Tensor:
    """Copy an array of numpy, bit by bit where torch alone knows its dtype."""
    if array.dtype not in ADDED:
        return torch.tensor(array)
    return torch.tensor(array.view(SIGNED[array.itemsize])).view(
        DTYPES_OF_TORCH[dtype_name(array.dtype.name)]
    )


DTYPES_OF_TORCH = {
    name_of(one): one for one in vars(torch).values() if isinstance(one, torch.dtype)
}
"""A plan's name of a dtype -> torch's."""


class _Torch:
    """Torch's tensors."""

    def dtype(self, array: torch.Tensor) -> str:
        return name_of(array.dtype)

    def place(self, array: torch.Tensor) -> int:
        return array.data_ptr()

    def copy(self, array: torch.Tensor) -> torch.Tensor:
        return array.detach().clone()

    def full(self, array: torch.Tensor, shape: Sequence[int], value: float) -> torch.Tensor:
        return torch.full(tuple(shape), value, dtype=array.dtype, device=array.device)

    def take(self, array: torch.Tensor, index: Sequence[Runs]) -> torch.Tensor:
        bits = _bits(array.detach())[whole_slices(index)]
        for dim, chosen in scattered(index):
            bits = bits.index_select(dim, torch.from_numpy(chosen).to(bits.device))
        return bits.view(array.dtype)

    def put(self, array: torch.Tensor, region: Sequence[Runs], values: Array) -> None:
        if isinstance(values, np.ndarray | np.generic):
            values = tensor_of(np.asarray(values))
        values = values.to(array.device, array.dtype).expand([length(runs) for runs in region])
        cuts = pieces(region)
        if cuts is None:
            chosen = np.ix_(*map(positions, region))
            mesh = tuple(torch.from_numpy(dim).to(array.device) for dim in chosen)
            _bits(array)[mesh] = _bits(values)
        else:
            for there, here in cuts:
                array[there] = values[here]

    def widen(self, array: torch.Tensor) -> torch.Tensor:
        if array.device.type == "mps":  # which has no f64
            return array.to(torch.complex64 if array.is_complex() else torch.float32)
        return array.to(torch.complex128 if array.is_complex() else torch.float64)

    def mean(self, array: torch.Tensor, dim: int) -> torch.Tensor:
        return array.mean(dim, keepdim=True)

    def fold(self, array: torch.Tensor, dim: int, weights: Sequence[float]) -> torch.Tensor:
        factors = torch.tensor(weights, dtype=array.dtype, device=array.device)
        shape = [-1 if d == dim else 1 for d in range(array.ndim)]
        return (array * factors.reshape(shape)).sum(dim, keepdim=True)

    def numpy(self, array: torch.Tensor) -> NDArray[Any]:
        array = array.detach().cpu().resolve_conj().resolve_neg()
        dtype = DTYPES[name_of(array.dtype)]
        return _bits(array).numpy().view(dtype) if dtype in ADDED else array.numpy()


TORCH: Arrays = _Torch()
