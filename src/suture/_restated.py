"""Inputs that are restated: constants that are gone, and features on another scale.

Knows what a user says of features by name, and what follows for the source's weights: a constant c
adds W c to a bias; a feature that is now scale × old + shift has its weights divided by the scale,
and W shift / scale taken from the bias. Does not know how planned tensors change (`_absorb`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

from suture._absorb import Addition, Changes
from suture._errors import PlanError, near_miss
from suture._leads import leads, told
from suture._match import Match
from suture._plan import Affine, Held, Label, Note, Placement, Rescaled
from suture._readers import Reader, Readings, readings, unit_of

FLOATS = ("f", "bf")


@dataclass(frozen=True, slots=True)
class Restated:
    """What a user says of features.

    Attributes:
        constants: features that are gone -> what they always were.
        means: features that are gone -> what they were on average.
        rescaled: features of both models -> how the new one follows from the old.
    """

    constants: Mapping[str, float] = field(default_factory=dict)
    means: Mapping[str, float] = field(default_factory=dict)
    rescaled: Mapping[str, Affine] = field(default_factory=dict)

    @property
    def held(self) -> dict[str, float]:
        """Features that are gone -> the value at which they are."""
        return {**self.constants, **self.means}


def placed(inputs: Sequence[Placement], said: Restated) -> tuple[Placement, ...]:
    """Note at the inputs what is said of their features.

    Raises:
        PlanError: listing names that nothing is called, and values that cannot be.
    """
    gone = [name for one in inputs for name in _gone(one)]
    kept = [label.name for one in inputs for label in _shared(one)]
    facts, hints = list[tuple[str, str]](), list[str | None]()
    for name in (*said.constants, *said.means):
        facts += [(name, text) for text in _wrong_value(name, said)]
        if name not in gone:
            still = "is in the new model too" if name in kept else "is no feature of the old model"
            facts.append((name, still))
            hints.append(near_miss(name, gone))
    for name, affine in said.rescaled.items():
        facts += [(name, text) for text in _wrong_affine(affine)]
        if name not in kept:
            facts.append((name, "is no feature of real numbers that both models have"))
            hints.append(near_miss(name, kept))
    facts += [fact for one in inputs for fact in _crossing(one, said)]
    if facts:
        sentence = "What is said of features does not fit the models."
        raise PlanError(sentence, facts, next(filter(None, hints), None))
    return tuple(_noted(one, said) for one in inputs)


def _crossing(placement: Placement, said: Restated) -> Iterator[tuple[str, str]]:
    """Find features along several dims of one input: some entries would be of two of them."""
    names = {*said.held, *said.rescaled}
    named = [one for one in placement.labels if one.name in names and one.dim >= 0]
    for label in named:
        if label.dim != named[0].dim:
            yield label.name, f"lies along another dim than {named[0].name}: say it of one"


def _gone(placement: Placement) -> list[str]:
    """Name the features that the source alone has, and the input itself if it is gone."""
    whole = [placement.name] if placement.target is None else []
    labels = [one for one in placement.labels if one.dim >= 0 and one.target is None]
    return whole + [one.name for one in labels]


def _shared(placement: Placement) -> list[Label]:
    """List the named real numbers that both models have."""
    both = [one for one in placement.labels if None not in (one.source, one.target)]
    dtype = "" if placement.source is None else placement.source.dtype
    return [one for one in both if one.dim >= 0 and dtype.startswith(FLOATS)]


def _wrong_value(name: str, said: Restated) -> Iterator[str]:
    if name in said.constants and name in said.means:
        yield "is said to be a constant and to have a mean"
    value: object = said.held[name]
    if not isinstance(value, (int, float)) or not isfinite(value):
        yield f"is held at {value!r}, which is no finite number"


def _wrong_affine(affine: Affine | object) -> Iterator[str]:
    if not isinstance(affine, Affine):
        yield f"{affine!r} is no Affine: write suture.Affine(scale=3.6, shift=0.0)"
    elif not (isfinite(affine.scale) and isfinite(affine.shift)) or affine.scale == 0:
        yield f"a scale of {affine.scale:g} and a shift of {affine.shift:g} cannot be undone"


def _noted(placement: Placement, said: Restated) -> Placement:
    held = [Held(name, float(said.held[name])) for name in _gone(placement) if name in said.held]
    names = [label.name for label in _shared(placement) if label.name in said.rescaled]
    rescaled = [Rescaled(name, said.rescaled[name]) for name in names]
    return replace(placement, held=tuple(held), rescaled=tuple(rescaled))


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of a feature: that it is `affine` of the old one, or gone at `value`."""

    name: str
    value: float = 0.0
    affine: Affine | None = None

    @property
    def added(self) -> float:
        """What a bias takes up, times the weights."""
        return self.value if self.affine is None else -self.affine.shift / self.affine.scale


