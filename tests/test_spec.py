"""Axis specs are read, printed and refused."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture._errors import SpecError
from suture._spec import Axis, Dim, Dots, One, Operand, Product, Spec, Sum, parse

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z_0-9]{0,3}", fullmatch=True)
AXES = st.builds(Axis, NAMES, st.booleans())
PRODUCTS = st.builds(Product, st.lists(AXES, max_size=3).map(tuple))
PARTS = AXES | PRODUCTS
SUMS = st.builds(Sum, st.lists(PARTS, min_size=2, max_size=3).map(tuple))
PLAIN: st.SearchStrategy[Dim] = PARTS | SUMS | st.just(One())


@st.composite
def operands(draw: st.DrawFn) -> Operand:
    dims = draw(st.lists(PLAIN, max_size=3))
    dots: list[Dim] = draw(st.lists(st.builds(Dots, st.booleans()), max_size=1))
    place = draw(st.integers(0, len(dims)))
    return Operand((*dims[:place], *dots, *dims[place:]), draw(st.none() | NAMES))


SIDES = st.lists(operands(), min_size=1, max_size=3).map(tuple)
SPECS = st.builds(Spec, SIDES, SIDES)


@given(SPECS)
def test_a_printed_spec_reads_as_itself(spec: Spec) -> None:
    """Parse after print is the identity."""
    assert parse(str(spec)) == spec


@given(SPECS, st.data())
def test_blanks_between_tokens_do_not_matter(spec: Spec, data: st.DataObject) -> None:
    """A text with more blanks around its marks reads as the same spec."""
    marks = {mark: data.draw(st.sampled_from([mark, f" {mark} ", f"{mark}  "])) for mark in "+:,()"}
    text = "".join(chain.from_iterable(marks.get(letter, letter) for letter in str(spec)))
    assert parse(text) == spec


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("m k,k n->m n", "m k, k n -> m n"),
        ("... d!, d, d -> ... d", "... d!, d, d -> ... d"),
        ("n  ( a   b ) -> n a b", "n (a b) -> n a b"),
        ("n a , n b -> n a+ b", "n a, n b -> n a+b"),
        ("v d,...:v -> ... d", "v d, ...:v -> ... d"),
        ("...! -> ...", "...! -> ..."),
        ("1 a -> 1", "1 a -> 1"),
        ("(g (  -> ", None),
        ("-> a", " -> a"),
        ("a a -> a", "a a -> a"),
        ("(a! b)+c!+() -> ", "(a! b)+c!+() -> "),
        (":v -> v", ":v -> v"),
    ],
)
def test_a_spec_has_one_printed_form(text: str, printed: str | None) -> None:
    """What is read prints in one way; what cannot be read is refused."""
    if printed is None:
        with pytest.raises(SpecError):
            parse(text)
    else:
        assert str(parse(text)) == printed


def test_reading_twice_gives_the_same_object() -> None:
    """Specs are interned by their text."""
    assert parse("m k, k n -> m n") is parse("m k, k n -> m n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("m k, k n", "A spec has one '->'."),
        ("m -> k -> n", "A spec has one '->'."),
        ("m # k -> m", "'#' is not part of the notation."),
        ("m 2 -> m", "'2' is not part of the notation."),
        ("m ... ... -> m", "An operand has at most one '...'."),
        ("m:v w -> m", "'w' stands after the axis of values."),
        ("m: -> m", "Expected an axis, found the end."),
        ("m+ -> m", "Expected an axis, found the end."),
        ("! m -> m", "Expected an axis, found '!'."),
        ("(m 1) -> m", "Expected an axis, found '1'."),
        ("(m (k)) -> m", "Expected an axis, found '('."),
        ("(m k -> m", "Expected an axis, found the end."),
        ("m:v! -> m", "The axis of values is not mixed: 'v!'."),
        ("10 -> m", "'10' is not part of the notation."),
        ("1a -> m", "'1a' is not part of the notation."),
    ],
)
def test_a_text_that_is_no_spec_is_refused(text: str, sentence: str) -> None:
    """The sentence says what stands in the way."""
    with pytest.raises(SpecError) as refusal:
        parse(text)
    assert refusal.value.sentence == sentence
    assert ("spec", text) in refusal.value.facts


def test_a_refusal_shows_the_spec_and_what_helps() -> None:
    """The whole text: sentence, spec, hint."""
    with pytest.raises(SpecError) as refusal:
        parse("m ... ... -> m")
    assert str(refusal.value) == (
        "An operand has at most one '...'.\n"
        "  spec     m ... ... -> m\n"
        "\n"
        "hint: see docs/adding_an_op.md"
    )
