"""The algebra of an operand is read from words, and refused."""

from math import inf
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture._algebra import WORDS, Algebra, Meeting, algebra
from suture._errors import RuleError

NEUTRALS = {"0": 0.0, "1": 1.0, "-inf": -inf, "inf": inf, "mean": "mean", "0.5": 0.5}


@given(
    st.sets(st.sampled_from(["linear", "zero", "idempotent", "moves"])),
    st.sampled_from([None, *get_args(Meeting)]),
    st.none() | st.sampled_from(sorted(NEUTRALS)),
    st.randoms(use_true_random=False),
)
def test_words_are_read_in_any_order(
    flags: set[str], meeting: Meeting | None, neutral: str | None, order: object
) -> None:
    """Words mean the same in any order; `linear` says `zero` and a degree."""
    said = (
        sorted(flags) + ([meeting] if meeting else []) + ([f"neutral={neutral}"] if neutral else [])
    )
    getattr(order, "shuffle")(said)  # noqa: B009
    assert algebra("  ".join(said)) == Algebra(
        linear="linear" in flags,
        zero=bool(flags & {"linear", "zero"}),
        idempotent="idempotent" in flags,
        meeting=meeting,
        moves="moves" in flags,
        neutral=NEUTRALS[neutral] if neutral else None,  # type: ignore[arg-type]
        degree=1.0 if "linear" in flags else None,
    )


def test_no_words_promise_nothing() -> None:
    """The empty text is the algebra of an op of which nothing is known."""
    assert algebra("") == Algebra()


@pytest.mark.parametrize(
    "words",
    ["lineer", "add mul", "neutral=0 neutral=1", "Linear", "neutral", "neutral=", "neutral=zero"],
)
def test_what_is_no_algebra_is_refused(words: str) -> None:
    """An unknown word, two meetings, two neutral elements, or one that is no number."""
    with pytest.raises(RuleError) as refusal:
        algebra(words)
    assert str(refusal.value) == (
        f"{words!r} is not an algebra.\n"
        "  words    linear, zero, idempotent, add, mul, moves, repeats, neutral=…, degree=…, "
        "factor=…, times=…, shift=…, unit=…, thinned=…, less=…, normed=…"
    )


def test_the_table_names_every_word() -> None:
    """The words that are read are the words that are listed."""
    assert WORDS == ("linear", "zero", "idempotent", "add", "mul", "moves", "repeats")
