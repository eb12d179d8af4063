"""Numpy in pickles: the names that its arrays, scalars, dtypes and generators are written with.

Knows what numpy 1 and 2 write, and that numpy trusts it: the flags of a dtype that a file sets
decide whether bytes are taken for pointers. So each name stands for a function that accepts what
numpy would have written of the same thing, and no more.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from pickle import UnpicklingError
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from suture._unpickle import Admitted, Call, Word

PLAIN = re.compile(r"[biufc]\d+|b1|[SU]\d+|O8?")
"""Dtypes of numbers, texts and objects, as numpy writes them: none with fields."""

ARRAY, PCG64, SEEDS = Word("ndarray"), Word("PCG64"), Word("SeedSequence")


@dataclass(slots=True)
class _Seed:
    """What a generator was seeded with, until the generator is filled."""

    state: tuple[Any, ...] = ()


def _dtype(text: object, *flags: object) -> np.dtype[Any]:
    """Make a dtype that is nobody else's, since a state is put into it."""
    if not isinstance(text, str) or not PLAIN.fullmatch(text):
        raise UnpicklingError(f"{text!r} is no dtype of plain numbers, texts or objects")
    return np.dtype(text, align=False, copy=True)


def _fill_dtype(bare: np.dtype[Any], state: Any) -> None:
    """Set the order of bytes, if the rest is what numpy writes of that dtype."""
    order = state[1]
    if order not in ("<", ">", "|") or state != bare.newbyteorder(order).__reduce__()[2]:
        raise UnpicklingError(f"numpy does not write {state!r} of {bare}")
    bare.__setstate__(state)  # type: ignore[attr-defined]


def _array(kind: object, shape: object, code: object) -> NDArray[Any]:
    if (kind, shape, code) != (ARRAY, (0,), b"b"):
        raise UnpicklingError("an array begins otherwise than numpy writes it")
    return np.ndarray((0,), "b")


def _fill_array(bare: NDArray[Any], state: Any) -> None:
    """Fill an array once: whoever looks at its old memory would look at nothing."""
    if bare.shape != (0,) or not isinstance(state[2], np.dtype):
        raise UnpicklingError("an array is filled twice, or with what is no dtype")
    # Numpy counts bytes and trusts the length of a list: it would read past the end of a short one.
    if state[2].kind == "O" and (not isinstance(state[4], list) or len(state[4]) != prod(state[1])):
        raise UnpicklingError("an array of objects has not as many as its shape says")
    bare.__setstate__(state)


def _view(data: object, dtype: object, shape: Any, order: Any) -> NDArray[Any]:
    """Read an array from bytes, into memory of its own."""
    if not isinstance(data, bytes | bytearray) or not isinstance(dtype, np.dtype):
        raise UnpicklingError("an array is read from what is not bytes")
    return np.frombuffer(data, dtype).reshape(shape, order=order).copy(order="K")


def _scalar(dtype: object, data: object) -> Any:
    if not isinstance(dtype, np.dtype) or not isinstance(data, bytes) or dtype.kind == "O":
        raise UnpicklingError("a number of numpy's is written otherwise")
    (number,) = np.frombuffer(data, dtype)
    return number


def _bits(kind: object) -> np.random.PCG64:
    if kind is not PCG64 and kind != "PCG64":
        raise UnpicklingError("random bits are PCG64's here, as in gymnasium")
    return np.random.PCG64(0)


def _fill_bits(bare: np.random.PCG64, state: Any) -> None:
    match state:
        case (dict() as state, _Seed((entropy, children, _, size, key))):
            seeds = np.random.SeedSequence(
                entropy, spawn_key=key, pool_size=size, n_children_spawned=children
            )
            bare.__setstate__((state, seeds))  # type: ignore[attr-defined]
        case dict():
            bare.state = cast(Any, state)
        case _:
            raise UnpicklingError("the state of random bits is no dict")


def _seeds(kind: object, checksum: object, state: object) -> _Seed:
    if kind is not SEEDS or state is not None:
        raise UnpicklingError("a sequence of seeds is written otherwise")
    return _Seed()


def _fill_seeds(bare: _Seed, state: Any) -> None:
    bare.state = tuple(state)


def _generator(bits: object = "PCG64") -> np.random.Generator:
    return np.random.Generator(bits if isinstance(bits, np.random.PCG64) else _bits(bits))


def _fill_generator(bare: np.random.Generator, state: Any) -> None:
    """Fill a generator of numpy 1, which wrote its bits' state as its own."""
    bare.bit_generator.state = dict(state)


DTYPE = Call(_dtype, {type(np.dtype(code)): _fill_dtype for code in "?bBhHiIlLqQefdgFDGSUO"})
RECONSTRUCT = Call(_array, {np.ndarray: _fill_array})
BITS = Call(_bits, {np.random.PCG64: _fill_bits})
GENERATOR = Call(_generator, {np.random.Generator: _fill_generator})

NUMPY: Admitted = {
    ("collections", "OrderedDict"): Call(OrderedDict),
    ("numpy", "dtype"): DTYPE,
    ("numpy", "ndarray"): ARRAY,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "scalar"): Call(_scalar),
    ("numpy._core.numeric", "_frombuffer"): Call(_view),
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy.core.multiarray", "scalar"): Call(_scalar),
    ("numpy.core.numeric", "_frombuffer"): Call(_view),
    ("numpy.random._pcg64", "PCG64"): PCG64,
    ("numpy.random._pickle", "__bit_generator_ctor"): BITS,
    ("numpy.random._pickle", "__generator_ctor"): GENERATOR,
    ("numpy.random.bit_generator", "SeedSequence"): SEEDS,
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"): Call(
        _seeds, {_Seed: _fill_seeds}
    ),
}
"""The names that numpy writes, in versions 1 and 2."""
