"""The benchmark of training that goes on: its figures, its verdicts, and its way by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from continuing.arms import Arm, Learner, arms_of, cross, slices
from continuing.claims import Claim, judged, meant
from continuing.figures import Figures, Spread, band, figures, of_seeds
from continuing.picture import draw
from continuing.table import lines
from continuing.tasks import Curves, Result, Task
from nets import given, mlp, subject

UPDATES = (0, 1, 2, 4, 8)


def task(better: str, run: Callable[[int], Curves] = lambda seed: {}) -> Task:
    match better:
        case "lower":
            return Task("Digits, wider", "test loss", "lower", UPDATES, 4, run)
        case _:
            return Task("A pole, wider", "return", "higher", UPDATES, 4, run)


def result(better: str, *shifts: float) -> Result:
    """Give the curves of some seeds: what is naive is worse by 1 and a shift of the seed's."""
    sign = 1 if better == "lower" else -1
    curves = [
        {
            "before": [4.0, 2.0],
            "carried": [2.0, 2.0, 1.5, 1.0, 0.5],
            "reset": [2.0, 2.5, 1.5, 1.0, 0.5 + shift],
            "naive": [2.0 + sign * (1 + shift)] * 5,
        }
        for shift in shifts
    ]
    return Result(task(better), curves)


@pytest.mark.parametrize(
    ("better", "curve", "expected"),
    [
        ("lower", [2.0, 2.5, 3.0, 1.5, 1.0], Figures(2.0, 3.0, 4, 1.0, 1.8125)),
        ("lower", [2.0, 1.5, 1.0, 1.0, 9.0], Figures(2.0, 2.0, 0, 9.0, 3.125)),
        ("lower", [3.0, 3.5, 4.0, 3.0, 2.5], Figures(3.0, 4.0, None, 2.5, 3.125)),
        ("lower", [2.00001, 1.0, 1.0, 1.0, 1.0], Figures(2.00001, 2.00001, 0, 1.0, 1.062500625)),
        ("higher", [2.0, 1.0, 0.5, 1.5, 2.0], Figures(2.0, 0.5, 8, 2.0, 1.40625)),
        ("higher", [2.0, 3.0, 4.0, 5.0, 6.0], Figures(2.0, 2.0, 0, 6.0, 4.625)),
    ],
    ids=["back", "never worse", "never back", "rounding", "a return", "a return that rises"],
)
def test_a_curve(better: str, curve: Sequence[float], expected: Figures) -> None:
    """The worst is looked for in the window, and the way back begins there."""
    found = figures(task(better), 2.0, curve)
    assert found == Figures(
        expected.right_after, expected.worst, expected.back, expected.at_end, found.overall
    )
    assert found.overall == pytest.approx(expected.overall)


def test_a_confidence_interval() -> None:
    """It is Student's, as tables have it: 2.776 standard errors of five."""
    spread = Spread.of([1.0, 2.0, 3.0, 4.0, 5.0])
    assert spread.mean == 3.0
    assert spread.reach == pytest.approx(2.776 * (2.5 / 5) ** 0.5, abs=1e-3)


def test_a_band() -> None:
    """Seeds are averaged point by point."""
    means, reach = band(result("lower", 0.0, 0.2, 0.4).curves, "naive")
    assert means == pytest.approx([3.2] * 5)
    assert reach == pytest.approx([Spread.of([3.0, 3.2, 3.4]).reach] * 5)


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_claims(better: str) -> None:
    """They hold where seeds agree on it, are reversed likewise, and are else not shown."""
    found = result(better, 0.0, 0.1, -0.1)
    seeds = of_seeds(found)
    verdicts = {
        (one, other, measure): judged(found.task, seeds, Claim("", one, other), measure)[1]
        for one, other, measure in [
            ("carried", "naive", "right_after"),
            ("naive", "carried", "right_after"),
            ("carried", "reset", "at_end"),
            ("carried", "reset", "right_after"),
        ]
    }
    assert [*verdicts.values()] == ["holds", "reversed", "not shown", "equal"]


def test_claims_of_which_there_are_arms() -> None:
    """Others are left out."""
    found = [claim.text for claim in meant(of_seeds(result("lower", 0.0, 0.1)))]
    assert found == [
        "weights by surgery, not by leading slices",
        "optimizer carried, not reset",
        "both, beside what is done by hand",
    ]


def test_the_tables() -> None:
    """They say what was measured, what came back, and what holds."""
    text = "\n".join(lines({"digits": result("lower", 0.0, 0.1, 0.2)}))
    assert "The test loss (lower is better) right before the surgery was\n2.000 ± 0.000" in text
    assert "| carried | 2.000 ± 0.000 | 2.000 ± 0.000 | 0 |" in text
    assert "| naive | 3.100 ± 0.248 | 3.100 ± 0.248 | 3 of 3 never |" in text
    assert "| both, beside what is done by hand | **holds** (+1.100 ± 0.248) |" in text


def test_the_picture(tmp_path: Path) -> None:
    """It is drawn of any number of tasks."""
    found = {"digits": result("lower", 0.0, 0.1), "cartpole": result("higher", 0.0, 0.1)}
    picture = tmp_path / "new" / "curves.png"
    draw(found, picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_leading_slices() -> None:
    """What is done by hand puts old tensors first, and leaves the rest as it is."""
    old, new = mlp(4), mlp(6, features=5, outputs=3)
    before = {name: value.clone() for name, value in new.state_dict().items()}
    slices(old, new)
    weight = new.get_parameter("into.weight").detach()
    assert torch.equal(weight[:4, :3], old.get_parameter("into.weight"))
    assert torch.equal(weight[4:], before["into.weight"][4:])
    assert torch.equal(weight[:4, 3:], before["into.weight"][:4, 3:])
    assert torch.equal(new.get_parameter("out.bias")[:2], old.get_parameter("out.bias"))


def learner(width: int) -> Learner:
    model: nn.Module = mlp(width)
    return Learner(subject(model, given()), torch.optim.Adam(model.parameters()))


@pytest.mark.parametrize("arm", arms_of({"warm-up": lambda plan, new: None}), ids=lambda a: a.name)
def test_arms(arm: Arm) -> None:
    """Weights come over in each, and moments where the arm says so."""
    old, new = learner(4), learner(6)
    old.subject.model(given()).sum().backward()
    old.optimizer.step()
    cross(arm, old, new)
    weight = new.subject.model.into.weight
    assert torch.equal(weight[:4], old.subject.model.into.weight)
    assert bool(new.optimizer.state) == (arm.moments != "none")
