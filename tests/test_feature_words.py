"""Feature names and masks in few words: patterns and products that hold all, each once."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from suture._feature_words import described, families, spelled
from suture._region import boxes, positions, region, regions

WORDS = ("x", "y", "health")
NAMES = ("time", *(f"hero.{i}.{word}.{at}" for i, word, at in product(range(4), WORDS, range(2))))


def stands_for(pattern: str, name: str) -> bool:
    """Whether a pattern, read place by place, stands for a name."""
    places = re.findall(r"\{.*?\}|[^.{]+", pattern.partition(" (")[0])
    parts = name.split(".")
    ends = len(places) == len(parts) or (places[-1] == "*" and len(places) < len(parts))
    return ends and all(map(_fits, places, parts))


def _fits(place: str, part: str) -> bool:
    items = [item.strip() for item in place.strip("{}").split(",")]
    spans = [item.split("..") for item in items if item[0].isdigit() and part.isdigit()]
    within = any(int(span[0]) <= int(part) <= int(span[-1]) for span in spans)
    return place == "*" or part in items or within


@given(st.sets(st.sampled_from(range(len(NAMES))), min_size=1))
def test_patterns_stand_for_the_features(features: set[int]) -> None:
    """What is written for some features is these and no others, each once."""
    patterns = described(families(NAMES), np.array(sorted(features)))
    listed = [name for each in patterns for name in NAMES if stands_for(each, name)]
    assert sorted(listed) == sorted(NAMES[at] for at in features)


@given(st.lists(st.booleans(), min_size=24, max_size=24).filter(any))
def test_boxes_cover_a_mask(marks: list[bool]) -> None:
    """Products of positions hold every marked entry once, and one is enough where it can be."""
    mask = np.array(marks).reshape(2, 3, 4)
    count = np.zeros(mask.shape, int)
    found = [*boxes(mask)]
    for box in found:
        count[np.ix_(*box)] += 1
    assert np.array_equal(count, mask)
    assert (len(found) == 1) == (positions(mask) is not None)


@given(st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_where_every_value_lies(drawn: list[int]) -> None:
    """All values at once are found where each is on its own, in order."""
    values = np.array(drawn).reshape(2, 1, 3)
    expected = [region(values == value, (2, 5, 3)) for value in dict.fromkeys(drawn)]
    assert regions(values, (2, 5, 3)) == expected


def test_a_region_along_dims_of_size_one() -> None:
    """A dim that a mask does not tell apart is there as a whole, one entry or many."""
    assert region(np.array([[[True], [False]]]), (5, 2, 1)) == (((0, 5),), ((0, 1),), ((0, 1),))
    assert region(np.array(True), ()) == ()
    assert regions(np.array(7), ()) == [()]


def test_names_of_several_lengths() -> None:
    """Names that begin alike but are no product of parts are families further down."""
    known = families(["args.0", "args.1.x", "args.1.y", "args.2.x"])
    assert [spelled(family) for family in known] == ["args.0", "args.1.{x, y}", "args.2.x"]
