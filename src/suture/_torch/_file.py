"""Torch's files: opened as weights only, mapped, and written without holding a tensor.

Knows what `torch.save` writes and how people nest weights in it. Does not know plans.
"""

from __future__ import annotations

import pickle
import warnings
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import torch

from suture._errors import FileError
from suture._files._checkpoint import Arrays, Checkpoint, Format, described
from suture._files._made import Made
from suture._files._members import Stored, refuse_packed, stored
from suture._files._sink import Sink, write_all
from suture._files._writers import Decided
from suture._files._zips import BROKEN, members, numbered, told
from suture._torch._arrays import DTYPES_OF_TORCH, TORCH
from suture._torch._plain import Met, items, refuse_strange
from suture._wrappers import counters

Keys = tuple[str | int, ...]
WEIGHTS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights")
"""What people call the weights of a model in a file that holds more."""

LIGHTNING = "pytorch-lightning_version"
OPTIMIZER = {"state", "param_groups"}
"""What torch's optimizers call the two parts of their state."""


class Gone:
    """What takes the place of something that is left out."""


GONE = Gone()
Changes = Mapping[Keys, Any]
"""Keys -> what takes the place of what they lead to."""


@dataclass(frozen=True, slots=True, eq=False)
class Nested:
    """What a file holds.

    Attributes:
        whole: all of it.
        weights: the keys that lead to the model's weights.
        copies: keypath -> the keys that lead to what may be a copy of them.
    """

    whole: Any
    weights: Keys
    copies: Mapping[str, Keys]


def open_torch(path: Path, weights: str | None) -> Checkpoint:
    """Open what `torch.save` wrote.

    Args:
        path: the file.
        weights: the keypath of the model's weights in it, where several may be meant; of a file
            that is a state dict itself there is nothing to choose.

    Raises:
        FileError: it is broken, needs code to be read, or which weights are meant cannot be said.
    """
    metadata, lying = _archive(path) if _is_zip(path) else ({}, ())
    whole = _load(path)
    refuse_strange(path, whole)
    found = _spelled_apart(path, _candidates(whole))
    trained = _spelled_apart(path, optimizers(whole))
    main = _chosen(path, found, weights)
    arrays = _arrays(_at(whole, found[main]))
    beside = _spelled_apart(path, (keys for keys in _holders(whole) if keys != found[main]))
    lightning = isinstance(whole, dict) and LIGHTNING in whole
    kind: Format = "lightning" if lightning else "torch"
    return Checkpoint(
        path,
        kind,
        described(arrays),
        arrays,
        metadata,
        (path,),
        tuple(_others(whole, found.values())),
        {name: _arrays(dict(items(_at(whole, keys)))) for name, keys in beside.items()},
        {name: _at(whole, keys) for name, keys in trained.items()},
        Nested(whole, found[main], beside),
        stored={path: lying},
    )


def _archive(path: Path) -> tuple[Mapping[str, str], tuple[Stored, ...]]:
    """Read the texts of an archive and where its members lie, all of which must be mapped."""
    _, metadata = members(path)
    with path.open("rb") as file:
        refuse_packed(path, file)
    return metadata, stored(path)


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _load(path: Path) -> Any:
    """Read a file without running any code of it; what is older than mapping is read whole."""
    try:
        with warnings.catch_warnings():  # of pickles that are older or newer than usual
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except pickle.UnpicklingError as error:
        raise _refused(path, error) from None
    except BROKEN as error:
        because = [("because", told(error))]
        raise FileError(f"{path} is no whole file of torch.", because) from None


