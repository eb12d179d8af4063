"""Arrays of any framework, through the few things that carrying out a plan asks of them.

Knows the interface and numpy's part of it. Does not know plans; torch's part is `_torch._arrays`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, product
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from suture._dtypes import ADDED, BITS
from suture._partition import length
from suture._plan import Runs

Array = Any
"""An array of a framework: `numpy.ndarray`, `torch.Tensor`."""

FEW = 32
"""Up to so many slices, copying each is quicker than gathering by positions."""

LONG = 512
"""Where slices have so many entries on average, they are not too many either."""

SHORT = {"bfloat": "bf", "float": "f", "complex": "c", "uint": "u", "int": "i"}
Key = tuple[slice, ...]


class Arrays(Protocol):
    """What one framework's arrays can do. None of it changes an argument but `put`."""

    def dtype(self, array: Array) -> str:
        """Name the dtype as a plan does, e.g. `"f32"`."""

    def place(self, array: Array) -> int:
        """Give the address of the first entry: tied arrays have the same."""

    def copy(self, array: Array) -> Array:
        """Copy bit by bit, apart from any graph of gradients."""

    def full(self, array: Array, shape: Sequence[int], value: float) -> Array:
        """Make an array of one number, of the dtype and on the device of another."""

    def take(self, array: Array, index: Sequence[Runs]) -> Array:
        """Read the product of runs, as a view where it is one slice."""

    def put(self, array: Array, region: Sequence[Runs], values: Array) -> None:
        """Write values, which broadcast and are cast, into the product of runs.

        `values` are of this framework or numpy's.
        """

    def widen(self, array: Array) -> Array:
        """Cast floats to the widest float and complex to the widest complex, to calculate on."""

    def mean(self, array: Array, dim: int) -> Array:
        """Average over one dim, kept as a size of 1."""

    def fold(self, array: Array, dim: int, weights: Sequence[float]) -> Array:
        """Sum over one dim with weights, kept as a size of 1."""

    def numpy(self, array: Array) -> NDArray[Any]:
        """Give the same bits as a numpy array, those of numpy's or of `ml_dtypes`."""


def arrays_of(array: Array) -> Arrays | None:
    """Find the framework that an array belongs to, None if it is no array.

    Example:
        >>> arrays_of(np.zeros(3)) is NUMPY, arrays_of([0.0]) is None
        (True, True)
    """
    if isinstance(array, np.ndarray | np.generic):  # arithmetic on 0-d arrays gives scalars
        return NUMPY
    if any(kind.__module__.partition(".")[0] == "torch" for kind in type(array).__mro__):
        from suture._torch._arrays import torch_arrays

        return torch_arrays(array)
    return None


def dtype_name(name: str) -> str:
    """Shorten a framework's name of a dtype.

    Example:
        >>> dtype_name("float32"), dtype_name("bfloat16"), dtype_name("uint8"), dtype_name("bool")
        ('f32', 'bf16', 'u8', 'bool')
    """
    return re.sub(r"^(bfloat|float|complex|uint|int)(?=\d)", lambda m: SHORT[m[1]], name)


def positions(runs: Runs) -> NDArray[np.int64]:
    """List the positions of runs.

    Example:
        >>> positions(((4, 6), (0, 2)))
        array([4, 5, 0, 1])
    """
    starts, stops = np.array(runs, dtype=np.int64).reshape(-1, 2).T
    lengths = stops - starts
    return np.repeat(stops - np.cumsum(lengths), lengths) + np.arange(lengths.sum())


