"""The interaction map of a network beside what perturbation shows of it.

Knows how the two are compared. Does not know how either is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_map_only

import suture
from modules import generic_
from perturbed import Feature, Masks, named, shown
from suture import Interactions, Subject
from watched import Mask

DRAWS = 12
"""Weights are drawn again up to so many times until all that can show has shown: a unit may be dead
on all inputs under some weights."""


def compared(
    subject: Subject,
    features: Mapping[str, Feature] | None = None,
    high: Mapping[str, int] | None = None,
    call: Callable[..., Any] | None = None,
    draws: int = DRAWS,
) -> tuple[Interactions, list[str], list[str]]:
    """Find the interactions of a network, what perturbation shows besides, and what it does not.

    Args:
        subject: the network; its weights are drawn anew.
        features: those without names in the schema.
        high: keypath of an integer input without names -> the number of its values.
        call: how the network is run to be perturbed, if not as it is traced.
        draws: how often weights are drawn.
    """
    subject = _precise(subject)
    phi = suture.interactions(suture.trace(subject))
    told = {**named(subject), **(features or {})}
    masks, run = Masks(), subject if call is None else replace(subject, call=call)
    hidden = list(phi.features)
    for seed in range(draws):
        generic_(subject.model, seed)
        for pair, mask in shown(run, {name: told[name] for name in hidden}, high, seed).items():
            masks[pair] = masks.get(pair, np.False_) | mask
        hidden = [name for name in hidden if surplus(phi, masks, [name])]
        if not hidden:
            break
    return phi, missed(phi, masks), surplus(phi, masks, phi.features)


def exact(subject: Subject, **settings: Any) -> Interactions:
    """Find the interactions of a network, and require them to be those that perturbation shows."""
    phi, missed, surplus = compared(subject, **settings)
    assert missed == [], missed
    assert surplus == [], surplus
    return phi


def _precise(subject: Subject) -> Subject:
    """Let a network compute in float64, in evaluation mode."""
    model: nn.Module = subject.model.double().eval()
    args = tree_map_only(torch.Tensor, _double, tuple(subject.args))
    return replace(subject, model=model, args=args)


def _double(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def missed(phi: Interactions, masks: Masks) -> list[str]:
    """List what perturbation shows and the map does not hold."""
    held = {pair: _whole(phi, *pair) if pair[0] in phi.touched else np.False_ for pair in masks}
    return _lines({pair: mask & ~held[pair] for pair, mask in masks.items()})


def surplus(phi: Interactions, masks: Masks, features: Sequence[str]) -> list[str]:
    """List what the map holds of some features and perturbation does not show."""
    pairs = [(name, feature) for name in phi.touched for feature in features]
    return _lines({pair: _whole(phi, *pair) & ~masks.get(pair, np.False_) for pair in pairs})


def _whole(phi: Interactions, parameter: str, feature: str) -> Mask:
    return np.broadcast_to(phi.mask(parameter, feature), phi.touched[parameter].tensor.shape)


def _lines(masks: Masks) -> list[str]:
    return [
        f"{parameter} x {feature}: {int(mask.sum())} of {mask.size} entries"
        for (parameter, feature), mask in masks.items()
        if mask.any()
    ]
