"""Sizes that follow from others: sums, products, what is as before, and several answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import pytest
from hypothesis import strategies as st

from laws import law
from suture._axes import Axes, Class
from suture._sizes import Choice, ContradictionError, Equation, Follows, Sizes, deduce, solve

Drawing = Callable[[st.SearchStrategy[Any]], Any]


def made(axes: Axes, kind: Any, *parts: Class) -> Class:
    """Begin a class that is the sum or the product of others."""
    sizes = [axes.sizes[part] for part in parts]
    whole = axes.new(sum(sizes) if kind == "sum" else prod(sizes))
    axes.add_makeup(whole, kind, list(parts))
    return whole


def fresh(*sizes: int) -> tuple[Axes, list[Class]]:
    """Begin classes of some sizes."""
    axes = Axes()
    return axes, [axes.new(size) for size in sizes]


def found(axes: Axes, known: Mapping[Class, int], **said: Any) -> Sizes:
    """Solve what has one answer."""
    sizes = solve(axes, known, said.get("inputs", ()), said.get("moves", ()))
    assert isinstance(sizes, dict)
    return sizes


def asked(axes: Axes, known: Mapping[Class, int], *parts: Class) -> list[tuple[int, ...]]:
    """Solve what has several answers, and give those for some classes."""
    choices = solve(axes, known, (), ())
    assert isinstance(choices, list)
    [choice] = choices
    return [tuple(answer[part] for part in parts) for answer in choice.answers]


# --- one answer ----------------------------------------------------------------


def test_a_factor_beside_known_ones() -> None:
    """A product of which all but one factor is known tells that one."""
    axes, [heads, size] = fresh(4, 8)
    whole = made(axes, "product", heads, size)
    assert found(axes, {whole: 18, heads: 3})[size] == 6


def test_a_part_that_stands_several_times() -> None:
    """Three gates of one size are a third each, and a square tells its side."""
    axes, [gate, side] = fresh(4, 5)
    gates, square = made(axes, "sum", gate, gate, gate), made(axes, "product", side, side)
    sizes = found(axes, {gates: 21, square: 49})
    assert (sizes[gate], sizes[side]) == (7, 7)


def test_sums_of_products_follow_each_other() -> None:
    """Fused q, k and v of which one is known by itself tell the others together."""
    axes, [heads, size, other] = fresh(3, 8, 8)
    q, v = made(axes, "product", heads, size), made(axes, "product", heads, other)
    fused = made(axes, "sum", q, q, v)
    sizes = found(axes, {fused: 60, v: 20, heads: 4})
    assert (sizes[size], sizes[other]) == (5, 5)


def test_a_prime_has_two_answers_and_one_of_them_is_not_taken() -> None:
    """7 entries are 1 x 7 or 7 x 1, whatever there was."""
    axes, [heads, size] = fresh(1, 5)
    whole = made(axes, "product", heads, size)
    assert asked(axes, {whole: 7}, heads, size) == [(1, 7), (7, 1)]


def test_one_entry_has_one_answer() -> None:
    """Factors of one entry are ones."""
    axes, [heads, size] = fresh(2, 5)
    whole = made(axes, "product", heads, size)
    assert found(axes, {whole: 1})[heads] == 1


# --- several -------------------------------------------------------------------


def test_answers_that_change_the_least_come_first() -> None:
    """As many heads as now, or heads as large as now, before all others."""
    axes, [heads, size] = fresh(4, 3)
    whole = made(axes, "product", heads, size)
    found = asked(axes, {whole: 24}, heads, size)
    assert found[:2] == [(4, 6), (8, 3)]
    assert sorted(found) == [(a, 24 // a) for a in (1, 2, 3, 4, 6, 8, 12, 24)]


def test_the_same_product_is_asked_for() -> None:
    """That it is as large as now does not say that it is made as now."""
    axes, [heads, size] = fresh(4, 3)
    whole = made(axes, "product", heads, size)
    assert asked(axes, {whole: 12}, heads, size)[0] == (4, 3)


def test_products_that_share_a_factor_are_asked_for_together() -> None:
    """Heads of queries and of keys agree in what they share."""
    axes, [q, k, size] = fresh(4, 2, 3)
    both = made(axes, "product", q, size), made(axes, "product", k, size)
    found = asked(axes, dict(zip(both, (20, 8), strict=True)), q, k, size)
    assert sorted(found) == [(5, 2, 4), (10, 4, 2), (20, 8, 1)]


def test_more_answers_than_anybody_reads() -> None:
    """They are not all listed, and it is said so."""
    axes, [one, other] = fresh(300, 400)
    whole = made(axes, "sum", one, other)
    [choice] = solve(axes, {whole: 900}, (), ())
    assert isinstance(choice, Choice)
    assert not choice.all
    assert len(choice.answers) == 9


# --- none ----------------------------------------------------------------------


@pytest.mark.parametrize(("known", "size"), [(7, 2), (3, 4), (0, 4)])
def test_what_cannot_be(known: int, size: int) -> None:
    """7 is no multiple of 2, and no part is empty."""
    axes, [heads, each] = fresh(2, 4)
    whole = made(axes, "product", heads, each)
    with pytest.raises(ContradictionError) as raised:
        solve(axes, {whole: known, each: size}, (), ())
    assert raised.value.whole == whole


# --- as before -----------------------------------------------------------------


def test_what_nothing_tells_is_as_now() -> None:
    """A batch keeps its size, and what is made of it and of something new follows."""
    axes, [batch, heads] = fresh(5, 4)
    both = made(axes, "product", batch, heads)
    sizes = found(axes, {heads: 6})
    assert (sizes[batch], sizes[both]) == (5, 30)


def test_inputs_are_as_large_as_now_unless_that_cannot_be() -> None:
    """A picture of as many pixels has the same sides; one of others is asked for."""
    axes, [channels, high, wide] = fresh(3, 4, 5)
    flat = made(axes, "product", channels, high, wide)
    sides = [channels, high, wide]
    assert found(axes, {flat: 60}, inputs=sides)[high] == 4
    assert isinstance(solve(axes, {flat: 61}, sides, ()), list)


def test_windows_over_what_is_as_now() -> None:
    """The same places of the same picture, so that a flat layer tells the channels alone."""
    axes, [channels, high, places, taps] = fresh(8, 12, 6, 2)
    flat = made(axes, "product", channels, places)
    moves = [Follows(high, (places, taps))]
    assert found(axes, {flat: 60}, inputs=[high], moves=moves)[channels] == 10
    wider = {flat: 60, taps: 3}
    assert isinstance(solve(axes, wider, [high], moves), list)


# --- the law -------------------------------------------------------------------


@st.composite
def systems(draw: Drawing) -> tuple[Axes, dict[Class, int], Sizes]:
    """Draw classes that are made of each other, as they are now and as they truly were."""
    axes, truth = Axes(), Sizes()
    for _ in range(draw(st.integers(2, 4))):
        truth[axes.new(draw(st.integers(1, 5)))] = draw(st.integers(1, 5))
    roots = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["sum", "product"]))
        parts = draw(st.lists(st.sampled_from([*truth]), min_size=2, max_size=3))
        whole = made(axes, kind, *parts)
        sizes = [truth[part] for part in parts]
        truth[whole] = sum(sizes) if kind == "sum" else prod(sizes)
        roots.append(whole)
    more = draw(st.lists(st.sampled_from([*truth]), max_size=2))
    return axes, {member: truth[member] for member in (*roots, *more)}, truth


@law(systems(), few=100)
def test_one_answer_is_the_truth_and_several_hold_it(
    system: tuple[Axes, dict[Class, int], Sizes],
) -> None:
    """What tensors tell is never guessed: the true sizes, or a choice that they are among."""
    axes, known, truth = system
    solved = solve(axes, known, (), ())
    below = parts_of(axes, known)
    if isinstance(solved, dict):
        assert {member: solved[member] for member in below} == {m: truth[m] for m in below}
        return
    for choice in solved:
        assert not choice.all or len(choice.answers) > 1
        if choice.all:
            assert any(answer.items() <= truth.items() for answer in choice.answers)


def parts_of(axes: Axes, known: Mapping[Class, int]) -> set[Class]:
    """List known classes and all that they are made of."""
    found, waiting = set(known), [*known]
    while waiting:
        for makeup in axes.made_of(waiting.pop()):
            waiting += set(makeup.parts) - found
            found |= set(makeup.parts)
    return found


@law(systems(), few=50)
def test_what_is_deduced_fits(system: tuple[Axes, dict[Class, int], Sizes]) -> None:
    """Every size that follows is the true one."""
    axes, known, truth = system
    equations = [Equation(whole, m) for whole in axes.makeups for m in axes.made_of(whole)]
    of = dict.fromkeys(truth, equations)
    sizes = dict(known)
    deduce(sizes, equations, of)
    assert sizes.items() <= truth.items()
