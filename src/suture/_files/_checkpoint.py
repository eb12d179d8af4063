"""Checkpoints: what a file or folder of weights holds, seen through memory maps.

Knows what every format has in common. Does not know any format.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from suture._arrays import dtype_name
from suture._dtypes import DTYPES
from suture._files._members import Stored
from suture._plan import Tensor

Format = Literal[
    "safetensors",
    "sharded safetensors",
    "sharded torch",
    "hugging face folder",
    "torch",
    "lightning",
    "stable-baselines3",
    "npz",
]
FOLDERS = ("sharded safetensors", "sharded torch", "hugging face folder")
"""The formats that are folders."""

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The weights of one model in a file or folder.

    Attributes:
        path: the file or folder.
        format: what it is, by its content.
        tensors: name -> shape and dtype of the model's weights.
        arrays: name -> the weights, mapped: what is not looked at is not read. Not to be written.
        metadata: texts that the file holds by name.
        files: all files that the weights are read from.
        others: what else is in there, as (name, what it is) pairs.
        copies: other arrays of the same names, such as averages: keypath -> name -> array.
        optimizers: states of optimizers that can be carried: keypath -> state dict.
        content: what its format needs to write another such file.
        left: what else lies in the file and is not to be written.
        stored: file -> the members of that archive that lie there as they are, with checksums.
    """

    path: Path
    format: Format
    tensors: Mapping[str, Tensor]
    arrays: Arrays
    metadata: Mapping[str, str]
    files: tuple[Path, ...]
    others: tuple[tuple[str, str], ...] = ()
    copies: Mapping[str, Arrays] = field(default_factory=dict)
    optimizers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    content: Any = field(default=None, repr=False)
    left: tuple[str, ...] = ()
    stored: Mapping[Path, Sequence[Stored]] = field(default_factory=dict)


def described(arrays: Arrays) -> dict[str, Tensor]:
    """Say what arrays are."""
    return {name: Tensor(name, a.shape, dtype_name(a.dtype.name)) for name, a in arrays.items()}


def mapped(path: Path, tensors: Mapping[str, Tensor], offsets: Mapping[str, int]) -> Arrays:
    """See tensors in a file, each at its offset in bytes, without reading them."""
    with path.open("rb") as file:
        whole: Any = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return {
        name: np.frombuffer(whole, DTYPES[t.dtype], t.size, offsets[name]).reshape(t.shape)
        if t.size
        else np.empty(t.shape, DTYPES[t.dtype])
        for name, t in tensors.items()
    }
