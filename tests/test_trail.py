"""Trails: what a network takes by position is told where it is not what it was, and only there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from measured import carried, notes
from nets import Net, generic, subject
from suture import Subject

EXACT = 1e-12


def net(does: Callable[[Any, Tensor], Tensor], names: str, **parts: nn.Module) -> Subject:
    """Read what `does` makes of named features by a linear map."""
    found = does(Net(does, **parts), torch.zeros(7, len(names)))
    model = generic(Net(lambda m, x: m.out(does(m, x)), **parts, out=nn.Linear(found.shape[-1], 2)))
    return subject(model.double(), torch.zeros(7, len(names)).double(), inputs={"x": [*names]})


def halved(m: Any, x: Tensor) -> Tensor:
    return torch.cat([x[:, :2].tanh(), x[:, 2:].sigmoid()], -1)


def slid(m: Any, x: Tensor) -> Tensor:
    return F.max_pool1d(x[:, None], 3, 1, 1)[:, 0]


def weighed(m: Any, x: Tensor) -> Tensor:
    return x * torch.arange(x.shape[1])


def summed(m: Any, x: Tensor) -> Tensor:
    return torch.cat([x, x[:, :2].sum(-1, keepdim=True)], -1)


def normed(m: Any, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[1:])[:, :2]


@pytest.mark.parametrize("does", [halved, slid, weighed, summed, normed])
@pytest.mark.parametrize(("old", "new"), [("abcd", "dbca"), ("abcd", "bacd")])
def test_features_that_change_places(
    does: Callable[[Any, Tensor], Tensor], old: str, new: str
) -> None:
    """Cut by position, slid over or weighed by position: exact if and only if nothing changed."""
    plan, apart = carried(net(does, old), net(does, new))
    assert plan.exact == (apart < EXACT)


@pytest.mark.parametrize("does", [halved, slid, weighed])
@pytest.mark.parametrize(("old", "new"), [("abc", "abcn"), ("abc", "nabc"), ("abc", "abnc")])
def test_a_feature_that_pushes_others_on(
    does: Callable[[Any, Tensor], Tensor], old: str, new: str
) -> None:
    """What a new feature pushes over a cut, or between neighbours, is told."""
    plan, apart = carried(net(does, old), net(does, new))
    assert plan.exact == (apart < EXACT)


def test_what_is_told() -> None:
    """The plan names who reads what has moved."""
    plan, _ = carried(net(halved, "abcd"), net(halved, "dbca"))
    reason = "the network takes by position, and other entries are there"
    assert notes(plan, "inexact") == [f"out.weight dim 1: {reason}"]


def test_pieces_that_are_treated_alike() -> None:
    """What is cut and laid end to end again may change places: nothing is told."""

    def again(m: Any, x: Tensor) -> Tensor:
        return torch.cat([part.tanh() for part in x.split(1, -1)], -1)

    plan, apart = carried(net(again, "abcd"), net(again, "dnbca"))
    assert plan.exact
    assert apart < EXACT


def test_rows_of_a_table_that_are_chosen_in_order() -> None:
    """The row of each place stays with what was there: another one there is told."""

    def placed(m: Any, x: Tensor) -> Tensor:
        parts = torch.stack([*x.unbind(-1)], 1)[..., None]
        found: Tensor = (parts * m.at(torch.arange(x.shape[1]))).flatten(1)
        return found

    old, new = (net(placed, names, at=nn.Embedding(len(names), 3)) for names in ("abcd", "dbca"))
    plan, apart = carried(old, new)
    assert plan.exact == (apart < EXACT)
