"""Schemas: the names that a user gives to entries of inputs and outputs.

Knows names, dims and categories, and refuses what cannot be meant. Does not know the model: whether
a name's input exists is checked against a trace (`check`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from suture._bind import Shape
from suture._errors import SchemaError, demand, near_miss


@dataclass(frozen=True, slots=True)
class Categorical:
    """Names of the values of an integer input, and so of the rows of the table it looks up.

    Example:
        >>> Categorical(["sword", "bow"]).names
        ('sword', 'bow')
    """

    names: tuple[str, ...]

    def __init__(self, names: Iterable[str]) -> None:
        object.__setattr__(self, "names", tuple(names))


Labels = Sequence[str] | Mapping[int, Sequence[str]] | Categorical


@dataclass(frozen=True, slots=True)
class Schema:
    """Names for entries of inputs and outputs.

    Args:
        inputs: argument keypath -> names of its last dim, or `{dim: names}`, or a `Categorical`.
        outputs: result keypath -> the same; `"output"` for a bare tensor.
        state: output keypath -> the input keypath that carries it into the next step.

    Raises:
        SchemaError: a name stands twice on one dim, or something that is not a name.

    Example:
        >>> Schema(inputs={"obs": ["x", "theta"]}).inputs["obs"]
        ['x', 'theta']
    """

    inputs: Mapping[str, Labels] = field(default_factory=dict)
    outputs: Mapping[str, Labels] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        groups = {"inputs": self.inputs, "outputs": self.outputs, "state": self.state}
        for role, group in groups.items():
            sentence = f"The {role} of a schema are a dict of keypath -> names."
            shown = [(role, f"is {type(group).__name__}")]
            demand(group, Mapping, SchemaError(sentence, shown))
        facts = [
            fact
            for group in (self.inputs, self.outputs)
            for keypath, labels in group.items()
            for fact in _faults(keypath, labels)
        ]
        if facts:
            raise SchemaError("A schema names every entry once, as text.", facts)


def _faults(keypath: str, labels: Labels | object) -> list[tuple[str, str]]:
    if isinstance(labels, str):
        return [(keypath, f"{labels!r} is one text, not a list of names")]
    if not isinstance(labels, (Sequence, Mapping, Categorical)):
        return [(keypath, f"a {type(labels).__name__} is no list: names need an order")]
    faults = []
    for dim, names in spelled(labels).items():
        at = "values" if dim is None else f"dim {dim}"
        given: tuple[object, ...] = names
        wrong = [name for name in given if not isinstance(name, str)]
        twice = [name for name, count in Counter(map(str, names)).items() if count > 1]
        faults += [(keypath, f"{at}: {name!r} is not a text") for name in wrong]
        faults += [(keypath, f"{at}: {name!r} stands twice") for name in twice]
    return faults


def spelled(labels: Labels) -> dict[int | None, tuple[str, ...]]:
    """Spell labels out as dim -> names; None stands for the values of an integer input."""
    match labels:
        case Categorical(names):
            return {None: names}
        case Mapping():
            return {dim: tuple(names) for dim, names in labels.items()}
        case _:
            return {-1: tuple(labels)}


def resolve(labels: Labels, rank: int) -> dict[int | None, tuple[str, ...]]:
    """Spell labels out with dims counted from the left."""
    given = spelled(labels).items()
    return {dim + rank if dim is not None and dim < 0 else dim: names for dim, names in given}


def check(schema: Schema, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]) -> None:
    """Refuse a schema that does not fit what the model takes and gives.

    Raises:
        SchemaError: every keypath, dim and number of names that does not fit, at once.
    """
    facts: list[tuple[str, str]] = []
    hints: list[str | None] = []
    for side, group, shapes in (
        ("input", schema.inputs, inputs),
        ("output", schema.outputs, outputs),
    ):
        for keypath, labels in group.items():
            if keypath in shapes:
                facts += _misfits(keypath, labels, shapes[keypath])
            else:
                facts.append((keypath, f"the model has no such {side}; it has {_listed(shapes)}"))
                hints.append(near_miss(keypath, list(shapes)))
    for output, source in schema.state.items():
        facts += _state_misfits(output, source, inputs, outputs)
    if facts:
        raise SchemaError(
            "The schema does not fit the model.", facts, next(filter(None, hints), None)
        )


def _state_misfits(
    output: str, source: str, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]
) -> list[tuple[str, str]]:
    """Say why an output cannot carry a state to an input."""
    if output not in outputs or source not in inputs:
        lost = [(output, f"state: the model has no such output; it has {_listed(outputs)}")]
        strange = [(source, f"state: the model has no such input; it has {_listed(inputs)}")]
        return lost * (output not in outputs) + strange * (source not in inputs)
    if outputs[output] == inputs[source]:
        return []
    sizes = f"{_sizes(outputs[output])}, the input {source!r} is {_sizes(inputs[source])}"
    return [(output, f"state: the output is {sizes}")]


def _sizes(shape: Shape) -> str:
    return f"[{','.join(map(str, shape))}]"


def _misfits(keypath: str, labels: Labels, shape: Shape) -> list[tuple[str, str]]:
    shown, misfits = _sizes(shape), []
    for dim, names in spelled(labels).items():
        if dim is None:
            continue
        if not -len(shape) <= dim < len(shape):
            text = f"names dim {dim}, but the tensor {shown} has {len(shape)} dims"
            misfits.append((keypath, text))
        elif len(names) != shape[dim]:
            text = f"{len(names)} names for dim {dim} of {shown}, which has {shape[dim]} entries"
            misfits.append((keypath, text))
    return misfits


def _listed(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(map(repr, shapes)) or "none"