def _refused(path: Path, error: pickle.UnpicklingError) -> FileError:
    """Say which names a file asks for that are no weights."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (pickle.UnpicklingError, *BROKEN):
        names = []
    if not names:
        because = [("because", told(error))]
        return FileError(f"{path} is no whole file of torch.", because)
    return FileError(
        f"{path} holds more than weights: code would have to run to read it.",
        [("asks for", name) for name in sorted(names)[:20]],
        "if you trust it, load it with weights_only=False and save the state dict alone",
    )


def _candidates(value: Any, keys: Keys = ()) -> Iterator[Keys]:
    """Find the mappings of tensors by name that no optimizer keeps."""
    for at, one in _walked(value, keys):
        if isinstance(one, dict) and one and all(map(_is_weight, one.items())):
            yield at


def _holders(value: Any) -> Iterator[Keys]:
    """Find what holds tensors itself, besides the outermost and optimizers."""
    for at, one in _walked(value):
        if at and any(isinstance(inner, torch.Tensor) for _, inner in items(one)):
            yield at


def optimizers(value: Any) -> list[Keys]:
    """Find the states of optimizers."""
    return [keys for keys, one in _walked(value) if _is_optimizer(one)]


def _walked(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Visit what containers hold, from outside to inside; not what optimizers do."""
    yield keys, value
    if not _is_optimizer(value):
        for key, one in items(value):
            yield from _walked(one, (*keys, key))


