"""Law 7: one step and then the transfer is the transfer and then one step, entry by entry.

Weights are generic and of order one, in float64. Both networks see the same world states, and the
loss is one of the outputs that both have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
FELT = 1e-9
"""Gradients below are rounding: a softmax does not hear the biases of its keys."""


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


def values(model: nn.Module, optimizer: Optimizer) -> dict[tuple[str, str], Tensor]:
    """List a network's parameters, and what an optimizer keeps of their shape."""
    found = {(name, "weight"): weight.detach() for name, weight in model.named_parameters()}
    for name, weight in model.named_parameters():
        for slot, value in optimizer.state[weight].items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                found[name, slot] = value
    return found


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


def differences(chain: Chain, plan: Plan, name: str) -> Iterator[tuple[str, str, str, float]]:
    """Go both ways, and say how far the results are apart where law 7 speaks."""
    before, after = chain
    source, optimizer = trained(before, name, chain, 2)
    first = moved(plan, source, optimizer, after, name)
    world = between(before, after, 7, 5)
    step(after, *first, world, shared(chain))
    step(before, source, optimizer, world, shared(chain))
    second = moved(plan, source, optimizer, after, name)
    plain = masks(plan, lambda piece: piece.alone and piece.scale == 1)
    ones, heard = values(*first), felt(first[0], 0.0 if name == "rprop" else -1.0)
    for (tensor, slot), other in values(*second).items():
        at = plain[tensor] & heard.get(tensor, plain[tensor])
        yield name, tensor, slot, apart(ones[tensor, slot][at], other[at])


def felt(model: nn.Module, least: float) -> dict[str, Tensor]:
    """Say which entries have a gradient, or none at all if `least` lets that count.

    Of rounding alone, a sign is chance, and Rprop asks for nothing else.
    """
    sizes = {
        name: weight.grad.abs()
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }
    return {name: (size > FELT) | ((size == 0) & (size > least)) for name, size in sizes.items()}


@law(chains(REPLACING), few=3)
def test_a_step_and_a_transfer_in_either_order(chain: tuple[Recipe, ...]) -> None:
    """Law 7: weights and slots are the same on entries that are carried as they are."""
    before, after = chain
    assume(shared((before, after)))
    plan = plan_between(before, build(before, 1), after, build(after, 2))
    assume(plan.exact)
    for name in ELEMENTWISE:
        found = [*differences((before, after), plan, name)]
        assert found
        assert [each for each in found if each[3] > ROUNDING] == []
