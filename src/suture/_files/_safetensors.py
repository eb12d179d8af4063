"""Files of safetensors: opened by their headers, written a stretch at a time.

Knows the format. Does not know how weights are laid out over several files (`_folders`), nor plans.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from suture._errors import FileError
from suture._files._checkpoint import Checkpoint, mapped
from suture._files._headers import WRITTEN, HeaderError, header_bytes, laid, read_header
from suture._files._made import Made
from suture._files._record import Sign
from suture._files._sink import Sink


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


def refuse_strange(path: Path, made: Sequence[Made]) -> None:
    """Refuse dtypes that the format does not know.

    Raises:
        FileError: naming the tensors.
    """
    strange = [(m.tensor.name, m.tensor.dtype) for m in made if m.tensor.dtype not in WRITTEN]
    if strange:
        raise FileError(f"{path} cannot be written: safetensors knows no such dtype.", strange)


def named_apart(made: Sequence[Made], old: Collection[str]) -> list[Made]:
    """Give tied tensors a place each under the names that the old file used: none are shared."""
    return [each.called(name) for each in made for name in each.held_in(old)]


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
