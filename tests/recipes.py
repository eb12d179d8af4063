"""Recipes of networks: what a network is made of, its sizes and its names, as frozen data.

Knows the parts, and which axes they mix. Does not know torch (`modules`), nor how a recipe is drawn
or grown (`networks`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Literal, TypeAlias

Names = tuple[str, ...]
Factor: TypeAlias = "int | frozenset[str] | Axis"
Axis: TypeAlias = "tuple[tuple[Factor, ...], ...]"
"""An axis as parts laid end to end, each a product of factors: a size, a set of names, an axis."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A linear map and an activation."""

    width: int
    activation: str = "tanh"
    bias: bool = True


@dataclass(frozen=True, slots=True)
class Gated:
    """One linear map whose halves meet: `a * sigmoid(b)`."""

    width: int


@dataclass(frozen=True, slots=True)
class Norm:
    """A normalisation of the axis as it stands."""

    kind: Literal["layer", "rms", "batch"]


@dataclass(frozen=True, slots=True)
class Looped:
    """One square linear map applied `times` times."""

    times: int = 2


@dataclass(frozen=True, slots=True)
class Residual:
    """The stream plus what `inside` makes of it."""

    inside: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Beside:
    """The axis laid end to end with what `inside` makes of it."""

    inside: tuple[Layer, ...]


Layer = Dense | Gated | Norm | Looped | Residual | Beside


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution to `width * group` channels, normed by channel (`batch`) or by group."""

    width: int
    kernel: tuple[int, ...]
    norm: Literal["none", "batch", "group"] = "none"
    group: int = 1
    depthwise: bool = False
    activation: str = "relu"


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector of features; without layers it is passed on raw."""

    name: str
    features: Names
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Shared:
    """Several inputs of the same features, read by the same layers, laid end to end."""

    name: str
    ports: Names
    features: Names
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Entities:
    """One input with a row per entity, read by the same layers, then joined over entities."""

    name: str
    entities: Names
    features: Names
    layers: tuple[Layer, ...]
    join: Literal["flatten", "sum", "max"]


@dataclass(frozen=True, slots=True)
class Image:
    """A signal or picture with named channels; convolutions, then flattened or averaged."""

    name: str
    features: Names
    extent: tuple[int, ...]
    convs: tuple[Conv, ...]
    join: Literal["flatten", "mean"]


@dataclass(frozen=True, slots=True)
class Recurrent:
    """A recurrent net of `width` outputs; with `beyond`, an LSTM with that many more cells."""

    name: str
    features: Names
    kind: Literal["RNN", "LSTM", "GRU"]
    width: int
    steps: int
    depth: int = 1
    bidirectional: bool = False
    beyond: int | None = None
    join: Literal["last", "mean", "state"] = "last"


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention by heads over tokens of named features, averaged over tokens."""

    name: str
    features: Names
    tokens: int
    head_count: int
    head_dim: int
    width: int
    form: Literal["sdpa", "softmax", "module"]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A table with a row per category."""

    name: str
    categories: Names
    width: int


Encoder = Vector | Shared | Entities | Image | Recurrent | Attention | Lookup


@dataclass(frozen=True, slots=True)
class Head:
    """A linear map to named outputs."""

    name: str
    outputs: Names


@dataclass(frozen=True, slots=True)
class TiedHead:
    """Scores of the categories of the lookup called `table`, by its own rows."""

    name: str
    table: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """Encoders laid end to end, a trunk on top, heads on the trunk."""

    encoders: tuple[Encoder, ...]
    trunk: tuple[Layer, ...]
    heads: tuple[Head | TiedHead, ...]


