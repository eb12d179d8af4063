"""What verification measured, as JSON.

Knows the format. Does not know how anything is measured.
"""

from __future__ import annotations

import math
from typing import Any

from suture._json_text import laid_out
from suture._plan import Plan
from suture._report import Difference, Report

FORMAT = "suture-report"
VERSION = 1


def report_to_json(report: Report, plan: Plan) -> str:
    """Write what a report's screen says as versioned JSON text, one output a line."""
    return laid_out(
        {
            "format": FORMAT,
            "version": VERSION,
            "equal": report.equal,
            "promised": plan.exact,
            "apart": list(report.apart),
            "states": report.states,
            "outputs": [_difference(each) for each in report.outputs],
            "generic_states": report.generic_states,
            "generic": [_difference(each) for each in report.generic],
            "held": {name: report.held_at.get(name, 0.0) for name in report.held},
            "parted": report.parted,
            "left_out": report.left_out,
        }
    )


def _difference(each: Difference) -> dict[str, Any]:
    return {
        "name": each.name,
        "max_abs": _number(each.max_abs),
        "max_rel": _number(each.max_rel),
        "tolerance": each.tolerance,
        "compared": each.compared,
        "equal": each.equal,
    }


def _number(value: float) -> float | str:
    """Give a number, or a word for what JSON has no number for."""
    return value if math.isfinite(value) else str(value)
