"""Many feature names in few words: `enemy_hero.*.health` for the health of each.

Knows names as text with dots. Does not know what is said of the features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from suture._fold import NUMBER, spans
from suture._region import boxes
from suture._words import listed

Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Features named by all combinations of some parts, as the dims of an input are.

    Attributes:
        parts: place in a name -> what may stand there.
        numbers: the features, one dim per place.
    """

    parts: tuple[Parts, ...]
    numbers: NDArray[np.int64]


def families(names: Sequence[str]) -> list[Family]:
    """Sort names into families, as large as they can be.

    Example:
        >>> [family.parts for family in families(["hero.0.x", "hero.0.y", "time"])]
        [(('hero',), ('0',), ('x', 'y')), (('time',),)]
    """
    return [*_below({tuple(name.split(".")): at for at, name in enumerate(names)}, 1)]


def _below(names: Mapping[Parts, int], depth: int) -> Iterator[Family]:
    """Tell names apart by their first parts, by more of them where those are no family."""
    beginnings: dict[Parts, dict[Parts, int]] = {}
    for parts, number in names.items():
        beginnings.setdefault(parts[:depth], {})[parts] = number
    for group in beginnings.values():
        family = _family(group)
        if family is None:
            yield from _below(group, depth + 1)
        else:
            yield family


def _family(names: Mapping[Parts, int]) -> Family | None:
    if len({len(parts) for parts in names}) > 1:
        return None
    places = tuple(tuple(dict.fromkeys(column)) for column in zip(*names, strict=True))
    shape = [len(place) for place in places]
    if prod(shape) != len(names):
        return None
    return Family(places, np.array([names[parts] for parts in product(*places)]).reshape(shape))


def spelled(family: Family) -> str:
    """Write the names of a family, of many words at one place the first ones.

    Example:
        >>> [family] = families([f"hero.{i}.{word}" for i in range(3) for word in "abcdef"])
        >>> spelled(family)
        'hero.{0..2}.{a, b, c, ... 3 more}'
    """
    return ".".join(_several(place, 4) for place in family.parts)


def described(known: Sequence[Family], features: NDArray[np.int64]) -> list[str]:
    """Write features as few patterns, each of several with how many they are.

    Args:
        known: the families of all features.
        features: some of them, by number.

    Example:
        >>> known = families([f"hero.{i}.{word}" for i in range(3) for word in ("x", "y", "hp")])
        >>> described(known, np.array([0, 1, 2])), described(known, np.array([2, 5, 8, 0]))
        (['hero.0.*'], ['hero.0.{x, hp} (2)', 'hero.{1..2}.hp (2)'])
    """
    asked = np.zeros(sum(family.numbers.size for family in known), bool)
    asked[features] = True
    found = [
        (_pattern(family.parts, box), prod(map(len, box)))
        for family in known
        if asked[family.numbers].any()
        for box in boxes(asked[family.numbers])
    ]
    alone = len(found) == 1
    return [word if alone or count == 1 else f"{word} ({count:,})" for word, count in found]


def _pattern(parts: Sequence[Parts], box: Sequence[NDArray[np.int64]]) -> str:
    words = [_place(place, at.tolist()) for place, at in zip(parts, box, strict=True)]
    while words[-2:] == ["*", "*"]:
        words.pop()
    return ".".join(words)


def _place(place: Parts, at: Sequence[int]) -> str:
    return "*" if len(at) == len(place) > 1 else _several([place[each] for each in at])


def _several(parts: Sequence[str], *shown: int) -> str:
    """Write what stands at one place of a name, numbers as spans."""
    if len(parts) == 1:
        return parts[0]
    if all(NUMBER.fullmatch(part) for part in parts):
        return "{" + listed(spans([*map(int, parts)])) + "}"
    return "{" + listed(parts, *shown) + "}"
