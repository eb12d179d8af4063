"""A model that was trained, and one that goes on from its file: with a buffer, and tied weights.

Knows how both and their optimizers are built. Does not know what is asked of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import suture
from nets import Net
from suture._errors import OptimizerError, SutureError
from suture._files import carry_file, open_checkpoint


def net(features: int, width: int) -> nn.Module:
    """Make a network with a buffer between its parameters, and with one that is tied."""
    torch.manual_seed(width)
    into, out = nn.Linear(features, width), nn.Linear(width, 2)
    parts = {"into": into, "norm": nn.BatchNorm1d(width), "out": out, "again": out}
    return Net(lambda m, x: m.out(m.norm(m.into(x)).tanh()), **parts)


def driver(features: list[str], width: int) -> suture.Subject:
    schema = suture.Schema(inputs={"x": features})
    return suture.Subject(
        net(len(features), width), (torch.randn(7, len(features)),), schema=schema
    )


OLD, NEW = ["speed", "angle"], ["wind", "angle", "speed"]


class Case:
    """A trained model, a changed one, and optimizers of both."""

    def __init__(self, groups: Any = nn.Module.parameters) -> None:
        self.old, self.new = driver(OLD, 4), driver(NEW, 5)
        self.plan = suture.plan(suture.trace(self.old), suture.trace(self.new))
        self.before: torch.optim.Optimizer = torch.optim.AdamW(groups(self.old.model), lr=0.01)
        self.after = torch.optim.AdamW(groups(self.new.model))
        for _ in range(3):
            self.before.zero_grad()
            self.old.model(self.old.args[0]).square().mean().backward()
            self.before.step()

    def nested(self) -> dict[str, Any]:
        return {"model": self.old.model.state_dict(), "optimizer": self.before.state_dict()}

    def carried(self, folder: Path, whole: object, **how: Any) -> Any:
        torch.save(whole, folder / "old")
        told: dict[str, Any] = {"fresh": self.new.model.state_dict()} | how
        carry_file(self.plan, open_checkpoint(folder / "old"), folder / "new", **told)
        return torch.load(folder / "new", weights_only=True)

    def expected(self) -> Mapping[str, Any]:
        both = self.old, self.new
        state = suture.transfer_optimizer(self.plan, self.before, self.after, *both).state
        return dict(state)

    def refusal(self, folder: Path, whole: object, **how: Any) -> str:
        with pytest.raises(SutureError) as caught:
            self.carried(folder, whole, **how)
        assert isinstance(caught.value, OptimizerError)
        assert [path.name for path in folder.iterdir() if path.name.startswith("new")] == []
        return str(caught.value).replace(str(folder), "folder")
