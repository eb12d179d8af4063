"""What perturbation shows: which features meet which parameter entries in the network as it runs.

Knows features and how they are changed. Does not know any axis spec, nor that there are any.

A parameter entry meets a feature where an op has an operand made of parameters alone beside others
that carry data (`watched`). If the op's response to the operand (what moves with its entries)
depends on data, an entry meets the features that change its response; if it never does, the operand
is added, and an entry meets the features that change the results that it moves. What is only laid
beside data shares no result with it. A changed feature is compared with all of some other states:
an integer's value v with other values, so that what shows belongs to v.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import torch
from torch import Tensor

from suture import Subject
from suture._schema import resolve
from suture._torch._arguments import inputs, replaced
from watched import Call, Mask, Parts, Watch, weights

Inputs = Mapping[str, Tensor]
Masks = dict[tuple[str, str], Mask]
"""Parameter and feature that meet -> at which of the parameter's entries, in its shape."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Some entries of an input: per dim which one, None for all; `value` is one of an integer's."""

    keypath: str
    at: tuple[int | None, ...]
    value: int | None = None

    def put(self, given: Inputs, entries: Tensor) -> Inputs:
        """Change the feature's entries of some inputs to those of another tensor."""
        changed = given[self.keypath].clone()
        place = tuple(slice(None) if at is None else at for at in self.at)
        changed[place] = entries[place]
        return {**given, self.keypath: changed}


def named(subject: Subject) -> dict[str, Feature]:
    """List the features that a schema names, by their full names."""
    assert subject.schema is not None
    found: dict[str, Feature] = {}
    for keypath, tensor in inputs(subject).items():
        told = resolve(subject.schema.inputs.get(keypath, {}), tensor.ndim)
        dims = [[*enumerate(told[d])] if d in told else [(None, "")] for d in range(tensor.ndim)]
        values = [*enumerate(told[None])] if None in told else [(None, "")]
        for *places, (value, label) in product(*dims, values):
            names = [name for at, name in [*places, (value, label)] if at is not None]
            feature = Feature(keypath, tuple(at for at, _ in places), value)
            found[".".join((keypath, *names))] = feature
    return found


def positions(subject: Subject, keypath: str, grouped: Sequence[int] = ()) -> dict[str, Feature]:
    """List the features of an input without names, one per position along dims not grouped."""
    shape = inputs(subject)[keypath].shape
    dims = [[None] if dim in grouped else range(size) for dim, size in enumerate(shape)]
    features = [Feature(keypath, tuple(at)) for at in product(*dims)]
    told = ([str(at) for at in feature.at if at is not None] for feature in features)
    return {".".join((keypath, *at)): feature for at, feature in zip(told, features, strict=True)}


