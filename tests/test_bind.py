"""Specs are bound at shapes, and shapes that do not fit are refused."""

from math import prod
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture._bind import Bound, Part, Pick, Shape, Window, bind
from suture._errors import SpecError

SIZES = {"a": 2, "b": 3, "c": 5, "d": 7}
PARTS = st.lists(st.sampled_from(sorted(SIZES)), min_size=1, max_size=2).map(tuple)
DIMS = st.lists(PARTS, min_size=1, max_size=2).map(tuple)
TENSORS = st.lists(DIMS, max_size=3).map(tuple)


def text(tensor: tuple[tuple[tuple[str, ...], ...], ...]) -> str:
    products = (" + ".join(f"({' '.join(part)})" for part in dim) for dim in tensor)
    return " ".join(products)


def shape(tensor: tuple[tuple[tuple[str, ...], ...], ...]) -> Shape:
    return tuple(sum(prod(SIZES[name] for name in part) for part in dim) for dim in tensor)


def names(part: Part) -> tuple[str, ...]:
    return tuple(axis.name for axis in part)


@given(TENSORS, TENSORS)
def test_every_dim_is_the_sum_of_its_products(
    operand: tuple[tuple[tuple[str, ...], ...], ...],
    result: tuple[tuple[tuple[str, ...], ...], ...],
) -> None:
    """With all sizes given, parts and factors stand in the bound spec as they were written."""
    spec = f"{text(operand)} -> {text(result)}"
    bound = bind(spec, [shape(operand)], [shape(result)], SIZES)
    for said, tensor in ((operand, bound.inputs[0]), (result, bound.outputs[0])):
        assert tuple(tuple(map(names, dim)) for dim in tensor.dims) == said


@given(st.lists(st.integers(1, 4), max_size=4), st.data())
def test_dots_are_shared_from_the_right(sizes: list[int], data: st.DataObject) -> None:
    """A dim behind dots is the axis of its place, or none where its size one broadcasts."""
    kept = data.draw(st.integers(0, len(sizes)))
    other = [1 if data.draw(st.booleans()) else size for size in sizes[len(sizes) - kept :]]
    bound = bind("..., ... -> ...", [tuple(sizes), tuple(other)], [tuple(sizes)])
    for operand, own in zip(bound.inputs, (sizes, other), strict=True):
        wanted = [f"...{place}" for place in reversed(range(len(own)))]
        for dim, name, size in zip(operand.dims, wanted, own, strict=True):
            assert names(dim[0]) == ((name,) if size == bound.sizes[name] else ())


@pytest.mark.parametrize(
    ("spec", "inputs", "outputs", "given_sizes", "sizes"),
    [
        ("m k, k n -> m n", [(2, 3), (3, 5)], [(2, 5)], {}, {"m": 2, "k": 3, "n": 5}),
        ("n (a b) -> n a b", [(2, 12)], [(2, 3, 4)], {}, {"n": 2, "a": 3, "b": 4}),
        ("n (a b) -> n (b a)", [(2, 12)], [(2, 12)], {"a": 3}, {"a": 3, "n": 2, "b": 4}),
        ("n a, n b -> n a+b", [(2, 3), (2, 4)], [(2, 7)], {}, {"n": 2, "a": 3, "b": 4}),
        ("n a+b -> n a", [(2, 7)], [(2, 3)], {}, {"n": 2, "a": 3, "b": 4}),
        ("n a+a -> n a", [(2, 6)], [(2, 3)], {}, {"n": 2, "a": 3}),
        ("v d, ...:v -> ... d", [(9, 4), (2, 3)], [(2, 3, 4)], {}, {"v": 9, "d": 4}),
        ("... d!, d -> ... d, ... 1", [(2, 5), (5,)], [(2, 5), (2, 1)], {}, {"d": 5}),
        (" -> a", [], [(3,)], {}, {"a": 3}),
        ("a -> ", [(3,)], [()], {}, {"a": 3}),
    ],
)
def test_sizes_follow_from_shapes(
    spec: str, inputs: list[Shape], outputs: list[Shape], given_sizes: dict[str, int],
    sizes: dict[str, int],
) -> None:  # fmt: skip
    """Every axis has one size, found from any dim that leaves it alone unknown."""
    found = bind(spec, inputs, outputs, given_sizes).sizes
    assert {name: size for name, size in found.items() if not name.startswith("...")} == sizes


def test_mixing_belongs_to_the_occurrence() -> None:
    """`!` stays with the operand that has it."""
    bound = bind("n d!, d -> n d", [(2, 3), (3,)], [(2, 3)])
    flags = [tensor.dims[-1][0][0].mixed for tensor in (*bound.inputs, *bound.outputs)]
    assert flags == [True, False, False]


