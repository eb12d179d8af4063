"""Names that differ in one number, folded into one: `h.{0..11}.ln_1.weight`.

Knows keypaths as text. Does not know what is said of the names, only when it is equal.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

NUMBER = re.compile("0|[1-9][0-9]{0,8}")
Parts = tuple[str, ...]
Said = TypeVar("Said", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Row(Generic[Said]):
    """Names in a fixed order, what is said of them, and how many rows were folded into this one."""

    names: tuple[str, ...]
    said: Said
    members: int = 1


def fold(rows: Sequence[Row[Said]]) -> list[Row[Said]]:
    """Fold rows that say the same of names that differ in one number each.

    A row that names several things is folded only if one number of each varies, in the order of the
    rows, so that the folded names still say which belongs to which.

    Example:
        >>> rows = [Row((f"h.{i}.w", f"g.{i + 1}.w"), "copied") for i in (0, 1)]
        >>> [row.names for row in fold(rows)]
        [('h.{0..1}.w', 'g.{1..2}.w')]
    """
    deepest = max((row.names[0].count(".") for row in rows), default=-1)
    for position in range(deepest, -1, -1):
        groups: dict[Hashable, list[Row[Said]]] = {}
        for row in rows:
            groups.setdefault(_key(row, position), []).append(row)
        rows = [row for group in groups.values() for row in _merged(group)]
    return list(rows)


def _key(row: Row[Said], position: int) -> Hashable:
    """Make rows equal that may fold at a part of their first name."""
    first, *others = (tuple(name.split(".")) for name in row.names)
    if not (position < len(first) and NUMBER.fullmatch(first[position])):
        return row
    blank = (*first[:position], "", *first[position + 1 :])
    masked = tuple(tuple("" if NUMBER.fullmatch(p) else p for p in other) for other in others)
    return (blank, masked, row.said)


def _merged(group: Sequence[Row[Said]]) -> Sequence[Row[Said]]:
    """Fold a group into one row, or leave it where its names vary in more than one number each."""
    columns = [
        [tuple(name.split(".")) for name in names]
        for names in zip(*(row.names for row in group), strict=True)
    ]
    if len(group) == 1 or any(len(_varying(column)) > 1 for column in columns):
        return group
    names = tuple(".".join(_spelled(column)) for column in columns)
    return [Row(names, group[0].said, sum(row.members for row in group))]


def _varying(column: Sequence[Parts]) -> list[int]:
    return [i for i, parts in enumerate(zip(*column, strict=True)) if len(set(parts)) > 1]


def _spelled(column: Sequence[Parts]) -> Iterator[str]:
    varying = _varying(column)
    for i, parts in enumerate(zip(*column, strict=True)):
        yield "{" + ",".join(spans(list(map(int, parts)))) + "}" if i in varying else parts[0]


def spans(numbers: Sequence[int]) -> Iterator[str]:
    """Write numbers with runs shortened, both ends included as in a shell.

    Example:
        >>> list(spans([0, 1, 2, 5]))
        ['0..2', '5']
    """
    start = 0
    for end in count(1):
        if end == len(numbers) or numbers[end] != numbers[end - 1] + 1:
            first, last = numbers[start], numbers[end - 1]
            yield str(first) if first == last else f"{first}..{last}"
            start = end
        if end >= len(numbers):
            return
