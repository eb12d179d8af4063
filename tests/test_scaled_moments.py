"""Scaled and shared entries: their gradients are what the slots are scaled by.

Networks have generic weights in float64. With a learning rate of 0 an optimizer gathers moments and
the weights stay: then what is carried must be what the grown network would have gathered itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

import suture
from grown import Case, grown
from living import gradients
from nets import given, mlp, subject
from suture import Plan, Subject
from suture._arrays import positions
from suture._carried import Carried, carried, readings

CASES: dict[str, Case] = {
    "rms stream": ("decoder", {}, {"width": 17}),
    "rms stream, tied": ("decoder", {"tied": True}, {"width": 17, "inner": 31}),
    "norms by hand": ("decoder", {"norm": "mean and power"}, {"width": 18}),
    "wider heads": ("decoder", {"form": "sdpa"}, {"size": 7}),
    "more heads and groups": ("decoder", {"groups": 4}, {"heads": 6, "groups": 6}),
    "layer norms": ("encoder", {}, {"width": 18, "inner": 37}),
    "channels": ("u-net", {"bend": "GELU"}, {"widths": (7, 9, 15)}),
    "cells": ("policy", {}, {"width": 13, "inner": 11}),
}


def pieces(plan: Plan) -> Iterator[tuple[str, Carried]]:
    read = readings(plan)
    for tensor in plan.tensors:
        if tensor.kind == "parameter":
            yield from ((tensor.target.name, piece) for piece in carried(tensor, read))


def at(tensor: Tensor, region: Any) -> Tensor:
    return tensor.detach()[np.ix_(*map(positions, region))] if region else tensor.detach()


def gathered(subject: Subject, steps: int = 3) -> Adam:
    """Gather moments, and leave the weights as they are."""
    optimizer = Adam(subject.model.parameters(), lr=0.0)
    for number in range(steps):
        for name, gradient in gradients(subject).items():
            subject.model.get_parameter(name).grad = gradient * (1 + number % 2)
        optimizer.step()
    return optimizer


def slots(subject: Subject, optimizer: Optimizer, name: str) -> dict[str, Tensor]:
    state = optimizer.state[subject.model.get_parameter(name)]
    return {slot: state[slot] for slot in ("exp_avg", "exp_avg_sq")}


def close(one: Tensor, other: Tensor) -> bool:
    """Compare to rounding; gradients here are of order one where they are anything."""
    return torch.allclose(one, other, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_what_is_carried_is_what_the_grown_network_gathers(case: str) -> None:
    """Entries that nothing else reads have the very moments that the grown network finds."""
    plan, source, target = grown(CASES[case], torch.float64)
    assert plan.exact
    target = replace(target, args=source.args)
    before, own, after = gathered(source), gathered(target), Adam(target.model.parameters())
    suture.transfer_optimizer(plan, before, after, source, target)
    alone = [(name, piece) for name, piece in pieces(plan) if piece.alone]
    assert {name for name, _ in alone}
    for name, piece in alone:
        found, wanted = (slots(target, optimizer, name) for optimizer in (after, own))
        for slot in found:
            one, other = (at(each[slot], piece.region) for each in (found, wanted))
            assert close(one, other), (name, slot, piece.scale)


def test_writers_into_a_mean_are_the_exception() -> None:
    """Entries whose mean a layer norm's fresh ones are have another effect, and carry 1 / s."""
    plan = grown(CASES["layer norms"], torch.float64)[0]
    shared = {name for name, piece in pieces(plan) if not piece.alone}
    assert "read.weight" in shared
    assert "layers.0.linear1.weight" not in shared
    (piece,) = (piece for name, piece in pieces(plan) if name == "read.weight")
    assert piece.gradient == pytest.approx(1 / piece.scale)


def copies(width: int) -> tuple[Plan, Subject, Subject]:
    """Widen a network by copies of its units."""
    source, target = (subject(mlp(size).double(), given().double()) for size in (4, width))
    plan = suture.transfer(source, target, fill="replicate")
    return plan, source, target


