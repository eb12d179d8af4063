"""Concrete inputs: those that keep their example values, so that a trace goes the example's way.

Knows the names of inputs. Does not know what their values decide.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from suture._errors import TraceError, near_miss
from suture._subject import Subject


def concrete(subject: Subject, inputs: Mapping[str, Tensor]) -> set[str]:
    """Find the inputs that keep their values: those named, or nested in an argument named.

    Raises:
        TraceError: names that are no inputs, and inputs without values.
    """
    asked: object = subject.concrete
    if isinstance(asked, str):
        sentence = "The concrete inputs are one text, not a tuple of names."
        raise TraceError(sentence, [("concrete", asked)], f'write concrete=("{asked}",)')
    known = _prefixes(inputs)
    facts = [("unknown", name) for name in subject.concrete if name not in known]
    hints = [near_miss(name, known) for _, name in facts]
    kept = {name for name in inputs if subject.keeps(name)}
    facts += [("meta", f"{name} has no values") for name in sorted(kept) if inputs[name].is_meta]
    if facts:
        facts.append(("inputs", ", ".join(inputs)))
        sentence = "Concrete inputs are inputs with example values."
        raise TraceError(sentence, facts, next(filter(None, hints), None))
    return kept


def _prefixes(names: Mapping[str, Tensor]) -> list[str]:
    """Name every input, and every argument that holds some."""
    parts = [name.split(".") for name in names]
    return [*dict.fromkeys(".".join(p[:end]) for p in parts for end in range(1, len(p) + 1))]
