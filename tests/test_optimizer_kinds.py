"""Optimizer transfer by class: what each keeps, what two have in common, going on from files."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from torch import nn, optim
from torch.optim import Adam, Optimizer
from transformers import optimization

import suture
from entries import same
from nets import given, mlp, subject
from stepping import ELEMENTWISE, Lion, made
from suture import Subject
from suture._slots import _SLOTS
from training import NAMES, WIDER, averages, moved, pair, planned, refused, train


@pytest.mark.parametrize("name", [*ELEMENTWISE])
def test_going_on_from_a_file(name: str) -> None:
    """A transferred optimizer steps, saves, loads and steps on as one that never left memory."""
    old, new = pair()
    before, after = made(name, old.model), made(name, new.model)
    train(old.model, before)
    moved(old, new, before, after)
    train(new.model, after, 2, seed=1)
    file = io.BytesIO()
    torch.save({"model": new.model.state_dict(), "optimizer": after.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    loaded = subject(mlp(WIDER[1]), given())
    loaded.model.load_state_dict(saved["model"])
    resumed = made(name, loaded.model)
    resumed.load_state_dict(saved["optimizer"])
    for model, optimizer in ((new.model, after), (loaded.model, resumed)):
        train(model, optimizer, 3, seed=2)
    same(new.model.state_dict(), loaded.model.state_dict())


@pytest.mark.parametrize("name", [*ELEMENTWISE])
def test_a_network_carried_into_itself(name: str) -> None:
    """Law 7, bit by bit: training goes on as if nothing had happened, also by a state dict."""
    old, new = pair((5, 5))
    before, after, third = (made(name, each.model) for each in (old, new, old))
    train(old.model, before)
    report = moved(old, new, before, after)
    saved = suture.transfer_optimizer(
        planned(old, new), before.state_dict(), third.state_dict(), old, old
    )
    assert saved.state.keys() == report.state.keys()
    for model, optimizer in ((old.model, before), (new.model, after)):
        train(model, optimizer, 3, seed=2)
    same(old.model.state_dict(), new.model.state_dict())


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (optim.Adafactor, {"lr": 0.01}),
        (optim.Adafactor, {"lr": 0.01, "foreach": True}),
        (optim.Muon, {"lr": 0.01}),
    ],
)
def test_optimizers_that_mix_entries(make: Any, options: dict[str, Any]) -> None:
    """Where nothing grows, they too go on bit by bit."""
    old, new = matrices(5), matrices(5)
    before, after = (make(each.model.parameters(), **options) for each in (old, new))
    train(old.model, before)
    moved(old, new, before, after)
    for model, optimizer in ((old.model, before), (new.model, after)):
        train(model, optimizer, 3, seed=2)
    same(old.model.state_dict(), new.model.state_dict())


def matrices(width: int) -> Subject:
    layers = nn.Linear(3, width, bias=False), nn.Tanh(), nn.Linear(width, 2, bias=False)
    torch.manual_seed(width)
    return Subject(nn.Sequential(*layers), (given(),))


def test_adafactor_in_a_wider_network() -> None:
    """Rows and columns that were there keep their means; new ones have the mean of those."""
    old, new = pair()
    before, after = (optim.Adafactor(each.model.parameters()) for each in (old, new))
    train(old.model, before)
    moved(old, new, before, after)
    was, now = (one.state[each.model.out.weight] for one, each in ((before, old), (after, new)))
    assert (now["row_var"].shape, now["col_var"].shape) == ((2, 1), (1, 7))
    assert torch.equal(now["row_var"], was["row_var"])
    assert torch.equal(now["col_var"][:, :4], was["col_var"])
    assert torch.allclose(now["col_var"][:, 4:], was["col_var"].mean())
    was, now = (one.state[each.model.into.bias] for one, each in ((before, old), (after, new)))
    assert torch.equal(now["variance"][:4], was["variance"])
    train(new.model, after, 1)


def test_muon_in_a_wider_network() -> None:
    """The momentum that was there is there, and new entries have none."""
    old, new = matrices(4), matrices(6)
    before, after = (optim.Muon(each.model.parameters()) for each in (old, new))
    train(old.model, before)
    moved(old, new, before, after)
    was, now = (
        averages(each.model, one, "momentum_buffer")["0.weight"]
        for one, each in ((before, old), (after, new))
    )
    assert torch.equal(now[:4], was)
    assert not now[4:].any()
    train(new.model, after, 1)


def test_sparse_gradients() -> None:
    """SparseAdam's step is a plain number, and goes over as one."""

    def words(count: int) -> Subject:
        table = nn.Embedding(count, 3, sparse=True)
        schema = suture.Schema(inputs={"input": suture.Categorical([*"abcde"[:count]])})
        return Subject(table, (torch.tensor([0, 1, 2]),), schema=schema)

    old, new = words(3), words(5)
    before, after = (optim.SparseAdam([*each.model.parameters()]) for each in (old, new))
    old.model(torch.tensor([0, 2])).square().sum().backward()
    before.step()
    moved(old, new, before, after)
    was, now = (one.state[each.model.weight] for one, each in ((before, old), (after, new)))
    assert now["step"] == 1
    assert torch.equal(now["exp_avg"][:3], was["exp_avg"])
    new.model(torch.tensor([1, 4])).square().sum().backward()
    after.step()


