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


@pytest.mark.parametrize(
    "scores",
    [
        {"into.weight[1, :]": 1, "into.weight[2, :]": 1.0, "into.weight[4, :]": torch.tensor(0.5)},
        {"into.bias[{1..3, 4}]": 2.0},
        {"out.weight[:, 4]": 1.0, "into.bias[1..3]": 1.0},
        {"into.bias[0]": -1.0, "into.weight[3,:]": -2.0, "out.weight[:, {5}]": -0.1},
    ],
)
def test_units_by_name(scores: Any) -> None:
    """A unit is called as screens write it, by any tensor that has it; others have 0."""
    _, old, new = carried(scores, net(6), net(3))
    kept = [1, 2, 4]
    assert torch.equal(new["into.weight"], old["into.weight"][kept])
    assert torch.equal(new["out.weight"], old["out.weight"][:, kept])


def test_one_unit_by_name_and_the_first_of_the_others() -> None:
    """What nobody speaks of stays in order."""
    _, old, new = carried({"into.bias[4]": 0.1}, net(6), net(3))
    assert torch.equal(new["into.bias"], old["into.bias"][[0, 1, 4]])


def test_a_name_and_scores_of_another_axis() -> None:
    """Units by name on one axis, scores on another: each axis by its own."""

    def deep(one: int, two: int) -> Subject:
        layers = [nn.Linear(3, one), nn.ReLU(), nn.Linear(one, two), nn.ReLU()]
        return Subject(nn.Sequential(*layers, nn.Linear(two, 2)), (given(),))

    keep: dict[str, Any] = {"0.bias[{3, 5}]": 1.0, "2.bias dim 0": [0.0, 2.0, 1.0, 3.0]}
    _, old, new = carried(keep, deep(6, 4), deep(2, 3))
    assert torch.equal(new["2.weight"], old["2.weight"][[1, 2, 3]][:, [3, 5]])


def test_one_place_of_a_channel_by_name() -> None:
    """Behind a flatten a place is a channel and where it lies: the channel has the score."""

    def convolved(channels: int) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            return m.out(m.conv(x).relu().flatten(1))

        layers = {"conv": nn.Conv2d(2, channels, 3), "out": nn.Linear(channels * 6, 5)}
        return subject(generic(Net(forward, **layers)), torch.randn(7, 2, 4, 5))

    said = {"out.weight[:, 20]": 1.0, "out.weight[:, 7]": 2.0, "conv.weight[2, :, :, :]": 1.5}
    _, old, new = carried(said, convolved(4), convolved(2))
    assert torch.equal(new["conv.weight"], old["conv.weight"][[1, 2]])


def seeing(features: list[str], actions: list[str], width: int = 4) -> Subject:
    model = mlp(width, len(features), len(actions)).double()
    outputs: dict[str, Any] = {"output": actions}
    return subject(model, given(len(features)).double(), inputs={"x": features}, outputs=outputs)


def test_names_of_a_schema() -> None:
    """Which names stay the schemas say; scores that agree are taken, others are refused."""
    source = seeing(["speed", "wind", "angle"], ["left", "wait", "right"])
    target = seeing(["speed", "angle"], ["left", "right"])
    agreeing = {"x.speed": 3.0, "x.angle": 2.0, "x.wind": 1.0, "output.wait": -1.0}
    _, old, new = carried(agreeing, source, target)
    assert torch.equal(new["into.weight"], old["into.weight"][:, [0, 2]])
    assert refused(
        {"x.wind": 3.0, "into.weight[:, 0]": 1.0, "output.right": 1.0}, source, target
    ) == (
        "Scores do not say what stays there.\n"
        "  x.wind              its units pair by names, places or features, not by scores\n"
        "  into.weight[:, 0]   its units pair by names, places or features, not by scores\n\n"
        "hint: give scores for axes without names that shrink"
    )


def test_categories_by_name() -> None:
    """The values of an input are named entries as any."""

    def items(*names: str) -> Subject:
        model = Net(lambda m, x: m.out(m.table(x)), table=nn.Embedding(len(names), 4))
        model.out = nn.Linear(4, 2)
        called: Any = {"x": suture.Categorical(names)}
        return subject(generic(model), torch.arange(2), inputs=called)

    source, target = items("key", "lamp", "rope"), items("key", "rope")
    _, old, new = carried({"x.rope": 1.0}, source, target)
    assert torch.equal(new["table.weight"], old["table.weight"][[0, 2]])
    assert "x.lamp" in refused({"x.lamp": 1.0}, source, target)


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


def test_names_that_do_not_fit() -> None:
    """Unknown names, positions that are none, two scores for one unit are listed together."""
    keep = {
        "into.weihgt[1, :]": 1.0,
        "into.weight[1]": 1.0,
        "into.weight[1, 2]": 1.0,
        "into.bias[7]": 1.0,
        "into.bias[first]": 1.0,
        "into.bias[4..2]": 1.0,
        "into.bias[{1]": 1.0,
        "x.aa": 1.0,
        "out.weight[:, 0]": [1.0, 2.0],
        "out.weight[:, 1]": float("inf"),
        "into.bias[2]": 1.0,
        "into.weight[2..4, :]": 2.0,
    }
    positions = "which are no positions such as 7, 4..6 or {0..2, 4}"
    assert refused(keep, net(6), net(3)) == (
        "The scores of what to keep do not fit the old model.\n"
        "  into.weihgt[1, :]      is of no parameter of the old model\n"
        "  into.weight[1]         says 1 dims where the tensor has 2\n"
        "  into.weight[1, 2]      is no unit: all dims but one are `:`\n"
        "  into.bias[7]           leaves a dim of 6\n"
        f"  into.bias[first]       says 'first', {positions}\n"
        f"  into.bias[4..2]        says '4..2', {positions}\n"
        "  into.bias[{1]          is no unit of the old model\n"
        "  x.aa                   is no unit of the old model\n"
        "  out.weight[:, 0]       a score of [1.0, 2.0] is no finite number\n"
        "  out.weight[:, 1]       a score of inf is no finite number\n"
        "  into.weight[2..4, :]   has a score by into.bias[2] already\n\n"
        "hint: did you mean 'into.weight[1, :]'?"
    )


def test_a_unit_with_two_scores() -> None:
    """A dim gives every unit along it a score: a further one by name is a second."""
    keep: dict[str, Any] = {"into.weight dim 0": SCORES, "out.weight[:, 2]": 9.0}
    assert refused(keep, net(6), net(3)) == (
        "The scores of what to keep do not fit the old model.\n"
        "  out.weight[:, 2]   has a score by into.weight dim 0 already\n\n"
        'hint: write keep={"fc1.weight dim 0": scores} or keep={"fc1.weight[7, :]": score}'
    )


def test_a_name_along_several_dims() -> None:
    """One name for entries of two dims says neither."""

    def grid(*names: str) -> Subject:
        model = Net(lambda m, x: m.out(x.flatten(1)), out=nn.Linear(2 * len(names), 2))
        called: Any = {"x": {1: ["a", "b"], 2: list(names)}}
        return subject(generic(model), torch.randn(7, 2, len(names)), inputs=called)

    text = refused({"x.a": 1.0}, grid("a", "c", "d"), grid("a", "d"))
    assert "  x.a      is the name of entries along several dims\n" in text


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
