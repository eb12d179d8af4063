"""A grammar of networks that branch, join, loop, and fold their axes: recipes, and how they change.

Knows the parts as frozen data, and how they are drawn. Does not know torch (`built`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import strategies as st

from networks import (
    CATEGORIES,
    FEATURES,
    LABELS,
    OUTPUTS,
    UNSIZED,
    Draw,
    Rule,
    extended,
    larger,
    mapped,
    names,
    one_more,
    replaced,
    resized,
    shuffled,
)
from recipes import Encoder, Entities, Head, Image, Lookup, Recipe, TiedHead, Vector

Join = Literal["add", "mul", "cat"]
FACTORS = ("groups", "each", "last", "lanes")
"""Sizes that are folded into one axis. One of them may be 1, and grow: then another factor and the
product are one axis as far as the smaller network tells."""
SIZES = (*FACTORS, "width", "rest")
"""Fields that are sizes: each is of its own, and each may grow."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A linear map and an activation."""

    width: int
    activation: str


@dataclass(frozen=True, slots=True)
class Norm:
    """A normalisation of the axis as it stands."""

    kind: Literal["layer", "rms"]


@dataclass(frozen=True, slots=True)
class Shuffle:
    """A linear map to groups of entries, laid out again with the entries first."""

    groups: int
    each: int


@dataclass(frozen=True, slots=True)
class Regroup:
    """Groups of entries: layers within each, then a linear map over groups, then flattened.

    `lanes` are the groups after that map; they are laid out first or last.
    """

    groups: int
    each: int
    inside: Parts
    lanes: int
    first: Literal["lanes", "entries"]


@dataclass(frozen=True, slots=True)
class Refold:
    """Three factors: the last mapped while two are one, then the first while the others are."""

    groups: int
    each: int
    last: int
    lanes: int


@dataclass(frozen=True, slots=True)
class Weigh:
    """Groups of entries, summed by weights that the groups compete for."""

    groups: int
    width: int


@dataclass(frozen=True, slots=True)
class Depthwise:
    """A convolution of every channel alone, normed."""


@dataclass(frozen=True, slots=True)
class Split:
    """A linear map cut in two: layers on the one part, which is laid behind the rest."""

    width: int
    rest: int
    inside: Parts


@dataclass(frozen=True, slots=True)
class Skip:
    """The stream joined by what `inside` makes of it."""

    join: Literal["add", "mul"]
    inside: Parts


@dataclass(frozen=True, slots=True)
class Branch:
    """One way of several, by name."""

    name: str
    inside: Parts


