"""World states: values of everything that both models see, in each model's layout.

Knows how the plan places the entries of inputs. Does not know a framework, nor what is compared.

A state is drawn (or given) in the target's layout; the source's inputs are filled from it. What
the source alone sees is held at the value at which the plan drops it, 0 where nothing else is said;
what the target sees on another scale is set back. Integers that
choose from an axis are drawn among the values that both sides know; other integers and booleans,
and concrete inputs, keep their example values.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suture._plan import IndexMap, Placement, Plan

Array = NDArray[Any]
Inputs = Mapping[str, Array]


def draw(
    plan: Plan,
    old: Inputs,
    examples: Inputs,
    rng: np.random.Generator,
    kept: Container[str] = (),
) -> dict[str, Array]:
    """Draw a world state in the target's layout.

    Args:
        plan: says which inputs there are.
        old: the source's example inputs by keypath.
        examples: the target's example inputs by keypath.
        rng: where chance comes from.
        kept: inputs that keep their example values.

    Returns:
        Inputs by keypath; floats are standard normal.
    """
    return {
        p.name: _kept(p, old, examples[p.name])
        if p.name in kept
        else _drawn(p, old, examples[p.name], rng)
        for p in plan.inputs
        if p.target is not None
    }


def _drawn(placement: Placement, old: Inputs, example: Array, rng: np.random.Generator) -> Array:
    if np.issubdtype(example.dtype, np.inexact):
        return rng.standard_normal(example.shape).astype(example.dtype)
    if placement.values is None and example.dtype == np.uint8:
        return rng.integers(0, 256, example.shape, np.uint8)
    if not placement.values:
        return _kept(placement, old, example)
    shared = np.concatenate([np.arange(r.target, r.target + r.length) for r in placement.values])
    return rng.choice(shared, example.shape).astype(example.dtype)


def _kept(placement: Placement, old: Inputs, example: Array) -> Array:
    """Give an input the source's example values where it has them: both know those."""
    kept = example.copy()
    if placement.source is not None and placement.values is None and placement.dims:
        theirs, ours = zip(*map(spread, placement.dims), strict=True)
        kept[np.ix_(*ours)] = old[placement.name][np.ix_(*theirs)]
    return kept


def as_source(plan: Plan, state: Inputs, examples: Inputs) -> dict[str, Array]:
    """See a world state as the source does.

    Args:
        plan: says where each entry sits.
        state: the target's inputs by keypath.
        examples: the source's example inputs by keypath.

    Returns:
        The source's inputs by keypath.
    """
    return {
        placement.name: _seen(placement, state, examples[placement.name])
        for placement in plan.inputs
        if placement.source is not None
    }


def _seen(placement: Placement, state: Inputs, example: Array) -> Array:
    inexact = np.issubdtype(example.dtype, np.inexact)
    seen = np.zeros_like(example) if inexact or example.dtype == np.uint8 else example.copy()
    if placement.target is None:
        return _held(placement, seen)
    given = state[placement.name]
    if placement.values is not None:
        given = _translated(given, placement.values)
    theirs, ours = zip(*map(spread, placement.dims), strict=True) if placement.dims else ((), ())
    seen[np.ix_(*theirs)] = given[np.ix_(*ours)]
    return _held(placement, seen)


def _held(placement: Placement, seen: Array) -> Array:
    """Set what is gone to the value at which it is held, and what is rescaled to the old scale."""
    for held in placement.held:
        if held.name == placement.name:
            seen[...] = held.value
        for entries in _entries(placement, held.name, seen):
            entries[...] = held.value
    for one in placement.rescaled:
        for entries in _entries(placement, one.name, seen):
            entries[...] = one.affine.old(entries)
    return seen


def _entries(placement: Placement, name: str, seen: Array) -> Iterator[Array]:
    """Give the entries of an input that have a name, as the source lays them."""
    for label in placement.labels:
        if label.name == name and label.dim >= 0 and label.source is not None:
            yield np.moveaxis(seen, label.dim, 0)[label.source, ...]


def _translated(given: Array, values: IndexMap) -> Array:
    """Give integers the values that choose the same rows on the other side."""
    translated = np.zeros_like(given)
    for run in values:
        inside = (given >= run.target) & (given < run.target + run.length)
        translated[inside] = given[inside] - run.target + run.source
    return translated


def spread(runs: Sequence[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Write an index map as positions: the source's and the target's."""
    empty = np.empty(0, np.int64)
    theirs = [np.arange(run.source, run.source + run.length) for run in runs]
    ours = [np.arange(run.target, run.target + run.length) for run in runs]
    return np.concatenate([empty, *theirs]), np.concatenate([empty, *ours])
