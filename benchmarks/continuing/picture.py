"""The picture: a row for each task; without recovery, with it, and with each of its parts.

Knows curves and colours. Does not know what is made of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from continuing.figures import band
from continuing.tasks import Result
from measuring.page import RESULTS

PICTURE = RESULTS / "continue_training.png"

COLOURS = {
    "carried": "#0072b2",
    "reset": "#e69f00",
    "naive": "#d55e00",
    "no surgery": "#777777",
    "carried + recovery": "#0072b2",
    "reset + recovery": "#e69f00",
    "naive + recovery": "#d55e00",
    "carried + warm-up": "#009e73",
    "carried + pull": "#cc79a7",
    "carried + gate": "#56b4e9",
    "carried + bias": "#000000",
}
PANELS = {
    "without recovery": ("carried", "reset", "naive", "no surgery"),
    "with all of recovery": ("carried + recovery", "reset + recovery", "naive + recovery"),
    "with one part, optimizer carried": (
        *("carried", "carried + warm-up", "carried + pull", "carried + gate", "carried + bias"),
    ),
}


def draw(results: Mapping[str, Result], picture: Path = PICTURE) -> None:
    """Draw the mean of each arm over the updates since the surgery, and its confidence band."""
    mpl.use("Agg")
    figure = plt.figure(figsize=(13, 4.2 * len(results)), dpi=110, layout="constrained")
    rows = figure.subfigures(len(results), 1, squeeze=False)[:, 0]
    for result, row in zip(results.values(), rows, strict=True):
        row.suptitle(result.task.title, weight="bold")
        panels = row.subplots(1, len(PANELS), sharey=True)
        for axes, (title, arms) in zip(panels, PANELS.items(), strict=True):
            _panel(axes, result, [arm for arm in arms if arm in result.curves[0]])
            axes.set_title(title, fontsize=10)
        panels[0].set_ylabel(result.task.measure)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture)
    plt.close(figure)


def _panel(axes: Axes, result: Result, arms: Sequence[str]) -> None:
    updates, level = result.task.updates, mean(result.levels)
    axes.axhline(level, color="black", linestyle=":", linewidth=1, label="before the surgery")
    for arm in arms:
        means, reach = band(result.curves, arm)
        axes.plot(updates, means, color=COLOURS[arm], linewidth=1.6, label=arm)
        low, high = means - reach, means + reach
        axes.fill_between(updates, low, high, color=COLOURS[arm], alpha=0.15, linewidth=0)
    axes.set_xlabel("optimizer steps since the surgery")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
