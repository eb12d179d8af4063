"""Fresh units, and whether they live: whether one step teaches them, and tells them apart.

Knows units, partners and gradients of a generic loss. Does not know plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

import suture
from suture import Subject

Places = dict[tuple[str, int], list[int]]
"""Parameter and dim -> the positions where a unit stands."""


def fresh_units(source: Subject, target: Subject) -> dict[int, Places]:
    """Give every target unit without a source that stands in a tensor which has one: its places."""
    old, new = (suture.couple(suture.trace(side)) for side in (source, target))
    found = suture.match(old, new)
    fresh: dict[int, Places] = {}
    parameters = {name for name, _ in target.model.named_parameters()}
    for name in sorted(found.pairs.tensors.keys() & parameters):
        for dim, layout in enumerate(found.target.tensors[name]):
            for position, unit in entries(layout):
                if unit >= 0 and found.partner[unit] == -1:
                    fresh.setdefault(unit, {}).setdefault((name, dim), []).append(position)
    return fresh


def entries(layout: Any) -> Iterator[tuple[int, int]]:
    """Give each position along a dim with every unit that it is made of."""
    position = 0
    for segment in layout:
        for place in product(*(np.asarray(column).tolist() for column in segment)):
            yield from ((position, unit) for unit in place)
            position += 1


def gradients(subject: Subject) -> dict[str, Tensor]:
    """Gradients of a generic loss: the squared distance of all outputs to random goals."""
    model, stream = subject.model, torch.Generator().manual_seed(0)
    call = subject.call or (lambda model, *args, **kwargs: model(*args, **kwargs))
    given = call(model, *subject.args, **(subject.kwargs or {}))
    loss = torch.zeros((), dtype=torch.float64)
    for output in tree_leaves(given):
        if isinstance(output, Tensor) and output.requires_grad:
            goal = torch.randn(output.shape, generator=stream, dtype=output.dtype)
            loss = loss + (output - goal).square().sum()
    names, weights = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
    return dict(zip(names, found, strict=True))


def taught(places: Places, seen: dict[str, Tensor]) -> bool:
    """Whether a gradient reaches a unit, on its way in or out."""
    return any(
        bool((seen[name].select(dim, position).abs() > 1e-12).any())
        for (name, dim), positions in places.items()
        for position in positions
    )


def dead(fresh: dict[int, Places], carried: Subject, usual: Subject) -> list[Places]:
    """Fresh units that the first gradient does not reach though it would in a usual network."""
    seen, might = gradients(carried), gradients(usual)
    return [
        places for places in fresh.values() if taught(places, might) and not taught(places, seen)
    ]


def stepped(subject: Subject) -> None:
    """Take one step of gradient descent."""
    found = gradients(subject)
    largest = max(float(gradient.abs().max()) for gradient in found.values())
    with torch.no_grad():
        for name, weight in subject.model.named_parameters():
            weight.sub_(found[name], alpha=0.1 / largest)


def twins(fresh: dict[int, Places], model: nn.Module) -> list[tuple[Places, Places]]:
    """Fresh units that are equal wherever they stand."""
    weights, seen, found = dict(model.named_parameters()), dict[Any, Places](), []
    for places in fresh.values():
        key = tuple(
            (at, weights[at[0]].select(at[1], position).detach().numpy().tobytes())
            for at, positions in places.items()
            for position in positions
        )
        if key in seen:
            found.append((seen[key], places))
        seen[key] = places
    return found
