"""What perturbation shows: which features meet which parameter entries in the network as it runs.

Knows features and how they are changed. Does not know any axis spec, nor that there are any.

All inputs are spoiled once (they are no numbers): what is a number still, is made of parameters
alone. Such an entry of an operand meets a feature where an op brings it together with data. If the
response of the op's results to the entry depends on data, it meets the features that change the
response; if it never does, the entry is added, and meets the features that change the results that
it moves. What is only laid beside data shares no result with it. What meets is given back to the
parameters that it is made of.

A changed feature is compared with all of some other states: an integer's value v with other values,
so that what shows belongs to v.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import torch
from torch import Tensor

from suture import Subject
from suture._schema import resolve
from suture._torch._arguments import inputs, replaced
from watched import Again, Call, Mask, Watch, weights

Inputs = Mapping[str, Tensor]
Calls = Mapping[int, Call]
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
        spoiled: what is seen where inputs are no numbers.
        own: step and place of an operand -> which of its entries are made of parameters alone.
        elsewhere: what is seen of a state that has nothing in common with the base.
        again: the base, run again.
    """

    subject: Subject
    held: Mapping[str, Tensor]
    base: Inputs
    high: Mapping[str, int]
    stream: torch.Generator
    spoiled: Calls = field(init=False)
    own: dict[tuple[int, int], Tensor] = field(init=False)
    elsewhere: Calls = field(init=False)
    again: Again = field(init=False)
    _states: dict[Feature | None, Calls] = field(default_factory=dict)
    _added: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        none = {name: _spoil(t.clone()) for name, t in self.base.items()}
        self.spoiled = self._run(none, range(sys.maxsize), _spoil).calls
        self.own = {
            (step, place): ~call.leaves[place].isnan().flatten()
            for step, call in self.spoiled.items()
            for place in call.operands
            if not call.leaves[place].isnan().all()
        }
        given = {name: tensor.clone() for name, tensor in self.base.items()}
        watch = self._noted(given)
        before = {given[name]: tensor for name, tensor in self.base.items()}
        self.again, self._states[None] = Again(self.held, before, watch), watch.calls
        self.elsewhere = self._noted(_inputs(self.subject, self.high, self.stream)).calls

    def _noted(self, given: Inputs) -> Watch:
        return self._run(given, {step for step, _ in self.own}, lambda _: None)

    def _run(
        self, given: Inputs, noted: Container[int], choose: Callable[[Tensor], object]
    ) -> Watch:
        args, kwargs = replaced(self.subject, given)
        call = self.subject.call or (lambda model, *a, **k: model(*a, **k))
        watch = Watch(given.values(), self.held.values(), noted, choose)
        torch.default_generator.manual_seed(0)
        with watch:
            call(self.subject.model, *args, **kwargs)
        return watch

    def state(self, feature: Feature | None) -> Calls:
        """Give the calls in the base, or where one feature is changed."""
        if feature not in self._states:
            assert feature is not None
            self._states[feature] = self._noted(self._changed(feature)).calls
            assert self._states[feature].keys() == self.state(None).keys()
        return self._states[feature]

    def _changed(self, feature: Feature) -> Inputs:
        old = self.base[feature.keypath]
        if feature.value is not None:
            return feature.put(self.base, torch.full_like(old, feature.value))
        new = ~old if old.dtype is torch.bool else _drawn(old, 2, self.stream)
        return feature.put(self.base, new)

    def added(self, step: int, place: int) -> Tensor:
        """Say which entries of an operand move the results of a call alike on any data.

        Of an operand made of parameters alone, none do unless all do: a factor stays one where it
        multiplies what is no data.
        """
        if (step, place) not in self._added:
            here, there = self.state(None)[step], self.elsewhere[step]
            alike = ~_differ(here.response(place), there.response(place))
            alike &= ~self.spoiled[step].response(place).isnan() & (not here.chosen)
            self._added[step, place] = alike & (not self.own[step, place].all() or alike.all())
        return self._added[step, place]

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


def _spoil(tensor: Tensor) -> Tensor:
    return tensor.fill_(torch.nan) if tensor.is_floating_point() else tensor


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
    after, before = seen.state(changed), [*map(seen.state, others)]
    met = {at: own & _meeting(seen, *at, after, before) for at, own in seen.own.items()}
    yield from seen.again.given_back({at: entries for at, entries in met.items() if entries.any()})


def _meeting(
    seen: Observed, step: int, place: int, after: Calls, before: Sequence[Calls]
) -> Tensor:
    """Say which entries of an operand meet what changed."""
    call, others = after[step], [calls[step] for calls in before]
    added = seen.added(step, place)
    met = torch.zeros_like(added)
    if added.any():
        carried = _unlike(call.results, [other.results for other in others])
        met |= added & (call.pulled(place, weights(len(carried)) * carried).abs() > 0)
    if not added.all():
        new = call.response(place)
        met |= ~added & _unlike(new, [other.response(place) for other in others]) & (new != 0)
    return met


def _unlike(new: Tensor, others: Sequence[Tensor]) -> Tensor:
    """Say which entries differ from what they are in every other state."""
    return torch.stack([_differ(new, other) for other in others]).all(dim=0)


def _differ(one: Tensor, other: Tensor) -> Tensor:
    """Say which entries differ by more than rounding."""
    return ((one - other).abs() > 1e-9 * (1 + one.abs())) & (one != other)
