"""Names along dims: which positions of which tensors hold an entry that a schema names.

Knows units and their names. Does not know how they were matched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suture._couple import Layout, Units, plain
from suture._pair import Entry, Name, entries_of, full
from suture._schema import Schema, resolve


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """The names of one side: of single units, and of entries that are products of several.

    `called` says of each unit whether it has a name of its own.
    """

    single: Mapping[int, str]
    several: Mapping[Entry, str]
    called: NDArray[np.bool_]

    @staticmethod
    def of(entries: Mapping[Name, Entry], count: int) -> Names:
        """Turn names -> units around; the first of several names stays."""
        single: dict[int, str] = {}
        several: dict[Entry, str] = {}
        for name, entry in entries.items():
            if len(entry) == 1:
                single.setdefault(entry[0], full(name))
            else:
                several.setdefault(entry, full(name))
        called = np.zeros(count, np.bool_)
        called[[*single]] = True
        return Names(single, several, called)

    def of_tensor(self, units: Units, tensor: str) -> dict[tuple[int, str], int]:
        """List `(dim, name) -> first position` of a tensor; dim -1 holds values."""
        dims = dict(enumerate(units.tensors.get(tensor, ())))
        if tensor in units.values:
            dims[-1] = units.values[tensor]
        own = _own(units.graph.schema, tensor, len(units.tensors.get(tensor, ())))
        found: dict[tuple[int, str], int] = {}
        for dim, layout in dims.items():
            for position, name in own[dim] if dim in own else self._along(layout):
                found.setdefault((dim, name), position)
        return found

    def _along(self, layout: Layout) -> list[tuple[int, str]]:
        column = plain(layout)
        if column is not None:
            named = np.flatnonzero(self.called[column])
            return [(int(at), self.single[int(column[at])]) for at in named]
        if not self.several:
            return []
        entries = enumerate(entries_of(layout))
        return [(at, self.several[entry]) for at, entry in entries if entry in self.several]


def _own(schema: Schema, tensor: str, rank: int) -> dict[int, list[tuple[int, str]]]:
    """List what a schema calls the positions of an input or output itself, by dim; -1 for values.

    A unit may have several names (an encoder reads several inputs): here the own one counts.
    """
    labels = schema.inputs.get(tensor, schema.outputs.get(tensor))
    told = {} if labels is None else resolve(labels, rank)
    return {
        -1 if dim is None else dim: [(at, f"{tensor}.{name}") for at, name in enumerate(names)]
        for dim, names in told.items()
    }
