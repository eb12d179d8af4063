"""Table 3 of the paper rebuilt: OpenAI Five's shape gains 12 features for every hero.

Four ways to find which features reach which parameters, each as the paper's matcher uses it, and
Suture's own matcher, which pairs units. Run with `make bench`: it prints the table, and writes it
to `benchmarks/results/` and into `docs/openai_five.md`.

Every row is measured in a process of its own, so that its peak memory is its own. Gradients are
probed for samples of the features; what is extrapolated from them is marked with `~`.

Source: Raiman, Zhang and Dennison, *Neural Network Surgery with Sets*, table 3.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

import suture
from dota import EXTRA, Sizes, generic, subject
from dota.table import Row, publish
from measuring.clock import apart, peak, timed
from suture._plan import Sum

RUNS, SAMPLED, STATES = 5, 32, 4
"""How often a row is timed, how many features a timed gradient probes, how many states are run."""

HERO, LAYERS = "enemy_hero.0.", "units.enemy_hero."
"""What is probed whole to see what a gradient mapping transfers, and what layers read it."""

GRADIENTS: dict[str, dict[str, Any]] = {
    "gradient, positive": {"init": "positive", "pooling": "max", "saturation": "raw"},
    "gradient, random": {"init": "random", "pooling": "max", "saturation": "raw"},
    "gradient, positive, average pool": {},
}
"""Which repairs each mapping of the paper makes."""

Array = NDArray[np.float32]
Pair = tuple[suture.Subject, suture.Subject]


def models(games: int = 2, steps: int = 3) -> Pair:
    """Make both models without weights, the one that sees more of every hero last."""
    sizes = Sizes(), Sizes(extra=EXTRA)
    before, after = (subject(each, "meta", games=games, steps=steps) for each in sizes)
    return before, after


def traced(pair: Pair) -> tuple[suture.Graph, suture.Graph]:
    """Trace both models."""
    return suture.trace(pair[0]), suture.trace(pair[1])


def boolean() -> Row:
    """Measure the boolean mapping: trace both, map both, couple, plan by the paper's matcher."""
    pair = models()

    def surgery() -> suture.Plan:
        source, target = traced(pair)
        phi = suture.interactions(source), suture.interactions(target)
        return suture.plan(source, target, matcher="interactions", phi=phi)

    seconds, made = timed(surgery, RUNS)
    return row(made, suture.plan(*traced(pair)), seconds)


def coupling() -> Row:
    """Measure Suture's own matcher, in the same steps."""
    pair = models()

    def surgery() -> suture.Plan:
        source, target = traced(pair)
        for graph in (source, target):
            suture.interactions(graph)
        return suture.plan(source, target)

    seconds, made = timed(surgery, RUNS)
    return row(made, made, seconds)


def kept() -> float:
    """Carry real weights over and run both models: the largest relative change of an output."""
    source, target = subject(Sizes()), subject(Sizes(extra=EXTRA), seed=1)
    generic(source.model)
    generic(target.model, 1)
    plan = suture.transfer(source, target)
    return suture.verify(plan, source, target, states=STATES).max_rel_diff


def gradient(name: str) -> Row:
    """Measure a gradient mapping on samples of the features.

    Every run probes its own features of the source. What is transferred is seen on all features of
    one enemy hero in both models, in the layers that enemy heroes share; what it says of others,
    which are not probed, is not counted.
    """
    pair, options = models(games=1, steps=2), GRADIENTS[name]
    known = suture.interactions(suture.trace(pair[0]))
    total, probed, beyond, alone, together = 0, 0, 0, [], []
    probed_in(pair[0], known.features[:1], options, 0)  # the first one also finds its memory
    for run in range(RUNS):
        names = random.Random(run).sample(known.features, SAMPLED)
        first, _ = probed_in(pair[0], names[:1], options, run)
        last, phi = probed_in(pair[0], names, options, run)
        alone.append(first)
        together.append(last)
        total += phi.total
        beyond += sum(lacking(known, phi, each) for each in names)
        probed += sum(sum(known.parameters(each).values()) for each in names)
    # What one feature costs is little beside the set-up, which is taken as its quickest.
    setup = min(alone)
    each = [(last - setup) / (SAMPLED - 1) for last in together]
    seconds = [2 * (setup + cost * (len(known.features) - 1)) for cost in each]
    source, target = traced(pair)
    one, other = (suture.gradient_interactions(s, **options, features=hero(s)) for s in pair)
    made = suture.plan(source, target, matcher="interactions", phi=(one, other))
    measured = row(made, suture.plan(source, target), tuple(seconds), found=total / probed)
    return replace(measured, sampled=RUNS * SAMPLED, beyond=beyond)