def test_a_table_that_gains_a_category_as_a_copy() -> None:
    """What begins as a copy is fresh to the optimizer, and does not share the old one's moments."""

    def words(*names: str) -> Subject:
        schema = suture.Schema(inputs={"input": suture.Categorical([*names])})
        torch.manual_seed(len(names))
        return Subject(nn.Embedding(len(names), 3), (torch.tensor([0, 1]),), schema=schema)

    old, new = words("ant", "bee"), words("ant", "wasp", "bee")
    before, after = (Adam(each.model.parameters()) for each in (old, new))
    old.model(torch.tensor([0, 1])).square().sum().backward()
    before.step()
    fill = {"input.wasp": suture.CopyOf("input.bee")}
    plan = suture.plan(suture.trace(old), suture.trace(new), fill=fill)
    suture.transfer_optimizer(plan, before, after, old, new)
    was, now = (one.state[each.model.weight] for one, each in ((before, old), (after, new)))
    assert torch.equal(now["exp_avg"][[0, 2]], was["exp_avg"])
    assert not now["exp_avg"][1].any()
    assert torch.allclose(now["exp_avg_sq"][1], was["exp_avg_sq"].mean(0))


def test_fresh_entries_of_squares() -> None:
    """A fresh column has its row's mean, a fresh row its column's, the corner the mean of all."""
    old, new = (
        subject(mlp(w, f), given(f), inputs={"x": [*"abc"][:f]}) for w, f in ((4, 2), (5, 3))
    )
    before = Adam(old.model.parameters())
    chance = torch.Generator().manual_seed(0)
    for _ in range(2):
        old.model(torch.randn(7, 2, generator=chance)).square().sum().backward()
        before.step()
    was = before.state[old.model.into.weight]["exp_avg_sq"]
    for fresh, (column, row, corner) in {
        "mean": (was.mean(1), was.mean(0), was.mean()),
        "zero": (torch.zeros(4), torch.zeros(2), torch.zeros(())),
    }.items():
        after = Adam(new.model.parameters())
        moved(old, new, before, after, fresh=fresh)
        now = after.state[new.model.into.weight]["exp_avg_sq"]
        assert torch.equal(now[:4, :2], was)
        assert torch.allclose(now[:4, 2], column)
        assert torch.allclose(now[4, :2], row)
        assert torch.allclose(now[4, 2], corner)
        assert not after.state[new.model.into.weight]["exp_avg"][4].any()


@pytest.mark.parametrize(
    ("make", "slot", "wanted"),
    [
        (lambda p: optim.Rprop(p, lr=0.03), "step_size", 0.03),
        (lambda p: optim.Adagrad(p, initial_accumulator_value=0.25), "sum", 0.25),
    ],
)
def test_slots_that_begin_as_an_option_says(make: Any, slot: str, wanted: float) -> None:
    """Fresh entries begin as the optimizer begins them."""
    old, new = pair()
    before, after = (make(each.model.parameters()) for each in (old, new))
    train(old.model, before)
    moved(old, new, before, after)
    assert torch.allclose(after.state[new.model.into.weight][slot][4:], torch.tensor(wanted))
    assert torch.equal(
        after.state[new.model.into.weight][slot][:4], before.state[old.model.into.weight][slot]
    )


