"""Averages of weights: copies that train beside the model go by its plan, and know their count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn.parallel import DataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import suture
from small import planned
from suture import Plan, Schema, Subject

OLD, NEW = ["x", "v", "angle"], ["wind", "angle", "x", "v"]

Settings = dict[str, Any]
KINDS: dict[str, Callable[[], Settings]] = {
    "plain mean": dict,
    "exponential": lambda: {"multi_avg_fn": get_ema_multi_avg_fn(0.9)},
    "with buffers": lambda: {"multi_avg_fn": get_ema_multi_avg_fn(0.9), "use_buffers": True},
}


def net(features: Sequence[str], width: int) -> nn.Sequential:
    torch.manual_seed(width)
    layers = nn.Linear(len(features), width), nn.BatchNorm1d(width), nn.Tanh(), nn.Linear(width, 2)
    return nn.Sequential(*layers).double().eval()


def subject(model: nn.Module, features: Sequence[str], **settings: Any) -> Subject:
    schema = Schema(inputs={"input": features})
    example = torch.randn(7, len(features), dtype=torch.float64)
    return Subject(model, (example,), schema=schema, **settings)


def moved(model: nn.Module, seed: int) -> None:
    """Train: give a model other weights and statistics."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)


def averaged(model: nn.Module, steps: int, **settings: Any) -> AveragedModel:
    mean = AveragedModel(model, **settings)
    for step in range(steps):
        moved(model, step)
        mean.update_parameters(model)
    return mean.eval()


def plan() -> Plan:
    return planned(subject(net(OLD, 4), OLD), subject(net(NEW, 6), NEW))


def onto(features: Tensor) -> Tensor:
    """Show what the old model saw, with wind of whatever strength."""
    x, v, angle = features.unbind(1)
    return torch.stack([torch.full_like(x, 3.0), angle, x, v], dim=1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_average_goes_by_the_models_plan(kind: str) -> None:
    """It computes what it computed, and counts on: the next step is a step of the average."""
    old, new = net(OLD, 4), net(NEW, 6)
    source = averaged(old, 3, **KINDS[kind]())
    target = AveragedModel(new, **KINDS[kind]())
    state = suture.apply(plan(), source.state_dict(), target.state_dict())
    target.load_state_dict(state)
    target.eval()
    seen = torch.randn(7, 3, dtype=torch.float64)
    assert torch.allclose(target(onto(seen)), source(seen), rtol=0, atol=1e-12)
    assert int(target.n_averaged) == 3
    new.load_state_dict(suture.apply(plan(), old.state_dict(), new.state_dict()))
    source.update_parameters(old)
    target.update_parameters(new)
    assert torch.allclose(target(onto(seen)), source(seen), rtol=0, atol=1e-12)


def test_an_average_that_forgot_its_count() -> None:
    """It would be overwritten by the first model that it meets: that is what is prevented."""
    new = net(NEW, 6)
    target = AveragedModel(new)
    state = suture.apply(plan(), averaged(net(OLD, 4), 3).state_dict(), target.state_dict())
    target.load_state_dict(state)
    carried = deepcopy(target.module.state_dict())
    target.n_averaged.zero_()
    target.update_parameters(new)
    assert not torch.equal(target.module.state_dict()["0.weight"], carried["0.weight"])
    assert torch.equal(target.module.state_dict()["0.weight"], new.state_dict()["0.weight"])


def call(model: nn.Module, input: Tensor) -> Any:
    return model(input)


@pytest.mark.parametrize("settings", [{}, {"call": call}], ids=["forward", "call"])
def test_a_transfer_between_averages(settings: dict[str, Any]) -> None:
    """Traced themselves they are seen through, and their count is no structure of a network."""
    source = subject(averaged(net(OLD, 4), 3), OLD, **settings)
    target = subject(AveragedModel(net(NEW, 6)).eval(), NEW, **settings)
    made = suture.transfer(source, target)
    assert made.exact
    assert int(target.model.n_averaged) == 3
    assert not any("n_averaged" in tensor.target.name for tensor in made.tensors)


def test_under_data_parallel() -> None:
    """Wrappers within wrappers."""
    source = averaged(DataParallel(net(OLD, 4)), 2)
    target = AveragedModel(net(NEW, 6))
    state = suture.apply(plan(), source.state_dict(), target.state_dict())
    assert list(state) == list(target.state_dict())
    assert int(state["n_averaged"]) == 2


def test_an_average_that_begins_with_the_new_model() -> None:
    """From plain weights there is no count: the target's own is left."""
    target = AveragedModel(net(NEW, 6))
    state = suture.apply(plan(), net(OLD, 4).state_dict(), target.state_dict())
    assert int(state["n_averaged"]) == 0


def test_plain_weights_from_an_average() -> None:
    """For the model that is played, the count is nothing."""
    target = net(NEW, 6)
    source = averaged(net(OLD, 4), 3)
    state = suture.apply(plan(), source.state_dict(), target.state_dict())
    assert list(state) == list(target.state_dict())


def test_a_copy_that_is_a_state_dict() -> None:
    """Shadow weights by name, as many write it themselves: they are weights."""
    old = net(OLD, 4)
    shadow = {name: weight * 0.5 for name, weight in old.state_dict().items()}
    shadow["1.num_batches_tracked"] = old.state_dict()["1.num_batches_tracked"]
    state = suture.apply(plan(), shadow, net(NEW, 6).state_dict())
    assert torch.equal(state["0.weight"][:4, [2, 3, 1]], shadow["0.weight"])


def test_a_network_that_counts_by_that_name() -> None:
    """A tensor of the network's own is planned as any."""

    class Counts(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.n_averaged = nn.Parameter(torch.randn(width))

        def forward(self, input: Tensor) -> Tensor:
            return input[:, None] * self.n_averaged

    old, new = (Subject(Counts(width), (torch.randn(5),)) for width in (3, 4))
    made = suture.transfer(old, new)
    assert [tensor.target.name for tensor in made.tensors] == ["n_averaged"]
    assert torch.equal(new.model.n_averaged[:3], old.model.n_averaged)


def test_a_scaler_of_gradients() -> None:
    """It holds nothing of the network: its own state is the whole of it."""
    old, new = GradScaler("cpu", init_scale=8.0), GradScaler("cpu")
    layer = nn.Linear(3, 2)
    step = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(2):
        step.zero_grad()
        old.scale(layer(torch.randn(5, 3)).sum()).backward()
        old.step(step)
        old.update()
    new.load_state_dict(old.state_dict())
    assert new.state_dict() == old.state_dict()
    assert new.state_dict()["_growth_tracker"] == 2
