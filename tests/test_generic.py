"""Generic weights: of order one, for every kind of tensor, and the model's own are not touched."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from nets import Net, given, subject
from suture._torch._generic import generic


def drawn(model: nn.Module) -> dict[str, torch.Tensor]:
    """Draw weights, and see that the model keeps its own."""
    before = copy.deepcopy(model.state_dict())
    found = generic(subject(model, given()), 1)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert found.keys() == before.keys()
    return found


def holding(**buffers: torch.Tensor) -> Net:
    model = Net(lambda m, x: x, layer=nn.Linear(3, 4))
    for name, buffer in buffers.items():
        model.register_buffer(name, buffer)
    return model


def test_matrices_and_vectors() -> None:
    """What a product sums up is of order one, however many it sums; so is what is added."""
    model = Net(lambda m, x: x, wide=nn.Linear(400, 300), kernel=nn.Conv2d(40, 60, 5))
    found = drawn(model)
    assert float(found["wide.weight"].square().mean()) == pytest.approx(1 / 400, rel=0.05)
    assert float(found["kernel.weight"].square().mean()) == pytest.approx(1 / 1000, rel=0.05)
    assert float(found["wide.bias"].square().mean()) == pytest.approx(1, rel=0.3)


def test_statistics() -> None:
    """A variance is positive, a mean before training may be anything, a count stays."""
    found = drawn(Net(lambda m, x: x, norm=nn.BatchNorm1d(50)))
    assert float(found["norm.running_var"].min()) >= 0.5
    assert float(found["norm.running_var"].max()) <= 1.5
    assert float(found["norm.running_mean"].min()) < 0 < float(found["norm.running_mean"].max())
    assert found["norm.num_batches_tracked"] == 0


def test_masks() -> None:
    """What is 0, infinite, an integer or a yes keeps what it means."""
    mask = torch.tensor([[0.0, float("-inf")], [0.0, 0.0]])
    found = drawn(holding(mask=mask, some=torch.tensor([0.0, 2.0, -3.0]), yes=mask > -1))
    assert found["mask"].isneginf().equal(mask.isneginf())
    assert found["some"].sign().tolist() == [0, 1, -1]
    assert found["yes"].equal(mask > -1)


def test_tensors_in_half_precision_and_of_complex_numbers() -> None:
    """Each keeps its dtype."""
    found = drawn(Net(lambda m, x: x, c=nn.Parameter(torch.ones(3, 2, dtype=torch.complex64))))
    assert found["c"].dtype is torch.complex64
    assert found["c"].imag.any()
    assert drawn(nn.Linear(3, 2).bfloat16())["weight"].dtype is torch.bfloat16


def test_ties() -> None:
    """Both names have one tensor."""
    layer = nn.Linear(3, 4)
    found = drawn(Net(lambda m, x: x, one=layer, other=layer))
    assert found["one.weight"] is found["other.weight"]
