"""Policies for all that is fresh: own, zeros, copies, and a scale."""

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
from suture import Bias, Plan, PlanError, Policy, Subject
from worlds import subject as subject_of

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")

EXACT = 1e-12


def two(width: int, **parts: Any) -> Subject:
    model = mlp(width, **parts).double()
    actions: dict[str, Any] = {"output": ["left", "right"]}
    return subject(model, given().double(), inputs={"x": ["a", "b", "c"]}, outputs=actions)


State = dict[str, Tensor]


def carried(
    fill: Any, source: Subject, target: Subject
) -> tuple[Plan, tuple[State, State, State], float]:
    """Give the plan, the weights of the source, of the target before, after, and how far apart."""
    before = {name: value.clone() for name, value in target.model.state_dict().items()}
    plan = suture.transfer(source, target, fill=fill)
    assert Plan.from_json(plan.to_json()) == plan
    apart = suture.verify(plan, source, target).max_rel_diff
    return plan, (source.model.state_dict(), before, target.model.state_dict()), apart


def learns(target: Subject) -> dict[str, Tensor]:
    """Give the gradients of a loss that is generic."""
    out = target.model(*target.args)
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    return {
        name: parameter.grad if parameter.grad is not None else torch.zeros(())
        for name, parameter in target.model.named_parameters()
    }


def test_everything_fresh_as_its_own() -> None:
    """What has a source is copied, the rest stays; what the old function hears of it is told."""
    plan, (old, before, new), apart = carried("own", two(4), two(7))
    assert torch.equal(new["into.weight"][:4], old["into.weight"])
    assert torch.equal(new["into.weight"][4:], before["into.weight"][4:])
    assert torch.equal(new["out.weight"][:, :4], old["out.weight"])
    assert torch.equal(new["out.weight"][:, 4:], before["out.weight"][:, 4:])
    reason = "fresh entries begin as their own, and the old function hears them"
    assert notes(plan, "inexact") == [f"out.weight: {reason}"]
    assert not plan.exact
    assert apart > ROUNDING


def test_own_where_nothing_hears_what_is_fresh() -> None:
    """New actions change nothing of the old ones: that is exact."""

    def policy(actions: str) -> Subject:
        model = mlp(4, outputs=len(actions)).double()
        return subject(model, given().double(), outputs={"output": [*actions]})

    plan, _, apart = carried("own", policy("ab"), policy("axb"))
    assert plan.exact
    assert apart < EXACT


def test_own_copies_are_plain() -> None:
    """Under a norm that grew, nothing is scaled and nothing is silenced; so it is not exact."""
    plan, (old, before, new), _ = carried(
        "own", two(4, norm=nn.LayerNorm(4)), two(6, norm=nn.LayerNorm(6))
    )
    for name in ("into.weight", "into.bias", "norm.weight", "norm.bias"):
        assert torch.equal(new[name], torch.cat([old[name], before[name][4:]]))
    assert not plan.exact


def test_everything_fresh_at_zero() -> None:
    """The old function is kept; that nothing there learns is said, and so it is."""
    target = two(7)
    plan, (_, _, new), apart = carried("zeros", two(4), target)
    assert plan.exact
    assert apart < EXACT
    assert not new["into.weight"][4:].any()
    assert not new["into.bias"][4:].any()
    assert not new["out.weight"][:, 4:].any()
    reason = "fresh units are 0 on the way in and out: where 0 gives 0, nothing learns"
    assert notes(plan, "dead") == [
        f"into.weight dim 0, into.bias dim 0, out.weight dim 1: {reason}"
    ]
    found = learns(target)
    assert not found["into.weight"][4:].any()
    assert not found["out.weight"][:, 4:].any()


def test_zeros_where_they_learn() -> None:
    """Rows of new actions learn, being read from units that are alive: nothing is told."""

    def policy(actions: str) -> Subject:
        model = mlp(4, outputs=len(actions)).double()
        return subject(model, given().double(), outputs={"output": [*actions]})

    target = policy("axb")
    plan, (_, _, new), apart = carried("zeros", policy("ab"), target)
    assert plan.exact
    assert apart < EXACT
    assert not new["out.weight"][1].any()
    assert notes(plan, "dead") == []
    assert learns(target)["out.weight"][1].any()