def _is_optimizer(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() >= OPTIMIZER


def _is_weight(item: tuple[Any, Any]) -> bool:
    name, value = item
    return isinstance(name, str) and (
        isinstance(value, torch.Tensor) or name.endswith("_extra_state")
    )


def _spelled_apart(path: Path, found: Iterable[Keys]) -> dict[str, Keys]:
    """Spell keys as keypaths, by which each is known from here on."""
    every = [(spelled(keys), keys) for keys in found]
    twice = [name for name, count in Counter(name for name, _ in every).items() if count > 1]
    if twice:
        facts = [("keypath", name) for name in twice[:20]]
        raise FileError(f"{path} holds several things under one keypath.", facts)
    return dict(every)


def _chosen(path: Path, found: Mapping[str, Keys], weights: str | None) -> str:
    if weights is not None and weights in found:
        return weights
    if [*found] == [""]:
        return ""
    called = [name for name in found if name in ("", *WEIGHTS)]
    if weights is None and (len(called) == 1 or len(found) == 1):
        return (called or [*found])[0]
    if not found:
        raise FileError(f"{path} holds no weights: no tensors by name.")
    sentence = (
        f"{path} holds no weights called {weights}."
        if weights is not None
        else (f"{path} holds several sets of weights.")
    )
    hint = f"say which are the model's: --weights {next(iter(found))}"
    raise FileError(sentence, [("weights", name) for name in found], hint)


def _at(value: Any, keys: Keys) -> Any:
    for key in keys:
        value = value[key]
    return value


def _arrays(state: Mapping[str, Any]) -> Arrays:
    """See tensors as arrays of numpy, without reading them."""
    tensors = {str(name): one for name, one in state.items() if isinstance(one, torch.Tensor)}
    return {name: TORCH.numpy(tensor) for name, tensor in tensors.items()}


def _others(value: Any, known: Collection[Keys]) -> Iterator[tuple[str, str]]:
    """Say what a file holds besides weights: its optimizers, and the rest by its first keys."""
    found = optimizers(value)
    yield from ((spelled(keys), "optimizer") for keys in found)
    for key, one in items(value) if () not in known else ():
        if not any(each[:1] == (key,) for each in (*known, *found)):
            yield str(key), type(one).__name__


def spelled(keys: Keys) -> str:
    """Write keys as a keypath.

    Example:
        >>> spelled(("optimizer_states", 0))
        'optimizer_states.0'
    """
    return ".".join(map(str, keys))


def write_torch(
    path: Path, nested: Nested, made: Mapping[Keys, Sequence[Made]], changed: Changes, sink: Sink
) -> list[str]:
    """Write a file in which weights are new and all else is as it was.

    The file is laid out first, without its tensors' bytes, which then go to where they belong.

    Args:
        path: an empty file.
        nested: what the old file holds.
        made: the keys of weights and their copies -> the tensors to make.
        changed: the keys of other things -> what takes their place, or `GONE`; `Made` for tensors
            that are to be made, too.
        sink: takes the bytes.

    Returns:
        The names of the archive's members that were filled so, for `sealed`.
    """
    news: dict[int, Made] = {}
    states = {keys: _state(_at(nested.whole, keys), each, news) for keys, each in made.items()}
    others = {keys: _hollow(value, news) for keys, value in changed.items()}
    whole = _rebuilt(nested.whole, {**others, **states})
    _lay_out(whole, path)
    # Torch numbers storages as it meets them, and calls what holds their bytes by that number.
    storages = Met(whole).storages
    places = numbered(path, "data")
    assert [size for _, _, size in places] == [storage.nbytes() for storage in storages.values()], (
        "torch lays storages out in the order in which it meets them"
    )
    with path.open("r+b", buffering=0) as file:
        for (_, place, _), (key, storage) in zip(places, storages.items(), strict=True):
            file.seek(place)
            _fill(file, storage, news.get(key), sink)
    return [name for name, _, _ in places]


def refuse_optimizers(path: Path, nested: Nested, policy: Decided) -> None:
    """Refuse states of optimizers, if that is what becomes of them.

    Raises:
        FileError: naming them.
    """
    found = optimizers(nested.whole)
    if found and policy == "refuse":
        facts = [("optimizer", spelled(keys)) for keys in found]
        hint = "carry them, or leave them out: --reset-optimizer"
        raise FileError(f"{path} holds the state of optimizers of the old weights.", facts, hint)


def left_out(nested: Nested, policy: Decided) -> list[str]:
    """Name the states of optimizers that are left out."""
    return [spelled(keys) for keys in optimizers(nested.whole)] if policy == "reset" else []


def without_optimizers(nested: Nested, policy: Decided) -> Changes:
    """Decide what takes the place of the states of optimizers."""
    found = optimizers(nested.whole)
    if callable(policy):
        return {keys: policy(spelled(keys), _at(nested.whole, keys)) for keys in found}
    return dict.fromkeys(found, GONE)


def _lay_out(whole: Any, path: Path) -> None:
    """Write a file with room for the bytes of its tensors.

    Raises:
        OSError: the disk says no, which torch tells as an error of its own.
    """
    try:
        with torch.serialization.skip_data():
            torch.save(whole, path)
    except RuntimeError as error:
        raise OSError(told(error)) from None


def _state(old: Mapping[str, Any], made: Sequence[Made], news: dict[int, Made]) -> dict[str, Any]:
    """Make a state dict whose tensors have no bytes yet, with what modules say of themselves."""
    state: dict[str, Any] = OrderedDict()
    vars(state).update(vars(old) if isinstance(old, OrderedDict) else {})
    for each in made:
        state |= dict.fromkeys(each.names, _hollow(each, news))
    counted = counters(old, state)
    state |= {n: v for n, v in old.items() if n in counted or not isinstance(v, torch.Tensor)}
    return state


def _hollow(value: Any, news: dict[int, Made]) -> Any:
    """Put tensors that have no bytes yet where some are in the making.

    Memory that nobody has written to is not there: a tensor may be empty and of any size.
    """
    if isinstance(value, Made):
        tensor = torch.empty(value.tensor.shape, dtype=DTYPES_OF_TORCH[value.tensor.dtype])
        news[tensor.untyped_storage()._cdata] = value
        return tensor
    if isinstance(value, dict):
        return {key: _hollow(one, news) for key, one in value.items()}
    return value


def _rebuilt(value: Any, changed: Changes, keys: Keys = ()) -> Any:
    """Put other things where keys lead; containers on the way are new ones."""
    if keys in changed:
        return changed[keys]
    if not any(each[: len(keys)] == keys for each in changed):
        return value
    parts = [(key, _rebuilt(one, changed, (*keys, key))) for key, one in items(value)]
    left = [(key, one) for key, one in parts if not isinstance(one, Gone)]
    return dict(left) if isinstance(value, dict) else type(value)(one for _, one in left)


def _fill(file: FileIO, storage: torch.UntypedStorage, made: Made | None, sink: Sink) -> None:
    if made is not None:
        sink.write(file, made)
    else:
        write_all(file, torch.empty(0, dtype=torch.uint8).set_(storage).numpy())
