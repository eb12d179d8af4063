"""What an optimizer transfer did, as data and as a screen. Does not know how it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from suture._fold import Row, fold


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of the state beside one parameter.

    Attributes:
        name: the target's parameter.
        slots: the slots that have a state now, in the optimizer's order.
        carried: how many entries of the parameter continue some of the source.
        size: how many it has.
        scaled: how many of the carried ones have a gradient of another size than before.
        shared: how many of the carried ones are read in several places, so that theirs is so on
            average; see `docs/optimizer.md`.
    """

    name: str
    slots: tuple[str, ...]
    carried: int
    size: int
    scaled: int = 0
    shared: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class OptimizerReport:
    """What `transfer_optimizer` carried.

    Attributes:
        state: the target optimizer's new state dict.
        parameters: what became of each parameter that the target's optimizer holds.
        optimizers: the classes of both, as far as they are known.
        dropped: slots of the source that the target's optimizer does not keep.
        unheld: parameters of the target's model that another optimizer must train.
    """

    state: Mapping[str, Any] = field(repr=False)
    parameters: tuple[Followed, ...]
    optimizers: tuple[str, str]
    dropped: tuple[str, ...] = ()
    unheld: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows = fold([Row((one.name,), _said(one)) for one in self.parameters])
        widths = [max((len(row.names[0]) for row in rows), default=0)]
        widths.append(max((len(row.said[0]) for row in rows), default=0))
        lines = [
            f"  {row.names[0]:<{widths[0]}}   {row.said[0]:<{widths[1]}}   {row.said[1]}".rstrip()
            for row in rows
        ]
        return "\n".join([" -> ".join(self.optimizers), *lines, *self._beside()])

    def _beside(self) -> Iterator[str]:
        if self.dropped:
            yield f"not kept: {', '.join(self.dropped)}"
        if self.unheld:
            rows = fold([Row((name,), "") for name in self.unheld])
            yield f"not held by this optimizer: {', '.join(row.names[0] for row in rows)}"


def _said(one: Followed) -> tuple[str, str]:
    """Say in words what became of a parameter's state."""
    if not one.slots:
        return "no state", "begins anew" if not one.carried else "had none"
    words = [f"{one.carried} of {one.size} entries carried"]
    words += _part(one.scaled, one.carried, "scaled")
    words += _part(one.shared, one.carried, "shared")
    return " ".join(one.slots), ", ".join(words)


def _part(count: int, whole: int, word: str) -> list[str]:
    return [] if not count else [word if count == whole else f"{count} {word}"]
