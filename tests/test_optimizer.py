"""Optimizer transfer by name: whose state is whose, what is refused, and that training goes on."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim import Adam

import suture
from entries import same
from nets import given, mlp, subject
from suture import Subject
from training import averages, planned, refused, train


class Twins(nn.Module):
    """Two layers of one shape, whose attributes may come in either order."""

    def __init__(self, *order: str) -> None:
        super().__init__()
        self.a: nn.Module
        self.b: nn.Module
        for name in order:
            self.add_module(name, nn.Linear(3, 3))
        self.out = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out(torch.tanh(self.b(torch.tanh(self.a(x)))))
        return y


def twins(*order: str) -> Subject:
    torch.manual_seed(0)
    return Subject(Twins(*order), (given(),))


def test_attributes_in_another_order() -> None:
    """Moments of equal shape go by name: from a live optimizer, and from what it saved."""
    old, new = twins("a", "b"), twins("b", "a")
    before = Adam(old.model.named_parameters())
    train(old.model, before)
    plan = planned(old, new)
    for given_ in (before, before.state_dict()):
        after = Adam(new.model.named_parameters())
        suture.transfer_optimizer(plan, given_, after, old, new)
        same(averages(new.model, after), averages(old.model, before))
        after = Adam(new.model.parameters())
        suture.transfer_optimizer(plan, given_, after, target=new.model, source=old)
        same(averages(new.model, after), averages(old.model, before))


def test_a_state_that_was_loaded_in_another_order() -> None:
    """Torch swaps moments of equal shape and overwrites the names; that is seen."""
    old, new = twins("a", "b"), twins("b", "a")
    before, after = Adam(old.model.named_parameters()), Adam(new.model.named_parameters())
    train(old.model, before)
    after.load_state_dict(before.state_dict())
    plan = planned(new, old)
    assert refused(plan, after, Adam(old.model.parameters()), new, old) == (
        "source: calls a.weight what the model calls b.weight: its state was loaded in another "
        "order\n"
        "source: calls a.bias what the model calls b.bias: its state was loaded in another order\n"
        "source: calls b.weight what the model calls a.weight: its state was loaded in another "
        "order\n"
        "source: calls b.bias what the model calls a.bias: its state was loaded in another order"
    )


def test_names_and_nothing_else() -> None:
    """A state dict with names needs no model, on either side."""
    old, new = twins("a", "b"), twins("b", "a")
    before, after = Adam(old.model.named_parameters()), Adam(new.model.named_parameters())
    train(old.model, before)
    saved, begun = before.state_dict(), after.state_dict()
    report = suture.transfer_optimizer(planned(old, new), saved, begun)
    assert begun == after.state_dict()
    after.load_state_dict(dict(report.state))
    same(averages(new.model, after), averages(old.model, before))


def test_positions_without_names() -> None:
    """They need the model, or the names in the optimizer's order."""
    old, new = twins("a", "b"), twins("b", "a")
    before = Adam([*old.model.out.parameters(), *old.model.a.parameters()])
    whole = Adam(old.model.parameters())
    train(old.model, whole)
    train(old.model, before)
    plan, held = planned(old, new), [*new.model.out.parameters(), *new.model.a.parameters()]
    names = ["out.weight", "out.bias", "a.weight", "a.bias"]
    after = Adam(held)
    suture.transfer_optimizer(plan, before.state_dict(), after, names, new)
    assert torch.equal(
        after.state[new.model.a.weight]["exp_avg"], before.state[old.model.a.weight]["exp_avg"]
    )
    after = Adam(new.model.parameters())
    suture.transfer_optimizer(plan, whole.state_dict(), after, old, new)
    same(averages(new.model, after), averages(old.model, whole))
    alone = refused(plan, before.state_dict(), after, None, new)
    assert alone == (
        "source: has positions and no names; give its model, or the names in its order"
    )
    fewer = refused(plan, before.state_dict(), after, old, new)
    assert fewer == "source: holds 4 parameters; 6 are in the model"
    assert "holds 4 parameters; 1 names are given" in refused(
        plan, before.state_dict(), after, ["a.weight"], new
    )


def test_groups_without_names() -> None:
    """Several groups do not say which parameter of a model is which."""
    old, new = twins("a", "b"), twins("a", "b")
    groups = [{"params": [*old.model.a.parameters()]}, {"params": [*old.model.out.parameters()]}]
    saved = Adam(groups).state_dict()
    assert refused(planned(old, new), saved, Adam(new.model.parameters()), old, new) == (
        "source: has 2 groups without names; give the names in its order"
    )