def test_zeros_where_a_length_is_taken() -> None:
    """A row of 0 has no direction: such weights keep their own, and nothing is NaN."""
    norm = nn.utils.parametrizations.weight_norm

    def net(width: int) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            return m.out(m.into(x).relu())

        model = Net(forward, into=norm(nn.Linear(3, width)), out=nn.Linear(width, 2))
        return subject(generic(model).double(), given().double())

    plan, (_, _, new), apart = carried("zeros", net(4), net(7))
    assert plan.exact
    assert apart < EXACT
    assert all(value.isfinite().all() for value in new.values())


@pytest.mark.parametrize("width", [5, 7, 8, 11])
def test_copies_at_any_ratio(width: int) -> None:
    """Fresh units are copies in turn, and what reads them shares: shares of a unit add up to 1."""
    source, target = two(4), two(width)
    plan, (old, _, new), apart = carried("replicate", source, target)
    assert plan.exact
    assert apart < EXACT
    of = torch.arange(width) % 4
    assert torch.equal(new["into.weight"], old["into.weight"][of])
    for unit in range(4):
        shares = new["out.weight"][:, of == unit] / old["out.weight"][:, [unit]]
        assert torch.allclose(shares.sum(1), torch.ones(2, dtype=torch.float64))
        assert len(set(shares[0].tolist())) == shares.shape[1]


def test_a_factor_of_one_entry_is_not_copied() -> None:
    """It stands in no dim of the source; what is fresh there is filled as ever."""

    def net(each: int) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            return m.out(m.into(x).unflatten(1, (5, each)).transpose(1, 2).relu().flatten(1))

        model = generic(Net(forward, into=nn.Linear(3, 5 * each), out=nn.Linear(5 * each, 2)))
        return subject(model.double(), given().double())

    plan, _, apart = carried("replicate", net(1), net(3))
    assert plan.exact
    assert apart < EXACT


def test_copies_part_when_they_learn() -> None:
    """After one step no two copies are equal."""
    target = two(8)
    carried("replicate", two(4), target)
    found = learns(target)["into.bias"]
    alive = found[:4] != 0
    assert alive.any()
    assert (found[:4] != found[4:])[alive].all()


def test_copies_through_channels_and_a_flatten() -> None:
    """Kernels, statistics per channel and the places behind them are copied alike."""

    def net(channels: int) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            return m.out(m.norm(m.conv(x)).relu().flatten(1))

        layers = {"conv": nn.Conv2d(2, channels, 3), "norm": nn.BatchNorm2d(channels)}
        model = generic(Net(forward, **layers, out=nn.Linear(channels * 6, 5))).double().eval()
        return subject(model, torch.randn(7, 2, 4, 5, dtype=torch.float64))

    plan, (old, _, new), apart = carried("replicate", net(3), net(5))
    assert plan.exact
    assert apart < EXACT
    assert torch.equal(new["norm.running_var"], old["norm.running_var"][[0, 1, 2, 0, 1]])


@pytest.mark.parametrize(("width", "copied"), [(8, True), (6, False)])
def test_copies_in_a_memory(width: int, copied: bool) -> None:
    """Weights are read and written along cells: every gate is copied, at whole multiples."""

    def net(width: int) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            return m.out(m.lstm(x)[0])

        model = generic(Net(forward, lstm=nn.LSTM(3, width), out=nn.Linear(width, 2))).double()
        return subject(model, torch.randn(7, 5, 3, dtype=torch.float64))

    plan, (old, _, new), apart = carried("replicate", net(4), net(width))
    assert plan.exact
    assert apart < EXACT
    gates = new["lstm.weight_ih_l0"].unflatten(0, (4, width))
    before = old["lstm.weight_ih_l0"].unflatten(0, (4, 4))
    assert torch.equal(gates, before[:, torch.arange(width) % 4]) == copied


