"""Schedules of learning rates: after surgery the next step is as long as it would have been."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer, lr_scheduler
from torch.optim.swa_utils import SWALR

import suture
from refusals import error, refused
from suture import TransferError

Schedule = Callable[[Optimizer], Any]

SCHEDULES: dict[str, Schedule] = {
    "step": lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    "milestones": lambda o: lr_scheduler.MultiStepLR(o, [2, 6], 0.3),
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
    "factors": lambda o: lr_scheduler.MultiplicativeLR(o, lambda epoch: 0.9),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 9),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.8),
    "linear": lr_scheduler.LinearLR,
    "constant": lambda o: lr_scheduler.ConstantLR(o, total_iters=7),
    "polynomial": lambda o: lr_scheduler.PolynomialLR(o, 9, 2.0),
    "warm restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    "cycle": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.2, step_size_up=4),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.5, total_steps=30),
    "plateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1),
    "averages": lambda o: SWALR(o, 0.01, anneal_epochs=6),
    "one after the other": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, total_iters=3), lr_scheduler.StepLR(o, 2)], [3]
    ),
    "chained": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, total_iters=4), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
}


def optimizer(width: int, kind: type[Any] = SGD) -> Optimizer:
    """Two groups, of sizes that have nothing to do with each other."""
    layer = nn.Linear(3, width)
    groups: list[dict[str, Any]] = [{"params": [layer.weight]}, {"params": [layer.bias], "lr": 0.3}]
    made: Optimizer = kind(groups, lr=0.1, **({"momentum": 0.9} if kind is SGD else {}))
    return made


def steps(schedule: Any, count: int) -> list[list[tuple[float, float]]]:
    """Step, for the learning rate and momentum of each group each time."""
    rates = []
    for _ in range(count):
        schedule.optimizer.step()
        if isinstance(schedule, lr_scheduler.ReduceLROnPlateau):
            schedule.step(1.0)
        else:
            schedule.step()
        groups = schedule.optimizer.param_groups
        rates.append([(group["lr"], group.get("momentum", 0.0)) for group in groups])
    return rates


@pytest.mark.filterwarnings("ignore:To get the last learning rate")
@pytest.mark.parametrize("way", ["object", "state"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_goes_on(name: str, way: str) -> None:
    """In a new optimizer it gives the rates that it would have given in the old one.

    What goes by numbers that only the old optimizer has is refused without that.
    """
    run = SCHEDULES[name](optimizer(4))
    steps(run, 5)
    new = SCHEDULES[name](optimizer(6))
    source = run if way == "object" else deepcopy(run.state_dict())
    if way == "state" and name in ("one cycle", "averages"):
        with pytest.raises(suture.TransferError, match="not in its state: give the scheduler"):
            suture.transfer_schedule(source, new)
        return
    told = suture.transfer_schedule(source, new)
    assert told is new
    rates = [[group["lr"] for group in each.optimizer.param_groups] for each in (run, new)]
    assert rates[0] == rates[1]
    assert new.state_dict() == run.state_dict()
    assert steps(new, 6) == steps(run, 6)


def test_a_schedule_whose_rates_were_forgotten() -> None:
    """Its own loading leaves the new optimizer at the rate where training once began."""
    run = SCHEDULES["step"](optimizer(4))
    steps(run, 5)
    new = SCHEDULES["step"](optimizer(6))
    new.load_state_dict(run.state_dict())
    assert steps(new, 3)[-1] != steps(run, 3)[-1]


def test_momentum_that_is_cycled() -> None:
    """From a schedule it is there at once; `betas` of Adam likewise."""
    for kind, option in ((SGD, "momentum"), (Adam, "betas")):
        run, new = (SCHEDULES["one cycle"](optimizer(width, kind)) for width in (4, 6))
        steps(run, 5)
        suture.transfer_schedule(run, new)
        groups = [each.optimizer.param_groups[0][option] for each in (run, new)]
        assert groups[0] == groups[1]


def test_options_that_no_schedule_writes() -> None:
    """They are the new optimizer's: weight decay, and momentum where none is cycled."""
    run, new = SCHEDULES["step"](optimizer(4)), SCHEDULES["step"](optimizer(6))
    new.optimizer.param_groups[0] |= {"weight_decay": 0.25, "momentum": 0.5}
    suture.transfer_schedule(run, new)
    assert new.optimizer.param_groups[0]["weight_decay"] == 0.25
    assert new.optimizer.param_groups[0]["momentum"] == 0.5


