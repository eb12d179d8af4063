"""Unit names: the words by which a person means units of a network.

Knows three: a dim of a parameter (`"fc1.weight dim 0"`: all units along it), a region of one as
screens write it (`"fc1.weight[7, :]"`), and the full name of an entry that a schema names
(`"obs.speed"`). Does not know what is said of the units (`_keep`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suture._couple import Layout, Units, length
from suture._errors import near_miss
from suture._pair import Entry, full
from suture._schema import resolve

DIM = r"\s*(?:\{[^{}\[\]]*\}|[^,{}\[\]]+)\s*"
REGION = re.compile(rf"(?P<tensor>[^\[\]]+)\[(?P<dims>{DIM}(?:,{DIM})*)\]")
RUN = re.compile(r"(\d+)(?:\.\.(\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Along:
    """All units along a dim."""

    layout: Layout


@dataclass(frozen=True, slots=True, eq=False)
class At:
    """The units at some positions of a dim."""

    layout: Layout
    positions: NDArray[np.int64]

    def entries(self) -> Iterator[Entry]:
        """Give the units of each position, one per factor."""
        start = 0
        for segment in self.layout:
            shape = tuple(map(len, segment))
            stop = start + int(np.prod(shape))
            for position in self.positions[(self.positions >= start) & (self.positions < stop)]:
                places = np.unravel_index(int(position) - start, shape)
                yield tuple(int(c[at]) for c, at in zip(segment, places, strict=True))
            start = stop


@dataclass(frozen=True, slots=True)
class Unknown:
    """A word that means no unit: why, and what was probably meant."""

    why: str
    hint: str | None = None


Meant = Along | At


def named_units(units: Units, words: Iterable[str]) -> dict[str, Meant | Unknown]:
    """Find the units that each of some words means."""
    names = _Names(units, _dims(units), _entries(units))
    return {word: names.find(word) for word in words}


@dataclass(frozen=True, slots=True, eq=False)
class _Names:
    """The words that mean units of one network: dims of parameters, and entries with names."""

    units: Units
    dims: Mapping[str, Along]
    entries: Mapping[str, Sequence[At]]

    def find(self, word: str) -> Meant | Unknown:
        if word in self.dims:
            return self.dims[word]
        if word in self.entries:
            first, *others = self.entries[word]
            return Unknown("is the name of entries along several dims") if others else first
        if found := REGION.fullmatch(word):
            return self._region(word, found["tensor"], found["dims"])
        if re.fullmatch(r".* dim \d+", word):
            hint = near_miss(word, [*self.dims])
            return Unknown("is no dim of a parameter of the old model", hint)
        hint = near_miss(word, [*self.entries, *self.dims])
        return Unknown("is no unit of the old model", hint)

    def _region(self, word: str, tensor: str, dims: str) -> Meant | Unknown:
        """Read a region that is whole along all dims but one."""
        parameters = self.units.graph.parameters
        if tensor not in parameters:
            hint = near_miss(word, [f"{name}[{dims}]" for name in parameters])
            return Unknown("is of no parameter of the old model", hint)
        layouts = self.units.tensors[tensor]
        parts = [part.strip() for part in re.findall(DIM, dims)]
        if len(parts) != len(layouts):
            return Unknown(f"says {len(parts)} dims where the tensor has {len(layouts)}")
        said = [dim for dim, part in enumerate(parts) if part != ":"]
        if len(said) != 1:
            return Unknown("is no unit: all dims but one are `:`")
        return _at(layouts[said[0]], parts[said[0]])


def _dims(units: Units) -> dict[str, Along]:
    """Call every dim of a parameter as plans do."""
    return {
        f"{name} dim {dim}": Along(layout)
        for name in units.graph.parameters
        for dim, layout in enumerate(units.tensors[name])
    }


def _entries(units: Units) -> dict[str, list[At]]:
    """List the entries that a schema names; one input may have a name along several dims."""
    schema, found = units.graph.schema, defaultdict[str, list[At]](list)
    for keypath, labels in (*schema.inputs.items(), *schema.outputs.items()):
        dims = units.tensors[keypath]
        for dim, names in resolve(labels, len(dims)).items():
            layout = units.values[keypath] if dim is None else dims[dim]
            for position, name in enumerate(names):
                found[full((keypath, dim, name))].append(At(layout, np.array([position])))
    return found


def _at(layout: Layout, text: str) -> At | Unknown:
    """Read positions along a dim: `7`, `4..6` or `{0..2, 4}`."""
    runs = [RUN.fullmatch(run.strip()) for run in text.strip("{}").split(",")]
    ends = [(int(run[1]), int(run[2] or int(run[1]) + 1)) for run in runs if run]
    if len(ends) < len(runs) or any(start >= stop for start, stop in ends):
        return Unknown(f"says {text!r}, which are no positions such as 7, 4..6 or {{0..2, 4}}")
    positions = np.unique(np.concatenate([np.arange(*each) for each in ends]))
    size = length(layout)
    return At(layout, positions) if positions[-1] < size else Unknown(f"leaves a dim of {size}")