def pieces(region: Sequence[Runs]) -> list[tuple[Key, Key]] | None:
    """Cut a region into pairs of slices, of the array and of the values; None if into too many.

    Example:
        >>> pieces([((4, 6), (0, 1))])
        [((slice(4, 6, None),), (slice(0, 2, None),)), ((slice(0, 1, None),), (slice(2, 3, None),))]
    """
    if prod(map(len, region)) > max(FEW, prod(map(length, region)) // LONG):
        return None
    return [
        (tuple(there for there, _ in piece), tuple(here for _, here in piece))
        for piece in product(*map(_cuts, region))
    ]


def _cuts(runs: Runs) -> Iterator[tuple[slice, slice]]:
    """Pair each run with the positions its entries have among all of the runs."""
    ends = accumulate(stop - start for start, stop in runs)
    for (start, stop), end in zip(runs, ends, strict=True):
        yield slice(start, stop), slice(end - (stop - start), end)


def whole_slices(index: Sequence[Runs]) -> Key:
    """Slice the dims that one run holds, and leave the others for `positions`."""
    return tuple(slice(*runs[0]) if len(runs) == 1 else slice(None) for runs in index)


def scattered(index: Sequence[Runs]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Pair the dims that need more than a slice with their positions."""
    return ((dim, positions(runs)) for dim, runs in enumerate(index) if len(runs) != 1)


def _scattered_key(region: Sequence[Runs]) -> tuple[Any, ...]:
    """Index a region with slices but for one dim, which goes row by row, or else by entries."""
    if sum(len(runs) != 1 for runs in region) > 1:
        return np.ix_(*map(positions, region))
    return tuple(slice(*runs[0]) if len(runs) == 1 else positions(runs) for runs in region)


def _gathered(array: NDArray[Any], dim: int, runs: Runs) -> NDArray[Any]:
    """Gather runs along a dim: slice by slice where those are long, or else by positions."""
    entries = array.size // max(1, array.shape[dim]) * length(runs)
    if not 0 < len(runs) * LONG <= entries:
        return np.take(array, positions(runs), axis=dim)
    before = (slice(None),) * dim
    return np.concatenate([array[*before, slice(*run)] for run in runs], axis=dim)


def _bits(array: NDArray[Any]) -> NDArray[Any]:
    return array.view(BITS[array.dtype.itemsize])


class _Numpy:
    """Numpy's arrays."""

    def dtype(self, array: Array) -> str:
        return dtype_name(array.dtype.name)

    def place(self, array: Array) -> int:
        return int(array.__array_interface__["data"][0])

    def copy(self, array: Array) -> Array:
        return np.array(array)

    def full(self, array: Array, shape: Sequence[int], value: float) -> Array:
        return np.full(shape, value, array.dtype)

    def take(self, array: Array, index: Sequence[Runs]) -> Array:
        array = array[whole_slices(index)]
        for dim, runs in enumerate(index):
            if len(runs) != 1:
                array = _gathered(array, dim, runs)
        return array

    def put(self, array: Array, region: Sequence[Runs], values: Array) -> None:
        values = np.asarray(values)
        if array.dtype == values.dtype and array.dtype in ADDED:
            # Numpy copies dtypes that are not its own entry by entry, and not each bit by bit.
            array, values = _bits(array), _bits(values)
        values = np.broadcast_to(values, [length(runs) for runs in region])
        cuts = pieces(region)
        # A value too large for the dtype becomes an infinity, as in every other framework; one that
        # is no number stays none, whatever its bits say.
        with np.errstate(over="ignore", invalid="ignore"):
            if array.dtype == np.float16 and values.dtype == np.float64:
                values = values.astype(np.float32)  # on its way as elsewhere, to the same bit
            if cuts is None:
                array[_scattered_key(region)] = values
            else:
                for there, here in cuts:
                    array[there] = values[here]

    def widen(self, array: Array) -> Array:
        with np.errstate(invalid="ignore"):
            return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)

    def mean(self, array: Array, dim: int) -> Array:
        return array.mean(axis=dim, keepdims=True)

    def fold(self, array: Array, dim: int, weights: Sequence[float]) -> Array:
        shape = [-1 if d == dim else 1 for d in range(array.ndim)]
        return (array * np.reshape(weights, shape)).sum(axis=dim, keepdims=True)

    def numpy(self, array: Array) -> NDArray[Any]:
        return np.asarray(array)


NUMPY: Arrays = _Numpy()