def test_picks_stand_beside_a_bound_spec() -> None:
    """The same text and shapes with another index are another bound spec."""
    picks = [Pick("i", "v", np.array(index)) for index in ([2, 1, 0], [1, 2, 0])]
    bound = [bind("v -> i", [(3,)], [(3,)], picks=[pick]) for pick in picks]
    assert [b.picks[0].index.tolist() for b in bound] == [[2, 1, 0], [1, 2, 0]]
    assert bind("v -> i", [(3,)], [(3,)]).picks == ()


def test_windows_stand_beside_a_bound_spec() -> None:
    """A window changes neither the axes nor, but for its taps, their sizes."""
    window = Window(("y", "k"), "h", np.array([[0, 1], [1, 2]]))
    plain, bound = (
        bind("n h! -> n y", [(5, 3)], [(5, 2)], {"k": 2}, windows=windows)
        for windows in ((), (window,))
    )
    assert (plain.windows, bound.windows) == ((), (window,))
    assert (plain.inputs, plain.outputs) == (bound.inputs, bound.outputs)
    assert bound.sizes == {"n": 5, "h": 3, "y": 2, "k": 2}


def test_binding_twice_gives_the_same_object() -> None:
    """Bound specs are remembered by text, shapes and sizes; nobody may change one."""
    bound: list[Bound] = [bind("m k -> m", [(2, 3)], [(2,)], {"k": 3}) for _ in range(2)]
    assert bound[0] is bound[1]


Call = tuple[str, list[Shape], list[Shape], dict[str, int]]
REFUSED: dict[str, tuple[Call, str]] = {
    "an operand too few": (
        ("m k, k n -> m n", [(2, 3)], [(2, 5)], {}),
        dedent("""\
            The spec has 2 operands and 1 results, the call 1 and 1.
              spec     m k, k n -> m n
              shapes   [2,3] -> [2,5]"""),
    ),
    "a dim too many": (
        ("m k -> m", [(2, 3, 4)], [(2,)], {}),
        dedent("""\
            The operand 'm k' has 2 dims, the tensor has 3.
              spec     m k -> m
              shapes   [2,3,4] -> [2]"""),
    ),
    "a dim too few": (
        ("... m k -> ...", [(2,)], [()], {}),
        dedent("""\
            The operand '... m k' has at least 2 dims, the tensor has 1.
              spec     ... m k -> ...
              shapes   [2] -> []"""),
    ),
    "two sizes of one axis": (
        ("m k, k n -> m n", [(2, 3), (4, 5)], [(2, 5)], {}),
        dedent("""\
            'k' has 3 entries, the tensor's dim has 4.
              spec     m k, k n -> m n
              shapes   [2,3], [4,5] -> [2,5]
              sizes    k=3"""),
    ),
    "two open factors": (
        ("n (a b) -> n", [(2, 12)], [(2,)], {}),
        dedent("""\
            The sizes in '(a b)' do not follow from its 12 entries.
              spec     n (a b) -> n
              shapes   [2,12] -> [2]"""),
    ),
    "a factor that does not divide": (
        ("n (a b) -> n", [(2, 12)], [(2,)], {"a": 5}),
        dedent("""\
            '(a b)' has 10 entries, the tensor's dim has 12.
              spec     n (a b) -> n
              shapes   [2,12] -> [2]
              sizes    a=5, b=2"""),
    ),
    "a part that is larger than the dim": (
        ("a+b -> b", [(2,)], [(5,)], {}),
        dedent("""\
            'a+b' has more than the dim's 2 entries.
              spec     a+b -> b
              shapes   [2] -> [5]"""),
    ),
    "a size of one that is larger": (
        ("1 -> a", [(2,)], [(3,)], {}),
        dedent("""\
            '1' has 1 entries, the tensor's dim has 2.
              spec     1 -> a
              shapes   [2] -> [3]
              sizes    none"""),
    ),
    "dots that do not broadcast": (
        ("..., ... -> ...", [(2, 3), (4,)], [(2, 3)], {}),
        dedent("""\
            '...0' has 3 entries, the tensor's dim has 4.
              spec     ..., ... -> ...
              shapes   [2,3], [4] -> [2,3]
              sizes    ...0=3"""),
    ),
}


@pytest.mark.parametrize("situation", REFUSED)
def test_shapes_that_do_not_fit_are_refused(situation: str) -> None:
    """The message shows the spec, the shapes and the sizes that disagree."""
    call, message = REFUSED[situation]
    with pytest.raises(SpecError) as refusal:
        bind(*call)
    assert str(refusal.value) == message
