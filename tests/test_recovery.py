"""Warm-up, pull and bound: how entries move while a network recovers from surgery."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from carried import carry
from laws import law
from networks import REPLACING, chains
from recipes import Recipe
from recovering import OPTIMIZERS, Grown, grown, hooks, masks, slots, step, weights
from suture import recovery
from suture.recovery import Ramp

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")

Chain = tuple[Recipe, ...]
ROUNDING = 1e-12


def saved(state: dict[str, Any]) -> dict[str, Any]:
    """Write a state and read it, as a run that is interrupted does."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


def same(ones: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
    """Whether all are equal bit by bit, signs of zeros too."""
    return all(
        torch.equal(one, others[name]) and torch.equal(one.signbit(), others[name].signbit())
        for name, one in ones.items()
    )


def only(chosen: dict[str, Tensor], values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: values[name][mask] for name, mask in chosen.items()}


def others(chosen: dict[str, Tensor], values: dict[str, Tensor]) -> dict[str, Tensor]:
    return only({name: ~mask for name, mask in chosen.items()}, values)


@law(chains(REPLACING), few=4)
def test_frozen_in_any_network(chain: Chain) -> None:
    """No preserved entry moves by a bit; every fresh one makes the optimizer's own step."""
    before, after = chain
    carried = carry(before, after)
    free = copy.deepcopy(carried.target)
    preserved = masks(carried.plan, carried.target)
    began = weights(carried.target)
    frozen = torch.optim.AdamW(carried.target.parameters(), lr=0.1, weight_decay=0.3)
    recovery.warm_up(carried.plan, frozen, carried.target, Ramp(hold=2))
    plain = torch.optim.AdamW(free.parameters(), lr=0.1, weight_decay=0.3)
    for seed in range(2):
        step(carried.target, frozen, seed)
        step(free, plain, seed)
    frozen_at, moved = weights(carried.target), weights(free)
    assert same(only(preserved, frozen_at), only(preserved, began))
    assert same(others(preserved, frozen_at), others(preserved, moved))
    step(carried.target, frozen, 2)
    now = weights(carried.target)
    assert not any(torch.equal(value, now[name]) for name, value in frozen_at.items())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_frozen_under_any_optimizer(name: str) -> None:
    """Bits stay; fresh entries and all moments are those of an optimizer without recovery."""
    held, free = grown(), grown()
    before = weights(held.model)
    frozen, plain = (OPTIMIZERS[name](each.model.parameters()) for each in (held, free))
    recovery.warm_up(held.plan, frozen, held.subject, Ramp(hold=3))
    for seed in range(3):
        step(held.model, frozen, seed)
        step(free.model, plain, seed)
    after = weights(held.model)
    assert same(only(held.preserved, after), only(held.preserved, before))
    assert same(others(held.preserved, after), others(held.preserved, weights(free.model)))
    assert all(torch.equal(*pair) for pair in zip(slots(frozen), slots(plain), strict=True))


@pytest.mark.parametrize("make", [torch.optim.Adafactor, torch.optim.Adam], ids=["rows", "decay"])
def test_frozen_where_moments_ask_weights(make: Any) -> None:
    """Steps that go by the size of weights, and decay within gradients, move no bit either."""
    held = grown()
    before = weights(held.model)
    optimizer = make(held.model.parameters(), lr=0.1, weight_decay=0.3)
    recovery.warm_up(held.plan, optimizer, held.model, Ramp(hold=3))
    for seed in range(3):
        step(held.model, optimizer, seed)
    assert same(only(held.preserved, weights(held.model)), only(held.preserved, before))


def test_shares_of_steps() -> None:
    """Preserved entries move by the ramp's share of every step, fresh ones by all of it."""
    held, ramp = grown(), Ramp(hold=1, over=3)
    optimizer = torch.optim.SGD(held.model.parameters(), lr=0.1)
    warm = recovery.warm_up(held.plan, optimizer, held.model, ramp)
    for seed in range(6):
        before = weights(held.model)
        assert warm.course.share == ramp.share(seed)
        step(held.model, optimizer, seed)
        for name, parameter in held.model.named_parameters():
            assert parameter.grad is not None
            kept = held.preserved[name].double()
            share = kept * ramp.share(seed) + (1 - kept)
            expected = before[name] - 0.1 * share * parameter.grad
            assert torch.allclose(parameter, expected, rtol=0, atol=ROUNDING)


def test_behind_the_end() -> None:
    """Steps are the optimizer's own bit by bit, and all that is left is a hook that returns."""
    held, ramp = grown(), Ramp(hold=1, over=1)
    optimizer = torch.optim.Adam(held.model.parameters(), lr=0.1)
    warm = recovery.warm_up(held.plan, optimizer, held.model, ramp)
    drawn = recovery.pull(held.plan, optimizer, held.model, 2.0, ramp)
    assert hooks(optimizer) == 4
    for seed in range(2):
        step(held.model, optimizer, seed)
    assert warm.course.done
    assert drawn.course.done
    assert hooks(optimizer) == 2
    assert (warm._held, drawn.anchors) == ((), [])
    twin = held.twin()
    plain = torch.optim.Adam(twin.model.parameters(), lr=0.1)
    plain.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for seed in range(2, 4):
        step(held.model, optimizer, seed)
        step(twin.model, plain, seed)
    assert same(weights(held.model), weights(twin.model))
    assert (warm.course.step, drawn.course.step) == (2, 2)


def test_a_ramp_without_steps() -> None:
    """Nothing is hooked, nothing remembered."""
    held = grown()
    optimizer = torch.optim.Adam(held.model.parameters())
    recovery.warm_up(held.plan, optimizer, held.model, Ramp())
    drawn = recovery.pull(held.plan, optimizer, held.model, 2.0, Ramp())
    assert (hooks(optimizer), drawn.anchors) == (0, [])


def test_steps_that_are_infinite() -> None:
    """A frozen entry keeps its bits, a negative zero among them."""
    held = grown()
    with torch.no_grad():
        held.model.get_parameter("into.weight")[0, 0] = -0.0
    before = weights(held.model)
    optimizer = torch.optim.SGD(held.model.parameters(), lr=float("inf"))
    recovery.warm_up(held.plan, optimizer, held.model, Ramp(hold=1))
    step(held.model, optimizer, 0)
    assert same(only(held.preserved, weights(held.model)), only(held.preserved, before))


def test_what_a_step_remembers() -> None:
    """Between the hooks a copy of the preserved entries is held and no more; then nothing."""
    held = grown()
    optimizer = torch.optim.SGD(held.model.parameters(), lr=0.1)
    warm = recovery.warm_up(held.plan, optimizer, held.model, Ramp(hold=2))
    seen = []
    optimizer.register_step_pre_hook(
        lambda *_: seen.append(sum(part.numel() for each in warm._held for part in each))
    )
    step(held.model, optimizer, 0)
    assert seen == [sum(int(mask.sum()) for mask in held.preserved.values())]
    assert warm._held == ()


def test_the_pull_is_the_penalty() -> None:
    """Under plain SGD it is the gradient of L2-SP on preserved entries, that of Li et al."""
    held, ramp = grown(), Ramp(hold=1, over=3)
    anchor, twin = weights(held.model), held.twin()
    pulled = torch.optim.SGD(held.model.parameters(), lr=0.1)
    recovery.pull(held.plan, pulled, held.model, 0.7, ramp)
    plain = torch.optim.SGD(twin.model.parameters(), lr=0.1)
    for seed in range(6):
        step(held.model, pulled, seed)
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in twin.model.named_parameters():
            gradient = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            apart = (parameter.detach() - anchor[name]) * held.preserved[name]
            parameter.grad = gradient + 0.7 * (1 - ramp.share(seed)) * apart
        plain.step()
    for name, parameter in held.model.named_parameters():
        assert torch.allclose(parameter, twin.model.get_parameter(name), rtol=0, atol=ROUNDING)


def test_a_pull_leaves_moments_alone() -> None:
    """Adam's moments are those of an optimizer that is not pulled."""
    held, free = grown(), grown()
    pulled, plain = (torch.optim.Adam(each.model.parameters(), lr=0.1) for each in (held, free))
    recovery.pull(held.plan, pulled, held.model, 3.0, Ramp(hold=4))
    for seed in range(3):
        step(held.model, pulled, seed)
        step(free.model, plain, seed)
    assert all(torch.equal(*pair) for pair in zip(slots(pulled), slots(plain), strict=True))
    apart = [grow - one for grow, one in zip(*map(distances, (held, free)), strict=True)]
    assert max(apart) < 0


def distances(of: Grown) -> list[float]:
    """How far the preserved entries of each parameter are from where they began."""
    began = only(of.preserved, weights(grown().model))
    now = only(of.preserved, weights(of.model))
    return [float((now[name] - began[name]).norm()) for name in now]


def test_a_pull_that_is_stronger_than_the_way() -> None:
    """Entries come back at most to where they were, not beyond."""
    held = grown()
    began = weights(held.model)
    optimizer = torch.optim.SGD(held.model.parameters(), lr=0.1)
    recovery.pull(held.plan, optimizer, held.model, 1000.0, Ramp(hold=9))
    step(held.model, optimizer, 0)
    step(held.model, optimizer, 1)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in held.model.named_parameters():
        gradient = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        moved, mask = began[name] - 0.1 * gradient, held.preserved[name]
        assert torch.allclose(parameter[mask], moved[mask], rtol=0, atol=ROUNDING)


def test_a_bound_on_fresh_entries() -> None:
    """They move by so many learning rates at most, then more, then freely; others freely always."""
    held, free, ramp = grown(), grown(), Ramp(hold=1, over=3)
    optimizer, plain = (torch.optim.SGD(each.model.parameters(), lr=0.1) for each in (held, free))
    bound = recovery.bound(held.plan, optimizer, held.model, 0.5, ramp)
    for seed in range(6):
        before, began = weights(held.model), weights(free.model)
        step(held.model, optimizer, seed)
        step(free.model, plain, seed)
        most = 0.05 / (1 - ramp.share(seed)) if seed < ramp.end else float("inf")
        for name, after in weights(held.model).items():
            whole = weights(free.model)[name] - began[name]
            moved = torch.where(held.preserved[name], whole, whole.clamp(-most, most))
            assert torch.allclose(after, before[name] + moved, rtol=0, atol=ROUNDING)
    assert bound.course.done


def test_a_first_step_at_an_old_count() -> None:
    """Adam's is 3.16 learning rates where second moments begin at 0; the bound makes it one."""
    moved = []
    for most in (9.0, 1.0):
        held = grown()
        optimizer = torch.optim.Adam(held.model.parameters(), lr=0.1)
        for parameter in held.model.parameters():
            zeros = torch.zeros_like(parameter), torch.zeros_like(parameter)
            slots = {"exp_avg": zeros[0], "exp_avg_sq": zeros[1], "step": torch.tensor(1e6)}
            optimizer.state[parameter].update(slots)
        recovery.bound(held.plan, optimizer, held.model, most, Ramp(hold=1))
        before = weights(held.model)
        step(held.model, optimizer, 0)
        apart = {name: (now - before[name]).abs() for name, now in weights(held.model).items()}
        moved.append(max(float(each.max()) for each in others(held.preserved, apart).values()))
    assert moved == [pytest.approx(0.316, rel=1e-3), pytest.approx(0.1, rel=1e-12)]


def recovering(of: Grown, optimizer: torch.optim.Optimizer) -> list[Any]:
    return [
        recovery.warm_up(of.plan, optimizer, of.model, Ramp(hold=2, over=3)),
        recovery.pull(of.plan, optimizer, of.model, 2.0, Ramp(hold=1, over=5)),
        recovery.bound(of.plan, optimizer, of.model, 0.4, Ramp(hold=3, over=2)),
    ]


@pytest.mark.parametrize("stopped", [0, 1, 3, 6])
def test_a_run_that_is_interrupted(stopped: int) -> None:
    """What is saved and loaded goes on as if it had never left memory, bit by bit."""
    whole, first = grown(), grown()
    one = torch.optim.Adam(whole.model.parameters(), lr=0.1)
    recovering(whole, one)
    two = torch.optim.Adam(first.model.parameters(), lr=0.1)
    parts = recovering(first, two)
    for seed in range(stopped):
        step(whole.model, one, seed)
        step(first.model, two, seed)
    states = saved({"parts": [part.state_dict() for part in parts], "adam": two.state_dict()})
    second = first.twin()
    three = torch.optim.Adam(second.model.parameters(), lr=0.1)
    for part, state in zip(recovering(second, three), states["parts"], strict=True):
        part.load_state_dict(state)
    three.load_state_dict(states["adam"])
    for seed in range(stopped, 8):
        step(whole.model, one, seed)
        step(second.model, three, seed)
    assert same(weights(whole.model), weights(second.model))
    assert hooks(three) <= hooks(one)


def test_a_run_that_goes_back() -> None:
    """A state of before the end, loaded behind it, hooks the optimizer again."""
    held = grown()
    optimizer = torch.optim.SGD(held.model.parameters(), lr=0.1)
    warm = recovery.warm_up(held.plan, optimizer, held.model, Ramp(hold=2))
    drawn = recovery.pull(held.plan, optimizer, held.model, 1.0, Ramp(hold=2))
    early = warm.state_dict(), saved(drawn.state_dict())
    for seed in range(3):
        step(held.model, optimizer, seed)
    before = weights(held.model)
    warm.load_state_dict(early[0])
    drawn.load_state_dict(early[1])
    drawn.course.remove()
    step(held.model, optimizer, 3)
    assert same(only(held.preserved, weights(held.model)), only(held.preserved, before))
    warm.course.remove()
    assert hooks(optimizer) == 0


@pytest.mark.parametrize("fused", [False, True])
def test_steps_that_a_scaler_leaves_out(*, fused: bool) -> None:
    """A step that is not made is not counted."""
    held = grown()
    optimizer = torch.optim.SGD(held.model.parameters(), lr=0.1, fused=fused)
    warm = recovery.warm_up(held.plan, optimizer, held.model, Ramp(hold=2))
    scaler = torch.amp.GradScaler("cpu")
    for value in (float("inf"), 1.0):
        scaler.scale(held.model(torch.ones(2, 4).double()).sum()).backward()
        held.model.get_parameter("out.bias").grad = torch.full((3,), value).double()
        scaler.step(optimizer)
        scaler.update()
    assert warm.state_dict() == {"step": 1}


def test_parameters_that_do_not_learn() -> None:
    """They are left out, whether an optimizer has them or not."""
    held = grown()
    held.model.get_parameter("into.bias").requires_grad_(False)
    learning = [each for each in held.model.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.1)
    warm = recovery.warm_up(held.plan, optimizer, held.model, Ramp(hold=1))
    assert [each.name for each in warm.preserved] == ["into.weight", "out.weight", "out.bias"]


def test_an_optimizer_for_a_part() -> None:
    """The parameters that it is for are chosen by what their names begin with."""
    held = grown()
    optimizer = torch.optim.SGD(held.model.get_submodule("out").parameters(), lr=0.1)
    warm = recovery.warm_up(held.plan, optimizer, held.model, Ramp(hold=1), within="out.")
    assert [each.name for each in warm.preserved] == ["out.weight", "out.bias"]


def test_a_model_in_a_wrapper() -> None:
    """Its parameters are found under the names that the plan knows."""
    held = grown()
    optimizer = torch.optim.SGD(held.model.parameters(), lr=0.1)
    wrapped = nn.DataParallel(held.model)
    warm = recovery.warm_up(held.plan, optimizer, wrapped, Ramp(hold=1))
    assert len(warm.preserved) == 4


def test_groups_with_rates_of_their_own() -> None:
    """Each entry is pulled by its group's learning rate, as it is at the step."""
    held = grown()
    began = weights(held.model)
    groups = [{"params": [each], "lr": 0.0} for each in held.model.parameters()]
    optimizer = torch.optim.SGD(groups, lr=0.0)
    recovery.pull(held.plan, optimizer, held.model, 1.0, Ramp(hold=9))
    for parameter in held.model.parameters():
        parameter.data.add_(1)
        parameter.grad = torch.zeros_like(parameter)
    rates = (0.1, 0.2, torch.tensor(0.3), 0.4)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    optimizer.step()
    for at, (name, parameter) in enumerate(held.model.named_parameters()):
        apart = (parameter.detach() - began[name])[held.preserved[name]]
        left = torch.full_like(apart, 1 - float(rates[at]))
        assert torch.allclose(apart, left, rtol=0, atol=1e-7)
