"""Pairing: which tensors of the two models, and which names of their schemas, belong together.

Knows keypaths, ties and names. Does not know entries (`_match`). Nothing pairs because shapes
agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from suture._couple import Layout, Units
from suture._errors import MatchError, SchemaError
from suture._graph import Graph
from suture._rename import Rules, renamed
from suture._schema import resolve
from suture._wrappers import plain_names

Name = tuple[str, int | None, str]
"""An input or output, one of its dims (None for values), and the name of an entry along it."""

Entry = tuple[int, ...]
"""The units of one named entry, one per factor."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Target name -> source name, of tensors in the state dict, inputs and outputs.

    `ruled` are the target tensors that a rule of the user's gave their partner.
    """

    tensors: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    ruled: frozenset[str] = frozenset()


def pair(source: Graph, target: Graph, rules: Rules | None = None) -> Pairs:
    """Pair the tensors of two graphs by keypath, the source's as rules rename them.

    Raises:
        MatchError: two source tensors claim one tied target, or a rule does not fit.
        SchemaError: something is named on one side only.
    """
    owners, ruled = _owners(source, target, rules or {})
    tensors: dict[str, str] = {}
    facts: list[tuple[str, str]] = []
    for name in _names(target):
        found = list(dict.fromkeys(owners[a] for a in _aliases(target, name) if a in owners))
        if len(found) > 1:
            facts.append((name, f"tied in the target; in the source {' and '.join(found)} differ"))
        if found and len(source.tensor(found[0]).shape) == len(target.tensor(name).shape):
            tensors[name] = found[0]
    if facts:
        raise MatchError("Two source tensors cannot fill one tied target.", facts)
    _same_sides(source, target)
    inputs, outputs = (
        {name: name for name in one if name in other and _rank(source, name) == _rank(target, name)}
        for one, other in _sides(source, target)
    )
    return Pairs(tensors, inputs, outputs, ruled & tensors.keys())


def _owners(source: Graph, target: Graph, rules: Rules) -> tuple[dict[str, str], frozenset[str]]:
    """Give every name that a source tensor has in the target the tensor's first name.

    Returns:
        Names as rules change them, wrappers seen through, and those that a rule changed.
    """
    owners = {alias: name for name in _names(source) for alias in _aliases(source, name)}
    known = {alias for name in _names(target) for alias in _aliases(target, name)}
    new = renamed(owners, rules, known)
    owners = {new[alias]: name for alias, name in owners.items()}
    ruled = frozenset(name for alias, name in new.items() if alias != name)
    if known.isdisjoint(owners):
        bare = plain_names(owners, plain_names(known, owners).values())
        wrapped = {plain: name for name, plain in plain_names(known, bare.values()).items()}
        owners = {wrapped.get(plain, plain): owners[name] for name, plain in bare.items()}
    return owners, ruled


def demand_some(tensors: Mapping[str, str], source: Graph, target: Graph) -> None:
    """Refuse two models of which no tensor pairs."""
    if not tensors:
        shown = [("source", _few(_names(source))), ("target", _few(_names(target)))]
        hint = "parameters pair by keypath: call the modules alike in both models"
        raise MatchError("The two models have no parameter in common.", shown, hint)


def _rank(graph: Graph, name: str) -> int:
    return len(graph.tensor(name).shape)


def _names(graph: Graph) -> list[str]:
    return [*graph.parameters, *graph.buffers, *graph.unreached]


def _aliases(graph: Graph, name: str) -> tuple[str, ...]:
    return (name, *graph.tied.get(name, ()))


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:4]) + (f" and {len(listed) - 4} more" if len(listed) > 4 else "")


def _sides(source: Graph, target: Graph) -> tuple[tuple[Mapping[str, int], Mapping[str, int]], ...]:
    return (source.inputs, target.inputs), (source.outputs, target.outputs)


def _same_sides(source: Graph, target: Graph) -> None:
    """Refuse a shared input or output that only one schema names: half a name pairs nothing."""
    facts = []
    for (ours, theirs), (left, right) in zip(
        _sides(source, target),
        (
            (source.schema.inputs, target.schema.inputs),
            (source.schema.outputs, target.schema.outputs),
        ),
        strict=True,
    ):
        facts += [
            (name, f"named in the {'source' if name in left else 'target'} only")
            for name in sorted(set(ours) & set(theirs) & (set(left) ^ set(right)))
        ]
    if facts:
        raise SchemaError(
            "Both schemas must name an input or output, or neither.", facts, "name it on both sides"
        )


def full(name: Name) -> str:
    """Write a name in full: `obs.theta`."""
    return f"{name[0]}.{name[2]}"


def named_entries(units: Units) -> dict[Name, Entry]:
    """Find the units behind every name of a schema."""
    graph = units.graph
    entries: dict[Name, Entry] = {}
    for group in (graph.schema.inputs, graph.schema.outputs):
        for keypath, labels in group.items():
            dims = units.tensors[keypath]
            for dim, names in resolve(labels, len(dims)).items():
                found = _values_of(units, keypath, names) if dim is None else entries_of(dims[dim])
                keys = ((keypath, dim, name) for name in names)
                entries.update(zip(keys, found, strict=False))
    return entries


def _values_of(units: Units, keypath: str, names: tuple[str, ...]) -> list[Entry]:
    if keypath not in units.values:
        raise SchemaError(
            f"The values of {keypath!r} are named, but no op uses them to choose from an axis.",
            [("names", _few(names))],
        )
    found = entries_of(units.values[keypath])
    if len(found) != len(names):
        raise SchemaError(
            "A Categorical names every value of its input.",
            [(keypath, f"{len(names)} names; its values choose from {len(found)} rows")],
        )
    return found


def entries_of(layout: Layout) -> list[Entry]:
    """List the entries of a layout, each as the units of its factors."""
    return [tuple(int(unit) for unit in entry) for segment in layout for entry in product(*segment)]
