"""Writers: a new file of each format, beside the old one.

Knows which parts of each format follow the weights. Does not know plans.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal
from zipfile import ZIP_STORED

from suture._errors import FileError
from suture._files._atomic import whole_file, whole_folder
from suture._files._checkpoint import Checkpoint, Format
from suture._files._folders import Folder, left_out, others, write_weights
from suture._files._made import Made
from suture._files._npz import Compression, refuse_dtypes, write_npz
from suture._files._outputs import empty_file, folder_mode_of, mode_of
from suture._files._record import Sign
from suture._files._safetensors import named_apart, refuse_strange, write_file
from suture._files._sink import Sink
from suture._files._zips import sealed

Carrier = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Makes of the keypath and the state dict of an old optimizer that of the new one."""

Decided = Literal["refuse", "reset"] | Carrier
"""What becomes of the states of optimizers in a file."""


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """What is to be written, and where.

    Attributes:
        path: the new file or folder.
        made: its weights.
        copies: keypath -> the same of each copy of the weights.
        config: file name -> text.
        settings: name -> what takes the place of an agent's setting.
        optimizer: what becomes of the states of optimizers.
    """

    path: Path
    made: Sequence[Made]
    copies: Mapping[str, Sequence[Made]]
    config: Mapping[str, str]
    settings: Mapping[str, Any]
    optimizer: Decided


@dataclass(frozen=True, slots=True, eq=False)
class Writing:
    """How it is written.

    Attributes:
        sign: the texts that the new file holds.
        sink: takes the bytes.
        allow_nan: whether entries may be no numbers.
    """

    sign: Sign
    sink: Sink
    allow_nan: bool

    def demand_numbers(self) -> None:
        """Refuse entries that are no numbers, unless they are allowed."""
        if not self.allow_nan:
            self.sink.demand_numbers()


@dataclass(frozen=True, slots=True)
class Writer:
    """A format's part of carrying.

    Attributes:
        refuse: refuses what the format cannot hold, before anything is written.
        leaves: names what lies in the old one and will not be in the new one.
        write: writes it, and names the texts that had no room.
    """

    refuse: Callable[[Checkpoint, Output], None]
    leaves: Callable[[Checkpoint, Output], Sequence[str]]
    write: Callable[[Checkpoint, Output, Writing], Sequence[str]]


def _leaves_nothing(_: Checkpoint, __: Output) -> Sequence[str]:
    return ()


def _refuse_safetensors(_: Checkpoint, out: Output) -> None:
    refuse_strange(out.path, out.made)


def _write_file(old: Checkpoint, out: Output, how: Writing) -> Sequence[str]:
    with whole_file(out.path, mode_of(old.files)) as part:
        write_file(part, named_apart(out.made, old.tensors), how.sign, how.sink)
        how.demand_numbers()
    return ()


def _refuse_folder(old: Checkpoint, out: Output) -> None:
    held: Folder = old.content
    held.kind.refuse(out.path, out.made)


def _write_folder(old: Checkpoint, out: Output, how: Writing) -> Sequence[str]:
    held: Folder = old.content
    weights = _weights(old)
    made = held.kind.named(out.made, old.tensors)
    mode = mode_of(old.files)
    with whole_folder(out.path, folder_mode_of(old.path)) as part:
        left = write_weights(part, made, held, mode, how.sign, how.sink)
        how.demand_numbers()
        for file in others(old.path, weights):
            empty_file(part / file.name, mode_of([file]))
            shutil.copyfile(file, part / file.name)
        for name, text in out.config.items():
            if not (part / name).exists():
                empty_file(part / name, mode)
            (part / name).write_text(text, encoding="utf-8")
    return left


def _leaves_of_folder(old: Checkpoint, _: Output) -> Sequence[str]:
    return [each.name for each in left_out(old.path, _weights(old))]


def _weights(old: Checkpoint) -> set[str]:
    """Name the files of a folder that hold its weights, or say where those are."""
    held: Folder = old.content
    return {*(file.name for file in old.files), *held.index_name}


