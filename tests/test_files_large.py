"""A checkpoint of twenty gigabytes, which no memory of this size holds twice: `pytest -m slow`.

Files have holes where zeros are, so that only what is written takes room on the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import suture
from measuring.private import watched
from suture._files import carry_file, open_checkpoint
from suture._files._headers import header_bytes, laid
from suture._files._zips import numbered, sealed
from suture._plan import Plan, Tensor

pytestmark = pytest.mark.slow
WIDTH, WIDER = 8192, 9216
LARGE, HELD = 20e9, 100e6
"""Bytes of the old file, and those that may be held at once; one tensor has 268e6."""

Write = Callable[[Path, dict[str, torch.Tensor]], None]


def network(width: int, layers: int) -> nn.Module:
    """Make equal layers that have shapes and no bytes."""
    with torch.device("meta"):
        inner = [nn.Linear(width, width) for _ in range(layers)]
        return nn.Sequential(nn.Linear(24, width), *inner, nn.Linear(width, 8))


def planned(layers: int) -> Plan:
    old, new = (
        suture.trace(suture.Subject(network(width, layers), (torch.zeros(5, 24, device="meta"),)))
        for width in (WIDTH, WIDER)
    )
    return suture.plan(old, new)


def safetensors(path: Path, state: dict[str, torch.Tensor]) -> None:
    tensors = laid([Tensor(name, tuple(weight.shape), "f32") for name, weight in state.items()])
    header = header_bytes(tensors, {})
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + 4 * sum(tensor.size for tensor in tensors))


def lightning(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Write what Adam keeps, too: twice the weights."""
    kept = {
        number: {"step": torch.tensor(3.0)}
        | {slot: torch.empty(weight.shape) for slot in ("exp_avg", "exp_avg_sq")}
        for number, weight in enumerate(state.values())
    }
    group = torch.optim.Adam([torch.zeros(1)]).state_dict()["param_groups"][0]
    optimizer = {"state": kept, "param_groups": [{**group, "params": [*kept]}]}
    weights = {name: torch.empty(weight.shape) for name, weight in state.items()}
    whole = {"pytorch-lightning_version": "2.5.0", "state_dict": weights}
    with torch.serialization.skip_data():
        torch.save(whole | {"optimizer_states": [optimizer]}, path)
    sealed(path, dict, [name for name, _, _ in numbered(path, "data")])


@pytest.mark.parametrize(("write", "times"), [(safetensors, 1), (lightning, 3)])
def test_twenty_gigabytes(write: Write, times: int, tmp_path: Path) -> None:
    """Less is held than its largest tensor has, of moments too."""
    layers = int(LARGE / times / (4 * WIDTH * WIDTH)) + 1
    write(tmp_path / "old", network(WIDTH, layers).state_dict())
    assert (tmp_path / "old").stat().st_size > LARGE
    none = np.zeros((), np.float32)
    fresh = {
        n: np.broadcast_to(none, w.shape) for n, w in network(WIDER, layers).state_dict().items()
    }
    plan, old = planned(layers), open_checkpoint(tmp_path / "old")
    with watched() as held:
        written = carry_file(plan, old, tmp_path / "new", fresh=fresh)
    assert held.more < HELD
    assert (tmp_path / "new").stat().st_size > times * written.size > 1.2 * LARGE
