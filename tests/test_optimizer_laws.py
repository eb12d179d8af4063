"""Law 7: one step and then the transfer is the transfer and then one step, entry by entry.

Weights are generic and of order one, in float64. Both networks see the same world states, and the
loss is one of the outputs that both have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import assume
from torch import Tensor, nn
from torch.optim import Optimizer

import suture
from carried import plan_between
from entries import painted
from laws import law
from modules import build
from networks import REPLACING, chains
from recipes import Recipe, outputs
from stepping import ELEMENTWISE, made, step
from suture import Plan
from suture._carried import Carried, carried, readings
from worlds import between

Chain = tuple[Recipe, Recipe]
ROUNDING = 1e-9


def shared(chain: Chain) -> set[str]:
    """Name the outputs that both networks of a chain have."""
    names = [
        {f"{head}.{name}" for head, names in outputs(recipe).items() for name in names}
        for recipe in chain
    ]
    return names[0] & names[1]


def trained(recipe: Recipe, name: str, chain: Chain, steps: int) -> tuple[nn.Module, Optimizer]:
    """Build a network and train it for some steps."""
    model = build(recipe, 1)
    optimizer = made(name, model)
    for number in range(steps):
        step(recipe, model, optimizer, between(chain[0], chain[1], number, 5), shared(chain))
    return model, optimizer


def moved(
    plan: Plan, source: nn.Module, optimizer: Optimizer, recipe: Recipe, name: str
) -> tuple[nn.Module, Optimizer]:
    """Carry weights and state into a network and an optimizer that begin."""
    target = build(recipe, 2)
    target.load_state_dict(suture.apply(plan, source.state_dict(), target.state_dict()))
    fresh = made(name, target)
    suture.transfer_optimizer(plan, optimizer, fresh, source, target)
    return target, fresh


def values(model: nn.Module, optimizer: Optimizer) -> Iterator[tuple[str, str, Tensor]]:
    """List a network's parameters, and what an optimizer keeps of their shape."""
    for name, weight in model.named_parameters():
        yield name, "weight", weight.detach()
        for slot, value in optimizer.state[weight].items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                yield name, slot, value


def masks(plan: Plan, wanted: Callable[[Carried], bool]) -> dict[str, Tensor]:
    """Say which entries of the target are carried, and as is wanted."""
    read = readings(plan)
    return {
        tensor.target.name: painted(
            tensor, (piece.region for piece in carried(tensor, read) if wanted(piece))
        )
        == 1
        for tensor in plan.tensors
    }


def apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max()) if one.numel() else 0.0


def differences(chain: Chain, name: str) -> Iterator[tuple[str, str, float]]:
    """Go both ways, and say how far the results are apart where law 7 speaks."""
    before, after = chain
    source, optimizer = trained(before, name, chain, 3)
    plan = plan_between(before, source, after, build(after, 2))
    first = moved(plan, source, optimizer, after, name)
    world = between(before, after, 7, 5)
    step(after, *first, world, shared(chain))
    step(before, source, optimizer, world, shared(chain))
    second = moved(plan, source, optimizer, after, name)
    plain = masks(plan, lambda piece: piece.alone and piece.scale == 1)
    for (tensor, slot, one), (_, _, other) in zip(values(*first), values(*second), strict=True):
        yield tensor, slot, apart(one[plain[tensor]], other[plain[tensor]])


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_step_and_a_transfer_in_either_order(name: str) -> None:
    """Law 7: weights and slots are the same on entries that are carried as they are."""

    @law(chains(REPLACING), few=3)
    def check(chain: tuple[Recipe, ...]) -> None:
        assume(shared(chain))
        found = [*differences(chain, name)]
        assert found
        assert [each for each in found if each[2] > ROUNDING] == []

    check(3)
