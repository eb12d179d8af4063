"""Devices by name, for files that hold one."""

from __future__ import annotations

import torch


def device(kind: str, index: int | None = None) -> torch.device:
    """Name a device; whether there is one is asked when something is put there."""
    return torch.device(kind) if index is None else torch.device(kind, index)