@pytest.mark.parametrize(("width", "exact"), [(8, True), (6, False)])
def test_copies_that_a_norm_hears(width: int, exact: bool) -> None:
    """They keep its mean if every unit comes equally often; else the plan says what hears them."""
    source, target = two(4, norm=nn.LayerNorm(4)), two(width, norm=nn.LayerNorm(width))
    plan, _, apart = carried("replicate", source, target)
    assert plan.exact == exact
    assert (apart < EXACT) == exact
    told = [note for note in notes(plan, "inexact") if "copies are heard unevenly by" in note]
    assert bool(told) != exact
    if told:
        assert told[0].endswith("copies are heard unevenly by native_layer_norm in norm")


def test_new_features_beside_copies() -> None:
    """What has a name is no copy of another: it is filled as ever."""

    def side(features: str, width: int) -> Subject:
        model = mlp(width, features=len(features)).double()
        return subject(model, given(len(features)).double(), inputs={"x": [*features]})

    plan, (old, _, new), apart = carried("replicate", side("abc", 4), side("adbc", 6))
    assert plan.exact
    assert apart < EXACT
    assert not new["into.weight"][:, 1].any()
    assert torch.equal(new["into.weight"][4:, [0, 2, 3]], old["into.weight"][:2])


def test_fresh_weights_on_a_scale() -> None:
    """Every initialisation that is kept is multiplied; the old function is kept."""
    plan, (_, before, new), apart = carried(Policy(scale=0.1), two(4), two(7))
    assert plan.exact
    assert apart < EXACT
    assert torch.allclose(new["into.weight"][4:], 0.1 * before["into.weight"][4:])
    assert "0.1" in str(plan)


def test_statistics_are_not_weights() -> None:
    """Running means and variances keep their initialisation as it is."""
    source, target = two(4, norm=nn.BatchNorm1d(4)), two(7, norm=nn.BatchNorm1d(7))
    for side in (source, target):
        side.model.eval()
    _, (_, before, new), _ = carried(Policy("zeros"), source, target)
    assert torch.equal(new["norm.running_var"][4:], before["norm.running_var"][4:])


def test_names_that_begin_otherwise() -> None:
    """A policy and new actions by name go together: what is said of a name stands."""

    def policy(actions: str, width: int) -> Subject:
        model = mlp(width, outputs=len(actions)).double()
        return subject(model, given().double(), outputs={"output": [*actions]})

    fill = Policy("replicate", starts={"output.x": Bias(-5.0)})
    plan, (_, _, new), apart = carried(fill, policy("ab", 4), policy("axb", 6))
    assert plan.exact
    assert apart < EXACT
    assert not new["out.weight"][1].any()
    assert float(new["out.bias"][1]) == -5


def test_policies_that_are_none() -> None:
    """Words and scales are refused, with what is known."""
    with pytest.raises(PlanError) as told:
        carried("zero", two(4), two(6))
    assert str(told.value) == (
        "There is no fill 'zero'.\n  known    exact, own, zeros, replicate\n\n"
        "hint: did you mean 'zeros'?"
    )
    with pytest.raises(PlanError) as told:
        carried(Policy(scale=0.0), two(4), two(6))
    assert str(told.value) == (
        "A scale of 0.0 is no finite number above 0.\n\n"
        'hint: write suture.Policy("zeros") for fresh entries of 0'
    )


@law(chains(STRETCHING) | chains(REPLACING))
def test_what_a_policy_promises(chain: tuple[Recipe, ...]) -> None:
    """Whatever policy: where the plan is exact the old outputs are kept, and nothing is NaN."""
    before, after = chain
    source = build(before, 1, torch.float64)
    for fill in ("own", "zeros", "replicate", Policy(scale=0.1)):
        target = build(after, 2, torch.float64)
        sides = subject_of(before, source), subject_of(after, target)
        plan = suture.plan(suture.trace(sides[0]), suture.trace(sides[1]), fill=fill)
        state = suture.apply(plan, source.state_dict(), target.state_dict())
        target.load_state_dict(state)
        done = Carried(before, after, source, target, plan)
        assert not plan.exact or difference(done) < 1e-10, fill
        assert all(value.isfinite().all() for value in state.values())
