"""Noise on copies: what replicated units begin with besides, and what the plan says of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import suture
from carried import Carried, difference
from laws import law
from measured import ROUNDING, notes
from modules import build
from nets import Net, generic, given, mlp, subject
from networks import REPLACING, STRETCHING, chains
from recipes import Recipe
from suture import CopyOf, Plan, PlanError, Policy, Subject
from suture._plan import Sum
from worlds import subject as subject_of

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")

NOISE = 0.125
NOISY = Policy("replicate", noise=NOISE)
SAID = "copies begin with noise, 0.125 x the target's initialisation"

State = dict[str, Tensor]


def net(width: int, **parts: Any) -> Subject:
    names: Any = {"x": ["a", "b", "c"]}
    return subject(mlp(width, **parts).double(), given().double(), inputs=names)


def carried(
    source: Subject, target: Subject, fill: Any = NOISY
) -> tuple[Plan, tuple[State, State], float]:
    """Give the plan, the weights of the target before and after, and how far apart."""
    before = {name: value.clone() for name, value in target.model.state_dict().items()}
    plan = suture.transfer(source, target, fill=fill)
    assert Plan.from_json(plan.to_json()) == plan
    apart = suture.verify(plan, source, target).max_rel_diff
    return plan, (before, target.model.state_dict()), apart


def test_all_but_the_first_copy() -> None:
    """The weights into further copies take noise; first ones, biases and readers do not."""
    source, target = net(4), net(11)
    old = source.model.state_dict()
    plan, (before, new), apart = carried(source, target)
    of = torch.arange(11) % 4
    noise = new["into.weight"] - old["into.weight"][of]
    assert not noise[:4].any()
    assert torch.allclose(noise[4:], NOISE * before["into.weight"][4:], atol=1e-15)
    assert torch.equal(new["into.bias"], old["into.bias"][of])
    quiet = suture.plan(suture.trace(source), suture.trace(target), fill="replicate")
    for named in ("into.bias", "out.weight", "out.bias"):
        assert blocks(plan, named) == blocks(quiet, named)
    assert notes(plan, "approximate") == [f"into.weight: {SAID}"]
    assert not plan.exact
    assert apart > ROUNDING


def blocks(plan: Plan, name: str) -> Any:
    return next(tensor.blocks for tensor in plan.tensors if tensor.target.name == name)


def test_the_screen_says_so() -> None:
    """Where noise goes is written as the formula that it is."""
    plan, _, _ = carried(net(4), net(7))
    assert "  ~ into.weight   f64[4,3] -> f64[7,3]   widened, noisy\n" in str(plan)
    assert "sum     [4..7, :] <- into.weight[0..3, 0..3] + own init * 0.125\n" in str(plan)
    assert str(plan).endswith("Not exact: approximate, 1 note says where.")


def test_copies_differ_before_the_first_step() -> None:
    """Without noise copies are written alike, and part only when they learn."""
    for fill, apart in (("replicate", False), (NOISY, True)):
        _, (_, new), _ = carried(net(4), net(8), fill)
        assert (new["into.weight"][:4] != new["into.weight"][4:]).any(1).all() == apart


def test_no_noise_where_nothing_is_copied() -> None:
    """A network that did not grow has no copies: its function is kept, and nothing is noted."""
    plan, _, apart = carried(net(4), net(4))
    assert plan.exact
    assert apart < ROUNDING


def test_less_noise_is_less_of_a_difference() -> None:
    """The old function is what is left when the noise goes."""
    apart = [carried(net(4), net(7), Policy("replicate", noise=n))[2] for n in (1.0, 1e-3, 1e-6)]
    assert apart[0] > 30 * apart[1] > 900 * apart[2]
    assert apart[2] > 0


def test_each_output_by_itself() -> None:
    """An output that no copy leads to is exact, as the plan says of it."""

    def heads(width: int) -> Subject:
        layers = {"into": nn.Linear(3, width), "act": nn.Linear(width, 2), "worth": nn.Linear(3, 1)}
        model = Net(lambda m, x: {"act": m.act(m.into(x).relu()), "worth": m.worth(x)}, **layers)
        return subject(generic(model).double(), given().double())

    source, target = heads(4), heads(7)
    plan, _, _ = carried(source, target)
    assert {one.output: one.level for one in plan.exactness} == {
        "act": "approximate",
        "worth": "exact",
    }
    assert suture.verify(plan, source, target).apart == ("act",)


def test_memory_and_channels() -> None:
    """Rows of every gate and kernels take noise where they write further copies."""

    def net(width: int) -> Subject:
        layers = {"conv": nn.Conv1d(2, width, 3), "lstm": nn.LSTM(width, 5 * width)}
        forward = lambda m, x: m.out(m.lstm(m.conv(x).transpose(1, 2))[0])  # noqa: E731
        model = generic(Net(forward, **layers, out=nn.Linear(5 * width, 2)))
        return subject(model.double(), torch.randn(7, 2, 6, dtype=torch.float64))

    plan, _, _ = carried(net(2), net(4))
    noisy = {
        tensor.target.name: sum(
            b.size for b in tensor.blocks if isinstance(b.fill, Sum) and b.fill.own
        )
        for tensor in plan.tensors
    }
    assert noisy == {
        "conv.weight": 2 * 2 * 3,
        "conv.bias": 0,
        "lstm.weight_ih_l0": 4 * 10 * 4,
        "lstm.weight_hh_l0": 4 * 10 * 20,
        "lstm.bias_ih_l0": 0,
        "lstm.bias_hh_l0": 0,
        "out.weight": 0,
        "out.bias": 0,
    }


def test_new_outputs_that_begin_as_old_ones() -> None:
    """What is said of a name stands: readers take no noise, and the copy is one."""

    def policy(actions: str, width: int) -> Subject:
        model = mlp(width, outputs=len(actions)).double()
        return subject(model, given().double(), outputs={"output": [*actions]})

    fill = Policy("replicate", starts={"output.x": CopyOf("output.a")}, noise=NOISE)
    _, (_, new), _ = carried(policy("ab", 4), policy("axb", 6), fill)
    assert torch.equal(new["out.weight"][1], new["out.weight"][0])


def test_noise_that_is_none() -> None:
    """Noise below 0 and noise where nothing is copied are refused, with what to write."""
    with pytest.raises(PlanError) as told:
        carried(net(4), net(6), Policy("replicate", noise=-0.5))
    assert str(told.value) == "A noise of -0.5 is no finite number of 0 or more."
    with pytest.raises(PlanError) as told:
        carried(net(4), net(6), Policy("own", noise=0.5))
    assert str(told.value) == (
        "Noise is added to copies, and 'own' asks for none.\n\n"
        'hint: write suture.Policy("replicate", noise=0.5)'
    )


@law(chains(STRETCHING) | chains(REPLACING), few=4)
def test_noise_is_all_that_differs(chain: tuple[Recipe, ...]) -> None:
    """Over generated networks: without the noise a noisy plan is the quiet one."""
    before, after = chain
    source, target = build(before, 1, torch.float64), build(after, 2, torch.float64)
    old, new = suture.trace(subject_of(before, source)), suture.trace(subject_of(after, target))
    quiet, noisy = (suture.plan(old, new, fill=fill) for fill in ("replicate", NOISY))
    told = [note for note in noisy.notes if note not in quiet.notes]
    assert {note.reason for note in told} <= {SAID}
    begun = target.state_dict()
    states = [suture.apply(plan, source.state_dict(), begun) for plan in (quiet, noisy)]
    changed = {name for name, value in states[0].items() if not torch.equal(value, states[1][name])}
    assert changed <= {note.subject for note in told}
    silent = {name: torch.zeros_like(value) for name, value in begun.items()}
    states = [suture.apply(plan, source.state_dict(), silent) for plan in (quiet, noisy)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    target.load_state_dict(suture.apply(noisy, source.state_dict(), begun))
    assert not noisy.exact or difference(Carried(before, after, source, target, noisy)) < 1e-10
