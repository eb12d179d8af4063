"""Files and folders of safetensors: opened by their headers, written a stretch at a time.

Knows the format, and how weights are laid out over several files. Does not know plans.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suture._errors import FileError
from suture._files._checkpoint import Checkpoint, Format, mapped
from suture._files._headers import HeaderError, byte_size, header_bytes, laid, read_header
from suture._files._made import Made
from suture._files._record import Sign
from suture._files._sink import Sink

INDEX = ".safetensors.index.json"
SINGLE = "model.safetensors"
LARGEST_INDEX = 100_000_000


@dataclass(frozen=True, slots=True)
class Shards:
    """How a folder lays its weights out.

    Attributes:
        stem: what its files' names begin with.
        index: what the index says besides where tensors are.
        size: bytes of data in the largest file.
    """

    stem: str
    index: Mapping[str, Any]
    size: int


def open_file(path: Path) -> Checkpoint:
    """Open one file.

    Raises:
        FileError: with everything that is wrong with its header.
    """
    with path.open("rb") as file:
        try:
            header = read_header(file, path.stat().st_size)
        except HeaderError as error:
            raise _broken(path, [("header", problem) for problem in error.problems]) from None
    arrays = mapped(path, header.tensors, header.offsets)
    return Checkpoint(path, "safetensors", header.tensors, arrays, header.metadata, (path,))


def _broken(path: Path, facts: Sequence[tuple[str, str]]) -> FileError:
    return FileError(f"{path} is not a whole safetensors file.", facts[:20], "fetch it again")


def open_folder(path: Path, index: Path | None) -> Checkpoint:
    """Open a folder of one file, or of several that an index names.

    Raises:
        FileError: with everything that is wrong with the index, or with a file's header.
    """
    said = {} if index is None else _index(index)
    weights = said.pop("weight_map", None)
    names = [SINGLE] if weights is None else sorted({*weights.values()})
    opened = {name: open_file(path / name) for name in names}
    tensors = {name: one for each in opened.values() for name, one in each.tensors.items()}
    if weights is not None:
        _demand_agreement(path, opened, weights)
    size = max(sum(map(byte_size, each.tensors.values())) for each in opened.values())
    content = None if index is None else Shards(index.name.removesuffix(INDEX), said, size)
    kept = tuple((one.name, "file") for one in others(path, {*names}))
    found: Format = (
        "hugging face folder" if (path / "config.json").is_file() else "sharded safetensors"
    )
    arrays = {name: array for each in opened.values() for name, array in each.arrays.items()}
    metadata = opened[names[0]].metadata
    paths = tuple(path / name for name in names)
    return Checkpoint(path, found, tensors, arrays, metadata, paths, kept, content=content)


def _index(path: Path) -> dict[str, Any]:
    """Read an index; refuse names of files that lie elsewhere."""
    if path.stat().st_size > LARGEST_INDEX:
        raise FileError(f"{path} is longer than any index.")
    try:
        said = json.loads(path.read_bytes())
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
        if not isinstance(where, str) or not re.fullmatch(r"[^/\\\0]+\.safetensors", where)
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


def write_file(path: Path, made: Sequence[Made], sign: Sign, sink: Sink) -> None:
    """Write tensors to one file, signed when the source has been hashed."""
    by_name = {each.tensor.name: each for each in made}
    order = laid([each.tensor for each in made])
    with path.open("wb", buffering=0) as file:
        file.write(header_bytes(order, sign.blank()))
        for tensor in order:
            sink.write(file, by_name[tensor.name])
        file.seek(0)
        file.write(header_bytes(order, sign.signed()))  # as long: a digest is as long as another


def write_shards(
    folder: Path, made: Sequence[Made], shards: Shards, sign: Sign, sink: Sink
) -> None:
    """Write tensors to files no larger than the source's, and the index that names them."""
    groups = _groups(made, shards.size)
    names = [
        f"{shards.stem}-{n + 1:05}-of-{len(groups):05}.safetensors" for n in range(len(groups))
    ]
    for name, group in zip(names, groups, strict=True):
        write_file(folder / name, group, sign, sink)
    tensors = {e.tensor.name: name for name, g in zip(names, groups, strict=True) for e in g}
    said = dict(shards.index)
    size = sum(byte_size(each.tensor) for each in made)
    said["metadata"] = {**said.get("metadata", {}), "total_size": size}
    said["weight_map"] = dict(sorted(tensors.items()))
    text = json.dumps(said, indent=2) + "\n"
    (folder / f"{shards.stem}{INDEX}").write_text(text, encoding="utf-8")


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
