"""One change after the other in models that people bring: what of the old model the new one keeps.

Run with `make bench`: it prints a table, and writes it to `benchmarks/results/` and into
`docs/families.md`. What cannot be planned is a row that says why.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import suture
from dota import generic
from measuring import page
from measuring.placed import placed
from suture import Plan, Subject
from suture._plan import LIMITS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from changes import CHANGES, MORE, OWN, Change, config, told
from families import FAMILIES
from plain_families import PLAIN

ROUNDS, STATES = 3, 3
"""How often a plan is timed, and on how many world states the models are compared."""

BUILD: dict[str, Callable[..., Subject]] = {**FAMILIES, **PLAIN}
COLUMNS = ("change", "old entries kept", "old outputs change by", "exact", "seconds")


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one change.

    Attributes:
        change: what changed in the config.
        kept: how many entries of the old parameters the new model has.
        total: how many there were.
        apart: the largest change of an old output over the largest output, on weights of order
            one.
        inexact: why the plan does not promise the old function; empty where it does.
        seconds: both traces and the plan, in the median.
        error: why there is no plan.
    """

    change: str
    kept: int = 0
    total: int = 0
    apart: float = 0.0
    inexact: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""


def measured(family: str, change: Change) -> Row:
    """Plan one change, and carry weights over; say what went wrong if something did."""
    try:
        return carried(family, change)
    except (suture.SutureError, RuntimeError) as error:
        return Row(told(change), error=f"{type(error).__name__}: {str(error).splitlines()[0]}")


def carried(family: str, change: Change) -> Row:
    """Plan one change, and carry weights of order one over."""
    old, new = (BUILD[family](**config(change, side)) for side in (0, 1))
    generic(old.model, 1)
    generic(new.model, 2)
    seconds, plan = timed(old, new)
    new.model.load_state_dict(suture.apply(plan, old.model.state_dict(), new.model.state_dict()))
    apart = suture.verify(plan, old, new, states=STATES).max_rel_diff
    reasons = tuple(note.reason for note in plan.notes if note.kind in LIMITS)
    return Row(told(change), *kept(plan, old), apart, reasons, seconds)


def timed(old: Subject, new: Subject) -> tuple[float, Plan]:
    """Trace both models and plan, several times: the median of the seconds, and the plan."""
    seconds, plans = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        plans.append(suture.plan(suture.trace(old), suture.trace(new)))
        seconds.append(time.perf_counter() - start)
    return median(seconds), plans[-1]


def kept(plan: Plan, old: Subject) -> tuple[int, int]:
    """Count the entries of the old parameters that the new model has, and all of them."""
    found, weights = placed(plan), dict(old.model.named_parameters())
    return found.kept(weights), sum(weight.numel() for weight in weights.values())


def lines(tables: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Write a table for every family, and what they show together."""
    yield from summary([row for rows in tables.values() for row in rows])
    for family, rows in tables.items():
        yield from ("", f"### {family}", "")
        yield from page.table(COLUMNS, map(cells, rows))


def cells(row: Row) -> Iterator[str]:
    yield row.change
    if row.error:
        yield from ("", "", row.error, "")
        return
    share = "all" if row.kept == row.total else f"{100 * row.kept / row.total:.1f}%"
    yield f"{row.kept:,} ({share})"
    yield f"{row.apart:.0e}" if row.apart else "0"
    yield f"no: {shortened(*row.inexact)}" if row.inexact else "yes"
    yield f"{row.seconds:.2f}"


def shortened(first: str, *others: str) -> str:
    """Say a reason without its place and its details, and how many more there are."""
    gist = re.sub(r" in \S+\.\S+", "", first).partition(": ")[0]
    return f"{gist} (and {len(others)} more)" if others else gist


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Say in how many rows what holds."""
    whole = sum(not row.error and row.kept == row.total for row in rows)
    exact = [row for row in rows if not row.error and not row.inexact]
    apart = max(row.apart for row in exact)
    yield f"{len(rows)} changes. In {whole} of them the new model has every entry of the old one;"
    yield f"{len(exact)} are exact, and there old outputs change by {apart:.0e} at most."
    failed = sum(bool(row.error) for row in rows)
    yield f"{failed or 'None'} could not be planned."


def main() -> None:
    """Measure every change of every family, and publish the tables."""
    tables = {
        family: [measured(family, change) for change in changes]
        for family, changes in {**CHANGES, **MORE, **OWN}.items()
    }
    figures = {family: [asdict(row) for row in rows] for family, rows in tables.items()}
    page.write("families", lines(tables), figures)


if __name__ == "__main__":
    main()
