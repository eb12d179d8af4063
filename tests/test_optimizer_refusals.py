"""Optimizer states that do not fit: each fault by its text, and nothing written."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import ASGD, Adam, Optimizer

import suture
from nets import Net, given, mlp, subject
from suture import Subject
from suture._plan import Block, Plan, Sum, Term
from training import NAMES, pair, planned, refused, train


def both(old: Subject, new: Subject) -> tuple[Adam, Adam]:
    """Train the old one."""
    before, after = Adam(old.model.parameters()), Adam(new.model.parameters())
    train(old.model, before)
    return before, after


def test_tied_parameters_that_an_assignment_untied() -> None:
    """`load_state_dict(assign=True)` makes new parameters, which the optimizer does not hold."""

    def tied(width: int) -> Subject:
        into, out = nn.Embedding(11, width), nn.Linear(width, 11, bias=False)
        out.weight, mid = into.weight, nn.Linear(width, width)
        net = Net(lambda m, x: m.out(m.mid(m.into(x))), into=into, mid=mid, out=out)
        return Subject(net, (torch.arange(6),))

    old, new = tied(4), tied(6)
    plan = suture.plan(suture.trace(old), suture.trace(new))
    before, after = (Adam(each.model.parameters()) for each in (old, new))
    state = suture.apply(plan, old.model.state_dict(), new.model.state_dict())
    assert state["into.weight"] is state["out.weight"]
    new.model.load_state_dict(state, assign=True)
    assert len([*new.model.parameters()]) == 4
    assert refused(plan, before, after, old, new).split("\n")[0] == (
        "target: holds a parameter, number 0, that is not the model's"
    )


def test_all_that_is_wrong_at_once() -> None:
    """Faults of both sides come together, and the optimizer is as it was."""
    old, new = pair()
    before, after = both(old, new)
    before.state[old.model.into.bias]["exp_avg"] = torch.zeros(9)
    before.state[old.model.out.bias]["step"] = torch.zeros(2)
    untouched = copy.deepcopy(after.state_dict())
    assert refused(planned(old, new), before, after, old, new, options=("rho",)) == (
        "source: exp_avg of into.bias is [9]; into.bias is [4]\n"
        "source: step of out.bias is no number\n"
        "options: 'rho' is no option of the target's group 0"
    )
    assert after.state_dict() == untouched


def test_counters_that_only_the_old_groups_have() -> None:
    """What an optimizer counts in its groups would begin anew beside slots that go on."""
    old, new = pair()
    before, after = both(old, new)
    before.param_groups[0]["k"] = 17
    plan = planned(old, new)
    assert refused(plan, before, after, old, new, options=("lr",)) == (
        "source: has k in its groups, the target has none: options=('k',)"
    )


def test_a_whole_error() -> None:
    """A sentence, the facts, and a hint."""
    old, new = pair()
    before, after = both(old, new)
    with pytest.raises(suture.OptimizerError) as caught:
        suture.transfer_optimizer(planned(old, new), before, after, old, new, options=("rho",))
    assert str(caught.value) == (
        "The optimizer's state cannot be carried.\n"
        "  options  'rho' is no option of the target's group 0\n"
        "\n"
        "hint: nothing was written; see docs/optimizer.md"
    )


def test_options_that_the_source_does_not_have() -> None:
    old, new = pair()
    before, after = both(old, new)
    after.param_groups[0]["rate_of_mine"] = 3
    assert refused(planned(old, new), before, after, old, new, options=("rate_of_mine",)) == (
        "options: 'rate_of_mine' is no option of the source's groups"
    )


def test_a_plan_of_other_models() -> None:
    """Names and shapes of both sides must be those of the plan."""
    old, new = pair()
    other = subject(mlp(5, mid=nn.Linear(5, 5)), given())
    before, after = both(old, new)
    plan = planned(old, other)
    assert refused(plan, before, after, old, new) == (
        "target: into.weight is [7,3]; the plan was made for [5,3]\n"
        "target: into.bias is [7]; the plan was made for [5]\n"
        "target: out.weight is [2,7]; the plan was made for [2,5]"
    )
    third = Adam(other.model.parameters())
    train(other.model, third)
    assert refused(planned(old, new), third, Adam(other.model.parameters()), other, other) == (
        "source: mid.weight is not in the plan\n"
        "source: mid.bias is not in the plan\n"
        "target: mid.weight is not in the plan\n"
        "target: mid.bias is not in the plan"
    )


def test_a_state_dict_that_contradicts_itself() -> None:
    """State of nobody's, and a name twice."""
    old, new = pair()
    before, after = both(old, new)
    saved = before.state_dict()
    saved["state"][17] = saved["state"][0]
    names = ["into.weight", "into.bias", "into.weight", "out.bias"]
    assert refused(planned(old, new), saved, after, names, new) == (
        "source: holds state of 17, which is in none of its groups\n"
        "source: into.weight is in it twice\n"
        "source: exp_avg of into.weight is [2,4]; into.weight is [4,3]\n"
        "source: exp_avg_sq of into.weight is [2,4]; into.weight is [4,3]"
    )


