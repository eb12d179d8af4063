"""Table 3: what was measured beside what the paper printed, on the screen, in a file, in the docs.

Knows how figures read. Does not know how they are measured.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import torch

from measuring import page

PAPER = {
    "gradient, positive": ("0.52%", "90.13%", ""),
    "gradient, random": ("49.42%", "94.91%", ""),
    "gradient, positive, average pool": ("100%", "98.68%", "907.92 ± 195.31"),
    "boolean": ("100%", "98.68%", "37.88 ± 0.76"),
}
"""Interactions found, parameters transferred and seconds of each mapping, as the paper has them."""

COLUMNS = (
    *("mapping", "interactions found", "parameters transferred", "of them misplaced", "seconds"),
    *("peak memory", "the paper: found", "transferred", "seconds"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What one mapping was measured to do.

    Attributes:
        found: the share of all interactions that it finds; None where it does not look for them.
        transferred: the share of the target's parameter entries that come from the source.
        misplaced: how many of those in the layers of enemy heroes come from a wrong place.
        seconds: the whole surgery, of every run.
        peak: the largest memory of the process in bytes.
        sampled: how many features stand for all, None if all were probed.
        kept: the largest relative change of an old output on world states, if it was measured.
        beyond: how often a sampled feature reaches a parameter where boolean logic sees none.
    """

    found: float | None
    transferred: float
    misplaced: int
    seconds: tuple[float, ...]
    peak: int
    sampled: int | None = None
    kept: float | None = None
    beyond: int = 0


def publish(rows: Mapping[str, Row]) -> None:
    """Print the table, and write it into the results and the docs."""
    figures = {name: asdict(row) for name, row in rows.items()}
    page.write("openai_five", table(rows), figures)


def table(rows: Mapping[str, Row]) -> Iterator[str]:
    """Write the table in Markdown, and below it where it was measured and what was found."""
    cells = ((name, *_cells(row), *PAPER.get(name, ("", "", ""))) for name, row in rows.items())
    yield from page.table(COLUMNS, cells)
    yield ""
    yield from _notes(rows)


def _cells(row: Row) -> Iterator[str]:
    about = "" if row.sampled is None else "~"
    yield "" if row.found is None else f"{about}{100 * row.found:.2f}%"
    yield f"{100 * row.transferred:.4f}%"
    yield f"{row.misplaced:,}"
    mean, spread = statistics.mean(row.seconds), statistics.stdev(row.seconds)
    yield f"{about}{mean:,.2f} ± {spread:,.2f}"
    yield f"{row.peak / 1e9:.2f} GB"


def _notes(rows: Mapping[str, Row]) -> Iterator[str]:
    """Say what the figures are of, and what follows from them."""
    boolean, best = rows["boolean"], rows["gradient, positive, average pool"]
    ratio = statistics.mean(best.seconds) / statistics.mean(boolean.seconds)
    beyond = sum(row.beyond for row in rows.values())
    yield f"{len(boolean.seconds)} runs on {os.cpu_count()} cores ({platform.machine()}), torch"
    yield f"{torch.__version__}. Seconds by boolean logic and coupling: trace, map and couple both"
    yield "models, and plan. By gradients (`~`): probing both models, extrapolated from"
    yield f"{best.sampled} random features, set-up apart; what is misplaced is seen on all"
    yield "features of one enemy hero, in the layers of enemy heroes. All repairs made, it takes"
    yield f"{ratio:,.0f} times as long."
    yield f"Of what gradients found, boolean logic lacks {beyond or 'nothing'}."
    yield "With real weights carried over by coupling, old outputs change by at most"
    yield f"{rows['coupling'].kept:.1e} of the largest."
