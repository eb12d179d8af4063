"""Records: which plan made a file, and of which source, written into the file itself.

Knows what a record says. Does not know where a format keeps it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from suture._json_text import parsed
from suture._plan import Plan

RECORD = "suture"
"""What a record is called among the texts that a file holds by name."""


@dataclass(frozen=True, slots=True)
class Record:
    """How a file was made.

    Attributes:
        plan: the digest of the plan, SHA-256 of its JSON.
        source: the digest of the source's files; see `Written`.
    """

    plan: str
    source: str

    def text(self) -> str:
        """Write the record as one line of JSON."""
        return json.dumps({"plan": self.plan, "source": self.source})


def record_in(metadata: Mapping[str, str]) -> Record | None:
    """Read the record of a file, None if it has none.

    Example:
        >>> record_in({"suture": Record("a1", "b2").text()})
        Record(plan='a1', source='b2')
    """
    try:
        said = parsed(metadata.get(RECORD, "null"))
    except (ValueError, RecursionError):
        return None
    match said:
        case {"plan": str(plan), "source": str(source)}:
            return Record(plan, source)
        case _:
            return None


def plan_digest(plan: Plan) -> str:
    """Name a plan by what it says."""
    return hashlib.sha256(plan.to_json().encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Sign:
    """The texts of a new file: those of the source and the record, once the source is hashed."""

    metadata: Mapping[str, str]
    plan: str
    source: Future[str]

    def blank(self) -> dict[str, str]:
        """Give texts as long as those to come."""
        return self._with("0" * hashlib.sha256().digest_size * 2)

    def signed(self) -> dict[str, str]:
        """Give the texts, waiting for the source's digest."""
        return self._with(self.source.result())

    def _with(self, source: str) -> dict[str, str]:
        return {**self.metadata, RECORD: Record(self.plan, source).text()}