def gathered_by_both(plan: Plan, source: Subject, target: Subject) -> tuple[Adam, Adam]:
    target = replace(target, args=source.args)
    before, after = gathered(source), Adam(target.model.parameters())
    suture.transfer_optimizer(plan, before, after, source, target)
    return after, gathered(target)


@pytest.mark.parametrize("width", [8, 11])
def test_who_reads_copies(width: int) -> None:
    """Copies are equal inputs: all readers have the old gradient, whatever their shares."""
    plan, source, target = copies(width)
    after, own = gathered_by_both(plan, source, target)
    found, wanted = (slots(target, each, "out.weight") for each in (after, own))
    assert all(close(found[slot], wanted[slot]) for slot in found)
    assert {piece.scale for name, piece in pieces(plan) if name == "out.weight"} >= {1 / 3, 2 / 3}


@pytest.mark.parametrize("width", [8, 11])
def test_who_writes_copies(width: int) -> None:
    """Writers share the old gradient: what is carried adds up to it, as what they gather does."""
    plan, source, target = copies(width)
    after, own = gathered_by_both(plan, source, target)
    old = slots(source, gathered(source), "into.weight")["exp_avg"]
    for optimizer in (after, own):
        found = slots(target, optimizer, "into.weight")["exp_avg"]
        total = sum_of_copies(plan, found, old.shape)
        assert close(total, old)
    assert not close(*(slots(target, each, "into.weight")["exp_avg"] for each in (after, own)))


def sum_of_copies(plan: Plan, found: Tensor, shape: torch.Size) -> Tensor:
    """Add up what belongs to each entry of the source."""
    total = torch.zeros(shape, dtype=torch.float64)
    for name, piece in pieces(plan):
        if name == "into.weight":
            rows, columns = (torch.from_numpy(positions(runs)) for runs in piece.index)
            for row, values in zip(rows, at(found, piece.region), strict=True):
                total[row, columns] += values * piece.scale
    return total


def test_keys_and_values_that_are_copied_for_their_query_heads() -> None:
    """Copied heads share the old gradient evenly; together they have all of it."""
    case: Case = ("decoder", {"heads": 4, "groups": 2}, {"groups": 4})
    plan, source, target = grown(case, torch.float64)
    after, own = gathered_by_both(plan, source, target)
    for name in ("blocks.a.look.k.weight", "blocks.a.look.v.weight"):
        (piece,) = (piece for found, piece in pieces(plan) if found == name)
        assert (piece.scale, piece.gradient, piece.alone) == (1, 0.5, False)
        both = [
            slots(target, each, name)["exp_avg"].unflatten(0, (2, 2, 4)) for each in (after, own)
        ]
        assert close(both[0].sum(1), both[1].sum(1))
        assert not close(both[0], both[1])


def test_a_feature_that_is_now_on_another_scale() -> None:
    """Weights divided by the scale have gradients times the scale; here nothing is shifted."""

    def driver(seed: int) -> Subject:
        torch.manual_seed(seed)
        names = ["speed", "angle", "wind"]
        return subject(mlp(5).double(), given().double(), inputs={"x": names})

    source, target = driver(1), driver(2)
    scale = {"x.speed": suture.Affine(3.6)}
    plan = suture.plan(suture.trace(source), suture.trace(target), rescaled=scale)
    state = suture.apply(plan, source.model.state_dict(), target.model.state_dict())
    target.model.load_state_dict(state)
    target = replace(
        target, args=(source.args[0] * torch.tensor([3.6, 1, 1], dtype=torch.float64),)
    )
    before, after = gathered(source), Adam(target.model.parameters())
    suture.transfer_optimizer(plan, before, after, source, target)
    found, wanted = (slots(target, each, "into.weight") for each in (after, gathered(target)))
    assert all(close(found[slot], wanted[slot]) for slot in found)
    assert max(piece.gradient for _, piece in pieces(plan)) == pytest.approx(3.6)
