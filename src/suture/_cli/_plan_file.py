"""Files of plans, and whether an output may be written.

Knows how they are read, written and refused. Does not know what a plan says.
"""

from __future__ import annotations

from pathlib import Path

from suture._errors import FileError, near_miss
from suture._plan import Plan


def read_plan(file: Path) -> Plan:
    try:
        return Plan.from_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        beside = sorted(str(other) for other in file.parent.glob("*.json"))
        because = [("because", error.strerror or str(error))]
        raise FileError(f"{file} cannot be read.", because, near_miss(str(file), beside)) from None
    except UnicodeDecodeError:
        raise FileError(f"{file} is not a plan: it is not text.") from None


def refuse_to_write(file: Path, force: bool) -> None:
    """Refuse an output before the work is done, not after."""
    if file.exists() and not force:
        raise FileError(f"{file} exists already.", hint="give --force to overwrite it")
    if not file.parent.is_dir():
        raise FileError(f"There is no folder {str(file.parent)!r} to write {file.name} into.")


def write_plan(file: Path, plan: Plan) -> None:
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_text(plan.to_json() + "\n", encoding="utf-8")
        part.replace(file)
    except OSError as error:
        because = [("because", error.strerror or str(error))]
        raise FileError(f"{file} cannot be written.", because) from None