def test_a_rate_that_is_a_tensor() -> None:
    """It stays the tensor that a captured graph reads."""
    layer = nn.Linear(3, 2)
    rate = torch.tensor(0.7)
    new = lr_scheduler.StepLR(Adam(layer.parameters(), lr=rate), 3, 0.5)
    run = lr_scheduler.StepLR(Adam(nn.Linear(3, 4).parameters(), lr=0.2), 3, 0.5)
    steps(run, 4)
    suture.transfer_schedule(run, new)
    assert new.optimizer.param_groups[0]["lr"] is rate
    assert float(rate) == pytest.approx(0.1)


def test_the_source_is_not_changed() -> None:
    """Nor does it share lists with the target."""
    run, new = SCHEDULES["step"](optimizer(4)), SCHEDULES["step"](optimizer(6))
    state = run.state_dict()
    before = deepcopy(state)
    suture.transfer_schedule(state, new)
    steps(new, 5)
    assert state == before


def test_a_state_of_an_earlier_torch() -> None:
    """What is private, or said nothing, came and went between versions."""
    run, new = SCHEDULES["step"](optimizer(4)), SCHEDULES["step"](optimizer(6))
    steps(run, 4)
    old = {name: value for name, value in run.state_dict().items() if name != "_is_initial"}
    suture.transfer_schedule({**old, "verbose": False}, new)
    assert new.last_epoch == 4


def test_other_groups() -> None:
    """Nobody says which group would be which."""
    run = SCHEDULES["cycle"](optimizer(4))
    new = SCHEDULES["cycle"](SGD(nn.Linear(3, 6).parameters(), lr=0.1, momentum=0.9))
    before = deepcopy(new.state_dict())
    assert refused(lambda: suture.transfer_schedule(run, new)) == error(
        """
        TransferError: The schedules differ.
          base_lrs the source's holds 2, the target has 1 groups
          max_lrs  the source's holds 2, the target has 1 groups
          _last_lr the source's holds 2, the target has 1 groups
          base_momentums the source's holds 2, the target has 1 groups
          max_momentums the source's holds 2, the target has 1 groups
          groups   the source's optimizer has 2, the target's 1

        hint: make the new one like the run's
        """
    )
    assert new.state_dict() == before


def test_another_kind_of_schedule() -> None:
    """Its settings are named, on either side; so are parts that are joined."""
    run, new = SCHEDULES["step"](optimizer(4)), SCHEDULES["cosine"](optimizer(6))
    assert refused(lambda: suture.transfer_schedule(run, new)) == error(
        """
        TransferError: The schedules differ.
          T_max    only the target has it
          eta_min  only the target has it
          gamma    only the source has it
          step_size only the source has it

        hint: make the new one like the run's
        """
    )
    chain = SCHEDULES["chained"](optimizer(6))
    with pytest.raises(TransferError) as raised:
        suture.transfer_schedule({**chain.state_dict(), "_schedulers": []}, chain)
    assert raised.value.facts == (("parts", "the source joins 0 schedules, the target 2"),)


@pytest.mark.parametrize("given", [3, SGD(nn.Linear(2, 3).parameters(), lr=0.1)])
def test_what_is_no_schedule(given: Any) -> None:
    """An optimizer is none."""
    with pytest.raises(TransferError, match=r"^The source is no scheduler but "):
        suture.transfer_schedule(given, SCHEDULES["step"](optimizer(6)))
