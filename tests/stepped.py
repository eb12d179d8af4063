"""States of optimizers, compared bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert found["state"].keys() == expected["state"].keys()
    for key, slots in expected["state"].items():
        assert found["state"][key].keys() == slots.keys()
        for slot, value in slots.items():
            assert torch.equal(found["state"][key][slot], value), (key, slot)
    assert [g["params"] for g in found["param_groups"]] == [
        g["params"] for g in expected["param_groups"]
    ]
