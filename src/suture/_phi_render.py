"""An interaction map as a screen, and answers about one feature or one parameter.

Knows the layout. Does not know how an answer is found (`_asked`) nor how many feature names become
few words (`_feature_words`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from suture._asked import Answer, FromFeature, Lying, OnParameter, Reached
from suture._feature_words import Family, described, families, spelled
from suture._fold import Row, fold
from suture._phi import Interactions, Touched
from suture._plan import Tensor
from suture._screen import legend, table, wrapped
from suture._sets import Ids
from suture._words import listed, region

Said = Row[tuple[str, ...]]

SYMBOLS = {
    r"\.\*": "* every name there",
    r"\.\{\d": "x.{a..b} each of x.a to x.b",
    r"[\s\[](\{)?\d+\.\.\d": "a..b from a up to b, without b",
    r"\[.*:.*\]": ": a whole dim",
}
"""What a symbol looks like on the screen, and its explanation."""

SCATTERED = "in several places"
"""Where entries lie that no product of runs has."""


def render(phi: Interactions) -> str:
    """Render a map as plain text of at most 100 columns.

    Returns:
        The features by name; of each parameter and buffer how many groups of features reach it, how
        many features reach an entry of it, and its interactions; and the counts. Tensors of which
        all that is the same are folded into one line, which holds for each of them.
    """
    body = [
        *_features(phi),
        *_tensors(phi, "parameter", phi.unreached),
        *_tensors(phi, "buffer", ()),
    ]
    return _screen("Interactions", body, _totals(phi))


def _screen(header: str, body: Sequence[str], counts: Iterable[str]) -> str:
    return "\n".join([*wrapped("", header), "", *legend(body, SYMBOLS), *body, *counts])


def _features(phi: Interactions) -> Iterator[str]:
    known = families(phi.features)
    if known:
        rows = [(f"{family.numbers.size:,}", spelled(family)) for family in known]
        yield from table(("features",), rows, ">")
        yield ""


def _tensors(phi: Interactions, kind: str, unreached: Sequence[Tensor]) -> Iterator[str]:
    """Say how every tensor of a kind interacts."""
    found = [touched for touched in phi.touched.values() if touched.kind == kind]
    said: list[Said] = [Row((touched.tensor.name,), _tensor(phi, touched)) for touched in found]
    idle = ("", "none", "0", "no call reaches it")
    said += [Row((tensor.name,), (tensor.type, *idle)) for tensor in unreached]
    yield from _table((f"{kind}s", "type", "groups", "features", "interactions"), said, "<<>>>")


def _tensor(phi: Interactions, touched: Touched) -> tuple[str, ...]:
    name = touched.tensor.name
    sizes = [group.size for group in phi.groups(name)]
    reaching = _range(min(sizes, default=0), max(sizes, default=0), len(phi.features))
    return (touched.tensor.type, f"{len(sizes):,}", reaching, f"{phi.interactions(name):,}", "")


def _range(fewest: int, most: int, all_: int) -> str:
    """Say how many features reach an entry."""
    if most == 0:
        return "none"
    if fewest == most:
        return "all" if most == all_ > 1 else f"{most:,}"
    return f"{fewest:,} to {most:,}"


def _table(heads: Sequence[str], said: Sequence[Said], sides: str) -> Iterator[str]:
    """Lay out what is said of names, those of which the same is said in one line."""
    if said:
        yield from table(heads, [(row.names[0], *row.said) for row in fold(said)], sides)
        yield ""


def _totals(phi: Interactions) -> Iterator[str]:
    parameters = [each for each in phi.touched.values() if each.kind == "parameter"]
    idle = sum(not phi.interactions(each.tensor.name) for each in parameters) + len(phi.unreached)
    tensors = [*(each.tensor for each in parameters), *phi.unreached]
    by_none = f": {len(tensors) - idle:,} reached by features, {idle:,} by none" if idle else ""
    yield counted(len(phi.features), "feature")
    yield f"{_held(tensors)}{by_none}"
    yield counted(phi.total, "interaction")


def _held(tensors: Sequence[Tensor]) -> str:
    entries = sum(tensor.size for tensor in tensors)
    return f"{counted(len(tensors), 'parameter')} with {counted(entries, 'entry', 'entries')}"


def counted(count: int, thing: str, things: str = "") -> str:
    """Say how many there are.

    Example:
        >>> counted(1, "entry", "entries"), counted(1340, "entry", "entries")
        ('1 entry', '1,340 entries')
    """
    return f"{count:,} {thing if count == 1 else things or f'{thing}s'}"


def render_answer(phi: Interactions, answer: Answer) -> str:
    """Render what a feature reaches, or what reaches a parameter, as plain text.

    Args:
        phi: the map that was asked.
        answer: what it answered.

    Returns:
        The tensors, or the groups of entries, in order, where they lie, and the counts.
    """
    match answer:
        case FromFeature():
            return _from_feature(phi, answer)
        case OnParameter():
            return _on_parameter(phi, answer)
        case _:
            assert_never(answer)


def _from_feature(phi: Interactions, answer: FromFeature) -> str:
    one = len(answer.features) == 1 and phi.features[answer.features[0]] == answer.asked
    several = f"{counted(len(answer.features), 'feature')} under {answer.asked}"
    body = [*_reached(answer, "parameter"), *_reached(answer, "buffer")]
    found = [each for each in answer.reached if each.kind == "parameter"]
    entries = counted(sum(each.entries for each in found), "entry", "entries")
    total = f"{counted(len(found), 'parameter')}, {entries}"
    return _screen(f"Feature {answer.asked}" if one else several, body, [total])


def _reached(answer: FromFeature, kind: str) -> Iterator[str]:
    said: list[Said] = [
        Row((each.tensor.name,), (each.tensor.type, f"{each.entries:,}", _where(each, each.tensor)))
        for each in answer.reached
        if each.kind == kind
    ]
    yield from _table((f"{kind}s", "type", "entries"), said, "<<>")


def _where(lying: Reached | Lying, tensor: Tensor) -> str:
    if lying.entries == tensor.size:
        return "all"
    return SCATTERED if lying.region is None else region(lying.region, tensor.shape)


def _on_parameter(phi: Interactions, answer: OnParameter) -> str:
    tensor, known = answer.tensor, families(phi.features)
    rows = [
        (
            _where(group, tensor),
            f"{group.entries:,}",
            f"{len(group.features):,}",
            _named(phi, known, group.features),
        )
        for group in answer.groups
    ]
    body = [*table(("groups", "entries", "features"), rows, "<>>"), ""]
    counts = f"{counted(len(rows), 'group')}, {counted(answer.interactions, 'interaction')}"
    return _screen(f"{answer.kind.capitalize()} {tensor.name} {tensor.type}", body, [counts])


def _named(phi: Interactions, known: Sequence[Family], features: Ids) -> str:
    match len(features):
        case 0:
            return "none"
        case 1:
            return phi.features[int(features[0])]
        case count if count == len(phi.features):
            return "all"
        case _:
            return listed(described(known, features))
