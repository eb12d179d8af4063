"""What came of training that went on: two tables a task, and what follows from them.

Knows how figures read. Does not know how they are measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from continuing.claims import Seeds, judged, meant
from continuing.figures import MEASURES, Figures, Spread, of_seeds
from continuing.tasks import Result, Task
from measuring import page

HEADINGS = {
    "right_after": "right after",
    "worst": "worst of the next {window}",
    "at_end": "at the end",
    "overall": "mean since",
}


def publish(results: Mapping[str, Result]) -> None:
    """Print the tables, and write them into the results and the docs."""
    page.write("continue_training", lines(results), _kept(results))


def lines(results: Mapping[str, Result]) -> Iterator[str]:
    """Write everything in Markdown."""
    for result in results.values():
        task, seeds = result.task, of_seeds(result)
        yield f"### {task.title}"
        yield ""
        yield f"The {task.measure} ({task.better} is better) right before the surgery was"
        yield f"{_spread(task, Spread.of(result.levels))}; means of {len(seeds)} seeds and"
        yield f"their 95% confidence intervals, over {task.updates[-1]} updates."
        yield ""
        yield from _went(task, seeds)
        yield ""
        yield "By how much the first arm is better than the second, seed by seed:"
        yield ""
        yield from _claims(task, seeds)
        yield ""


def _went(task: Task, seeds: Seeds) -> Iterator[str]:
    heads = {key: text.format(window=task.window) for key, text in HEADINGS.items()}
    columns = [heads["right_after"], heads["worst"], "updates to get back"]
    rows = ([arm, *_cells(task, [each[arm] for each in seeds])] for arm in seeds[0])
    return page.table(["arm", *columns, heads["at_end"], heads["overall"]], rows)


def _cells(task: Task, of: Sequence[Figures]) -> Iterator[str]:
    spreads = {key: _spread(task, Spread.of([getattr(f, key) for f in of])) for key in MEASURES}
    yield from (spreads["right_after"], spreads["worst"], _back(of))
    yield from (spreads["at_end"], spreads["overall"])


def _back(of: Sequence[Figures]) -> str:
    """Say the median of the updates, and how many of the seeds did not get back."""
    came = [each.back for each in of if each.back is not None]
    never = f"{len(of) - len(came)} of {len(of)} never"
    if not came:
        return never
    middle = f"{median(came):.0f}"
    return middle if len(came) == len(of) else f"{middle}; {never}"


def _claims(task: Task, seeds: Seeds) -> Iterator[str]:
    rows = [
        [claim.text, *(_verdict(task, *judged(task, seeds, claim, m)) for m in MEASURES)]
        for claim in meant(seeds)
    ]
    heads = [HEADINGS[measure].format(window=task.window) for measure in MEASURES]
    return page.table(["what one hopes for", *heads], rows)


def _verdict(task: Task, gain: Spread, verdict: str) -> str:
    if verdict == "equal":
        return verdict
    strong = verdict if verdict == "not shown" else f"**{verdict}**"
    return f"{strong} ({_spread(task, gain, '+')})"


def _spread(task: Task, spread: Spread, sign: str = "") -> str:
    digits = 3 if task.better == "lower" else 0
    return f"{spread.mean:{sign}z.{digits}f} ± {spread.reach:.{digits}f}"


def _kept(results: Mapping[str, Result]) -> dict[str, Any]:
    return {name: _seeds(result, of_seeds(result)) for name, result in results.items()}


def _seeds(result: Result, seeds: Seeds) -> dict[str, Any]:
    """List figures and curves by arm and seed; a curve is one line of text, to be read."""
    curves = {
        arm: [" ".join(f"{value:.5g}" for value in each[arm]) for each in result.curves]
        for arm in seeds[0]
    }
    arms = {arm: [asdict(each[arm]) for each in seeds] for arm in seeds[0]}
    updates = " ".join(map(str, result.task.updates))
    return {"before": result.levels, "arms": arms, "updates": updates, "curves": curves}