@dataclass(frozen=True, slots=True)
class Port:
    """A real input: per dim after the batch, its names or its size."""

    dims: tuple[Names | int, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """An integer input whose values are named."""

    names: Names


def size(axis: Axis) -> int:
    """Count the entries of an axis."""
    return sum(prod(map(factor_size, part)) for part in axis)


def factor_size(factor: Factor) -> int:
    """Count the entries of a factor."""
    match factor:
        case int():
            return factor
        case frozenset():
            return len(factor)
        case _:
            return size(factor)


def named(names: Names) -> Axis:
    """The axis of named entries, in whatever order."""
    return ((frozenset(names),),)


def after(layers: tuple[Layer, ...], axis: Axis) -> Axis:
    """The axis that layers leave, one after the other."""
    for layer in layers:
        match layer:
            case Dense(width) | Gated(width):
                axis = ((width,),)
            case Beside(inside):
                axis = axis + after(inside, axis)
            case Norm() | Looped() | Residual():
                pass
    return axis


def encoded(encoder: Encoder) -> Axis:
    """The axis that an encoder leaves."""
    match encoder:
        case Vector(features=features, layers=layers):
            return after(layers, named(features))
        case Shared(ports=ports, features=features, layers=layers):
            return after(layers, named(features)) * len(ports)
        case Entities(entities=entities, features=features, layers=layers, join=join):
            axis = after(layers, named(features))
            return ((frozenset(entities), axis),) if join == "flatten" else axis
        case Image(convs=convs, extent=extent, join=join):
            channels = (convs[-1].width, convs[-1].group)
            return ((*channels, *extent),) if join == "flatten" else (channels,)
        case Recurrent(width=width, bidirectional=bidirectional):
            return ((width,), (width,)) if bidirectional else ((width,),)
        case Attention(width=width) | Lookup(width=width):
            return ((width,),)


def joined(recipe: Recipe) -> Axis:
    """The axis of all encoders laid end to end."""
    return tuple(chain.from_iterable(map(encoded, recipe.encoders)))


def mixed(recipe: Recipe) -> tuple[object, ...]:
    """What in a recipe is mixed along its axis, each with the axis: growth there is not exact."""
    parts = chain.from_iterable(mixed_by(encoder) for encoder in recipe.encoders)
    return (*parts, *mixed_in(recipe.trunk, joined(recipe)))


def mixed_by(encoder: Encoder) -> Iterator[object]:
    """What an encoder mixes."""
    match encoder:
        case Vector(features=features, layers=layers) | Shared(features=features, layers=layers):
            yield from mixed_in(layers, named(features))
        case Entities(entities=entities, features=features, layers=layers):
            if encoder.join != "flatten":
                yield encoder.name, frozenset(entities)
            yield from mixed_in(layers, named(features))
        case Image(convs=convs):
            yield from (conv.group for conv in convs)
        case Attention(tokens=tokens, head_dim=head_dim):
            yield encoder.name, tokens, head_dim
        case Recurrent() | Lookup():
            pass


def mixed_in(layers: tuple[Layer, ...], axis: Axis) -> Iterator[object]:
    """What layers mix that start from `axis`."""
    for layer in layers:
        match layer:
            case Norm("layer" | "rms"):
                yield axis
            case Residual(inside) | Beside(inside):
                yield from mixed_in(inside, axis)
            case Norm() | Dense() | Gated() | Looped():
                pass
        axis = after((layer,), axis)


def ports(recipe: Recipe) -> dict[str, Port | Choice]:
    """What each input of a network holds, by the input's name."""
    return {name: port for encoder in recipe.encoders for name, port in ports_of(encoder)}


def ports_of(encoder: Encoder) -> Iterator[tuple[str, Port | Choice]]:
    """The inputs that an encoder reads."""
    match encoder:
        case Vector(name, features):
            yield name, Port((features,))
        case Shared(ports=names, features=features):
            yield from ((name, Port((features,))) for name in names)
        case Entities(name, entities, features):
            yield name, Port((entities, features))
        case Image(name, features, extent):
            yield name, Port((features, *extent))
        case Recurrent(name, features, steps=steps):
            yield name, Port((steps, features))
        case Attention(name, features, tokens):
            yield name, Port((tokens, features))
        case Lookup(name, categories):
            yield name, Choice(categories)


def outputs(recipe: Recipe) -> dict[str, Names]:
    """The names of each output's entries, by the output's name."""
    tables = {part.name: part.categories for part in recipe.encoders if isinstance(part, Lookup)}
    return {
        head.name: head.outputs if isinstance(head, Head) else tables[head.table]
        for head in recipe.heads
    }
