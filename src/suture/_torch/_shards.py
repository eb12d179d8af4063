"""Torch's files in a folder: each holds a state dict, or a part of one, and nothing else.

Knows what of such files is no tensor. Does not know how weights are laid out over them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suture._errors import FileError
from suture._files._checkpoint import Checkpoint
from suture._files._made import Made
from suture._files._record import Sign
from suture._files._sink import Sink
from suture._files._zips import sealed
from suture._torch._file import Nested, open_torch, spelled, write_torch


def open_shard(path: Path) -> Checkpoint:
    """Open one file, mapped.

    Raises:
        FileError: it is broken, needs code to be read, or is more than a state dict.
    """
    opened = open_torch(path, None)
    nested: Nested = opened.content
    if nested.weights:
        facts = [("weights", f"lie under {spelled(nested.weights)}")]
        raise FileError(f"{path} is no state dict.", facts, "give the file itself, not its folder")
    return opened


def write_shard(
    path: Path, made: Sequence[Made], old: Sequence[Nested], sign: Sign, sink: Sink
) -> Sequence[str]:
    """Write one file, with what modules say of themselves in the old ones, and sign it.

    Returns:
        The texts that it has no room for.
    """
    joined: dict[str, Any] = OrderedDict()
    for each in old:
        vars(joined).update(vars(each.whole) if isinstance(each.whole, OrderedDict) else {})
        joined |= each.whole
    filled = write_torch(path, Nested(joined, (), {}), {(): made}, {}, sink)
    return sealed(path, sign.signed, filled)
