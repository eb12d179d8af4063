"""Arrays along features and actions: every value stays with its name, nothing is made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import nn

import suture
from laws import law
from named import actions, between, called, categories, pictures, selections
from nets import Net
from refusals import error, refused
from suture import Affine, Schema, Subject, TransferError

RNG = np.random.default_rng(0)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


# Values along features


@law(selections())
def test_every_value_stays_with_its_name(chosen: tuple[list[str], list[str]]) -> None:
    """Whatever comes, goes and moves: by name, the new array says what the old one did."""
    old, new = chosen
    array = drawn(4, 3, len(old))
    fresh = {f"obs.{name}": float(at) for at, name in enumerate(new) if name not in old}
    carried = suture.carry(between(old, new), "obs", array, fresh=fresh)
    assert carried.shape == (4, 3, len(new))
    for at, name in enumerate(new):
        if name in old:
            assert np.array_equal(carried[..., at], array[..., old.index(name)])
        else:
            assert (carried[..., at] == fresh[f"obs.{name}"]).all()


@law(st.tuples(selections(), selections()))
def test_two_steps_are_one(chosen: tuple[tuple[list[str], list[str]], ...]) -> None:
    """What survives both steps is carried as by one."""
    (first, second), (_, last) = chosen
    if not {*second} & {*last} or not {*first} & {*last}:
        return
    array = drawn(2, len(first))
    middle = suture.carry(between(first, second), "obs", array, fresh=0.0)
    through = suture.carry(between(second, last), "obs", middle, fresh=0.0)
    straight = suture.carry(between(first, last), "obs", array, fresh=0.0)
    alive = [at for at, name in enumerate(last) if name in second or name not in first]
    assert np.array_equal(through[:, alive], straight[:, alive])


def test_the_array_is_not_changed() -> None:
    """Nor is the new one a view of it."""
    array = drawn(4, 2)
    before = array.copy()
    carried = suture.carry(between("ab", "ba"), "obs", array)
    carried[...] = 0
    assert np.array_equal(array, before)


@pytest.mark.parametrize("kind", ["f4", "f8", "i8", "u1", "?"])
def test_dtypes_stay(kind: str) -> None:
    """An array of bytes stays one."""
    carried = suture.carry(between("ab", "xba"), "obs", np.ones((4, 2), kind), fresh=0)
    assert carried.dtype == kind
    assert carried.tolist() == np.array([[0, 1, 1]] * 4, kind).tolist()


def test_channels_of_pictures() -> None:
    """Dims behind the named one go along; any number of dims may stand in front."""
    array = RNG.integers(0, 255, (6, 2, 2, 4, 5), np.uint8)
    carried = suture.carry(pictures("rg", "gdr"), "obs", array, fresh={"obs.d": 7})
    assert carried.shape == (6, 2, 3, 4, 5)
    assert np.array_equal(carried[:, :, [2, 0]], array)
    assert (carried[:, :, 1] == 7).all()


def test_examples_of_other_lengths() -> None:
    """How many steps the example arguments had says nothing of the arrays."""

    def network(features: str, steps: int) -> suture.Graph:
        net = Net(lambda m, x: m.one(x)[0], one=nn.GRU(len(features), 4, batch_first=True))
        schema = Schema(inputs={"obs": [*features]})
        example = torch.zeros(3, steps, len(features))
        return suture.trace(Subject(net, (example,), schema=schema, call=called))

    plan = suture.plan(network("ab", 5), network("bxa", 7))
    array = drawn(11, 6, 2)
    carried = suture.carry(plan, "obs", array, fresh=0.0)
    assert np.array_equal(carried[..., [2, 0]], array)


def test_one_step_without_dims_in_front() -> None:
    """A single observation is an array too."""
    assert suture.carry(between("ab", "ba"), "obs", np.array([1.0, 2.0])).tolist() == [2, 1]


def test_along_actions() -> None:
    """Outputs have entries as inputs have them: bounds, masks, values per action."""
    carried = suture.carry(actions("lr", "rbl"), "output", np.array([0.1, 0.2]), fresh=-1.0)
    assert carried.tolist() == [0.2, -1.0, 0.1]


def test_another_scale() -> None:
    """What the plan says of a feature's scale, or the caller besides, is done to its values."""
    metres = {"obs.a": Affine(3.6, 1.0)}
    array = drawn(4, 2)
    planned = suture.carry(between("ab", "ba", rescaled=metres), "obs", array)
    told = suture.carry(between("ab", "ba"), "obs", array, rescaled=metres)
    assert np.array_equal(planned, told)
    assert np.allclose(told[:, 1], 3.6 * array[:, 0] + 1.0, rtol=1e-15)
    assert np.array_equal(told[:, 0], array[:, 1])