def test_positions_of_what_trains() -> None:
    """An optimizer of what is not frozen holds as many as the model trains."""
    old, new = pair()
    for each in (old, new):
        each.model.into.requires_grad_(False)
    before, after = (
        Adam([p for p in each.model.parameters() if p.requires_grad]) for each in (old, new)
    )
    train(old.model, before)
    suture.transfer_optimizer(planned(old, new), before.state_dict(), after, old, new)
    found = after.state[new.model.out.weight]["exp_avg"][:, :4]
    assert torch.equal(found, before.state[old.model.out.weight]["exp_avg"])


def test_a_name_of_no_parameter() -> None:
    old, new = pair()
    before, after = both(old, new)
    names = [*NAMES[:3], "out.bais"]
    assert refused(planned(old, new), before.state_dict(), after.state_dict(), names, new) == (
        "source: out.bais is not in the plan"
    )
    named = Adam(old.model.named_parameters()).state_dict()
    named["param_groups"][0]["param_names"] = names
    assert refused(planned(old, new), named, after, old, new) == (
        "source: out.bais is in the optimizer and not in the model"
    )


def fused(plan: Plan, name: str) -> Plan:
    """Make a bias of two: its own entries, then those of another tensor."""
    tensors = list(plan.tensors)
    (at,) = (at for at, each in enumerate(tensors) if each.target.name == name)
    halves = (("into.bias", 0, 4), ("out.bias", 4, 2))
    blocks = [
        Block((((start, start + size),),), Sum((Term(source, (((0, size),),)),)))
        for source, start, size in halves
    ]
    blocks.append(Block((((6, 7),),), tensors[at].blocks[-1].fill))
    tensors[at] = replace(tensors[at], blocks=tuple(blocks))
    return replace(plan, tensors=tuple(tensors))


def test_parameters_made_of_several() -> None:
    """They go on where all have stepped as often; other counts of one parameter are refused."""
    old, new = pair()
    before, after = both(old, new)
    plan = fused(planned(old, new), "into.bias")
    suture.transfer_optimizer(plan, before, after, old, new)
    found = after.state[new.model.into.bias]["exp_avg"]
    assert torch.equal(found[:4], before.state[old.model.into.bias]["exp_avg"])
    assert torch.equal(found[4:6], before.state[old.model.out.bias]["exp_avg"] / 2)
    before.state[old.model.out.bias]["step"] += 5
    assert refused(plan, before, after, old, new) == (
        "source: step of what into.bias is made of is 3, 8"
    )
    del before.state[old.model.out.bias]
    suture.transfer_optimizer(plan, before, after, old, new)
    assert not after.state[new.model.into.bias]["exp_avg"][4:].any()


def test_averages_of_weights_that_lack_what_is_added() -> None:
    """What follows as a weight needs all that the weight is made of."""
    old, new = pair()
    before, after = (ASGD(each.model.parameters()) for each in (old, new))
    train(old.model, before)
    del before.state[old.model.out.bias]
    plan = fused(planned(old, new), "into.bias")
    assert refused(plan, before, after, old, new) == (
        "source: ax of into.bias is made of that of out.bias, which has none"
    )


class Slow(Optimizer):
    """Keeps steps of its own, and has no rate."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for weight in self.param_groups[0]["params"]:
            self.state[weight] = {"pace": torch.ones_like(weight)}


def test_a_beginning_that_no_group_has() -> None:
    old, new = pair()
    before, after = (Slow(each.model.parameters()) for each in (old, new))
    before.step()
    suture.slot("pace", "step size", begins="lr", optimizer="Slow")
    assert refused(planned(old, new), before, after, old, new).split("\n")[0] == (
        "target: pace of into.weight begins as lr, which its group has not"
    )
    assert refused(planned(old, new), before, Adam(new.model.parameters()), old, new) == (
        "classes: Slow and Adam: nobody knows what they have in common"
    )


def test_what_is_not_an_optimizer() -> None:
    old, new = pair()
    for other in (3, old.model):
        with pytest.raises(suture.OptimizerError) as caught:
            suture.transfer_optimizer(planned(old, new), other, Adam(new.model.parameters()), old)
        assert str(caught.value) == (
            f"{type(other).__name__} is no optimizer, and no state dict of one.\n"
            "  known    torch.optim.Optimizer"
        )


def test_a_step_count_that_lives_on_a_device() -> None:
    """Capturable optimizers keep counts as tensors of f32; torch makes them so as it loads."""
    old, new = pair()
    before, after = Adam(old.model.parameters()), Adam(new.model.parameters(), capturable=True)
    train(old.model, before)
    suture.transfer_optimizer(planned(old, new), before, after, old, new)
    step = after.state[new.model.into.weight]["step"]
    assert (step.dtype, float(step)) == (torch.float32, 3.0)
