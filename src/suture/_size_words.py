"""Sizes in words: a dim of a tensor as `4x8+4x8`, parts laid end to end, each of its factors.

Knows how sizes are written, read, and shown where there are several answers. Does not know how they
are found (`_sizes`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from suture._axes import Axes, Class
from suture._errors import MatchError, near_miss
from suture._graph import Graph
from suture._sizes import Choice, Sizes

Fact = tuple[str, str]
Dims = Mapping[str, Class]
"""What a dim of a tensor is called (`q.weight dim 0`) -> its class."""

UNTOLD = "fit, and no dim of a tensor tells them apart"
"""What is shown of answers for which there are no words."""

_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")
_WRITTEN = re.compile(r"[1-9]\d*([x+][1-9]\d*)*")


def dims(axes: Axes, graph: Graph) -> dict[str, Class]:
    """Call every dim of a state dict's tensors that some op uses by its name."""
    return {
        f"{name} dim {dim}": axes.find(member)
        for name, value in {**graph.parameters, **graph.buffers}.items()
        for dim, member in enumerate(axes.dims[value])
    }


def spelled(axes: Axes, member: Class) -> list[list[Class]]:
    """Spell a class out: parts laid end to end, each of its factors in C order."""
    parts = _made(axes, member, "sum", frozenset())
    return [_made(axes, part, "product", frozenset()) for part in parts]


def _made(
    axes: Axes, member: Class, kind: Literal["sum", "product"], above: frozenset[Class]
) -> list[Class]:
    """List what a class is the sum, or the product, of; itself if of nothing."""
    above |= {member}
    for makeup in axes.made_of(member):
        if makeup.kind == kind and above.isdisjoint(makeup.parts):
            return [part for each in makeup.parts for part in _made(axes, each, kind, above)]
    return [member]


def written(axes: Axes, member: Class, sizes: Mapping[Class, int]) -> str:
    """Write a class as its sizes."""
    return "+".join(
        "x".join(str(sizes.get(factor, "?")) for factor in part) for part in spelled(axes, member)
    )


def pinned(axes: Axes, graph: Graph, said: Mapping[str, str]) -> Sizes:
    """Read the sizes that somebody says: `{"h.*.q.weight dim 0": "4x8"}`.

    Raises:
        MatchError: listing what names no dim of the target, or not the parts that it has.
    """
    every, found, facts, hints = dims(axes, graph), Sizes(), list[Fact](), list[str]()
    present = dict(enumerate(axes.sizes))
    for pattern, text in said.items():
        named = [name for name in every if fnmatchcase(name, pattern)]
        if not named:
            facts.append((pattern, "is no dim of a tensor of the target"))
            form = "write the dim of a tensor: q.weight dim 0=4x8"
            hints.append(near_miss(pattern, [*every]) or form)
        for name in named:
            now = written(axes, every[name], present)
            if not _WRITTEN.fullmatch(text) or re.sub(r"\d", "", text) != re.sub(r"\d", "", now):
                facts.append((name, f"is {now} in the target; {text} is not written like that"))
                hints.append(f"write as many factors as the target has, as in {f'{name}={now}'!r}")
                continue
            factors = (factor for part in spelled(axes, every[name]) for factor in part)
            for factor, size in zip(factors, map(int, re.split("[x+]", text)), strict=True):
                if found.setdefault(factor, size) != size:
                    facts.append((name, f"{text}: one axis cannot have {found[factor]} and {size}"))
                    hints.append("say one size for each axis")
    if facts:
        raise MatchError("Sizes that were said do not fit the target.", facts, hints[0])
    return found


def asked(axes: Axes, graph: Graph, choices: Sequence[Choice], shown: int = 3) -> list[Fact]:
    """Show the answers of which nobody knows which is meant, those of alike layers once."""
    every = dims(axes, graph)
    groups: dict[tuple[Fact, ...], list[tuple[Fact, ...]]] = defaultdict(list)
    for choice in choices:
        found = tuple(_answers(axes, every, choice))
        groups[tuple((label, generalised(text)) for label, text in found)].append(found)
    several = [alike if len(each) > 1 else each[0] for alike, each in groups.items()]
    more = [("and", f"{len(several) - shown} more like these")] if len(several) > shown else []
    return [*(fact for group in several[:shown] for fact in group), *more]


def generalised(name: str) -> str:
    """Write `*` for the numbers of layers.

    Example:
        >>> generalised("h.11.attn.q.weight dim 0=4x8")
        'h.*.attn.q.weight dim 0=4x8'
    """
    return _NUMBER.sub("*", name)


def _answers(axes: Axes, every: Dims, choice: Choice, shown: int = 4) -> Iterator[Fact]:
    """Show each answer as the dims that it is about, and those of which these say the same once."""
    names: dict[Class, str] = {}
    for name, member in every.items():
        if member in choice.wholes:
            names.setdefault(member, name)
    every_row = (_row(axes, names, answer) for answer in choice.answers)
    rows = [row for row in dict.fromkeys(every_row) if row]
    if not rows or (len(rows) == 1 and choice.all):
        yield "several", UNTOLD
        return
    for number, row in enumerate(rows[:shown]):
        yield ("or" if number else "either"), row
    if len(rows) > shown or not choice.all:
        yield "or", f"{len(rows) - shown} more" if choice.all else "many more"


def _row(axes: Axes, names: Mapping[Class, str], answer: Sizes) -> str:
    """Write the dims of one answer, those of alike layers once."""
    texts = {name: written(axes, member, answer) for member, name in names.items()}
    alike: dict[str, set[str]] = defaultdict(set)
    for name, text in texts.items():
        alike[generalised(name)].add(text)
    once = {
        generalised(name) if len(alike[generalised(name)]) == 1 else name: text
        for name, text in texts.items()
    }
    return ", ".join(f"{name}={text}" for name, text in (texts if len(texts) < 3 else once).items())
