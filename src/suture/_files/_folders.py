"""Folders of weights: one file, or several and the index that names them, and what lies beside.

Knows how weights are laid out over files. Does not know what is in a file, nor plans.

Source: https://huggingface.co/docs/transformers/big_models, on sharded checkpoints and their index.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from suture._arrays import NUMPY
from suture._errors import FileError
from suture._files._checkpoint import Arrays, Checkpoint, Format
from suture._files._headers import byte_size
from suture._files._made import Made
from suture._files._outputs import empty_file
from suture._files._record import Sign
from suture._files._safetensors import named_apart, open_file, refuse_strange, write_file
from suture._files._sink import Sink
from suture._json_text import parsed

CONFIG = "config.json"
LARGEST_INDEX = 100_000_000


@dataclass(frozen=True, slots=True)
class Kind:
    """What the files are that a folder holds weights in.

    Attributes:
        end: what their names end with.
        single: what the one is called that holds all weights.
        bare: the format of a folder of them that has no config.
        open: opens one.
        refuse: refuses what such files cannot hold.
        named: says under which names the old files' tied tensors go into new ones.
        write: writes one, with what the old ones held besides tensors; says which texts it lacks.
    """

    end: str
    single: str
    bare: Format
    open: Callable[[Path], Checkpoint]
    refuse: Callable[[Path, Sequence[Made]], None]
    named: Callable[[Sequence[Made], Collection[str]], list[Made]]
    write: Callable[[Path, Sequence[Made], Sequence[Any], Sign, Sink], Sequence[str]]

    @property
    def index(self) -> str:
        """What the name of an index ends with."""
        return f"{self.end}.index.json"


def _write_safetensors(
    path: Path, made: Sequence[Made], _: Sequence[Any], sign: Sign, sink: Sink
) -> Sequence[str]:
    write_file(path, made, sign, sink)
    return ()


def _torch() -> Any:
    return import_module("suture._torch._shards")


KINDS = (
    Kind(
        ".safetensors",
        "model.safetensors",
        "sharded safetensors",
        open_file,
        refuse_strange,
        named_apart,
        _write_safetensors,
    ),
    Kind(
        ".bin",
        "pytorch_model.bin",
        "sharded torch",
        lambda path: _torch().open_shard(path),
        lambda path, made: None,  # it knows all dtypes that there are
        lambda made, old: [each.called(*each.held_in(old)) for each in made],
        lambda *given: _torch().write_shard(*given),
    ),
)
"""Of the weights that a folder holds in several forms, the first are read."""


@dataclass(frozen=True, slots=True)
class Index:
    """How a folder lays its weights out over several files.

    Attributes:
        stem: what its files' names begin with.
        said: what the index says besides where tensors are.
        size: bytes of data in the largest file.
    """

    stem: str
    said: Mapping[str, Any]
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Folder:
    """How a folder holds its weights: the kind of files, an index if it has one, their contents."""

    kind: Kind
    index: Index | None
    contents: Sequence[Any]

    @property
    def index_name(self) -> tuple[str, ...]:
        """What its index is called."""
        return () if self.index is None else (self.index.stem + self.kind.index,)


# --- opening -------------------------------------------------------------------


def open_folder(path: Path) -> Checkpoint:
    """Open a folder of one file, or of several that an index names.

    Of weights that lie there in several forms those are read that transformers' `from_pretrained`
    reads: safetensors before torch's, and one file before several.

    Raises:
        FileError: with everything that is wrong with the index, or with a file.
    """
    for kind in KINDS:
        indices = sorted(one for one in path.glob(f"*{kind.index}") if one.is_file())
        if len(indices) > 1:
            facts = [("index", one.name) for one in indices]
            raise FileError(f"{path} holds several models.", facts, "put each into its own folder")
        if (path / kind.single).is_file():
            return _opened(path, kind, None)
        if indices:
            return _opened(path, kind, indices[0])
    looked = ", ".join(f"{kind.single}, *{kind.index}" for kind in KINDS)
    raise FileError(f"{path} holds no weights.", [("looked for", looked)])


def _opened(path: Path, kind: Kind, index: Path | None) -> Checkpoint:
    said = {} if index is None else _index(index, kind)
    weights = said.pop("weight_map", None)
    names = [kind.single] if weights is None else sorted({*weights.values()})
    opened = {name: kind.open(path / name) for name in names}
    tensors = {name: one for each in opened.values() for name, one in each.tensors.items()}
    if weights is not None:
        _demand_agreement(path, opened, weights)
    size = max(_data_size(each.arrays) for each in opened.values())
    layout = None if index is None else Index(index.name.removesuffix(kind.index), said, size)
    content = Folder(kind, layout, [each.content for each in opened.values()])
    kept = tuple((one.name, "file") for one in others(path, {*names, *content.index_name}))
    found: Format = "hugging face folder" if (path / CONFIG).is_file() else kind.bare
    arrays = {name: array for each in opened.values() for name, array in each.arrays.items()}
    metadata = opened[names[0]].metadata
    paths = tuple(path / name for name in names)
    stored = {file: members for each in opened.values() for file, members in each.stored.items()}
    held = path, found, tensors, arrays, metadata, paths, kept
    return Checkpoint(*held, content=content, stored=stored)


def _data_size(arrays: Arrays) -> int:
    """Count the bytes of tensors, tied ones once."""
    return sum(size for _, size in {(NUMPY.place(a), a.nbytes) for a in arrays.values()})


def _index(path: Path, kind: Kind) -> dict[str, Any]:
    """Read an index; refuse names of files that lie elsewhere."""
    if path.stat().st_size > LARGEST_INDEX:
        raise FileError(f"{path} is longer than any index.")
    try:
        said = parsed(path.read_bytes().decode())
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is not JSON.", [("because", str(error)[:200])]) from None
    weights = said.get("weight_map") if isinstance(said, dict) else None
    if not isinstance(weights, dict) or not weights:
        raise FileError(f"{path} names no weights.", hint="it lacks a weight_map")
    if not isinstance(said.get("metadata", {}), dict):
        raise FileError(f"{path} is no index.", hint="its metadata is no object")
    strays = [
        (str(name)[:80], f"lies in {str(where)[:80]!r}, which is no file of this folder")
        for name, where in weights.items()
        if not isinstance(where, str) or not re.fullmatch(rf"[^/\\\0]+\{kind.end}", where)
    ]
    if strays:
        raise FileError(f"{path} leads out of its folder.", strays[:20])
    missing = sorted(w for w in {*weights.values()} if not (path.parent / w).is_file())
    if missing:
        raise FileError(f"{path} names files that are not there.", [("file", w) for w in missing])
    return dict(said)


def _demand_agreement(
    path: Path, opened: Mapping[str, Checkpoint], weights: Mapping[str, str]
) -> None:
    """Refuse a folder whose files hold other tensors than its index says."""
    held = [(name, where) for where, each in opened.items() for name in each.tensors]
    facts = [
        (
            where,
            f"holds {name}, which the index {'places elsewhere' if name in weights else 'lacks'}",
        )
        for name, where in held
        if weights.get(name) != where
    ]
    there = {*held}
    facts += [
        (where, f"lacks {name}") for name, where in weights.items() if (name, where) not in there
    ]
    if facts:
        raise FileError(f"The files in {path} are not what its index says.", sorted(facts)[:20])


# --- what lies beside ----------------------------------------------------------

STALE = re.compile(
    r"(pytorch_model|model|adapter_model|consolidated).*\.(bin|safetensors|pth)(\.index\.json)?"
    r"|.*\.safetensors(\.index\.json)?|tf_model.*\.h5|flax_model.*\.msgpack|.*\.gguf"
    r"|optimizer\..*|.*\.onnx"
)
"""Names of files that hold the old weights in another form: nothing carries these over."""


def others(folder: Path, weights: Collection[str]) -> list[Path]:
    """List the files of a folder that do not hold weights, which go into a new one as they are."""
    return sorted(
        each
        for each in folder.iterdir()
        if each.is_file() and each.name not in weights and not STALE.fullmatch(each.name)
    )


def left_out(folder: Path, weights: Collection[str]) -> list[Path]:
    """List what else lies in a folder and does not go into a new one."""
    kept = {*others(folder, weights)}
    return sorted(e for e in folder.iterdir() if e.name not in weights and e not in kept)


# --- writing -------------------------------------------------------------------


def write_weights(
    folder: Path, made: Sequence[Made], old: Folder, mode: int, sign: Sign, sink: Sink
) -> list[str]:
    """Write tensors to files no larger than the source's, and the index that names them.

    Args:
        folder: an empty folder.
        made: the tensors under the names that they have there.
        old: how the source holds its own.
        mode: who may read and write the new files.
        sign: the texts of each.
        sink: takes the bytes.

    Returns:
        The texts that some of the files have no room for.
    """
    left: dict[str, None] = {}
    groups = [made] if old.index is None else _groups(made, old.index.size)
    names = _file_names(old, len(groups))
    for at, (name, group) in enumerate(zip(names, groups, strict=True)):
        empty_file(folder / name, mode)
        contents = old.contents if at == 0 else ()
        left |= dict.fromkeys(old.kind.write(folder / name, group, contents, sign, sink))
    if old.index is None:
        return [*left]
    placed = [(file, each) for file, group in zip(names, groups, strict=True) for each in group]
    places = {name: file for file, each in placed for name in each.names}
    said = {**old.index.said, "metadata": _counted(old.index.said.get("metadata", {}), made)}
    text = json.dumps({**said, "weight_map": dict(sorted(places.items()))}, indent=2) + "\n"
    (index,) = old.index_name
    empty_file(folder / index, mode)
    (folder / index).write_text(text, encoding="utf-8")
    return [*left]


def _file_names(old: Folder, count: int) -> list[str]:
    if old.index is None:
        return [old.kind.single]
    return [f"{old.index.stem}-{n + 1:05}-of-{count:05}{old.kind.end}" for n in range(count)]


def _counted(metadata: Mapping[str, Any], made: Sequence[Made]) -> dict[str, Any]:
    """Count bytes, and parameters where that was done, as libraries do for an index."""
    said = {**metadata, "total_size": sum(byte_size(each.tensor) for each in made)}
    if "total_parameters" in metadata:
        plans = {each.plan.target.name: each.plan for each in made}.values()
        said["total_parameters"] = sum(p.target.size for p in plans if p.kind == "parameter")
    return said


def _groups(made: Sequence[Made], limit: int) -> list[list[Made]]:
    """Fill one file after the other, in order."""
    groups: list[list[Made]] = [[]]
    held = 0
    for each in made:
        size = byte_size(each.tensor)
        if groups[-1] and held + size > limit:
            groups.append([])
            held = 0
        groups[-1].append(each)
        held += size
    return groups
