"""Planning: from two graphs to a plan.

Knows the order of the steps and how their results become the plan's data. Does not know how units
are matched (`_match`), how blocks are filled (`_fill`) or what cannot be promised (`_promise`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from suture._absorb import absorbed
from suture._begun import begun
from suture._couple import couple
from suture._errors import PlanError, demand, near_miss
from suture._fill import Dim, fill, preserved, runs
from suture._graph import Graph
from suture._group_match import Phis, check_phis, match_by_groups
from suture._growth import Growth, growth
from suture._interactions import interactions
from suture._keep import Keep
from suture._match import Match, along
from suture._match import match as find_match
from suture._names import Names
from suture._noise import noisy
from suture._occurrences import Positions
from suture._plan import (
    Affine,
    Block,
    IndexMap,
    Label,
    Note,
    Own,
    Placement,
    Plan,
    Run,
    Sum,
    Tensor,
    TensorPlan,
    Term,
)
from suture._policies import Policy, Word, policy, refilled
from suture._promise import promise
from suture._rename import Rules
from suture._replicate import everywhere, replicated
from suture._restated import Restated, placed, restated
from suture._side import Side, sides
from suture._starts import Start
from suture._uninterrupted import uninterrupted
from suture._values import INTEGERS

COUNTED = frozenset({*INTEGERS, "bool"})


@uninterrupted()
def plan(
    source: Graph,
    target: Graph,
    matcher: Literal["coupling", "interactions"] = "coupling",
    phi: Phis | None = None,
    rename: Rules | None = None,
    *,
    constants: Mapping[str, float] | None = None,
    means: Mapping[str, float] | None = None,
    rescaled: Mapping[str, Affine] | None = None,
    fill: str | Policy | Mapping[str, Start] = "exact",
    keep: Keep | None = None,
) -> Plan:
    r"""Plan how the source's weights become the target's.

    Args:
        source: the graph of the trained model, from `suture.trace`.
        target: the graph of the changed model.
        matcher: what tells which entry is which: the units that the networks couple, or, as a
            baseline, nothing but the features that reach an entry (the paper's matcher).
        phi: the interactions of source and target for `matcher="interactions"`, from
            `suture.interactions` or `suture.gradient_interactions`; the former if None. Features
            that a map was not asked for do not tell entries apart.
        rename: regular expression -> replacement, as `re.sub` takes them, for the names of the
            source's tensors where the target calls them otherwise: `{r"^h\.": "blocks."}`. Layers
            that were inserted or removed, and prefixes that changed, are found without.
        constants: features that are gone -> the value that they always had, `{"obs.weather": 0.7}`:
            folded into biases.
        means: features that are gone -> their mean: folded likewise, which is an approximation.
        rescaled: features -> how the new model sees them, `{"obs.speed": Affine(scale=3.6)}` for
            km/h instead of m/s: weights and biases undo it.
        fill: how what has no source begins: a policy (`"exact"`, `"own"`, `"zeros"`,
            `"replicate"`, or a `suture.Policy`, which has a scale and noise as well), or, under
            `"exact"`, new outputs and categories by name: `{"logits.new_action": Bias(-5.0)}`.
        keep: what stays of axes that shrink, by scores: of all units along a dim of one of the
            source's parameters, `{"fc1.weight dim 0": scores}`, or of units by name,
            `{"fc1.weight[7, :]": 1.0, "fc1.weight[{8, 12..20}, :]": 0.5}`, the others having 0. The
            first units without. Where a schema names entries it says what stays, and scores must
            agree: `{"obs.speed": 1.0}`.

    Returns:
        The plan. No weight is read; time grows with the number of ops and the sum of the dims.

    Raises:
        MatchError: units of which nobody can say where they come from.
        SchemaError: schemas that do not fit each other.
        PlanError: something that is not a graph, no such matcher, interactions of others, no such
            feature or new entry, or no such fill.
        CoupleError: axes that one of the networks ties together disagree.

    Example:
        >>> import torch
        >>> from suture import Subject, trace
        >>> def graph(width):
        ...     layers = torch.nn.Linear(3, width), torch.nn.Tanh(), torch.nn.Linear(width, 2)
        ...     return trace(Subject(torch.nn.Sequential(*layers), (torch.zeros(5, 3),)))
        >>> plan(graph(4), graph(6)).exact
        True
    """
    for side, graph in (("source", source), ("target", target)):
        sentence = f"The {side} is no Graph but {type(graph).__name__}."
        hint = "trace it first: plan(trace(source), trace(target))"
        demand(graph, Graph, PlanError(sentence, hint=hint))
    filling = policy(fill)
    found = _matched(source, target, matcher, phi, rename, keep)
    found, both, grown, copied = _grown(found, filling.name)
    planner = _Planner(
        found,
        grown,
        (
            Names.of(found.names[0], found.source.count),
            Names.of(found.names[1], found.target.count),
        ),
    )
    planned, costs = refilled([planner.tensor(n) for n in _names(target)], filling, both[1])
    said = Restated(constants or {}, means or {}, rescaled or {})
    inputs = placed(planner.placements(source.inputs, target.inputs), said)
    changes, told = restated(found, inputs, said.means)
    outputs = planner.placements(source.outputs, target.outputs)
    tensors = absorbed(begun(found, planned, (*inputs, *outputs), filling.starts), changes)
    tensors, noise = noisy(tensors, found, both[1], filling.noise)
    taken = set(found.pairs.tensors.values())
    return Plan(
        source.fingerprint,
        target.fingerprint,
        tensors,
        inputs,
        outputs,
        (
            *(*found.notes, *told, *copied, *costs, *noise),
            *promise(found, both, grown, tensors, inputs, outputs, planner.maps),
        ),
        tuple(source.tensor(name) for name in _names(source) if name not in taken),
    )


def _matched(
    source: Graph,
    target: Graph,
    matcher: str,
    phi: Phis | None,
    rename: Rules | None,
    keep: Keep | None,
) -> Match:
    match matcher, phi:
        case "coupling", None:
            return find_match(couple(source), couple(target), rename, keep)
        case "interactions", _ if keep:
            raise PlanError("The interactions matcher takes no scores of what to keep.")
        case "interactions", _:
            if phi is None:
                phi = interactions(source), interactions(target)
            check_phis(phi, source, target)
            return match_by_groups(couple(source), couple(target), phi, rename)
        case "coupling", _:
            sentence = "The coupling matcher finds its own interactions."
            raise PlanError(sentence, hint='give matcher="interactions" to plan by phi alone')
        case _:
            known = [("known", "coupling, interactions")]
            hint = near_miss(matcher, ["coupling", "interactions"])
            raise PlanError(f"There is no matcher {matcher!r}.", known, hint)


def _grown(match: Match, name: Word) -> tuple[Match, tuple[Side, Side], Growth, tuple[Note, ...]]:
    """Find what growth asks for; where fresh units cannot be kept from being heard, by copies."""
    both = sides(match)
    grown = growth(match, both[1])
    copied, notes = None, tuple[Note, ...]()
    if name == "replicate":
        copied, notes = everywhere(match, both[1])
    elif name == "exact" and grown.heard:
        copied = replicated(match, both[1], grown.heard)
    if copied is not None:
        others = sides(copied)
        again = growth(copied, others[1])
        # Copies of which something is heard keep nothing; asked for, they stay all the same.
        if name == "replicate" or len(again.heard) < len(grown.heard):
            match, both, grown = copied, others, again
    both[0].twins = frozenset(grown.twins.nodes.values())
    both[1].twins = frozenset(grown.twins.nodes)
    both[1].passed, both[1].alike = grown.twins.passed, grown.alike
    return match, both, grown, notes


def _names(graph: Graph) -> list[str]:
    return [*graph.parameters, *graph.buffers, *graph.unreached]


@dataclass(slots=True, eq=False)
class _Planner:
    """Turns one match into the plan's data; maps of equal dims are found once."""

    match: Match
    growth: Growth
    names: tuple[Names, Names]
    found: dict[tuple[int, int], Positions] = field(default_factory=dict)
    maps: dict[tuple[str, int], Positions] = field(default_factory=dict)

    def tensor(self, name: str) -> TensorPlan:
        """Plan one tensor of the target's state dict."""
        match, graph = self.match, self.match.target.graph
        target, other = graph.tensor(name), match.pairs.tensors.get(name)
        source = None if other is None else match.source.graph.tensor(other)
        tied = graph.tied.get(name, ())
        kind = graph.kind(name)
        reason = _set_apart(name, target, source, match)
        if reason:
            blocks = _whole(target, None if name in graph.buffers else source)
            return TensorPlan(target, source, kind, blocks, (), tied, reason)
        dims = self._dims(name, target, source)
        uses = match.uses[1].get(name, ())
        recipe = self.growth.recipes.get(name)
        blocks = fill(other, dims, uses, match.target.axes, match.partner, recipe)
        return TensorPlan(target, source, kind, blocks, self._labels(name, other), tied)

    def _dims(self, name: str, target: Tensor, source: Tensor | None) -> list[Dim]:
        """List the dims of a tensor; those of a fresh one have preserved units all the same."""
        units, layouts = self.match.target, self.match.target.tensors[name]
        dims = []
        for number, layout in enumerate(layouts):
            if source is None:
                known = preserved(layout, self.match.partner)
                at = np.where(known, 0, -1)
            else:
                at = self.maps[name, number] = self.positions((name, number))
            dims.append(Dim(units.classes[name][number], layout, at))
        return dims

    def positions(self, at: tuple[str, int]) -> Positions:
        """Where the positions of a dim of a shared tensor come from; dim -1 holds values."""
        if at in self.match.placed:
            return self.match.placed[at]
        theirs, ours = self.match.layouts(at)
        key = id(theirs), id(ours)
        if key not in self.found:
            self.found[key] = along(self.match, at)
        return self.found[key]

    def placements(
        self, source: Mapping[str, int], target: Mapping[str, int]
    ) -> tuple[Placement, ...]:
        """Place every input, or every output, of either side."""
        return tuple(self._placement(name, source, target) for name in {**target, **source})

    def _placement(
        self, name: str, source: Mapping[str, int], target: Mapping[str, int]
    ) -> Placement:
        theirs, ours = self.match.source, self.match.target
        left = theirs.graph.tensor(name) if name in source else None
        right = ours.graph.tensor(name) if name in target else None
        labels = self._labels(name if right else None, name if left else None)
        if left is None or right is None or len(left.shape) != len(right.shape):
            return Placement(name, left, right, (), None, labels)
        dims = [index_map(self.positions((name, dim))) for dim in range(len(right.shape))]
        values = None
        if name in theirs.values and name in ours.values:
            values = index_map(self.positions((name, -1)))
        return Placement(name, left, right, tuple(dims), values, labels)

    def _labels(self, target: str | None, source: str | None) -> tuple[Label, ...]:
        """List the named entries along the dims of a tensor, on both sides; dim -1 holds values."""
        theirs, ours = (
            {} if name is None else side.of_tensor(units, name)
            for side, units, name in zip(
                self.names, (self.match.source, self.match.target), (source, target), strict=True
            )
        )
        keys = sorted({*ours, *theirs}, key=lambda key: (key[0], ours.get(key, theirs.get(key, 0))))
        return tuple(
            Label(dim, name, theirs.get((dim, name)), ours.get((dim, name))) for dim, name in keys
        )


def _set_apart(name: str, target: Tensor, source: Tensor | None, match: Match) -> str:
    """Say why a tensor is taken or left whole: its units are unknown, or it is structure."""
    ours, theirs = match.target.graph, match.source.graph
    if name in ours.buffers and target.dtype in COUNTED:
        return "integers that the model computes with: the target's structure"
    for graph, tensor, side in ((ours, target, "target"), (theirs, source, "source")):
        if tensor and tensor.name in graph.unreached and tensor.name not in graph.mirrors:
            return f"no call of the {side} reaches it"
    return ""


def _whole(target: Tensor, source: Tensor | None) -> tuple[Block, ...]:
    """Copy at identical shape what no call reaches; keep the target's own otherwise."""
    whole = tuple(runs(np.arange(size)) for size in target.shape)
    same = source is not None and source.shape == target.shape and target.dtype == source.dtype
    return (Block(whole, Sum((Term(source.name, whole),)) if source and same else Own()),)


def index_map(found: Positions) -> IndexMap:
    """Write a map of positions as runs.

    Example:
        >>> index_map(np.array([0, 1, -1, 2]))
        (Run(target=0, source=0, length=2), Run(target=3, source=2, length=1))
    """
    at = np.flatnonzero(found >= 0)
    cuts = np.flatnonzero((np.diff(at) != 1) | (np.diff(found[at]) != 1)) + 1
    pieces = [piece for piece in np.split(at, cuts) if len(piece)]
    return tuple(Run(int(p[0]), int(found[p[0]]), len(p)) for p in pieces)
