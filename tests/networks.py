"""Hypothesis strategies: recipes of networks, and changes of them.

Knows how recipes are drawn, grown, cut and renamed. Does not know torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from hypothesis import strategies as st

from recipes import (
    Attention,
    Beside,
    Conv,
    Dense,
    Encoder,
    Entities,
    Gated,
    Head,
    Image,
    Layer,
    Lookup,
    Looped,
    Names,
    Norm,
    Recipe,
    Recurrent,
    Residual,
    Shared,
    TiedHead,
    Vector,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]
Rule = Callable[[Draw, Any, str], Any]
"""How one field changes: from its old value, at a stage that new names are called after."""

UNSIZED = 0
ACTIVATIONS = st.sampled_from(["tanh", "relu", "silu", "prelu"])


def names(*pool: str) -> st.SearchStrategy[Names]:
    """Draw some names in some order."""
    return st.lists(st.sampled_from(pool), min_size=1, unique=True).map(tuple)


FEATURES = names("x", "v", "theta", "omega", "mass")
CATEGORIES = names("ant", "bee", "cat", "dog")
OUTPUTS = names("left", "right", "up", "down")

dense = st.builds(Dense, st.just(UNSIZED), ACTIVATIONS, st.booleans())
writing: st.SearchStrategy[Layer] = dense | st.just(Gated(UNSIZED))
"""Layers that start an axis of their own."""
plain = st.lists(writing, min_size=1, max_size=2).map(tuple)
norms = st.builds(Norm, st.sampled_from(["batch", "batch", "layer", "rms"]))
keeping: st.SearchStrategy[Layer] = (
    st.just(Looped()) | st.builds(Residual, plain) | st.builds(Beside, plain) | norms
)
"""Layers that keep the axis that they read."""


@st.composite
def stacks(draw: Draw) -> tuple[Layer, ...]:
    """Draw layers of which the first starts an axis."""
    rest = draw(st.lists(writing | keeping, max_size=3))
    return (draw(writing), *rest)


def vectors(name: str) -> st.SearchStrategy[Encoder]:
    """Draw layers on a vector of features, sometimes none."""
    return st.builds(Vector, st.just(name), FEATURES, st.just(()) | stacks())


def shared(name: str) -> st.SearchStrategy[Encoder]:
    """Draw layers that read two inputs."""
    return st.builds(Shared, st.just(name), st.just((f"{name}_a", f"{name}_b")), FEATURES, plain)


def entities(name: str) -> st.SearchStrategy[Encoder]:
    """Draw layers that read every row of an input."""
    joins = st.sampled_from(["flatten", "flatten", "sum", "max"])
    return st.builds(Entities, st.just(name), names("me", "ally", "foe"), FEATURES, plain, joins)


@st.composite
def images(draw: Draw, name: str) -> Encoder:
    """Draw convolutions on a signal or a picture."""
    one = draw(st.booleans())
    kernel, extent = ((3,), (7,)) if one else ((3, 1), (6, 2))
    first = convolutions(kernel, st.just(False))
    convs = (draw(first), *draw(st.lists(convolutions(kernel, st.booleans()), max_size=1)))
    join = draw(st.sampled_from(["flatten", "mean"]))
    return Image(name, draw(names("red", "green", "blue")), extent, convs, join)


def convolutions(
    kernel: tuple[int, ...], depthwise: st.SearchStrategy[bool]
) -> st.SearchStrategy[Conv]:
    """Draw a convolution with some norm, normed in groups of two where by group."""
    width, alone = st.just(UNSIZED), st.just(kernel)
    by_channel = st.builds(
        Conv, width, alone, st.sampled_from(["none", "batch"]), st.just(1), depthwise
    )
    return by_channel | st.builds(Conv, width, alone, st.just("group"), st.just(2), depthwise)


@st.composite
def recurrents(draw: Draw, name: str) -> Encoder:
    """Draw a recurrent net, with a projection sometimes."""
    kind = draw(st.sampled_from(["RNN", "LSTM", "GRU"]))
    beyond = draw(st.none() | st.integers(1, 3)) if kind == "LSTM" else None
    join = draw(st.sampled_from(["last", "mean", "state"]))
    depth, both = draw(st.integers(1, 2)), draw(st.booleans())
    return Recurrent(name, draw(FEATURES), kind, UNSIZED, 6, depth, both, beyond, join)


def attentions(name: str) -> st.SearchStrategy[Encoder]:
    """Draw attention by heads."""
    forms = st.sampled_from(["sdpa", "softmax", "module"])
    counts, dims = st.integers(1, 3), st.integers(2, 4)
    own = st.just(name)
    return st.builds(Attention, own, FEATURES, st.just(5), counts, dims, st.just(UNSIZED), forms)


def lookups(name: str) -> st.SearchStrategy[Encoder]:
    """Draw a table of categories."""
    return st.builds(Lookup, st.just(name), CATEGORIES, st.just(UNSIZED))


KINDS = (vectors, shared, entities, images, recurrents, attentions, lookups)


@st.composite
def recipes(draw: Draw) -> Recipe:
    """Draw a whole network of distinct widths."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    encoders = tuple(draw(kind(f"in{place}")) for place, kind in enumerate(kinds))
    heads: list[Head | TiedHead] = [Head("policy", draw(OUTPUTS))]
    if draw(st.booleans()):
        heads += [TiedHead("word", part.name) for part in encoders if isinstance(part, Lookup)][:1]
    return sized(draw, Recipe(encoders, draw(stacks()), tuple(heads)))


