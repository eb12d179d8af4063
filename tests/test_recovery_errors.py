"""What recovery refuses, and what it says then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import suture
from nets import Net, mlp, subject
from recovering import Grown, grown, hooks, step, weights
from suture import Categorical, Plan, PlanError, RecoveryError, recovery
from suture.recovery import Ramp


def refused(call: Callable[[], object]) -> str:
    """Give the text of an error."""
    with pytest.raises(RecoveryError) as caught:
        call()
    return str(caught.value)


def adam(held: Grown) -> torch.optim.Optimizer:
    return torch.optim.Adam(held.model.parameters())


def test_a_parameter_that_the_optimizer_does_not_step() -> None:
    """All of them are named, and nothing is hooked."""
    held = grown()
    optimizer = torch.optim.Adam(held.model.get_submodule("into").parameters())
    texts = {
        refused(lambda: recovery.warm_up(held.plan, optimizer, held.model, Ramp(1))),
        refused(lambda: recovery.pull(held.plan, optimizer, held.model, 1.0, Ramp(1))),
    }
    assert texts == {
        (
            "The optimizer does not step all that is preserved.\n"
            "  missing  out.weight\n"
            "  missing  out.bias\n"
            '\nhint: add them, or say which parameters it is for: within="actor."'
        )
    }
    assert hooks(optimizer) == 0


def test_another_model() -> None:
    """Parameters that it has not, or in another shape, are listed."""
    held = grown()
    other = Net(lambda m, x: m.into(x), into=nn.Linear(5, 6))
    optimizer = torch.optim.Adam(other.parameters())
    assert refused(lambda: recovery.warm_up(held.plan, optimizer, other, Ramp(1))) == (
        "The plan was not made for this model.\n"
        "  other    into.weight is of shape [6, 5], not [6, 4]\n"
        "  missing  out.weight f64[3,6]\n"
        "  missing  out.bias f64[3]\n"
        "\nhint: give the new model that this plan was made for"
    )


def test_a_plan_that_is_not_whole() -> None:
    """It is refused as everywhere."""
    held = grown()
    broken = Plan("a", "b", held.plan.tensors * 2)
    with pytest.raises(PlanError):
        recovery.warm_up(broken, adam(held), held.model, Ramp(1))


def test_a_part_where_nothing_is_preserved() -> None:
    """A prefix that fits no name is an error, not a warm-up of nothing."""
    held = grown()
    text = refused(lambda: recovery.warm_up(held.plan, adam(held), held.model, Ramp(1), "actor."))
    assert text == "Nothing within 'actor.' is preserved and learns."


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"optimizer": {"state": {}}},
            "Recovery follows an optimizer of torch, not dict.",
        ),
        (
            {"model": {"into.weight": 0}},
            (
                "Parameters are a torch.nn.Module's, not dict's.\n"
                "\nhint: give the model or its Subject"
            ),
        ),
        (
            {"ramp": 100},
            "A schedule is a Ramp, not int.\n\nhint: write Ramp(hold=1000, over=500)",
        ),
    ],
    ids=["optimizer", "model", "ramp"],
)
def test_arguments_of_another_kind(change: dict[str, Any], text: str) -> None:
    """They are named by their type."""
    held = grown()
    given: dict[str, Any] = {"optimizer": adam(held), "model": held.model, "ramp": Ramp(1)}
    assert refused(lambda: recovery.warm_up(held.plan, **(given | change))) == text


@pytest.mark.parametrize("strength", [-1.0, float("inf"), float("nan")])
def test_a_pull_that_is_none(strength: float) -> None:
    """It would push, or never end."""
    held = grown()
    text = refused(lambda: recovery.pull(held.plan, adam(held), held.model, strength, Ramp(1)))
    assert text == f"A pull of strength {strength!r} is no finite number from 0 on."


@pytest.mark.parametrize("most", [0.0, -1.0, float("inf"), float("nan")])
def test_a_bound_that_is_none(most: float) -> None:
    """It would hold fresh entries for good, or nothing."""
    held = grown()
    text = refused(lambda: recovery.bound(held.plan, adam(held), held.model, most, Ramp(1)))
    assert text == f"A bound of {most!r} learning rates is no finite number above 0."


def test_a_bound_where_nothing_is_fresh() -> None:
    """A model that was carried into its own kind has no fresh entries."""
    same = subject(mlp(4), torch.randn(7, 3))
    plan = suture.plan(suture.trace(same), suture.trace(same))
    optimizer = torch.optim.Adam(same.model.parameters())
    text = refused(lambda: recovery.bound(plan, optimizer, same, 1.0, Ramp(1)))
    assert text == "Nothing is fresh and learns."


def test_a_pull_without_a_learning_rate() -> None:
    """An optimizer that finds its own rate has none to go by."""
    held = grown()
    optimizer = adam(held)
    optimizer.param_groups[0]["lr"] = None
    assert refused(lambda: recovery.pull(held.plan, optimizer, held.model, 1.0, Ramp(1))) == (
        "This goes by learning rates, and there is none.\n  group 0  lr is None"
    )


@pytest.mark.parametrize("state", [{}, {"step": -1}, {"step": 1.5}], ids=str)
def test_a_state_without_steps(state: dict[str, Any]) -> None:
    """It was not saved by a part of recovery."""
    held = grown()
    warm = recovery.warm_up(held.plan, adam(held), held.model, Ramp(3))
    assert refused(lambda: warm.load_state_dict(state)) == (
        "The state does not say how many steps were made.\n"
        f"  step     {state.get('step')!r}\n"
        "\nhint: load what state_dict() of the same part of recovery gave"
    )


def test_anchors_that_do_not_fit() -> None:
    """All are listed, and the pull is as it was."""
    held = grown()
    optimizer = adam(held)
    drawn = recovery.pull(held.plan, optimizer, held.model, 1.0, Ramp(3))
    before = drawn.anchors
    anchors = drawn.state_dict()["anchors"]
    anchors["out.bias"] = [torch.zeros(5)]
    anchors["other.bias"] = anchors.pop("into.bias")
    state = {"step": 2, "anchors": anchors}
    assert refused(lambda: drawn.load_state_dict(state)) == (
        "The saved anchors do not fit what is preserved.\n"
        "  unknown  other.bias\n"
        "  missing  into.bias\n"
        "  other    out.bias has regions [[2]], the state [[5]]\n"
        "\nhint: load the state of a pull that was made for the same plan and optimizer"
    )
    assert drawn.anchors is before
    assert drawn.course.step == 0


FEATURES = {"wind": 0.0, "x.a": 0.0, "x.m": 1.0}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda plan, optimizer: recovery.new_features(plan, optimizer, "y", 0.0, Ramp(1)),
            "The new model has no input 'y'.\n  known    x",
        ),
        (
            lambda plan, optimizer: recovery.new_actions(plan, optimizer, "outputs", 0.0, Ramp(1)),
            (
                "The new model has no output 'outputs'.\n  known    output\n"
                "\nhint: did you mean 'output'?"
            ),
        ),
        (
            lambda plan, optimizer: recovery.new_features(plan, optimizer, "x", FEATURES, Ramp(1)),
            (
                "New entries of x go by name.\n  unknown  wind\n"
                "  old      x.a is there already in the old model\n  unknown  x.m\n"
                "\nhint: did you mean 'x.n'?"
            ),
        ),
        (
            lambda plan, optimizer: recovery.new_actions(plan, optimizer, "output", {}, Ramp(1)),
            (
                "New entries of output go by name.\n  named    nothing\n"
                "\nhint: new are output.brake; those of one dim go together"
            ),
        ),
        (
            lambda plan, optimizer: recovery.new_actions(
                plan, optimizer, "output", float("-inf"), Ramp(1)
            ),
            "New entries of output begin at finite numbers.\n  output.brake -inf",
        ),
    ],
    ids=["input", "output", "features", "nothing", "infinite"],
)
def test_names_that_are_not_new(call: Callable[[Plan, Any], object], text: str) -> None:
    """Each is listed with what it is instead."""
    held = grown()
    assert refused(lambda: call(held.plan, adam(held))) == text


def test_an_input_without_names() -> None:
    """New entries that nobody named cannot be told."""
    old, new = subject(mlp(4), torch.randn(7, 3)), subject(mlp(4, 5), torch.randn(7, 5))
    plan = suture.plan(suture.trace(old), suture.trace(new))
    optimizer = torch.optim.Adam(new.model.parameters())
    assert refused(lambda: recovery.new_features(plan, optimizer, "x", 0.0, Ramp(1))) == (
        "New entries of x go by name.\n  named    nothing\n"
        "\nhint: name the entries in the schemas of both models, and make the plan again"
    )


def test_a_category() -> None:
    """A value of an integer has no small steps."""

    def lookup(names: list[str]) -> suture.Subject:
        ids = torch.arange(7) % len(names)
        model = nn.Embedding(len(names), 3)
        return subject(model, ids, inputs={"input": Categorical(names)})

    old, new = lookup(["ant", "bee"]), lookup(["ant", "cat", "bee"])
    plan = suture.plan(suture.trace(old), suture.trace(new))
    optimizer = torch.optim.Adam(new.model.parameters())
    assert refused(lambda: recovery.new_features(plan, optimizer, "input", 0.0, Ramp(1))) == (
        "New entries of input go by name.\n  category input.cat is a value, not an entry\n"
        "\nhint: new are input.cat; those of one dim go together"
    )


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            torch.zeros(7, 5),
            "x has 4 entries along dim -1 in the new model.\n  given    shape [7, 5]",
        ),
        (torch.zeros(()), "x has 4 entries along dim -1 in the new model.\n  given    shape []"),
        (np.zeros(4, np.uint8), "x holds uint8, which has no small steps."),
        (torch.zeros(4).int(), "x holds torch.int32, which has no small steps."),
        (
            {"x": torch.zeros(4)},
            (
                "x is a dict, not a tensor or array.\n"
                "\nhint: call it yourself where the tensor is, instead of onto(module)"
            ),
        ),
    ],
    ids=["wider", "scalar", "bytes", "integers", "dict"],
)
def test_what_a_gate_cannot_be_on(given: Any, text: str) -> None:
    """It says what it was given."""
    held = grown()
    gate = recovery.new_features(held.plan, adam(held), "x", 0.0, Ramp(1))
    assert refused(lambda: gate(given)) == text


def test_nothing_is_done_by_an_error() -> None:
    """The weights are as they were, and the optimizer steps as it did."""
    held, free = grown(), grown()
    optimizer = torch.optim.SGD(held.model.parameters(), lr=0.1)
    refused(lambda: recovery.warm_up(held.plan, optimizer, held.model, Ramp(9), "actor."))
    refused(lambda: recovery.new_features(held.plan, optimizer, "z", 0.0, Ramp(9)))
    step(held.model, optimizer, 0)
    step(free.model, torch.optim.SGD(free.model.parameters(), lr=0.1), 0)
    before, after = weights(free.model), weights(held.model)
    assert all(torch.equal(before[name], now) for name, now in after.items())
