"""Opening: which format a file or folder has, by its content.

Knows how formats begin. Does not know what follows.
"""

from __future__ import annotations

from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

from suture._errors import FileError, unusable
from suture._files._checkpoint import Checkpoint
from suture._files._folders import open_folder
from suture._files._npz import END, open_npz
from suture._files._outputs import refuse_lost
from suture._files._paths import refuse_unreachable
from suture._files._safetensors import open_file
from suture._files._zips import members

ZIP = b"PK\x03\x04"
OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9"
"""What `torch.save` began with before it wrote archives: a pickled number."""

KNOWN = "safetensors, what torch.save writes, folders of either, .npz, Stable-Baselines3's .zip"


def open_checkpoint(path: str | PathLike[str], weights: str | None = None) -> Checkpoint:
    """Open a checkpoint without reading its weights.

    Args:
        path: a file, or a folder that holds one model.
        weights: the keypath of the weights in a file of torch, where several may be meant.

    Returns:
        What it holds, whatever it is called: only its content says what it is.

    Raises:
        FileError: with everything that is wrong with it, if it is no checkpoint or a broken one.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(Path(folder, "old.npz"), bias=np.ones(3, "f4"))
        ...     held = open_checkpoint(Path(folder, "old.npz"))
        >>> held.format, held.tensors["bias"].type
        ('npz', 'f32[3]')
    """
    place = Path(path)
    refuse_unreachable(place, "read")
    try:
        refuse_lost(place)
        return open_folder(place) if place.is_dir() else _file(place, weights)
    except OSError as error:
        raise unusable(place, "read", error) from None


def _file(path: Path, weights: str | None) -> Checkpoint:
    with path.open("rb") as file:
        begin = file.read(9)
    if begin[8:] == b"{":
        return open_file(path)
    names = members(path)[0] if begin.startswith(ZIP) else []
    if any(name.endswith("/data.pkl") for name in names) or begin == OLD_TORCH:
        torch_file: Any = import_module("suture._torch._file")
        opened: Checkpoint = torch_file.open_torch(path, weights)
        return opened
    if {"data", "policy.pth"} <= {*names}:
        agents: Any = import_module("suture._torch._agent")
        agent: Checkpoint = agents.open_agent(path)
        return agent
    if names and all(name.endswith(END) for name in names):
        return open_npz(path)
    raise FileError(f"{path} is no checkpoint that can be read.", [("known", KNOWN)])