def test_an_average_of_weights() -> None:
    """ASGD's follows as the weight does; fresh entries are the target's weights."""
    old, new = pair()
    before, after = (optim.ASGD(each.model.parameters(), t0=1.0) for each in (old, new))
    train(old.model, before)
    moved(old, new, before, after)
    now = after.state[new.model.into.weight]["ax"]
    assert torch.equal(now[:4], before.state[old.model.into.weight]["ax"])
    assert torch.equal(now[4:], new.model.into.weight[4:])
    without = refused(planned(old, new), before, after.state_dict(), old, NAMES)
    assert "target: ax of into.weight begins as the weight: give the model" in without


COMMON: dict[str, tuple[Any, Any, str]] = {
    "adam to adamw": (Adam, optim.AdamW, ""),
    "adam to radam": (lambda p: Adam(p, amsgrad=True), optim.RAdam, ""),
    "adamw to lion": (optim.AdamW, Lion, ""),
    "amsgrad off": (lambda p: Adam(p, amsgrad=True), Adam, ""),
    "amsgrad on": (
        Adam,
        lambda p: Adam(p, amsgrad=True),
        "target: needs max_exp_avg_sq of into.weight and 3 more; the source does not keep it",
    ),
    "adam to nadam": (
        Adam,
        optim.NAdam,
        "target: needs mu_product of into.weight and 3 more; the source does not keep it",
    ),
    "adam to sgd": (
        Adam,
        lambda p: optim.SGD(p, momentum=0.9),
        "classes: SGD keeps nothing of what Adam does",
    ),
    "sgd to rmsprop": (
        lambda p: optim.SGD(p, momentum=0.9),
        lambda p: optim.RMSprop(p, momentum=0.9),
        "classes: momentum_buffer is a gradient to SGD, a update to RMSprop",
    ),
}


@pytest.mark.parametrize("name", COMMON)
@pytest.mark.parametrize("saved", [False, True])
def test_another_class(name: str, saved: bool) -> None:
    """Slots go over that both have by name and meaning; what could not step is refused."""
    old, new = pair()
    before, after = COMMON[name][0](old.model.parameters()), COMMON[name][1](new.model.parameters())
    train(old.model, before)
    plan, told = planned(old, new), COMMON[name][2]
    given_ = before.state_dict() if saved else before
    if told:
        assert told in refused(plan, given_, after, old, new)
        return
    suture.transfer_optimizer(plan, given_, after, old, new)
    now = after.state[new.model.into.weight]["exp_avg"][:4]
    assert torch.equal(now, before.state[old.model.into.weight]["exp_avg"])
    train(new.model, after)


def test_an_optimizer_with_a_history() -> None:
    """LBFGS cannot follow, and says why."""
    old, new = pair()
    before, after = (optim.LBFGS(each.model.parameters()) for each in (old, new))
    before.step(lambda: old.model(given()).square().sum())
    assert refused(planned(old, new), before, after, old, new).split("\n")[0] == (
        "source: LBFGS cannot follow: its history mixes all parameters, and there is none of the "
        "changed network"
    )


class Strange(Optimizer):
    """Keeps what nobody has heard of."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {"lr": 0.1})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for weight in self.param_groups[0]["params"]:
            self.state[weight] = {
                "drift": torch.full_like(weight, 2.0),
                "seen": 3,
                "trust": torch.tensor(0.5),
            }


def test_slots_that_nobody_knows() -> None:
    """Of the parameter's shape they follow it; numbers go over; everything else is refused."""
    old, new = pair()
    before, after = (Strange(each.model.parameters()) for each in (old, new))
    before.step()
    moved(old, new, before, after)
    state = after.state[new.model.into.weight]
    assert torch.equal(state["drift"], torch.tensor([2.0] * 4 + [0.0] * 3)[:, None].expand(7, 3))
    assert (state["seen"], float(state["trust"])) == (3, 0.5)
    before.state[old.model.into.bias]["history"] = [1, 2]
    before.state[old.model.out.bias]["sketch"] = torch.zeros(5)
    assert refused(planned(old, new), before, after, old, new) == (
        "source: nobody knows how history of into.bias follows, a list\n"
        "source: nobody knows how sketch of out.bias follows, a [5]"
    )