def test_without_names() -> None:
    """Entries pair by position as the plan pairs them, and that is said again."""
    with pytest.warns(UserWarning, match="^obs has no names: entries pair by position$"):
        carried = suture.carry(between(2, 3), "obs", np.array([[1.0, 2.0]]), fresh={"obs": 9.0})
    assert carried.tolist() == [[1, 2, 9]]


# What is refused


def test_new_features_without_a_value() -> None:
    """All of them at once, with the values that the array cannot hold and names that are none."""
    plan = between("ab", "axbyz")
    given = {"obs.x": 300, "obs.yy": 1.0}
    action = lambda: suture.carry(plan, "obs", np.zeros((4, 2), np.uint8), fresh=given)  # noqa: E731
    assert refused(action) == error(
        """
        TransferError: What is given does not fit 'obs'.
          obs.y    is new, and no value is given
          obs.z    is new, and no value is given
          obs.yy   is no new entry: did you mean 'obs.y'?
          obs.x    300 is no uint8

        hint: say what it was: fresh={'obs.y': 0.0}
        """
    )


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((4, 3), "the array is [4,3]; the source's are [..,2]"),
        ((2, 4), "the array is [2,4]; the source's are [..,2]"),
        ((), "the array is []; the source's are [..,2]"),
    ],
)
def test_arrays_along_something_else(shape: tuple[int, ...], text: str) -> None:
    """An array has to end as the source's input does."""
    with pytest.raises(TransferError) as raised:
        suture.carry(between("ab", "ba"), "obs", np.zeros(shape))
    assert raised.value.facts == (("obs", text),)


def test_inputs_that_are_none() -> None:
    """The names that there are, and the near one."""
    assert refused(lambda: suture.carry(between("ab", "ba"), "ops", np.zeros((4, 2)))) == error(
        """
        TransferError: The plan places no input or output 'ops'.
          known    output, obs

        hint: did you mean 'obs'?
        """
    )


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"obs.x": Affine(2.0)}, "is no named entry of both models"),
        ({"obs.c": Affine(2.0)}, "is no named entry of both models"),
        ({"obs.a": Affine(0.0)}, "a scale of 0 and a shift of 0 is none"),
        ({"obs.a": 3.6}, "3.6 is no Affine: write suture.Affine(scale=3.6)"),
    ],
)
def test_scales_that_are_none(said: dict[str, Affine], text: str) -> None:
    """A feature of one side alone has no scale, nor is 0 one."""
    with pytest.raises(TransferError) as raised:
        suture.carry(between("abc", "xba"), "obs", np.zeros((4, 3)), fresh=0.0, rescaled=said)
    assert raised.value.facts == ((*said, text),)


def test_a_scale_that_is_told_twice() -> None:
    """Of the plan and of the call only one can say it."""
    twice = {"obs.a": Affine(2.0)}
    with pytest.raises(TransferError) as raised:
        suture.carry(between("ab", "ba", rescaled=twice), "obs", drawn(4, 2), rescaled=twice)
    assert raised.value.facts == (("obs.a", "is on another scale in the plan already"),)


