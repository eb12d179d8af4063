"""Write what was measured: on the screen, into `benchmarks/results/`, and into a page of the docs.

Knows files and the marks between which a page is written anew. Does not know what was measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

BENCHMARKS = Path(__file__).parents[1]
RESULTS, DOCS = BENCHMARKS / "results", BENCHMARKS.parent / "docs"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write(name: str, lines: Iterable[str], figures: Any) -> None:
    """Print a table in Markdown, and write it to where the results and the docs of a name are.

    Args:
        name: of the page, and of the results.
        lines: the table.
        figures: what it was made of, to be kept as JSON.
    """
    text = "\n".join(lines)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n")
    (RESULTS / f"{name}.md").write_text(text + "\n")
    page = DOCS / f"{name}.md"
    old = page.read_text()
    before, after = old[: old.index(BEGIN)], old[old.index(END) :]
    page.write_text(f"{before}{BEGIN}\n{text}\n{after}")
    Console().print(Markdown(text))


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Write a table in Markdown, line by line."""
    head = [*columns]
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"
