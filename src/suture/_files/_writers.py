"""Writers: a new file of each format, beside the old one.

Knows which parts of each format follow the weights. Does not know plans.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal
from zipfile import ZIP_STORED

from suture._errors import FileError
from suture._files._atomic import whole_file, whole_folder
from suture._files._checkpoint import Checkpoint, Format
from suture._files._headers import WRITTEN
from suture._files._made import Made
from suture._files._npz import Compression, refuse_dtypes, write_npz
from suture._files._record import Sign
from suture._files._safetensors import (
    INDEX,
    Shards,
    left_out,
    others,
    write_file,
    write_shards,
)
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
        sign: the texts that it holds.
        sink: takes the bytes.
        config: file name -> text.
        settings: name -> what takes the place of an agent's setting.
        optimizer: what becomes of the states of optimizers.
        allow_nan: whether entries may be no numbers.
    """

    path: Path
    made: Sequence[Made]
    copies: Mapping[str, Sequence[Made]]
    sign: Sign
    sink: Sink
    config: Mapping[str, str]
    settings: Mapping[str, Any]
    optimizer: Decided
    allow_nan: bool

    def demand_numbers(self) -> None:
        """Refuse entries that are no numbers, unless they are allowed."""
        if not self.allow_nan:
            self.sink.demand_numbers()


def _write_file(old: Checkpoint, out: Output) -> tuple[str, ...]:
    strange = [(m.tensor.name, m.tensor.dtype) for m in out.made if m.tensor.dtype not in WRITTEN]
    if strange:
        raise FileError(f"{out.path} cannot be written: safetensors knows no such dtype.", strange)
    with whole_file(out.path) as part:
        write_file(part, _held(out.made, old.tensors), out.sign, out.sink)
        out.demand_numbers()
    return ()


def _write_folder(old: Checkpoint, out: Output) -> tuple[str, ...]:
    names = {file.name for file in old.files}
    made = _held(out.made, old.tensors)
    with whole_folder(out.path) as part:
        if isinstance(old.content, Shards):
            write_shards(part, made, old.content, out.sign, out.sink)
            names.add(old.content.stem + INDEX)
        else:
            write_file(part / old.files[0].name, made, out.sign, out.sink)
        out.demand_numbers()
        for file in others(old.path, names):
            shutil.copyfile(file, part / file.name)
        for name, text in out.config.items():
            (part / name).write_text(text, encoding="utf-8")
    return tuple(each.name for each in left_out(old.path, names))


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


def _write_torch(old: Checkpoint, out: Output) -> tuple[str, ...]:
    torch_file: Any = import_module("suture._torch._file")
    nested = old.content or torch_file.Nested({}, (), {})
    changed, gone = torch_file.without_optimizers(old.path, nested, out.optimizer)
    copies = {nested.copies[at]: m for at, m in out.copies.items() if at in nested.copies}
    made = {nested.weights: out.made} | copies
    with whole_file(out.path) as part:
        filled = torch_file.write_torch(part, nested, made, changed, out.sink)
        out.demand_numbers()
        sealed(part, out.sign.signed(), filled)
    return tuple(gone)


def _write_npz(old: Checkpoint, out: Output) -> tuple[str, ...]:
    kind = old.content.kind if isinstance(old.content, Compression) else ZIP_STORED
    made = _every(out.made)
    refuse_dtypes(out.path, made)
    with whole_file(out.path) as part:
        write_npz(part, made, kind, out.sign, out.sink)
        out.demand_numbers()
    return ()


def _write_agent(old: Checkpoint, out: Output) -> tuple[str, ...]:
    agents: Any = import_module("suture._torch._agent")
    agents.refuse_agent(old, out)
    with whole_file(out.path) as part:
        gone = agents.write_agent(part, old, out)
        out.demand_numbers()
    return tuple(gone)


def _every(made: Sequence[Made]) -> list[Made]:
    """Write tied tensors under each of their names."""
    return [replace(m, tensor=replace(m.tensor, name=name)) for m in made for name in m.names]


def _held(made: Sequence[Made], old: Collection[str]) -> list[Made]:
    """Choose under which names a file holds tied tensors: those that the old one used."""
    return [
        replace(each, tensor=replace(each.tensor, name=name))
        for each in made
        for name in [name for name in each.names if name in old] or each.names[:1]
    ]


WRITERS: Mapping[Format, Callable[[Checkpoint, Output], tuple[str, ...]]] = {
    "safetensors": _write_file,
    "sharded safetensors": _write_folder,
    "hugging face folder": _write_folder,
    "torch": _write_torch,
    "lightning": _write_torch,
    "stable-baselines3": _write_agent,
    "npz": _write_npz,
}
"""A format -> what writes it, and says what it left out."""