def test_whole_numbers_have_no_scale() -> None:
    """Bytes on another scale would be rounded without a word."""
    with pytest.raises(TransferError) as raised:
        suture.carry(
            between("ab", "ba"), "obs", np.zeros((4, 2), np.uint8), rescaled={"obs.a": Affine(2.0)}
        )
    assert raised.value.facts == (("obs.a", "numbers of uint8 have no scale"),)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "nan is no finite number"),
        (float("inf"), "inf is no finite number"),
        ("0", "'0' is no finite number"),
        (0.5, "0.5 is no int16"),
        (2**15, "32768 is no int16"),
    ],
)
def test_values_that_are_none(value: Any, text: str) -> None:
    """A new entry has a finite value that the array can hold."""
    plan, array = between("ab", "axb"), np.zeros((4, 2), np.int16)
    with pytest.raises(TransferError) as raised:
        suture.carry(plan, "obs", array, fresh={"obs.x": value})
    assert raised.value.facts == (("obs.x", text),)


def test_categories_are_no_values() -> None:
    """Numbers of categories would be other categories if they were copied."""
    plan = categories(["sword", "bow"], ["axe", "bow", "sword"])
    assert refused(lambda: suture.carry(plan, "obs", np.array([0, 1]))) == error(
        """
        TransferError: Numbers that choose are laid along nothing.
          obs      holds numbers of categories

        hint: renumber them: suture.carry_choices(plan, 'obs', ...)
        """
    )


# Integers that choose


@law(selections())
def test_every_choice_stays_with_its_name(chosen: tuple[list[str], list[str]]) -> None:
    """Old numbers become the new numbers of the same actions."""
    old, new = chosen
    kept = [name for name in old if name in new]
    taken = np.array([old.index(kept[i % len(kept)]) for i in range(12)]).reshape(4, 3)
    carried = suture.carry_choices(actions(old, new), "output", taken)
    assert carried.dtype == taken.dtype
    assert [new[i] for i in carried.ravel()] == [old[i] for i in taken.ravel()]


def test_categories_that_were_seen() -> None:
    """Values of an integer input are choices as well."""
    plan = categories(["sword", "bow"], ["axe", "bow", "sword"])
    assert suture.carry_choices(plan, "obs", np.array([0, 1, 1])).tolist() == [2, 1, 1]


def test_choices_without_names() -> None:
    """Outputs without names pair by position too, and that is said."""
    with pytest.warns(UserWarning, match="^output has no names: entries pair by position$"):
        carried = suture.carry_choices(actions(2, 3), "output", np.array([1, 0]))
    assert carried.tolist() == [1, 0]


def test_choices_that_are_gone() -> None:
    """Each with the number of times that it was chosen; what nobody chose may go."""
    plan = actions(["left", "right", "jump", "duck"], ["right", "left"])
    assert suture.carry_choices(plan, "output", np.array([0, 1])).tolist() == [1, 0]
    assert refused(lambda: suture.carry_choices(plan, "output", np.array([2, 0, 2, 3]))) == error(
        """
        TransferError: Choices are not there in the new model.
          output.jump is gone, and chosen 2 times
          output.duck is gone, and chosen 1 time

        hint: drop the steps that chose them, or keep them in the new model
        """
    )


@pytest.mark.parametrize("chosen", [np.array([-1, 0]), np.array([0.0, 1.0])])
def test_what_is_no_choice(chosen: np.ndarray) -> None:
    """Positions are whole and begin at 0."""
    with pytest.raises(TransferError, match=r"^Choices are positions: integers from 0 on\."):
        suture.carry_choices(actions("ab", "ba"), "output", chosen)


def test_choices_that_never_were() -> None:
    """Numbers above all that the source has, however large."""
    with pytest.raises(TransferError) as raised:
        suture.carry_choices(actions("ab", "ba"), "output", np.array([0, 2, 2**40]))
    gone = "is gone, and chosen 1 time"
    assert raised.value.facts == (("output at 2", gone), (f"output at {2**40}", gone))


def test_no_choices_at_all() -> None:
    """An empty array is one."""
    assert suture.carry_choices(actions("ab", "ba"), "output", np.zeros((0, 2), int)).size == 0
