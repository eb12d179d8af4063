"""How long plans take as models grow, how much memory, and how much of a model they place.

Suture beside Torch-Pruning's DepGraph, which finds coupled channels in order to remove them, and
weightbridge, which pairs tensors of two models by name and shape. Run with `make bench`: it prints
the table, and writes it to `benchmarks/results/` and into `docs/scaling.md`.

What is right is written down by hand (`by_hand`), from the models' configs alone.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from time import process_time

import torch

import suture
from growing import GROWTHS, Growth, placed_by, shrunk_by
from growing.table import Row, Seconds, publish
from measuring.clock import apart, peak, timed

RUNS, LIMIT = 3, 300.0
"""How often everything is timed, and how many seconds another program is waited for."""

FITS = 20e9
"""So many bytes of weights are taken to fit into memory."""

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "vocab_size": 320,
    "use_cache": False,
}
"""A Llama for which nothing is too large."""


def ours(name: str) -> Row:
    """Measure Suture: each step, then the whole plan."""
    settle()
    growth = GROWTHS[name]
    before, after = growth.subjects()
    traced, graph = timed(lambda: suture.trace(before), RUNS, process_time)
    coupled, units = timed(lambda: suture.couple(graph), RUNS, process_time)
    most = peak()
    others = suture.couple(suture.trace(after))
    matched, _ = timed(lambda: suture.match(units, others), RUNS, process_time)
    planned, plan = timed(
        lambda: suture.plan(suture.trace(before), suture.trace(after)), RUNS, process_time
    )
    score = placed_by(plan, growth.by_hand(*growth.configs()))
    return Row(
        *(name, "Suture", len(graph.nodes), traced, coupled, matched, planned, most),
        *(score.share, score.wrong),
    )


def depgraph(name: str) -> Row:
    """Measure DepGraph: build, scan all groups, and make the wider model narrow again."""
    settle()
    from growing.others import depgraph_scan, depgraph_shrink

    growth = GROWTHS[name]
    found = [depgraph_scan(growth) for _ in range(RUNS)]
    built, scanned = (tuple(each[at] for each in found) for at in (0, 1))
    narrow = growth.by_hand(*growth.configs()[::-1])
    own = {each for each, _ in growth.subjects()[0].model.named_parameters()}
    score = shrunk_by(
        depgraph_shrink(growth), {each: dims for each, dims in narrow.items() if each in own}
    )
    said = "shrunk back, outputs told by hand"
    return Row(name, "DepGraph", None, built, scanned, peak=peak(), share=score.share, said=said)


def grouped_queries(keys: int) -> int:
    """Let DepGraph scan a small Llama with so many heads of keys; give the number of groups."""
    settle()
    from growing.others import depgraph_scan

    old = {**SMALL, "num_key_value_heads": keys}
    return depgraph_scan(replace(GROWTHS["Llama 7B"], old=old))[2]


def bridge(name: str) -> Row:
    """Measure weightbridge: pair a model with itself, and with the wider one."""
    settle()
    from growing.others import bridge as pair
    from growing.others import bridge_wide, whole

    growth = GROWTHS[name]
    runs = [pair(growth) for _ in range(RUNS)]
    paired, hand = bridge_wide(growth), growth.by_hand(*growth.configs())
    matched: Seconds = tuple(seconds for seconds, _ in runs)
    said = f"of itself {100 * runs[0][1]:.4g}%"
    if isinstance(paired, str):
        return Row(
            name, "weightbridge", match=matched, peak=peak(), share=0.0, said=f"{paired!r}; {said}"
        )
    right = whole(paired, hand)
    return Row(name, "weightbridge", match=matched, peak=peak(), share=right, said=said)


def settle() -> None:
    """One thread, and no word of what a library would like to be told."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def large(growth: Growth) -> float:
    """Count the bytes of the wider model's weights, of half precision."""
    return 2.0 * sum(each.numel() for each in growth.subjects()[1].model.parameters())


def rows() -> Iterator[Row]:
    """Measure everything, each in a process of its own; what cannot be measured says why."""
    for name, growth in GROWTHS.items():
        yield apart(ours, name)
        yield _depgraph(name, large(growth))
        yield apart(bridge, name)


def _depgraph(name: str, bytes_: float) -> Row:
    if bytes_ > FITS:
        said = f"not run: it runs the model, and {bytes_ / 1e9:.0f} GB of weights do not fit"
        return Row(name, "DepGraph", said=f"{said}; {_small_scan()}")
    try:
        return apart(depgraph, name, limit=LIMIT)
    except TimeoutError as error:
        return Row(name, "DepGraph", said=str(error))


def _small_scan() -> str:
    """Say whether DepGraph ends on a model with grouped queries that has no size to speak of."""
    try:
        groups = apart(grouped_queries, 2, limit=40.0)
    except TimeoutError:
        return "on a Llama of 2 layers, width 64 and grouped queries its scan does not end in 40 s"
    return f"a Llama of 2 layers with grouped queries has {groups} groups"


def main() -> None:
    """Measure all rows, and publish the table."""
    found = {}
    for row in rows():
        found[f"{row.model}, {row.program}"] = row
        print(row, file=sys.stderr, flush=True)
    titles = {name: growth.title for name, growth in GROWTHS.items()}
    publish(found, titles)


if __name__ == "__main__":
    main()
