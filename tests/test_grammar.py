"""The laws over networks that branch, join, loop, and fold their axes (`grammar`)."""

from __future__ import annotations

import torch
from hypothesis import assume
from torch import nn

import suture
from built import build
from carried import Carried, difference, plan_between
from entries import carried_entries, marked, painted, restored, same, tied_names
from grammar import CUTTING, GROWING, REPLACING, SHUFFLING, Net, chains, nets
from laws import law
from recipes import Choice, Names, Port, ports
from suture._plan import Sum
from worlds import subject

ROUNDING = 1e-10
"""What summing in another order may change, relative to the largest answer."""

FEW = 8

Chain = tuple[Net, ...]


def carry(before: Net, after: Net) -> Carried:
    """Build both networks with generic weights and carry the source's into the target."""
    return carry_on(before, build(before, 1), after)


def carry_on(before: Net, source: nn.Module, after: Net) -> Carried:
    """Carry the weights that `source` has into a fresh build of the network `after`."""
    target = build(after, 2)
    plan = plan_between(before.face, source, after.face, target)
    target.load_state_dict(suture.apply(plan, source.state_dict(), target.state_dict()))
    return Carried(before.face, after.face, source, target, plan)


@law(nets(), few=FEW)
def test_a_network_carried_into_itself(net: Net) -> None:
    """Law 1: every bit is copied, each entry from its own place, and exactness is promised."""
    carried = carry(net, net)
    assert carried.plan.exact
    fills = [block.fill for tensor in carried.plan.tensors for block in tensor.blocks]
    assert all(isinstance(fill, Sum) for fill in fills)
    same(carried.target.state_dict(), carried.source.state_dict())


@law(chains(SHUFFLING), few=FEW)
def test_names_in_another_order(chain: Chain) -> None:
    """Law 2: the weights are permuted, and every named output is what it was."""
    carried = carry(*chain)
    old, new = carried.source.state_dict(), carried.target.state_dict()
    same(
        {name: value.flatten().sort().values for name, value in old.items()},
        {name: value.flatten().sort().values for name, value in new.items()},
    )
    assert carried.plan.exact
    assert difference(carried) < ROUNDING


@law(chains(REPLACING), few=FEW)
def test_an_exact_plan_of_any_change(chain: Chain) -> None:
    """Law 3: what a plan promises is measured."""
    carried = carry(*chain)
    assert not carried.plan.exact or difference(carried) < ROUNDING


@law(chains(GROWING), few=FEW)
def test_a_transfer_that_promises_more_than_it_holds(chain: Chain) -> None:
    """Law 3: a transfer in one call holds what its plan promises, or raises."""
    before, after = chain
    source, target = subject(before.face, build(before, 1)), subject(after.face, build(after, 2))
    plan = suture.transfer(source, target)
    report = suture.verify(plan, source, target)
    assert not plan.exact or report.max_rel_diff < ROUNDING


def related(before: Net, after: Net) -> bool:
    """Whether every input keeps a feature: where all are other ones, columns may be given up.

    Features alone tell which is which of axes of one entry that lie in the same places, and such as
    a view or an `einsum` leaves of one row have no name. With no feature in common nothing tells: a
    row that came for another would look the same. By way of a network that keeps some features of
    either, both steps know it. A plan that gives columns up says so.
    """
    old, new = ports(before.face), ports(after.face)
    return all(set(names_of(old[name])) & set(names_of(new[name])) for name in old)


def names_of(port: Port | Choice) -> Names:
    """The names of features or categories of an input: those of the last dim that has some."""
    if isinstance(port, Choice):
        return port.names
    return [dim for dim in port.dims if isinstance(dim, tuple)][-1]


@law(chains(REPLACING, REPLACING), few=FEW)
def test_two_steps_and_one_step(chain: Chain) -> None:
    """Law 4: on entries that live in the middle network, two plans one after the other are one."""
    assume(related(chain[0], chain[2]))
    models = [build(net, seed) for seed, net in enumerate(chain)]
    once, first, then = (
        plan_between(chain[i].face, models[i], chain[j].face, models[j])
        for i, j in ((0, 2), (0, 1), (1, 2))
    )
    assume(not any(note.kind == "pairing" for plan in (once, first, then) for note in plan.notes))
    assume(once.exact == (first.exact and then.exact))  # not copies one way, others another
    source, middle, own = (
        marked(model.state_dict(), 1000 * 10**power, sign)
        for model, power, sign in zip(models, (0, 0, 5), (1, -1, -1), strict=True)
    )
    direct = suture.apply(once, source, own)
    composed = suture.apply(then, suture.apply(first, source, middle), own)
    for name, carried in carried_entries(then, own).items():
        came, made = composed[name][carried], direct[name][carried]
        came, made = came.clamp(min=-1), made.clamp(min=-1)
        assert torch.allclose(came, made, rtol=1e-12, atol=0), name


@law(chains(GROWING), few=FEW)
def test_growing_and_shrinking_back(chain: Chain) -> None:
    """Law 5: what has grown and shrunk back is what it was, bit by bit if never scaled."""
    small, large = chain
    grown = carry(small, large)
    back = carry_on(large, grown.target, small)
    plans = grown.plan, back.plan
    restored(back.target.state_dict(), grown.source.state_dict(), *plans)


@law(chains(CUTTING), few=FEW)
def test_every_entry_is_planned_once(chain: Chain) -> None:
    """Law 6: the blocks of a tensor are a partition; names of one tensor stay one."""
    carried = carry(*chain)
    state, tensors = carried.target.state_dict(), carried.plan.tensors
    groups = [(tensor.target.name, *tensor.tied) for tensor in tensors]
    assert sorted(name for group in groups for name in group) == sorted(state)
    for tensor in tensors:
        assert tensor.target.shape == tuple(state[tensor.target.name].shape)
        assert bool((painted(tensor, (block.region for block in tensor.blocks)) == 1).all())
    for one, other in tied_names(state):
        assert any({one, other} <= set(group) for group in groups)
        assert torch.equal(state[one], state[other])
