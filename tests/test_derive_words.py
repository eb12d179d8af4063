"""Sizes that a checkpoint does not tell: how they are asked for and said, where words tell them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import suture
from refusals import refused
from suture import Subject
from suture._derive import derive

X = torch.zeros(5, 3)


class Twice(nn.Module):
    """One layer that is read in heads in two ways."""

    def __init__(self, one: int, other: int, size: int) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(3, size), nn.Linear(size, 2)
        self.one, self.other = one, other

    def forward(self, x: Tensor) -> Any:
        h = self.into(x)
        ways = [h.unflatten(-1, (heads, -1)) for heads in (self.one, self.other)]
        return self.out(ways[0].softmax(-1).flatten(1) + ways[1].softmax(-1).flatten(1))


OLD, NEW = Subject(Twice(2, 4, 16), (X,)), Subject(Twice(3, 6, 36), (X,))


def asked(old: Subject, new: Subject, **said: Any) -> str:
    """Say what is raised instead of a graph."""
    target, source = suture.trace(new), suture.trace(old)
    tensors = [source.tensor(name) for name in source.parameters]
    return refused(lambda: derive(target, tensors, **said)).removeprefix("MatchError: ")


def test_sizes_of_other_factors() -> None:
    """As many are asked for as the target has; one axis has one size."""
    for text in ("16", "2x2x4"):
        hint = asked(OLD, NEW, sizes={"into.weight dim 0": text}).splitlines()[-1]
        assert hint == (
            "hint: write as many factors as the target has, as in 'into.weight dim 0=3x12'"
        )
    both = {"into.weight dim 0": "2x8", "out.weight dim 1": "8x2"}
    hint = asked(OLD, NEW, sizes=both).splitlines()[-1]
    assert hint == "hint: say one size for each axis"


class Outer(nn.Module):
    """Products of two layers' outputs, read in groups: no tensor has them along a dim."""

    def __init__(self, groups: int, width: int) -> None:
        super().__init__()
        self.one, self.other, self.groups = nn.Linear(3, width), nn.Linear(3, 4), groups

    def forward(self, x: Tensor) -> Any:
        both = self.one(x)[:, :, None] * self.other(x)[:, None, :]
        return both.flatten(1).unflatten(-1, (self.groups, -1)).softmax(-1).sum((1, 2))


def test_answers_that_no_words_tell_apart() -> None:
    """None is shown twice, or empty; the old model is asked for."""
    untold = (
        "The checkpoint does not tell all sizes of the old model.\n"
        "  several  fit, and no dim of a tensor tells them apart\n\n"
        "hint: give the old model instead of its checkpoint"
    )
    assert asked(Subject(Outer(3, 6), (X,)), Subject(Outer(5, 10), (X,))) == untold
    lines = asked(OLD, NEW).splitlines()[1:-2]
    assert len({*lines}) == len(lines) == 6
    assert lines[-1] == "  several  fit, and no dim of a tensor tells them apart"
    assert asked(OLD, NEW, sizes={"into.weight dim 0": "2x8"}) == untold