@dataclass(slots=True, eq=False)
class Observed:
    """A network with its weights as they are, and what was seen of it in each state of its inputs.

    Attributes:
        held: its parameters and buffers.
        base: the state that others are changes of.
        high: keypath of an integer input -> the number of its values.
        stream: where numbers are drawn from.
        elsewhere: what is seen of a state that has nothing in common with the base.
        parts: what operands are made of.
    """

    subject: Subject
    held: Mapping[str, Tensor]
    base: Inputs
    high: Mapping[str, int]
    stream: torch.Generator
    elsewhere: list[Call] = field(init=False)
    parts: Parts = field(init=False)
    _states: dict[Feature | None, list[Call]] = field(default_factory=dict)
    _added: dict[tuple[int, int], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        watch = self._run(self.base)
        self.parts, self._states[None] = Parts(self.held, watch), watch.calls
        self.elsewhere = self._run(_inputs(self.subject, self.high, self.stream)).calls

    def _run(self, given: Inputs) -> Watch:
        args, kwargs = replaced(self.subject, given)
        call = self.subject.call or (lambda model, *a, **k: model(*a, **k))
        watch = Watch(given.values(), self.held.values())
        torch.default_generator.manual_seed(0)
        with watch:
            call(self.subject.model, *args, **kwargs)
        return watch

    def state(self, feature: Feature | None) -> list[Call]:
        """Give the calls in the base, or where one feature is changed."""
        if feature not in self._states:
            assert feature is not None
            self._states[feature] = self._run(self._changed(feature)).calls
            assert len(self._states[feature]) == len(self.state(None))
        return self._states[feature]

    def _changed(self, feature: Feature) -> Inputs:
        old = self.base[feature.keypath]
        if feature.value is not None:
            return feature.put(self.base, torch.full_like(old, feature.value))
        new = ~old if old.dtype is torch.bool else _drawn(old, 2, self.stream)
        return feature.put(self.base, new)

    def is_added(self, number: int, place: int) -> bool:
        """Whether an operand moves the results of a call alike on any data."""
        if (number, place) not in self._added:
            here, there = self.state(None)[number], self.elsewhere[number]
            alike = not _differ(here.response(place), there.response(place)).any()
            self._added[number, place] = alike
        return self._added[number, place]

    def contrasts(self, feature: Feature) -> list[tuple[Feature, list[Feature | None]]]:
        """List changes that show a feature, each with the states that it differs from."""
        if feature.keypath not in self.high:
            return [(feature, [None])]
        count = self.high[feature.keypath]
        values = range(count) if feature.value is None else [feature.value]
        states = [Feature(feature.keypath, feature.at, value) for value in range(count)]
        others = [{(value + step) % count for step in (1, 2)} - {value} for value in values]
        pairs = zip(values, others, strict=True)
        return [(states[value], [states[at] for at in other]) for value, other in pairs if other]


def _inputs(subject: Subject, high: Mapping[str, int], stream: torch.Generator) -> Inputs:
    return {name: _drawn(t, high.get(name, 2), stream) for name, t in inputs(subject).items()}


def _drawn(like: Tensor, high: int, stream: torch.Generator) -> Tensor:
    if like.is_floating_point():
        return 2 * torch.randn(like.shape, dtype=like.dtype, generator=stream)
    return torch.randint(high, like.shape, generator=stream).to(like.dtype)


def shown(
    subject: Subject,
    features: Mapping[str, Feature],
    high: Mapping[str, int] | None = None,
    seed: int = 0,
) -> Masks:
    """Perturb a network as it stands, which should be in float64 and in evaluation mode.

    Args:
        subject: the network and how it is run; the numbers of its example arguments do not matter.
        features: the features to change, by name.
        high: keypath of an integer input -> the number of its values, if they have no names.
        seed: of the inputs that are drawn.
    """
    limits = dict(high or {})
    for feature in features.values():
        if feature.value is not None:
            limits[feature.keypath] = max(limits.get(feature.keypath, 0), feature.value + 1)
    stream = torch.Generator().manual_seed(seed)
    base = _inputs(subject, limits, stream)
    found: Masks = {}
    with torch.random.fork_rng():
        seen = Observed(subject, _held(subject), base, limits, stream)
        for name, feature in features.items():
            for changed, others in seen.contrasts(feature):
                for parameter, mask in _met(seen, changed, others):
                    found[parameter, name] = found.get((parameter, name), np.False_) | mask
    return found


def _held(subject: Subject) -> dict[str, Tensor]:
    """List the parameters and buffers that a state dict holds."""
    model, saved = subject.model, subject.model.state_dict().keys()
    every = [*model.named_parameters(), *model.named_buffers()]
    return {name: t for name, t in every if name in saved and t.is_floating_point()}


def _met(
    seen: Observed, changed: Feature, others: Sequence[Feature | None]
) -> Iterator[tuple[str, Mask]]:
    """List which entries of which parameters meet a feature."""
    base, after, before = seen.state(None), seen.state(changed), [*map(seen.state, others)]
    places = [(number, place) for number, call in enumerate(base) for place in call.own]
    met = [
        (base[number].own[place], _meeting(seen, number, place, after, before))
        for number, place in places
    ]
    yield from seen.parts.given_back(
        [(operand, entries) for operand, entries in met if entries.any()]
    )


def _meeting(
    seen: Observed, number: int, place: int, after: Sequence[Call], before: Sequence[Sequence[Call]]
) -> Tensor:
    """Say which entries of an operand of a call meet what changed."""
    call, others = after[number], [calls[number] for calls in before]
    if seen.is_added(number, place):
        carried = _unlike(call.results, [other.results for other in others])
        return call.pulled(place, weights(len(carried)) * carried).abs() > 0
    new = call.response(place)
    return _unlike(new, [other.response(place) for other in others]) & (new != 0)


def _unlike(new: Tensor, others: Sequence[Tensor]) -> Tensor:
    """Say which entries differ from what they are in every other state."""
    return torch.stack([_differ(new, other) for other in others]).all(dim=0)


def _differ(one: Tensor, other: Tensor) -> Tensor:
    """Say which entries differ by more than rounding."""
    return ((one - other).abs() > 1e-9 * (1 + one.abs())) & (one != other)
