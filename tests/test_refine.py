"""One axis made up in several ways: common cuts, and what cannot be brought together.

Axes are written as in `test_couple`.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from coupled import only, spelled, units_of
from suture._axes import Axes, Class, Makeup
from suture._refine import refine


def atoms(axes: Axes, *sizes: int) -> list[Class]:
    return [axes.new(size) for size in sizes]


def product(axes: Axes, whole: Class, *sizes: int) -> list[Class]:
    """Say that a class is the product of new factors."""
    parts = atoms(axes, *sizes)
    axes.add_makeup(whole, "product", parts)
    return parts


def laid(axes: Axes, whole: Class, *sizes: int) -> list[Class]:
    """Say that a class is new parts laid end to end."""
    parts = atoms(axes, *sizes)
    axes.add_makeup(whole, "sum", parts)
    return parts


def text(axes: Axes, member: Class) -> str:
    """Write a class in sizes: `(4 2 3)`, `3+2+7`."""
    makeups = axes.made_of(member)
    if not makeups:
        return str(axes.sizes[axes.find(member)])
    assert len(makeups) == 1, makeups
    match makeups[0]:
        case Makeup("sum", parts):
            return "+".join(text(axes, part) for part in parts)
        case Makeup(_, parts):
            return f"({' '.join(text(axes, part) for part in parts)})"


def one(axes: Axes, *members: Class) -> bool:
    """Whether members are one class."""
    return len({axes.find(member) for member in members}) == 1


def test_products_of_equal_factors() -> None:
    """Equal factors of equal products are one class each."""
    axes = Axes()
    whole = axes.new(24)
    first, second = product(axes, whole, 4, 6), product(axes, whole, 4, 6)
    refine(axes)
    assert text(axes, whole) == "(4 6)"
    assert one(axes, first[0], second[0])
    assert one(axes, first[1], second[1])
    assert not one(axes, *first)


def test_products_cut_at_different_places() -> None:
    """(4 6) and (8 3) are (4 2 3): each factor is made of common ones."""
    axes = Axes()
    whole = axes.new(24)
    (four, six), (eight, three) = product(axes, whole, 4, 6), product(axes, whole, 8, 3)
    refine(axes)
    assert text(axes, whole) == "(4 2 3)"
    assert [text(axes, six), text(axes, eight)] == ["(2 3)", "(4 2)"]
    assert axes.made_of(six)[0].parts[1] == axes.find(three)
    assert axes.made_of(eight)[0].parts[0] == axes.find(four)


def test_products_of_three_cut_differently() -> None:
    """(2 3 20) and (6 4 5) are (2 3 4 5)."""
    axes = Axes()
    whole = axes.new(120)
    product(axes, whole, 2, 3, 20)
    product(axes, whole, 6, 4, 5)
    refine(axes)
    assert text(axes, whole) == "(2 3 4 5)"


def test_a_factor_of_size_one() -> None:
    """A factor of one is kept where only one side has it; the others meet."""
    axes = Axes()
    whole = axes.new(12)
    (left, single, right), (four, three) = product(axes, whole, 4, 1, 3), product(axes, whole, 4, 3)
    refine(axes)
    assert text(axes, whole) == "(4 1 3)"
    assert one(axes, left, four)
    assert one(axes, right, three)
    assert not one(axes, single, four)


def test_products_whose_cuts_do_not_divide() -> None:
    """(4 6) and (6 4) have no common cuts: both stand."""
    axes = Axes()
    whole = axes.new(24)
    product(axes, whole, 4, 6)
    product(axes, whole, 6, 4)
    refine(axes)
    assert {makeup.kind for makeup in axes.made_of(whole)} == {"product"}
    assert len(axes.made_of(whole)) == 2


def test_sums_cut_at_different_places() -> None:
    """5+7 and 3+9 are 3+2+7: each part is made of common ones."""
    axes = Axes()
    whole = axes.new(12)
    (five, seven), (three, nine) = laid(axes, whole, 5, 7), laid(axes, whole, 3, 9)
    refine(axes)
    assert text(axes, whole) == "3+2+7"
    assert [text(axes, five), text(axes, nine)] == ["3+2", "2+7"]
    assert axes.made_of(five)[0].parts[0] == axes.find(three)
    assert axes.made_of(nine)[0].parts[1] == axes.find(seven)


def test_sums_of_equal_parts() -> None:
    """Equal parts of equal sums are one class each."""
    axes = Axes()
    whole = axes.new(12)
    first, second = laid(axes, whole, 5, 7), laid(axes, whole, 5, 7)
    refine(axes)
    assert one(axes, first[0], second[0])
    assert one(axes, first[1], second[1])


def test_a_sum_that_cuts_a_product_between_rows() -> None:
    """3+9 of (4 3) cuts the rows: the first factor is 1+3, each part a product of rows."""
    axes = Axes()
    whole = axes.new(12)
    (rows, columns), (first, rest) = product(axes, whole, 4, 3), laid(axes, whole, 3, 9)
    refine(axes)
    assert text(axes, whole) == "(1+3 3)"
    assert [text(axes, first), text(axes, rest)] == ["(1 3)", "(3 3)"]
    assert text(axes, rows) == "1+3"
    assert axes.made_of(rest)[0].parts[1] == axes.find(columns)


def test_a_sum_that_cuts_a_product_within_a_row() -> None:
    """5+7 of (4 3) cuts a row: both stand."""
    axes = Axes()
    whole = axes.new(12)
    product(axes, whole, 4, 3)
    laid(axes, whole, 5, 7)
    refine(axes)
    assert sorted(makeup.kind for makeup in axes.made_of(whole)) == ["product", "sum"]


def test_classes_tied_after_they_were_made_up() -> None:
    """Tying two classes brings their makeups together."""
    axes = Axes()
    left, right = atoms(axes, 24, 24)
    product(axes, left, 4, 6)
    product(axes, right, 8, 3)
    axes.tie(left, right)
    refine(axes)
    assert text(axes, left) == text(axes, right) == "(4 2 3)"


def test_cuts_that_cause_others() -> None:
    """A factor that is a product itself meets the factors of the other makeup."""
    axes = Axes()
    whole = axes.new(24)
    _, six = product(axes, whole, 4, 6)
    product(axes, six, 2, 3)
    eight, _ = product(axes, whole, 8, 3)
    product(axes, eight, 2, 4)
    refine(axes)
    assert text(axes, whole).replace("(", "").replace(")", "") == "2 2 2 3"


def test_a_single_part() -> None:
    """A makeup of one part is that part."""
    axes = Axes()
    whole = axes.new(5)
    parts = product(axes, whole, 5)
    assert one(axes, whole, *parts)


class Viewed(nn.Module):
    """A layer of 24 units seen as (4 6) and as (8 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(7, 24)
        self.p = nn.Parameter(torch.randn(4, 6))
        self.q = nn.Parameter(torch.randn(8, 3))

    def forward(self, x: Tensor) -> Any:
        h = self.layer(x)
        return h.unflatten(-1, (4, 6)) * self.p, h.unflatten(-1, (8, 3)) * self.q


def test_a_layer_viewed_in_two_ways() -> None:
    """The units of the layer are (4 2 3), and those of both views with them."""
    texts = spelled(units_of(Viewed(), torch.randn(5, 7)))
    assert only(texts, "p", "q", "layer.bias") == [
        *("0..4 (4..6 6..9)", "(0..4 4..6) 6..9", "(0..4 4..6 6..9)"),
    ]


@pytest.mark.parametrize(("cut", "first"), [(3, "(0 4..7)"), (6, "(0..2 4..7)")])
def test_a_layer_viewed_and_cut_between_rows(cut: int, first: str) -> None:
    """Who reads the first part reads whole rows of the view."""

    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.p = nn.Parameter(torch.randn(4, 3))
            self.layer = nn.Linear(7, 12)
            self.first, self.rest = nn.Linear(cut, 2), nn.Linear(12 - cut, 5)

        def forward(self, x: Tensor) -> Any:
            h = self.layer(x)
            one, other = h.split([cut, 12 - cut], -1)
            return h.unflatten(-1, (4, 3)) * self.p, self.first(one), self.rest(other)

    texts = spelled(units_of(Cut(), torch.randn(8, 7)))
    assert only(texts, "p", "layer.bias") == ["0..4 4..7", "(0..4 4..7)"]
    assert texts["first.weight"].partition(" ")[2] == first


def test_a_layer_cut_in_two_ways() -> None:
    """Readers of overlapping parts share the units where they overlap."""

    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 12)
            self.readers = nn.ModuleList(nn.Linear(size, 2) for size in (5, 7, 3, 9))

        def forward(self, x: Tensor) -> Any:
            h = self.layer(x)
            parts = (*h.split([5, 7], -1), *h.split([3, 9], -1))
            return [read(part) for read, part in zip(self.readers, parts, strict=True)]

    texts = spelled(units_of(Cut(), torch.randn(8, 2)))
    read = [texts[f"readers.{number}.weight"].split()[1] for number in range(4)]
    assert read == ["0..5", "5..12", "0..3", "3..12"]


def test_axes_made_of_each_other() -> None:
    """Sizes of one that go round in a circle are left alone, and a cut reaches every axis."""
    axes = Axes()
    first, second, third = atoms(axes, 6, 6, 6)
    for whole, part in ((first, second), (second, third), (third, first)):
        axes.add_makeup(whole, "product", [part, axes.new(1)])
    laid(axes, first, 4, 2)
    refine(axes)
    assert {text(axes, member) for member in (first, second, third)} == {
        "4+2",
        "(4+2 1)",
        "((4+2 1) 1)",
    }