def test_unknown_slots_of_scaled_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are refused until somebody says how they follow."""
    old, new = pair((4, 8))
    before, after = (Strange(each.model.parameters()) for each in (old, new))
    before.step()
    plan = suture.transfer(old, new, fill="replicate")
    assert refused(plan, before, after, old, new).split("\n")[0] == (
        "source: drift of into.weight is scaled in into.weight: say how it follows, "
        'as suture.slot("drift", "gradient")'
    )
    monkeypatch.setitem(_SLOTS, ("Strange", "drift"), suture.Slot("drift", "gradient"))
    suture.transfer_optimizer(plan, before, after, old, new)
    assert torch.equal(after.state[new.model.into.weight]["drift"], torch.ones(8, 3))


def test_a_word_that_no_slot_follows() -> None:
    with pytest.raises(suture.OptimizerError) as caught:
        suture.slot("drift", "gradients")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "A slot cannot follow 'gradients'.\n"
        "  known    gradient, gradient size, gradient squared, update, step size, step squared, "
        "weight, counter\n"
        "\n"
        "hint: did you mean 'gradient'?"
    )


def test_momentum_of_a_fused_group() -> None:
    """Fused momentum steps all of a group or none: what is new begins with zeros."""
    old, new = subject(mlp(4), given()), subject(mlp(4, mid=nn.Linear(4, 4)), given())
    before, after = (
        optim.SGD(each.model.parameters(), lr=0.01, momentum=0.9, fused=True) for each in (old, new)
    )
    train(old.model, before)
    moved(old, new, before, after)
    assert not after.state[new.model.mid.weight]["momentum_buffer"].any()
    train(new.model, after, 1)


Factored: Any = optimization.Adafactor


def test_somebody_elses_classes() -> None:
    """They are known by their names, or by options that mean the same in torch's."""
    for make in (
        lambda p: Factored(p, lr=0.01, relative_step=False, scale_parameter=False),
        lambda p: RMSpropTFLike(p, momentum=0.5, centered=True),
    ):
        old, new = pair()
        before, after = make(old.model.parameters()), make(new.model.parameters())
        train(old.model, before)
        moved(old, new, before, after)
        for was, now in zip(before.state.values(), after.state.values(), strict=True):
            assert {slot: type(value) for slot, value in was.items()} == {
                slot: type(value) for slot, value in now.items()
            }
        train(new.model, after, 1)


def test_a_buffer_that_means_something_else() -> None:
    """RMSprop's momentum buffer holds updates, whoever wrote it down: no scale reaches them."""
    old, new = pair((4, 8))
    before, after = (RMSpropTFLike(each.model.parameters(), momentum=0.5) for each in (old, new))
    train(old.model, before)
    suture.transfer_optimizer(suture.transfer(old, new, fill="replicate"), before, after, old, new)
    was, now = (one.state[each.model.into.weight] for one, each in ((before, old), (after, new)))
    assert torch.equal(now["momentum_buffer"][:4], was["momentum_buffer"])
    assert torch.equal(now["square_avg"][:4], was["square_avg"] / 4)


class Belief(Adam):
    """Has the options of Adam, and keeps something else."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for weight in self.param_groups[0]["params"]:
            self.state[weight] = {"step": 1, "exp_avg": weight * 2, "exp_avg_var": weight**2}


def test_a_class_that_looks_like_adam() -> None:
    """It is not taken for Adam, which could not step with what is there."""
    old, new = pair()
    before = Belief(old.model.named_parameters())
    before.step()
    after = Belief(new.model.named_parameters())
    plan = planned(old, new)
    report = suture.transfer_optimizer(plan, before.state_dict(), after.state_dict())
    assert report.optimizers == ("state dict", "state dict")
    suture.transfer_optimizer(plan, before, after, old, new)
    kept = before.state[old.model.into.weight]["exp_avg_var"]
    for state in (report.state["state"][0], after.state[new.model.into.weight]):
        assert torch.equal(state["exp_avg_var"][:4], kept)
