"""Files of plans.

Knows how they are read and written. Does not know what a plan says.
"""

from __future__ import annotations

from pathlib import Path

from suture._errors import FileError, near_miss, unusable
from suture._files import refuse_unreachable, whole_file
from suture._plan import Plan


def read_plan(file: Path) -> Plan:
    refuse_unreachable(file, "read")
    try:
        return Plan.from_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        beside = sorted(str(other) for other in file.parent.glob("*.json"))
        raise unusable(file, "read", error, near_miss(str(file), beside)) from None
    except UnicodeDecodeError:
        raise FileError(f"{file} is not a plan: it is not text.") from None


def write_plan(file: Path, plan: Plan) -> None:
    with whole_file(file) as part:
        part.write_text(plan.to_json() + "\n", encoding="utf-8")
