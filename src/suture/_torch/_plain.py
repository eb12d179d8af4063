"""What came out of a file of torch: plain containers of plain tensors, or it is refused.

Knows how containers hold each other, and tensors as `torch.save` meets them. Does not know what
any of them means.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from suture._dtypes import DTYPES, is_shape
from suture._errors import FileError
from suture._files._zips import BROKEN, told
from suture._json_text import is_whole
from suture._torch._arrays import name_of

DEEPEST = 100
"""How deep containers may lie in each other: `torch.save` takes a frame of Python for each."""

MOST = 10_000_000
"""How often things may stand in further places, all together: each is looked at in every one.

A file of some bytes can hold a list twice in a list, that twice in another, and so on.
"""

CONTAINERS = (dict, list, tuple)


def items(value: Any) -> Iterator[tuple[Any, Any]]:
    """List what a container holds by its keys; nothing where it is none."""
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


class Met(pickle.Pickler):
    """What `torch.save` meets of tensors and their storages, in its order, wherever they stand.

    Attributes:
        tensors: each tensor once.
        storages: the address of each storage -> the storage.
    """

    def __init__(self, whole: Any) -> None:
        super().__init__(BytesIO(), protocol=torch.serialization.DEFAULT_PROTOCOL)
        self.tensors: list[torch.Tensor] = []
        self.storages: dict[int, torch.UntypedStorage] = {}
        self.dump(whole)

    def reducer_override(self, value: Any) -> Any:
        """Take note of tensors, and leave the rest to them."""
        if isinstance(value, torch.Tensor):
            self.tensors.append(value)
        return NotImplemented

    def persistent_id(self, value: Any) -> str | None:
        """Take note of storages, which stand apart from what is pickled."""
        if isinstance(value, torch.storage.TypedStorage):
            value = value._untyped_storage
        if not isinstance(value, torch.UntypedStorage):
            return None
        self.storages[value._cdata] = value
        return "storage"


def refuse_strange(path: Path, whole: Any) -> None:
    """Refuse what cannot be walked through, or written again, or is no plain number.

    Raises:
        FileError: naming what is strange.
    """
    _refuse_tangled(path, whole)
    try:
        tensors = Met(whole).tensors
    except (pickle.PicklingError, *BROKEN) as error:
        because = [("because", told(error))]
        raise FileError(f"{path} holds what torch cannot write again.", because) from None
    strange = [("tensor", _shown(one)) for one in tensors if not _is_plain(one)]
    if strange:
        raise FileError(f"{path} holds tensors that are not plain numbers.", strange[:20])


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether entries simply lie in memory, as those of an array do."""
    return (
        type(tensor) in (torch.Tensor, torch.nn.Parameter)
        and tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and name_of(tensor.dtype) in DTYPES
        and is_shape(tensor.shape, tensor.itemsize)
    )


def _shown(tensor: torch.Tensor) -> str:
    device = "" if tensor.device.type == "cpu" else f", on {tensor.device.type}"
    sizes = "" if is_shape(tensor.shape, tensor.itemsize) else f", {[*tensor.shape]}"
    return f"{type(tensor).__name__} of {tensor.dtype}, {tensor.layout}{device}{sizes}"


def _refuse_tangled(path: Path, whole: Any) -> None:
    """Refuse containers that hold themselves, lie too deep, or stand in too many places."""
    every = _containers(whole)
    halves = [key for one in every.values() for key in _keys(one) if not is_whole(key)]
    if halves:
        facts = [("name", repr(key[:80])) for key in halves[:20]]
        raise FileError(f"{path} holds names with halves of characters.", facts)
    holds = {at: [*map(id, _inner(one))] for at, one in every.items()}
    try:
        order = [*TopologicalSorter(holds).static_order()]
    except CycleError:
        raise FileError(f"{path} holds a container that holds itself.") from None
    depth, places = {id(whole): 0}, {id(whole): 1}
    for one in order:  # what others hold comes first
        depth[one] = 1 + max((depth[inner] for inner in holds[one]), default=0)
        places[one] = 1 + len(every[one]) + sum(places[inner] for inner in holds[one])
    if depth[id(whole)] > DEEPEST:
        found = f"lie {depth[id(whole)]} deep; {DEEPEST} are read at most"
        raise FileError(f"{path} is nested too deeply.", [("containers", found)])
    if places[id(whole)] > MOST + sum(1 + len(one) for one in every.values()):
        sentence = f"{path} holds things in more than {MOST:,} further places."
        raise FileError(sentence, hint="save it again without what it holds so often")


def _containers(whole: Any) -> dict[int, Any]:
    """Find all containers, by their identities."""
    found, ahead = dict[int, Any](), [whole]
    while ahead:
        one = ahead.pop()
        if id(one) not in found and isinstance(one, CONTAINERS):
            found[id(one)] = one
            ahead += _inner(one)
    return found


def _inner(container: Any) -> list[Any]:
    return [one for _, one in items(container) if isinstance(one, CONTAINERS)]


def _keys(container: Any) -> list[str]:
    keys = container if isinstance(container, dict) else ()
    return [key for key in keys if isinstance(key, str)]