@dataclass(slots=True)
class _Restating:
    """Collects what the source's tensors are read as, and what cannot be."""

    match: Match
    changes: Changes = field(default_factory=Changes)
    notes: list[Note] = field(default_factory=list)
    summed: dict[tuple[str, str, int], tuple[Reader, dict[int, float]]] = field(
        default_factory=dict
    )

    def run(self, inputs: Sequence[Placement]) -> None:
        """Look at every unit of which something is said, once, and at what else has that unit."""
        said: dict[tuple[int | None, float, Affine | None], list[tuple[str, _Said]]] = {}
        for placement in inputs:
            for one in _statements(placement):
                for at in _places(placement, one.name):
                    unit = unit_of(self.match.source, *at)
                    said.setdefault((unit, one.value, one.affine), []).append((at[0], one))
        for (unit, _, _), each in said.items():
            self._state(unit, {name for name, _ in each}, list(dict.fromkeys(o for _, o in each)))

    def _state(self, unit: int | None, inputs: set[str], said: Sequence[_Said]) -> None:
        found = Readings((), ("it lies on a product of axes",))
        if unit is not None:
            found = readings(self.match.source, self.match.uses[0], unit, inputs)
        unfit = [reason for reader in found.readers for reason in _takes_no_constant(reader)]
        if not found.obstacles:
            self._scale(found.readers, said[0].affine)
        if not (found.obstacles or unfit) and said[0].added:
            self._add(found.readers, said[0].added)
        for one in said:
            self.notes += _told(one, found.obstacles, tuple(dict.fromkeys(unfit)))

    def _scale(self, readers: Sequence[Reader], affine: Affine | None) -> None:
        if affine is None:
            return
        for reader in readers:
            for weight in self._names(reader.weight):
                factors = self.changes.scaled.setdefault((weight, reader.dim), {})
                factors |= dict.fromkeys(reader.positions.tolist(), 1 / affine.scale)

    def _add(self, readers: Sequence[Reader], value: float) -> None:
        for reader in readers:
            assert reader.bias is not None, "who has none takes no constant"
            names = zip(self._names(reader.bias), self._names(reader.weight), strict=False)
            for bias, weight in names:
                _, weights = self.summed.setdefault((bias, weight, reader.dim), (reader, {}))
                weights |= dict.fromkeys(reader.positions.tolist(), value)

    def finished(self) -> Changes:
        """Write what is added to biases, one sum per parameter that contracts."""
        for (bias, weight, dim), (reader, weights) in self.summed.items():
            shape = self.match.source.graph.tensor(weight).shape
            ordered = tuple(sorted(weights.items()))
            one = Addition(weight, shape, dim, ordered, reader.taps, reader.along)
            self.changes.added.setdefault(bias, []).append(one)
        return self.changes

    def _names(self, name: str) -> list[str]:
        """List a tensor and those that mirror it."""
        mirrors = self.match.source.graph.mirrors.items()
        return [name, *(mirror for mirror, twin in mirrors if twin == name)]


def restated(
    match: Match, inputs: Sequence[Placement], means: Collection[str]
) -> tuple[Changes, tuple[Note, ...]]:
    """Find what the source's weights are to be read as.

    Args:
        match: which unit is which.
        inputs: where entries sit, with what is said of them.
        means: those among them that are means.

    Returns:
        What the source's tensors are read as, and notes.
    """
    restating = _Restating(match)
    restating.run(inputs)
    return restating.finished(), (*dict.fromkeys(restating.notes), *_averaged(match, inputs, means))


def _averaged(match: Match, inputs: Sequence[Placement], means: Collection[str]) -> Iterator[Note]:
    """Tell of features that are gone at their mean, and which outputs heard them."""
    ahead = leads(match.source.graph, match.pairs.outputs)
    for placement in inputs:
        reached = ahead.get(match.source.graph.inputs.get(placement.name, -1), frozenset())
        for one in placement.held:
            if one.name in means and reached:
                reason = f"is gone: approximate, exact where it is its mean {one.value:g}"
                yield Note("approximate", one.name, reason, told(reached, match.pairs.outputs))


def _statements(placement: Placement) -> Iterator[_Said]:
    yield from (_Said(one.name, value=one.value) for one in placement.held)
    yield from (_Said(one.name, affine=one.affine) for one in placement.rescaled)


def _places(placement: Placement, name: str) -> list[tuple[str, int, int]]:
    """List where a feature lies in the source: input, dim and position."""
    if placement.source is not None and name == placement.name:
        dim = len(placement.source.shape) - 1
        return [(name, dim, at) for at in range(placement.source.shape[dim])] if dim >= 0 else []
    return [
        (placement.name, label.dim, label.source)
        for label in placement.labels
        if label.name == name and label.dim >= 0 and label.source is not None
    ]


def _told(said: _Said, obstacles: Sequence[str], unfit: Sequence[str]) -> Iterator[Note]:
    """Say of a feature what the weights cannot take up, and what they do."""
    because = "; ".join([*obstacles, *unfit])
    if said.affine is None:
        if because and said.value:
            told = f"is gone, and no bias takes up {said.value:g}: {because}"
            yield Note("inexact", said.name, told)
    elif obstacles:
        told = f"is on another scale, and no weight takes it up: {'; '.join(obstacles)}"
        yield Note("inexact", said.name, told)
    else:
        if unfit and said.added:
            yield Note("inexact", said.name, f"is shifted, and no bias takes it up: {because}")
        yield Note("condition", said.name, f"is {_formula(said.affine)}: its weights undo it")


def _takes_no_constant(reader: Reader) -> Iterator[str]:
    """Say why no bias can stand for a constant; nothing if one can."""
    if reader.bias is None:
        yield f"nothing is added to what {reader.weight} gives"
    if reader.uneven:
        yield reader.uneven


def _formula(affine: Affine) -> str:
    shift = f" {'+' if affine.shift > 0 else '-'} {abs(affine.shift):g}" if affine.shift else ""
    return f"{affine.scale:g} x the old one{shift}"
