"""Weights from files: into models, and what there is of them to derive a model from.

Knows names, ties and wrappers on both sides. Does not know formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from suture._adapter import adapter
from suture._arrays import arrays_of
from suture._entries import arrays_for
from suture._errors import PlanError
from suture._files import Checkpoint, open_checkpoint
from suture._graph import Graph
from suture._plan import Tensor
from suture._subject import Subject
from suture._wrappers import plain_names

Fact = tuple[str, str]


def chosen_weights(weights: str | None) -> list[str]:
    """Say to the next command which weights are meant, as it was said to this one."""
    return [] if weights is None else ["--weights", weights]


def tensors_for(target: Graph, path: Path, weights: str | None = None) -> list[Tensor]:
    """List a checkpoint's tensors, those once that the target ties and the checkpoint has equal."""
    held = open_checkpoint(path, weights)
    tensors = dict(held.tensors)
    for first, others in target.tied.items():
        one, *more = [name for name in (first, *others) if name in tensors] or [first]
        for name in more:
            if np.array_equal(_bits(held, one), _bits(held, name)):
                del tensors[name]
    return [*tensors.values()]


def _bits(held: Checkpoint, name: str) -> Any:
    array = np.ascontiguousarray(held.arrays[name])
    return array.reshape(-1).view(np.uint8)


def load_weights(subject: Subject, path: Path, weights: str | None = None) -> None:
    """Write the weights of a checkpoint into a model.

    Raises:
        FileError: it is no checkpoint.
        PlanError: listing what the model has otherwise than the checkpoint. Nothing is written
            then.
    """
    ours = adapter(subject.model)
    state = ours.state(subject.model)
    ours.load(subject.model, _filled(state, open_checkpoint(path, weights)))


def _filled(state: Mapping[str, Any], held: Checkpoint) -> dict[str, Any]:
    """Fill copies of a model's arrays with a checkpoint's."""
    given = {plain: name for name, plain in plain_names(held.arrays, [*state]).items()}
    called = plain_names(state, [*given])
    places = {_place(state[name]) for name, plain in called.items() if plain in given}
    new: dict[str, Any] = {}
    facts: list[Fact] = []
    for name, plain in called.items():
        if plain in given:
            found, shape = held.tensors[given[plain]], tuple(state[name].shape)
            if found.shape == shape:
                new[name] = _copied(held.arrays[given[plain]], state[name])
            else:
                wanted = Tensor(name, shape, found.dtype).type
                facts.append((name, f"is {found.type} in the file, {wanted} in the model"))
        elif _place(state[name]) not in places:
            facts.append((name, "is not in the file"))
    facts += [(name, "is not in the model") for name in given if name not in called.values()]
    if facts:
        raise PlanError(f"{held.path} does not hold the weights of this model.", facts[:8])
    return new


def _copied(array: Any, initial: Any) -> Any:
    """Copy a file's array, as one of the model's framework, dtype and device."""
    kind = arrays_for(initial)
    new = kind.copy(initial)
    kind.put(new, tuple(((0, size),) for size in initial.shape), array)
    return new


def _place(array: Any) -> int | None:
    kind = arrays_of(array)
    return None if kind is None else kind.place(array)