def mapped(part: Any, change: Callable[[str, Any], Any]) -> Any:
    """Rebuild a recipe with every field passed through `change`, its parts first."""
    if isinstance(part, tuple):
        return tuple(mapped(item, change) for item in part)
    if not is_dataclass(part) or isinstance(part, type):
        return part
    held = {field.name: getattr(part, field.name) for field in fields(part)}
    return replace(part, **{name: change(name, mapped(old, change)) for name, old in held.items()})


def recipe_with(recipe: Recipe, change: Callable[[str, Any], Any]) -> Recipe:
    """Rebuild a recipe with every field passed through `change`."""
    changed = mapped(recipe, change)
    assert isinstance(changed, Recipe)
    return changed


def sized(draw: Draw, recipe: Recipe) -> Recipe:
    """Give every width of its own to what has none."""
    places: list[str] = []
    mapped(recipe, lambda name, _: places.append(name) if name == "width" else None)
    most = places.count("width")
    widths = st.lists(st.integers(1, most + 6), min_size=most, max_size=most, unique=True)
    drawn = iter(draw(widths))
    return recipe_with(recipe, lambda name, old: next(drawn) if name == "width" else old)


def larger(draw: Draw, old: int | None, stage: str) -> int | None:
    """Grow a size, if there is one."""
    return None if old is None else old + draw(st.integers(0, 3))


def resized(draw: Draw, old: int | None, stage: str) -> int | None:
    """Grow or shrink a size, if there is one."""
    return None if old is None else draw(st.integers(max(1, old - 2), old + 2))


def shuffled(draw: Draw, old: Names, stage: str) -> Names:
    """Reorder names."""
    return tuple(draw(st.permutations(old)))


def extended(draw: Draw, old: Names, stage: str) -> Names:
    """Add names anywhere, and reorder the old ones."""
    new = [f"{stage}{number}" for number in range(draw(st.integers(0, 2)))]
    return tuple(draw(st.permutations([*old, *new])))


def replaced(draw: Draw, old: Names, stage: str) -> Names:
    """Remove some names, but not all, and add others anywhere."""
    kept = draw(st.lists(st.sampled_from(old), min_size=1, unique=True))
    return extended(draw, tuple(kept), stage)


def one_more(strategy: Callable[[str], st.SearchStrategy[Any]]) -> Rule:
    """Insert a part called after the stage, sometimes."""

    def insert(draw: Draw, old: tuple[Any, ...], stage: str) -> tuple[Any, ...]:
        at = draw(st.none() | st.integers(0, len(old)))
        return old if at is None else (*old[:at], draw(strategy(stage)), *old[at:])

    return insert


def one_port_more(draw: Draw, old: Names, stage: str) -> Names:
    """Read one more input by an encoder, sometimes, and reorder them."""
    new = [f"{old[0]}_{stage}"] * draw(st.booleans())
    return tuple(draw(st.permutations([*old, *new])))


def one_port_less(draw: Draw, old: Names, stage: str) -> Names:
    """Lose one of the inputs that an encoder reads, sometimes, after others may have come."""
    return one_port_more(draw, old[draw(st.integers(0, 1)) :] or old, stage)


def new_encoder(name: str) -> st.SearchStrategy[Encoder]:
    """Draw an encoder small enough to join."""
    return st.builds(Vector, st.just(name), FEATURES, st.just((Dense(2),)))


def new_head(name: str) -> st.SearchStrategy[Head]:
    """Draw a head."""
    return st.builds(Head, st.just(name), OUTPUTS)


LABELS = ("features", "categories", "outputs", "entities")
SHUFFLING: dict[str, Rule] = {**dict.fromkeys(LABELS, shuffled), "ports": shuffled}
WIDENING: dict[str, Rule] = dict.fromkeys(("width", "head_count", "beyond"), larger)
GROWING: dict[str, Rule] = {
    **WIDENING,
    **dict.fromkeys(LABELS, extended),
    "ports": one_port_more,
    "encoders": one_more(new_encoder),
    "heads": one_more(new_head),
}
REPLACING: dict[str, Rule] = {
    **GROWING,
    **dict.fromkeys(("features", "categories", "outputs"), replaced),
}
STRETCHING: dict[str, Rule] = {
    **REPLACING,
    **dict.fromkeys(("tokens", "head_dim", "group"), larger),
    "entities": replaced,
    "ports": one_port_less,
}
"""Growth that reaches mixed axes, and loses entities."""
CUTTING: dict[str, Rule] = {**STRETCHING, "width": resized}
"""Changes that take any units away."""


def rewritten(draw: Draw, recipe: Recipe, rules: dict[str, Rule], stage: str) -> Recipe:
    """Change every field of a recipe that a rule knows."""

    def change(name: str, old: Any) -> Any:
        return rules[name](draw, old, stage) if name in rules else old

    return recipe_with(recipe, change)


@st.composite
def chains(draw: Draw, *steps: dict[str, Rule]) -> tuple[Recipe, ...]:
    """Draw a recipe, then what each step makes of the one before."""
    chain = [draw(recipes())]
    for stage, rules in zip("bcd", steps, strict=False):
        chain.append(rewritten(draw, chain[-1], rules, stage))
    return tuple(chain)
