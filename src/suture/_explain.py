"""Explaining: what each dim of a tensor is made of, and which others share it.

Knows how axes are made up, and what ops do with them. Does not know how that is said
(`_explain_render`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase
from typing import Literal

import numpy as np

from suture._axes import Class, Makeup
from suture._couple import Units, couple
from suture._doings import Doings, named_axes, op
from suture._errors import SchemaError, TraceError, demand, near_miss
from suture._explanation import Dim, Done, Explanation, Joined, Made, One, Role, Shared, Told, Word
from suture._graph import Graph
from suture._names import Names
from suture._pair import named_entries
from suture._roles import Tags, Use, tags, uses


def explain(graph: Graph, name: str) -> Explanation:
    """Say what the dims of a tensor are, and which other tensors share them.

    Every dim is spelled out in axes, as in an axis spec: `(b c)+(b c)+(b d)` is three parts laid
    end to end, each heads x head_dim. Of every axis it is told who else has it: in which place, and
    whether an op computes its entries there, reads them or chooses among them; and what is done
    along it, such as a norm. Two dims with one letter are one: their units come and go together.

    Args:
        graph: what `suture.trace` recorded.
        name: a parameter, buffer, input or output; any of its names, if it is tied.

    Returns:
        The explanation; printing it shows a screen, `to_json` gives it as JSON.

    Raises:
        CoupleError: axes that the network ties together disagree.
        SchemaError: there is no such tensor.
        TraceError: something that is not a graph.

    Example:
        >>> import torch
        >>> from suture import Subject, trace
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
        >>> graph = trace(Subject(model, (torch.zeros(5, 3),)))
        >>> print(explain(graph, "1.weight"))
        Parameter 1.weight f32[2,4]
        <BLANKLINE>
          written: an op's result has it   read: summed over, with data
        <BLANKLINE>
        dim 0   2 = a
                written in addmm of 1
        dim 1   4 = b
                read in addmm of 1
        <BLANKLINE>
        a   2 entries, shared by 2 other tensors
          added to by          1.bias   a
          given as output      output   5 a
        <BLANKLINE>
        b   4 entries, shared by 2 other tensors
          written by           0.weight   b 3
          added to by          0.bias   b
    """
    sentence = f"A tensor is explained in a Graph, not in {type(graph).__name__}."
    demand(graph, Graph, TraceError(sentence, hint="trace it first: explain(trace(subject), name)"))
    found = _first_name(graph, name)
    units = couple(graph)
    return _Explaining(units, found).explanation()


def _first_name(graph: Graph, name: str) -> str:
    """Find the name under which a graph holds a tensor."""
    owners = {alias: first for first, others in graph.tied.items() for alias in others}
    groups = (graph.parameters, graph.buffers, graph.inputs, graph.outputs, graph.unreached)
    known = [*(name for group in groups for name in group), *owners]
    if name not in known:
        counts = (("parameters", graph.parameters), ("inputs", graph.inputs))
        facts = [
            (kind, f"{len(group)}, e.g. {next(iter(group))}") for kind, group in counts if group
        ]
        raise SchemaError(f"No tensor is called {name!r}.", facts, near_miss(name, known))
    return owners.get(name, name)


@dataclass(slots=True, eq=False)
class _Explaining:
    """The axes of one tensor, by letter, and all that is said of them.

    Attributes:
        letters: atom of the tensor's dims -> its letter.
        linked: atom -> the atom with a letter of which it holds entries, by picks.
        below: class -> the atoms with a letter that it holds.
        blank: the factors of one entry that ops put in and that no tensor began with.
    """

    units: Units
    name: str
    letters: dict[Class, str] = field(default_factory=dict)
    linked: dict[Class, Class] = field(default_factory=dict)
    below: dict[Class, frozenset[Class]] = field(default_factory=dict)
    blank: frozenset[Class] = frozenset()
    uses: Mapping[str, tuple[Use, ...]] = field(default_factory=dict)
    followed: Mapping[int, Tags] = field(default_factory=dict)

    def explanation(self) -> Explanation:
        units, graph, name = self.units, self.units.graph, self.name
        self.blank = _blank(units)
        own = [*units.classes[name], *self._values(name)]
        for atom in dict.fromkeys(atom for member in own for atom in self._atoms(member)):
            self.letters[atom] = _letter(len(self.letters))
        self.linked = _linked(units, self.letters)
        self.uses, self.followed = uses(graph, units.axes), tags(graph)
        reached = name not in graph.unreached or name in graph.mirrors
        dims = enumerate(units.classes[name])
        return Explanation(
            graph.tensor(name),
            _kind(graph, name),
            tuple(graph.tied.get(name, ())),
            reached,
            graph.mirrors.get(name),
            tuple(Dim(self._made(member), self._done(dim, member)) for dim, member in dims),
            next(map(self._made, self._values(name)), None),
            tuple(self._shared(self._told())) if reached else (),
        )

    def _values(self, name: str) -> list[Class]:
        """Give the axis that the entries of an integer input index, if any."""
        graph, values = self.units.graph, self.units.axes.values
        return [values[graph.inputs[name]]] if name in self.units.values else []

    def _made(self, member: Class, above: frozenset[Class] = frozenset()) -> Made:
        """Spell a class out in letters, as `couple` does in units."""
        member = self.units.axes.find(member)
        makeup = self._makeup(member, above)
        if makeup is None:
            return self._one(member)
        parts = (self._made(part, above | {member}) for part in self._shown(makeup))
        return _joined(makeup.kind, tuple(parts), self.units.axes.sizes[member])

    def _makeup(self, member: Class, above: frozenset[Class]) -> Makeup | None:
        """Give the first makeup of a class that leads to none of those above it."""
        makeups = self.units.axes.made_of(member)
        return next((m for m in makeups if above.isdisjoint((member, *m.parts))), None)

    def _shown(self, makeup: Makeup) -> Sequence[Class]:
        """List the parts without blank factors, unless there is nothing else."""
        if makeup.kind == "sum":
            return makeup.parts
        return [part for part in makeup.parts if part not in self.blank] or makeup.parts[:1]

    def _one(self, atom: Class) -> One:
        size = self.units.axes.sizes[atom]
        letter = self.letters.get(self.linked.get(atom, atom), "")
        return One(size, letter, atom in self.linked)

    def _atoms(self, member: Class, above: frozenset[Class] = frozenset()) -> list[Class]:
        """List the atoms that a class is made of, in order."""
        member = self.units.axes.find(member)
        makeup = self._makeup(member, above)
        if makeup is None:
            return [member]
        parts = (self._atoms(part, above | {member}) for part in self._shown(makeup))
        return list(dict.fromkeys(atom for part in parts for atom in part))

    def _lettered(self, member: Class) -> frozenset[Class]:
        """Say which of the atoms with a letter a class holds entries of."""
        member = self.units.axes.find(member)
        if member not in self.below:
            atoms = (self.linked.get(atom, atom) for atom in self._atoms(member))
            self.below[member] = frozenset(atom for atom in atoms if atom in self.letters)
        return self.below[member]

    def _shared(self, told: list[tuple[Class, Told]]) -> Iterator[Shared]:
        units = self.units
        single = Names.of(named_entries(units), units.count).single
        for atom, letter in self.letters.items():
            names = tuple(single[unit] for unit in map(int, units.columns[atom]) if unit in single)
            about = tuple(dict.fromkeys(each for owner, each in told if owner == atom))
            yield Shared(letter, units.axes.sizes[atom], names, about)

    def _told(self) -> list[tuple[Class, Told]]:
        """Say of every axis with a letter who has it and what is done along it."""
        done = Doings(self.units, self.followed, self._lettered).told()
        return [*self._tensors(), *done]

    def _tensors(self) -> Iterator[tuple[Class, Told]]:
        for name, classes in self.units.classes.items():
            values = {atom for member in self._values(name) for atom in self._lettered(member)}
            owners = [self._lettered(member) for member in classes]
            if name == self.name or not (values or any(owners)):
                continue
            dims = tuple(map(self._made, classes))
            yield from ((atom, Told("values", name, dims=dims)) for atom in values)
            for dim, atoms in enumerate(owners):
                words = ((atom, word) for atom in atoms for word in self._words(name, dim, atom))
                yield from ((atom, Told(word, name, dims=dims)) for atom, word in words)

    def _words(self, name: str, dim: int, atom: Class) -> Sequence[Word]:
        match _kind(self.units.graph, name):
            case "input" | "output" as kind:
                return [kind]
            case _:
                return self._roles(name, dim, atom)

    def _roles(self, name: str, dim: int, atom: Class) -> list[Role]:
        """List what ops do with an axis of a dim of a parameter."""
        found = (self._role(use, name, dim, atom) for use in self.uses.get(name, ()))
        return list(dict.fromkeys(role for role in found if role)) or ["held"]

    def _role(self, use: Use, name: str, dim: int, atom: Class) -> Role | None:
        """Say what an op does with an axis of a dim; None if the dim does not get there."""
        groups: tuple[tuple[Role, frozenset[tuple[int, Class]]], ...] = (
            ("chosen", use.lookups),
            ("tap", use.taps),
            ("read", use.reads),
        )
        for role, group in groups:
            if any(at == dim and atom in self._lettered(member) for at, member in group):
                return role
        arriving = (self.followed.get(v, ()) for v in self.units.graph.nodes[use.node].inputs)
        if not any((name, dim) in tag for tags in arriving for tag in tags):
            return None
        if use.reads or use.lookups:
            return "written"
        return self._entry_by_entry(use, name)

    def _entry_by_entry(self, use: Use, name: str) -> Role:
        if use.meeting is None or _kind(self.units.graph, name) == "buffer":
            return "met"
        return "added" if use.meeting == "add" else "scaled"

    def _done(self, dim: int, member: Class) -> tuple[Done, ...]:
        """List what ops do with a dim of the tensor itself."""
        found = (
            (self._role(use, self.name, dim, atom), use.node)
            for use in self.uses.get(self.name, ())
            for atom in self._atoms(member)
        )
        done = (Done(role, *op(self.units.graph, node)) for role, node in found if role)
        return tuple(dict.fromkeys(done))


def _letter(number: int) -> str:
    """Give the n-th axis a letter, with a number from the second alphabet on."""
    round_, place = divmod(number, len(ascii_lowercase))
    return ascii_lowercase[place] + (str(round_) if round_ else "")


def _blank(units: Units) -> frozenset[Class]:
    """Find the axes of one entry that some op gives and does not take, as an unsqueeze does."""
    axes = units.axes
    found = set()
    for node, names in zip(units.graph.nodes, axes.names, strict=True):
        taken = {pick.axis for pick in node.bound.picks}.union(*map(named_axes, node.bound.inputs))
        given = (name for name in names if name not in taken and node.bound.sizes[name] == 1)
        found |= {axes.find(names[name]) for name in given}
    return frozenset(found)


def _linked(units: Units, letters: Mapping[Class, str]) -> dict[Class, Class]:
    """Find the atoms that hold some entries of those with letters, because picks tie them."""
    if not units.axes.picks:
        return {}
    owner = np.full(units.count, -1, np.int64)
    for atom in letters:
        owner[units.columns[atom]] = atom
    found = {}
    for atom, column in units.columns.items():
        held = owner[column[owner[column] >= 0]]
        if atom not in letters and held.size:
            found[atom] = int(held[0])
    return found


def _joined(kind: Literal["sum", "product"], parts: tuple[Made, ...], size: int) -> Made:
    """Join parts; a sum within a sum and a product within a product are one."""
    if len(parts) == 1:
        return parts[0]
    flat: list[Made] = []
    for part in parts:
        flat += part.parts if isinstance(part, Joined) and part.kind == kind else [part]
    return Joined(kind, tuple(flat), size)


def _kind(graph: Graph, name: str) -> Literal["parameter", "buffer", "input", "output"]:
    if name in graph.parameters or name in graph.buffers or name in graph.unreached:
        return graph.kind(name)
    return "input" if name in graph.inputs else "output"