ALONE: Mapping[Format, Mapping[str, str]] = {
    "safetensors": {"format": "pt"},
    "torch": {},
    "npz": {},
}
"""The formats that hold weights and nothing else -> the texts that readers of them look for."""


def weights_alone(old: Checkpoint, kind: Format) -> Checkpoint:
    """See a checkpoint as if it held weights alone, to write them in another format.

    Raises:
        FileError: other things belong into files of that format.
    """
    if kind not in ALONE:
        facts = [("formats", ", ".join(ALONE))]
        raise FileError(f"A {kind} file is more than weights: none is made of others.", facts)
    left = *old.copies, *(name for name, _ in old.others)
    alone: dict[str, Any] = {"copies": {}, "others": (), "optimizers": {}, "content": None}
    metadata = {**ALONE[kind], **old.metadata}
    return replace(old, format=kind, metadata=metadata, left=left, **alone)


def _refuse_torch(old: Checkpoint, out: Output) -> None:
    _torch_file().refuse_optimizers(old.path, _nested(old), out.optimizer)


def _write_torch(old: Checkpoint, out: Output, how: Writing) -> Sequence[str]:
    nested = _nested(old)
    changed = _torch_file().without_optimizers(nested, out.optimizer)
    copies = {nested.copies[at]: m for at, m in out.copies.items() if at in nested.copies}
    made = {nested.weights: out.made} | copies
    with whole_file(out.path, mode_of(old.files)) as part:
        filled = _torch_file().write_torch(part, nested, made, changed, how.sink)
        how.demand_numbers()
        return sealed(part, how.sign.signed, filled)


def _leaves_of_torch(old: Checkpoint, out: Output) -> Sequence[str]:
    found: Sequence[str] = _torch_file().left_out(_nested(old), out.optimizer)
    return found


def _nested(old: Checkpoint) -> Any:
    return old.content or _torch_file().Nested({}, (), {})


def _torch_file() -> Any:
    return import_module("suture._torch._file")


def _refuse_npz(_: Checkpoint, out: Output) -> None:
    refuse_dtypes(out.path, out.made)


def _write_npz(old: Checkpoint, out: Output, how: Writing) -> Sequence[str]:
    kind = old.content.kind if isinstance(old.content, Compression) else ZIP_STORED
    with whole_file(out.path, mode_of(old.files)) as part:
        left = write_npz(part, _every(out.made), kind, how.sign, how.sink)
        how.demand_numbers()
    return left


def _refuse_agent(old: Checkpoint, out: Output) -> None:
    _agents().refuse_agent(old, out)


def _write_agent(old: Checkpoint, out: Output, how: Writing) -> Sequence[str]:
    with whole_file(out.path, mode_of(old.files)) as part:
        left: Sequence[str] = _agents().write_agent(part, old, out, how)
        how.demand_numbers()
    return left


def _leaves_of_agent(old: Checkpoint, out: Output) -> Sequence[str]:
    found: Sequence[str] = _agents().left_out(old, out)
    return found


def _agents() -> Any:
    return import_module("suture._torch._agent")


def _every(made: Sequence[Made]) -> list[Made]:
    """Write tied tensors under each of their names."""
    return [each.called(name) for each in made for name in each.names]


_FOLDER = Writer(_refuse_folder, _leaves_of_folder, _write_folder)
_TORCH = Writer(_refuse_torch, _leaves_of_torch, _write_torch)

WRITERS: Mapping[Format, Writer] = {
    "safetensors": Writer(_refuse_safetensors, _leaves_nothing, _write_file),
    "sharded safetensors": _FOLDER,
    "sharded torch": _FOLDER,
    "hugging face folder": _FOLDER,
    "torch": _TORCH,
    "lightning": _TORCH,
    "stable-baselines3": Writer(_refuse_agent, _leaves_of_agent, _write_agent),
    "npz": Writer(_refuse_npz, _leaves_nothing, _write_npz),
}
"""A format -> its part of carrying."""
