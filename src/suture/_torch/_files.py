"""Files of torch's that hold one state dict and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from suture._errors import TransferError
from suture._unpickle import BROKEN


def read(path: Path) -> Mapping[str, Any]:
    """Read a state dict without running anything that stands in the file.

    Raises:
        TransferError: it holds something else, or is not whole.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except BROKEN as error:
        raise TransferError("It is no whole file of weights.", [("torch", _said(error))]) from error
    if not isinstance(found, Mapping):
        raise TransferError(f"It holds a {type(found).__name__}, no state dict.")
    strange = [name for name, value in found.items() if not isinstance(value, torch.Tensor)]
    if strange:
        facts = [("holds", f"{name!r}, a {type(found[name]).__name__}") for name in strange]
        hint = "say where the weights are: read=lambda path: torch.load(path)[...]"
        raise TransferError("It holds more than one state dict.", facts, hint)
    return found


def _said(error: BaseException) -> str:
    """Give what torch found; what it advises first is to read the file with trust."""
    _, _, found = str(error).partition("WeightsUnpickler error:")
    return found.strip().partition("\n")[0] or type(error).__name__


def write(state: Mapping[str, Any], path: Path) -> None:
    """Write a state dict."""
    torch.save(dict(state), path)