def test_moments_of_another_shape() -> None:
    """Torch loads them without a word and fails in the next step; here nothing is written."""
    old, new = (subject(mlp(width), given()) for width in (4, 6))
    before, after = Adam(old.model.parameters()), Adam(new.model.parameters())
    train(old.model, before)
    saved = before.state_dict()
    names = ["out.weight", "out.bias", "into.weight", "into.bias"]
    untouched = copy.deepcopy(after.state_dict())
    assert refused(planned(old, new), saved, after, names, new).split("\n")[:2] == [
        "source: exp_avg of out.weight is [4,3]; out.weight is [2,4]",
        "source: exp_avg_sq of out.weight is [4,3]; out.weight is [2,4]",
    ]
    assert after.state_dict() == untouched


def test_a_pruned_model_keeps_training_whole() -> None:
    """An optimizer that holds one of four live parameters is refused; one that holds all is not."""
    old, new = (subject(mlp(width), given()) for width in (6, 4))
    before = Adam(old.model.parameters())
    train(old.model, before)
    plan = planned(old, new)
    assert refused(plan, before, Adam([new.model.into.weight]), old, new) == (
        "target: into.bias trains, and its optimizer does not hold it; "
        "the source's held into.bias\n"
        "target: out.weight trains, and its optimizer does not hold it; "
        "the source's held out.weight\n"
        "target: out.bias trains, and its optimizer does not hold it; the source's held out.bias"
    )
    after = Adam(new.model.parameters(), lr=0.01)
    suture.transfer_optimizer(plan, before, after, old, new)
    weights = {name: weight.detach().clone() for name, weight in new.model.named_parameters()}
    train(new.model, after, 1)
    assert [n for n, w in new.model.named_parameters() if torch.equal(w, weights[n])] == []


def test_what_the_model_does_not_have() -> None:
    """An optimizer that still holds the old model's parameters is refused."""
    old, new = (subject(mlp(width), given()) for width in (4, 6))
    before, stale = Adam(old.model.parameters()), Adam(old.model.parameters())
    train(old.model, before)
    assert refused(planned(old, new), before, stale, old, new).split("\n")[0] == (
        "target: holds a parameter, number 0, that is not the model's"
    )


def test_part_of_a_model() -> None:
    """What another optimizer trains is told, and is no error."""
    old, new = (subject(mlp(width), given()) for width in (4, 6))
    before = Adam(old.model.into.parameters())
    train(old.model, before)
    after = Adam(new.model.into.parameters())
    report = suture.transfer_optimizer(planned(old, new), before, after, old, new)
    assert report.unheld == ("out.weight", "out.bias")
    assert str(report).endswith("not held by this optimizer: out.weight, out.bias")


def test_a_new_layer_begins_anew() -> None:
    """A tensor of which nothing is carried has no state, and so a step count of its own."""
    old, new = subject(mlp(4), given()), subject(mlp(4, mid=nn.Linear(4, 4)), given())
    before, after = Adam(old.model.parameters()), Adam(new.model.parameters())
    train(old.model, before)
    report = suture.transfer_optimizer(planned(old, new), before, after, old, new)
    assert new.model.mid.weight not in after.state
    assert "  mid.weight    no state" in str(report)
    train(new.model, after, 1)
    steps = {name: int(step) for name, step in averages(new.model, after, "step").items()}
    assert steps["mid.weight"] == 1
    assert steps["into.weight"] == 4
    assert refused(planned(old, new), before, Adam(held_without(new, "mid")), old, new) == (
        "target: mid.weight is new and trains, and its optimizer does not hold it\n"
        "target: mid.bias is new and trains, and its optimizer does not hold it"
    )


def held_without(side: Subject, prefix: str) -> list[nn.Parameter]:
    return [w for name, w in side.model.named_parameters() if not name.startswith(prefix)]


def test_parameters_that_never_stepped() -> None:
    """What had no state has none."""
    old, new = (subject(mlp(width), given()) for width in (4, 6))
    old.model.into.requires_grad_(False)
    new.model.into.requires_grad_(False)
    before, after = Adam(old.model.parameters()), Adam(new.model.parameters())
    train(old.model, before)
    report = suture.transfer_optimizer(planned(old, new), before, after, old, new)
    assert new.model.into.weight not in after.state
    assert str(report).split("\n")[1:3] == [
        "  into.weight   no state                  begins anew",
        "  into.bias     no state                  begins anew",
    ]
