"""What stays of an axis that shrinks: the first units, or those that a score keeps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import suture
from measured import notes
from nets import Net, generic, given, mlp, subject
from suture import MatchError, Plan, Subject

SCORES = [0.5, 3.0, 1.0, 0.25, 2.0, -1.0]


def net(width: int) -> Subject:
    return subject(mlp(width).double(), given().double(), inputs={"x": ["a", "b", "c"]})


def carried(
    keep: dict[str, Any], source: Subject, target: Subject
) -> tuple[Plan, dict[str, Tensor], dict[str, Tensor]]:
    plan = suture.transfer(source, target, keep=keep)
    assert Plan.from_json(plan.to_json()) == plan
    return plan, source.model.state_dict(), target.model.state_dict()


def test_the_first_without_a_word() -> None:
    """Nobody gave scores: the first units stay."""
    _, old, new = carried({}, net(6), net(3))
    assert torch.equal(new["into.weight"], old["into.weight"][:3])


@pytest.mark.parametrize(
    "scores", [SCORES, torch.tensor(SCORES), [1.0 if s > 0.75 else 0.0 for s in SCORES]]
)
def test_the_highest_scores(scores: Any) -> None:
    """They stay in their old order, wherever they are; that is told as a loss, as ever."""
    plan, old, new = carried({"into.weight dim 0": scores}, net(6), net(3))
    kept = [1, 2, 4]
    assert torch.equal(new["into.weight"], old["into.weight"][kept])
    assert torch.equal(new["into.bias"], old["into.bias"][kept])
    assert torch.equal(new["out.weight"], old["out.weight"][:, kept])
    assert not plan.exact
    assert any("lost units were read" in note for note in notes(plan, "inexact"))


def test_units_that_a_silent_reader_had_are_lost_for_nothing() -> None:
    """Keep those that are read at all, and the function is the old one."""
    source, target = net(6), net(4)
    with torch.no_grad():
        source.model.out.weight[:, [0, 3]] = 0
    plan, _, _ = carried(
        {"out.weight dim 1": source.model.out.weight.norm(dim=0).detach()}, source, target
    )
    assert suture.verify(plan, source, target, generic=0).max_rel_diff < 1e-12


def test_scores_of_one_unit_add_up() -> None:
    """Behind a flatten a channel has several positions; several dims speak of it together."""

    def convolved(channels: int) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            return m.out(m.conv(x).relu().flatten(1))

        layers = {"conv": nn.Conv2d(2, channels, 3), "out": nn.Linear(channels * 6, 5)}
        return subject(generic(Net(forward, **layers)), torch.randn(7, 2, 4, 5))

    scores = torch.zeros(4, 6)
    scores[1, 2], scores[3] = 5.0, 1.0
    _, old, new = carried({"out.weight dim 1": scores.flatten()}, convolved(4), convolved(2))
    assert torch.equal(new["conv.weight"], old["conv.weight"][[1, 3]])
    more = {"out.weight dim 1": scores.flatten(), "conv.bias dim 0": [9.0, 0.0, 9.5, 0.0]}
    _, old, new = carried(more, convolved(4), convolved(2))
    assert torch.equal(new["conv.weight"], old["conv.weight"][[0, 2]])


def refused(keep: dict[str, Any], source: Subject, target: Subject) -> str:
    with pytest.raises(MatchError) as told:
        suture.transfer(source, target, keep=keep)
    return str(told.value)


def test_scores_that_do_not_fit() -> None:
    """Unknown dims, other lengths, no numbers and named entries are listed together."""
    keep = {
        "int.weight dim 0": SCORES,
        "into.weight dim 2": SCORES,
        "into.bias dim 0": [1.0, 2.0],
        "out.weight dim 1": [*SCORES[1:], float("nan")],
        "into.weight dim 1": [1.0, 2.0, 3.0],
    }
    assert refused(keep, net(6), net(3)) == (
        "The scores of what to keep do not fit the old model.\n"
        "  int.weight dim 0    is no dim of a parameter of the old model\n"
        "  into.weight dim 2   is no dim of a parameter of the old model\n"
        "  into.bias dim 0     scores of shape [2] for 6 positions\n"
        "  out.weight dim 1    a score is not finite\n"
        "  into.weight dim 1   its entries have names: the schemas say which stay\n\n"
        "hint: did you mean 'into.weight dim 0'?"
    )


def test_scores_of_what_stays() -> None:
    """An axis that does not shrink has nothing to choose from."""
    assert refused({"into.weight dim 0": SCORES}, net(6), net(8)) == (
        "Scores do not say what stays there.\n"
        "  into.weight dim 0   does not shrink: all of its units stay\n\n"
        "hint: give scores for axes without names that shrink"
    )


def test_scores_of_taps() -> None:
    """The taps of a kernel pair by their offsets, whatever they are worth."""

    def convolved(size: int) -> Subject:
        layers = {"conv": nn.Conv1d(2, 3, size, padding=size // 2), "out": nn.Linear(3, 2)}
        model = generic(Net(lambda m, x: m.out(m.conv(x).mean(-1)), **layers))
        return subject(model, torch.randn(7, 2, 9))

    text = refused({"conv.weight dim 2": [5.0, 4.0, 3.0, 2.0, 1.0]}, convolved(5), convolved(3))
    assert "its units pair by names, places or features, not by scores" in text