@dataclass(frozen=True, slots=True)
class Parallel:
    """Branches from one axis that join; those that meet entry by entry end with `width` entries."""

    join: Join
    width: int
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Layers that lead back to where they began, run through `times` times."""

    times: int
    inside: Parts


@dataclass(frozen=True, slots=True)
class Siamese:
    """Two linear maps of `width` entries, each read by the same layers, then joined."""

    join: Join
    width: int
    inside: Parts


Part = (
    Dense
    | Norm
    | Shuffle
    | Regroup
    | Refold
    | Weigh
    | Depthwise
    | Split
    | Skip
    | Parallel
    | Repeat
    | Siamese
)
Parts = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Net:
    """What is read and answered (`face`, layers apart), layers on each input, a trunk on all."""

    face: Recipe
    stems: tuple[Parts, ...]
    trunk: Parts


def after(parts: Parts, width: int) -> int:
    """Count the entries that parts leave of `width`."""
    for part in parts:
        match part:
            case Dense(width) | Weigh(_, width):
                pass
            case Shuffle(groups, each):
                width = groups * each
            case Regroup(_, each, inside, lanes):
                width = after(inside, each) * lanes
            case Refold(_, each, last, lanes):
                width = each * last * lanes
            case Split(each, rest, inside):
                width = rest + after(inside, each)
            case Parallel("cat", _, branches):
                width = sum(after(branch.inside, width) for branch in branches)
            case Siamese("cat", each, inside):
                width = 2 * after(inside, each)
            case Siamese(_, each, inside):
                width = after(inside, each)
            case Parallel(_, width):
                pass
            case Norm() | Depthwise() | Skip() | Repeat():
                pass
    return width


unsized = st.just(UNSIZED)
joins = st.sampled_from(["add", "mul", "cat"])
dense = st.builds(Dense, unsized, st.sampled_from(["tanh", "relu", "silu", "identity"]))
shuffles = st.builds(Shuffle, unsized, unsized)
norms = st.builds(Norm, st.sampled_from(["layer", "rms"]))
flat: st.SearchStrategy[Part] = dense | dense | shuffles


def parts(deeper: st.SearchStrategy[Part], least: int = 0) -> st.SearchStrategy[Parts]:
    """Draw a few parts, one after the other."""
    return st.lists(flat | deeper, min_size=least, max_size=2).map(tuple)


def nested(
    inside: st.SearchStrategy[Parts], first: st.SearchStrategy[Parts]
) -> list[st.SearchStrategy[Part]]:
    """Draw a part that holds others; `first` holds one at least."""
    one, two = st.just("one"), st.just("two")
    ways = st.tuples(st.builds(Branch, one, inside), st.builds(Branch, two, first))
    return [
        st.builds(Split, unsized, unsized, inside),
        st.builds(Skip, st.sampled_from(["add", "mul"]), first),
        st.builds(Parallel, joins, unsized, ways),
        st.builds(Repeat, st.integers(2, 3), inside),
        st.builds(Siamese, joins, unsized, first),
    ]


def folded(inside: st.SearchStrategy[Parts]) -> st.SearchStrategy[Part]:
    """Draw axes of several factors, sometimes with layers inside."""
    order = st.sampled_from(["lanes", "entries"])
    return (
        st.builds(Regroup, unsized, unsized, inside, unsized, order)
        | st.builds(Refold, unsized, unsized, unsized, unsized)
        | st.builds(Weigh, unsized, unsized)
    )


plain, some = parts(flat), parts(flat, least=1)
once = st.one_of(*nested(plain, some), folded(plain))
twice = st.one_of(*nested(parts(once), parts(once, 1)), folded(parts(once)))
around = parts(st.just(Depthwise()), least=1)
channels = st.one_of(*nested(plain, around))
"""Parts that work along the channels of a picture as they do along a vector."""


@st.composite
def nets(draw: Draw) -> Net:
    """Draw a whole network of distinct sizes."""
    vector = Vector("x", draw(FEATURES), ())
    reads: list[Encoder] = [vector]
    stems = [draw(parts(once))]
    heads: list[Head | TiedHead] = [Head("policy", draw(OUTPUTS))]
    if draw(st.booleans()):
        reads.append(Lookup("word", draw(CATEGORIES), UNSIZED))
        stems.append(draw(plain))
        heads += [TiedHead("guess", "word")] * draw(st.booleans())
    if draw(st.booleans()):
        seen = draw(names("red", "green", "blue"))
        reads.append(Image("view", seen, (3, 2), (), draw(st.sampled_from(["flatten", "mean"]))))
        stems.append(draw(parts(channels, 1)))
    if draw(st.booleans()):
        rows, join = draw(names("me", "ally", "foe")), draw(st.sampled_from(["flatten", "sum"]))
        reads.append(Entities("team", rows, draw(FEATURES), (), join))
        stems.append(draw(parts(once)))
    trunk = (draw(dense), *draw(parts(twice, 1)), *draw(st.lists(norms, max_size=1)))
    return sized(draw, Net(Recipe(tuple(reads), (), tuple(heads)), tuple(stems), trunk))


def sized(draw: Draw, net: Net) -> Net:
    """Give every size a number of its own."""
    fields: list[str] = []
    mapped(net, lambda name, _: fields.append(name) if name in SIZES else None)
    most = len(fields)
    drawn = iter(draw(st.permutations(range(1, most + 4)))[:most])
    return changed(net, lambda name, old: next(drawn) if name in SIZES else old)


def changed(net: Net, change: Callable[[str, Any], Any]) -> Net:
    """Rebuild a network with every field passed through `change`."""
    rebuilt = mapped(net, change)
    assert isinstance(rebuilt, Net)
    return rebuilt


def rewritten(draw: Draw, net: Net, rules: dict[str, Rule], stage: str) -> Net:
    """Change every field that a rule knows."""

    def change(name: str, old: Any) -> Any:
        return rules[name](draw, old, stage) if name in rules else old

    return changed(net, change)


def branches(stage: str) -> st.SearchStrategy[Branch]:
    """Draw a branch small enough to join."""
    return st.builds(Branch, st.just(stage), st.just((Dense(2, "tanh"),)))


SHUFFLING: dict[str, Rule] = dict.fromkeys(LABELS, shuffled)
WIDENING: dict[str, Rule] = dict.fromkeys(SIZES, larger)
GROWING: dict[str, Rule] = {
    **WIDENING,
    **dict.fromkeys(LABELS, extended),
    "branches": one_more(branches),
}
REPLACING: dict[str, Rule] = {
    **GROWING,
    **dict.fromkeys(("features", "categories", "outputs"), replaced),
}
CUTTING: dict[str, Rule] = {
    **REPLACING,
    **dict.fromkeys(SIZES, resized),
}


@st.composite
def chains(draw: Draw, *steps: dict[str, Rule]) -> tuple[Net, ...]:
    """Draw a network, then what each step makes of the one before."""
    chain = [draw(nets())]
    for stage, rules in zip("bcd", steps, strict=False):
        chain.append(rewritten(draw, chain[-1], rules, stage))
    return tuple(chain)
