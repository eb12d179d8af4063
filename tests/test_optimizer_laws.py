"""Law 7: one step and then the transfer is the transfer and then one step, entry by entry.

Weights are generic and of order one, in float64. Both networks see the same world states, and the
loss is one of the outputs that both have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from hypothesis import assume
from torch import Tensor, nn
from torch.optim import Optimizer

import built
import grammar
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
from worlds import World, between


@dataclass(frozen=True, slots=True)
class Network:
    """A network to be built: what it takes and gives, and how it is made from a seed."""

    face: Recipe
    build: Callable[[int], nn.Module]


Chain = tuple[Network, Network]
ROUNDING = 1e-9
FELT = 1e-9
"""Gradients below are rounding: a softmax does not hear the biases of its keys."""


def shared(chain: Chain) -> set[str]:
    """Name the outputs that both networks of a chain have."""
    names = [
        {f"{head}.{name}" for head, names in outputs(network.face).items() for name in names}
        for network in chain
    ]
    return names[0] & names[1]


def world_of(chain: Chain, seed: int) -> World:
    return between(chain[0].face, chain[1].face, seed, 5)


def trained(chain: Chain, name: str, steps: int) -> tuple[nn.Module, Optimizer]:
    """Build the first network and train it for some steps."""
    model = chain[0].build(1)
    optimizer = made(name, model)
    for number in range(steps):
        step(chain[0].face, model, optimizer, world_of(chain, number), shared(chain))
    return model, optimizer


def moved(
    plan: Plan, source: nn.Module, optimizer: Optimizer, network: Network, name: str
) -> tuple[nn.Module, Optimizer]:
    """Carry weights and state into a network and an optimizer that begin."""
    target = network.build(2)
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
    """Give the largest difference, relative to the largest entry where that is more than 1."""
    return float((one - other).abs().max() / other.abs().max().clamp(min=1))


def differences(
    chain: Chain, plan: Plan, plain: dict[str, Tensor], name: str
) -> Iterator[tuple[str, str, str, float]]:
    """Go both ways, and say how far the results are apart where law 7 speaks."""
    source, optimizer = trained(chain, name, 2)
    first, world = moved(plan, source, optimizer, chain[1], name), world_of(chain, 7)
    step(chain[1].face, *first, world, shared(chain))
    step(chain[0].face, source, optimizer, world, shared(chain))
    second = moved(plan, source, optimizer, chain[1], name)
    ones, heard = values(*first), felt(first[0], 0.0 if name == "rprop" else -1.0)
    for (tensor, slot), other in values(*second).items():
        at = plain[tensor] & heard.get(tensor, plain[tensor])
        if at.any():
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


def holds(chain: Chain) -> None:
    """Check law 7 for every optimizer."""
    assume(shared(chain))
    before, after = (network.build(seed) for network, seed in zip(chain, (1, 2), strict=True))
    plan = plan_between(chain[0].face, before, chain[1].face, after)
    assume(plan.exact)
    plain = masks(plan, lambda piece: piece.alone and piece.scale == 1)
    for name in ELEMENTWISE:
        found = [*differences(chain, plan, plain, name)]
        assert found
        assert [each for each in found if each[3] > ROUNDING] == []


@law(chains(REPLACING), few=2)
def test_a_step_and_a_transfer_in_either_order(chain: tuple[Recipe, ...]) -> None:
    """Law 7: weights and slots are the same on entries that are carried as they are."""
    before, after = (Network(one, partial(build, one)) for one in chain)
    holds((before, after))


@law(grammar.chains(grammar.REPLACING), few=2)
def test_the_same_where_networks_branch_and_loop(chain: tuple[grammar.Net, ...]) -> None:
    """Law 7, over the other grammar."""
    before, after = (Network(one.face, partial(built.build, one)) for one in chain)
    holds((before, after))
