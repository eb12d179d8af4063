"""The table of speeds, what the targets are, and what was left out.

Knows how figures read. Does not know how they are measured.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import torch

from measuring import page

COLUMNS = (
    *("model", "ops", "program", "trace", "couple", "match", "plan", "peak memory"),
    "placed after widening",
)

TARGETED = ("GPT-2 124M", "Llama 7B", "Llama 70B")

Seconds = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What one program was measured to do with one model.

    Attributes:
        model: its name.
        program: whose row this is.
        ops: how many there are in the model; None where they are not counted.
        trace: seconds of every run: trace, or what comes closest (DepGraph's build).
        couple: the same of coupling, or of scanning all groups.
        match: the same of matching, or of pairing the model with itself.
        plan: the same of everything, both models included.
        peak: the largest memory of the process after trace and couple, or at the end, in bytes.
        share: the share of what has a place in the wider model that was put there; None if unknown.
        wrong: how many entries were put elsewhere.
        said: why something is missing, or what else is to be said.
    """

    model: str
    program: str
    ops: int | None = None
    trace: Seconds = ()
    couple: Seconds = ()
    match: Seconds = ()
    plan: Seconds = ()
    peak: int | None = None
    share: float | None = None
    wrong: int = 0
    said: str = ""


def publish(rows: Mapping[str, Row], titles: Mapping[str, str]) -> None:
    """Print the table, and write it into the results and the docs."""
    page.write("scaling", table(rows, titles), {name: asdict(row) for name, row in rows.items()})


def table(rows: Mapping[str, Row], titles: Mapping[str, str]) -> Iterator[str]:
    """Write the table in Markdown; below it what was grown, the targets and where it was run."""
    yield from page.table(COLUMNS, map(_cells, rows.values()))
    yield ""
    yield from (f"* **{name}**: {title}." for name, title in titles.items())
    yield ""
    yield from page.table(("target", "measured", ""), _targets(rows))
    yield ""
    runs = max(len(row.trace) for row in rows.values())
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    yield f"Seconds of processor time, one thread, the fastest of {runs} runs after a first one, on"
    yield f"{os.cpu_count()} cores ({platform.machine()}, load {load}), torch {torch.__version__}."
    yield "Every row is measured in a process of its own; peak memory is that of the whole process,"
    yield "with torch and the library of models in it: they alone take 0.4 GB."


def _cells(row: Row) -> Iterator[str]:
    yield from (row.model, "" if row.ops is None else f"{row.ops:,}", row.program)
    yield from map(_seconds, (row.trace, row.couple, row.match, row.plan))
    yield "" if row.peak is None else f"{row.peak / 1e9:.2f} GB"
    wrong = f", {row.wrong:,} wrong" if row.wrong else ""
    share = "" if row.share is None else f"{100 * row.share:.4g}%{wrong}"
    yield "; ".join(filter(None, (share, row.said)))


def _seconds(seconds: Seconds) -> str:
    return f"{min(seconds):.2f}" if seconds else ""


def _targets(rows: Mapping[str, Row]) -> Iterator[tuple[str, str, str]]:
    small, large, larger = (rows[f"{name}, Suture"] for name in TARGETED)
    both = [min(row.trace) + min(row.couple) for row in (large, larger)]
    yield _target("Llama 7B: trace and couple", both[0], 1.5, "s")
    yield _target("Llama 7B: peak memory", (large.peak or 0) / 1e9, 1.5, "GB")
    ops = (larger.ops or 0) / (large.ops or 1)
    yield _target("Llama 70B: trace and couple, per op of Llama 7B", both[1] / both[0] / ops, 1.1)
    yield _target("Llama 7B: whole plan", min(large.plan), 4.0, "s")
    yield _target("GPT-2 124M: whole plan", min(small.plan), 1.0, "s")


def _target(what: str, measured: float, most: float, unit: str = "times") -> tuple[str, str, str]:
    met = "met" if measured <= most else "**missed**"
    return f"{what} within {most:g} {unit}", f"{measured:.2f} {unit}", met
