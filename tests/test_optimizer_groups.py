"""Optimizer transfer and what surrounds a state: groups, options, dtypes, wrappers, state dicts."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn, optim
from torch.optim import Adam

import suture
from entries import same
from nets import Net, given, mlp, subject
from suture import Subject
from training import NAMES, moved, pair, planned, refused, train


def test_groups_stay_the_targets() -> None:
    """Groups, options and their order are the target's, but for options that are asked for."""
    old, new = pair()
    before = Adam(old.model.parameters(), lr=0.5, betas=(0.7, 0.8), eps=1e-3)
    groups = [{"params": [*new.model.out.parameters()], "lr": 0.1}]
    groups.append({"params": [*new.model.into.parameters()], "weight_decay": 0.2})
    after = Adam(groups)
    schedule = optim.lr_scheduler.StepLR(after, 3)
    train(old.model, before)
    moved(old, new, before, after, options=("betas", "eps"))
    one, other = after.param_groups
    assert [group["lr"] for group in after.param_groups] == [0.1, 0.001]
    assert (one["betas"], other["eps"], other["weight_decay"]) == ((0.7, 0.8), 1e-3, 0.2)
    assert one["params"][0] is new.model.out.weight
    assert other["initial_lr"] == schedule.base_lrs[1]
    same(
        {"in": after.state[new.model.into.weight]["exp_avg"][:4]},
        {"in": before.state[old.model.into.weight]["exp_avg"]},
    )


def test_options_that_are_none() -> None:
    """Options that a group does not have, or of which the source has several, are refused."""
    old, new = pair()
    groups = [{"params": [*old.model.out.parameters()], "lr": 0.1}]
    groups.append({"params": [*old.model.into.parameters()]})
    before, after = Adam(groups), Adam(new.model.parameters())
    train(old.model, before)
    plan = planned(old, new)
    assert refused(plan, before, after, old, new, options=("lr", "momentum", "params")) == (
        "options: the target's group 0 comes from groups with lr 0.001, 0.1\n"
        "options: 'momentum' is no option of the target's group 0\n"
        "options: 'params' is no option of the target's group 0"
    )
    assert refused(plan, before, after, old, new, fresh="row") == (
        "fresh: 'row' is neither 'mean' nor 'zero'"
    )


def test_a_report_and_the_optimizer_share_nothing() -> None:
    """Steps that follow do not change what the report says was carried."""
    old, new = pair()
    before, after = Adam(old.model.parameters()), Adam(new.model.parameters())
    train(old.model, before)
    report = suture.transfer_optimizer(planned(old, new), before, after, old, new)
    kept = copy.deepcopy({**report.state})
    train(new.model, after)
    assert int(after.state[new.model.into.weight]["step"]) > int(kept["state"][0]["step"])
    for number, slots in kept["state"].items():
        same(report.state["state"][number], slots)


def test_half_precision() -> None:
    """Slots get the parameter's dtype as torch loads them, step counts stay what they are."""
    old, new = pair()
    new.model.to(torch.bfloat16)
    before, after = Adam(old.model.parameters()), Adam(new.model.parameters())
    train(old.model, before)
    plan = suture.plan(suture.trace(old), suture.trace(subject(mlp(7), given())))
    report = suture.transfer_optimizer(plan, before, after, old, new)
    state = after.state[new.model.into.weight]
    assert (state["exp_avg"].dtype, state["step"].dtype) == (torch.bfloat16, torch.float32)
    assert report.state["state"][0]["exp_avg"].dtype == torch.float32
    train(new.model.float(), Adam(new.model.parameters()), 1)


def test_wrapped_models() -> None:
    """Wrappers of models and of names are seen through."""
    old, new = pair()
    before = Adam(nn.DataParallel(old.model).named_parameters())
    train(old.model, before)
    assert before.state_dict()["param_groups"][0]["param_names"][0] == "module.into.weight"
    after = Adam(new.model.named_parameters())
    for owner in (nn.DataParallel(old.model), old, None):
        suture.transfer_optimizer(planned(old, new), before.state_dict(), after, owner, new)
        now = after.state[new.model.into.weight]["exp_avg"][:4]
        assert torch.equal(now, before.state[old.model.into.weight]["exp_avg"])


def test_a_state_dict_by_names() -> None:
    """Distributed checkpoints call parameters by name in place of positions."""
    old, new = pair()
    before, after = Adam(old.model.parameters()), Adam(new.model.parameters())
    train(old.model, before)
    saved = before.state_dict()
    state = {name: saved["state"][at] for at, name in enumerate(NAMES)}
    by_name = {"state": state, "param_groups": [{**saved["param_groups"][0], "params": NAMES}]}
    suture.transfer_optimizer(planned(old, new), by_name, after, target=new)
    now = after.state[new.model.into.weight]["exp_avg"][:4]
    assert torch.equal(now, before.state[old.model.into.weight]["exp_avg"])


def test_what_is_no_optimizer() -> None:
    """A checkpoint around a state dict is told apart from one."""
    old, new = pair()
    with pytest.raises(suture.OptimizerError) as caught:
        suture.transfer_optimizer(planned(old, new), {"optimizer": {}}, {}, old, new)
    assert str(caught.value) == (
        "An optimizer's state dict has 'state' and 'param_groups'.\n"
        "  source   has optimizer\n\n"
        "hint: look for it inside of the checkpoint"
    )


def test_nothing_is_shared() -> None:
    """The target's steps leave the source's state as it was, and the other way round."""
    old, new = pair((5, 5))
    before, after = Adam(old.model.parameters()), Adam(new.model.parameters())
    train(old.model, before)
    moved(old, new, before, after)
    kept = copy.deepcopy(before.state_dict())
    train(new.model, after)
    for key, slots in before.state_dict()["state"].items():
        same(slots, kept["state"][key])


def test_tied_parameters_stay_one() -> None:
    """They are one parameter, with one state, after weights and state were carried."""

    def tied(width: int) -> Subject:
        into, out = nn.Embedding(11, width), nn.Linear(width, 11, bias=False)
        out.weight = into.weight
        net = Net(
            lambda m, x: m.out(m.mid(m.into(x))), into=into, mid=nn.Linear(width, width), out=out
        )
        return Subject(net, (torch.arange(6),))

    old, new = tied(4), tied(6)
    before, after = (Adam(each.model.parameters()) for each in (old, new))
    for model, optimizer in ((old.model, before),):
        model(torch.arange(6)).square().sum().backward()
        optimizer.step()
    suture.transfer_optimizer(suture.transfer(old, new), before, after, old, new)
    assert new.model.out.weight is new.model.into.weight
    assert len([*new.model.parameters()]) == len(after.state) == 3
    kept = after.state[new.model.into.weight]["exp_avg"][:, :4]
    assert torch.equal(kept, before.state[old.model.into.weight]["exp_avg"])
