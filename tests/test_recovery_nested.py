"""Steps within steps: an optimizer that adds to its parent's, and one that raises."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from recovering import grown, step
from suture import recovery
from suture.recovery import Ramp


class Patient(torch.optim.Adam):
    """An optimizer that adds to its parent's step."""

    def step(self, closure: Any = None) -> Any:
        """Decay before the parent's step, and after it."""
        self.decay()
        found = super().step(closure)
        self.decay()
        return found

    @torch.no_grad()
    def decay(self) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(0.9)


def test_a_step_that_calls_its_parents() -> None:
    """It is one step, although torch runs the hooks of both."""
    held = grown()
    torch.optim.Adam(held.model.parameters())
    optimizer = Patient(held.model.parameters())
    warm = recovery.warm_up(held.plan, optimizer, held.model, Ramp(hold=2, over=4))
    bias = held.model.get_parameter("out.bias")
    before = bias.detach().clone()
    with pytest.raises(ZeroDivisionError):
        optimizer.step(lambda: 1 / 0)
    bias.data.copy_(before)
    step(held.model, optimizer, 0)
    step(held.model, optimizer, 1)
    assert warm.state_dict() == {"step": 2}
    old = [0, 2]
    assert torch.equal(bias[old], before[old])
    assert not torch.equal(bias[1], before[1])
