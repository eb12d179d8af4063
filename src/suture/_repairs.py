"""Repairs: how a network is changed so that its gradients show which features it uses.

Knows the options and what they may be. Does not know any op (`_torch._stand_ins`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args, get_type_hints

from suture._errors import SutureError, near_miss


@dataclass(frozen=True, slots=True)
class Repairs:
    """The three repairs of the paper, each done or left.

    Attributes:
        init: weights strictly positive, or of either sign.
        pooling: whether an average stands for what picks the largest.
        saturation: whether what bends gets inputs of order one.
        seed: of the weights.

    Source: Raiman, Zhang and Dennison, *Neural Network Surgery with Sets*, section 2.3.1.
    """

    init: Literal["positive", "random"] = "positive"
    pooling: Literal["average", "max"] = "average"
    saturation: Literal["normalised", "raw"] = "normalised"
    seed: int = 0

    def __post_init__(self) -> None:
        facts: list[tuple[str, str]] = []
        hints: list[str | None] = []
        hints_of = get_type_hints(Repairs)
        for name in (field.name for field in fields(self) if field.name != "seed"):
            allowed, given = get_args(hints_of[name]), getattr(self, name)
            if given not in allowed:
                choices = " or ".join(map(repr, allowed))
                facts.append((name, f"is {given!r}, and may be {choices}"))
                hints.append(near_miss(str(given), allowed))
        if facts:
            hint = next(filter(None, hints), None)
            raise SutureError("Repairs of a gradient are chosen by name.", facts, hint)