def probed_in(
    side: suture.Subject, names: Sequence[str], options: dict[str, Any], seed: int
) -> tuple[float, suture.Interactions]:
    """Probe some features, and say how many seconds it took."""
    start = time.perf_counter()
    phi = suture.gradient_interactions(side, **options, features=names, seed=seed)
    return time.perf_counter() - start, phi


def hero(side: suture.Subject) -> list[str]:
    """List the features of one hero."""
    known = suture.interactions(suture.trace(side)).features
    return [name for name in known if name.startswith(HERO)]


def lacking(known: suture.Interactions, phi: suture.Interactions, feature: str) -> int:
    """Count the parameters of which a map finds interactions that the boolean one lacks."""
    return sum(
        bool((phi.mask(name, feature) & ~known.mask(name, feature)).any()) for name in phi.touched
    )


def row(
    plan: suture.Plan, right: suture.Plan, seconds: tuple[float, ...], found: float | None = None
) -> Row:
    """Say what a plan transfers, beside the right one, and what this process has used."""
    return Row(found, share(plan), misplaced(plan, right), seconds, peak())


def share(plan: suture.Plan) -> float:
    """Say which share of the target's parameter entries comes from the source."""
    copied = (
        prod(block.shape)
        for tensor in plan.tensors
        for block in tensor.blocks
        if isinstance(block.fill, Sum)
    )
    return sum(copied) / sum(prod(tensor.target.shape) for tensor in plan.tensors)


def misplaced(plan: suture.Plan, right: suture.Plan) -> int:
    """Count the entries that a plan copies from another place than the right one does."""
    names = {t.target.name for t in plan.tensors if t.target.name.startswith(LAYERS)}
    ours, theirs = (places(each, names) for each in (plan, right))
    return sum(int(((ours[name] > 0) & (ours[name] != theirs[name])).sum()) for name in names)


def places(plan: suture.Plan, names: Collection[str]) -> dict[str, Array]:
    """Say of every entry of some tensors which of the source it is, from 1 on; else 0 or -1."""
    chosen = tuple(tensor for tensor in plan.tensors if tensor.target.name in names)
    sources = {t.source.name: numbered(t.source.shape) for t in chosen if t.source}
    targets = {t.target.name: np.full(t.target.shape, -1, np.float32) for t in chosen}
    part = replace(plan, tensors=chosen, inputs=(), outputs=(), notes=(), unpaired=())
    return suture.apply(part, sources, targets)


def numbered(shape: tuple[int, ...]) -> Array:
    """Give entries numbers from 1 on; a float holds them exactly up to 16 million."""
    return np.arange(1, prod(shape) + 1, dtype=np.float32).reshape(shape)


def main() -> None:
    """Measure all rows, and publish the table.

    What all interactions are is what boolean logic finds, unless a gradient shows another.
    """
    rows = {name: apart(gradient, name) for name in GRADIENTS}
    everything = 1.0 if not any(each.beyond for each in rows.values()) else None
    rows["boolean"] = replace(apart(boolean), found=everything)
    rows["coupling"] = replace(apart(coupling), kept=apart(kept))
    publish(rows)


if __name__ == "__main__":
    main()
