"""The plan: what every entry of every target tensor becomes, as frozen data without arrays.

Knows the plan's closed language. Does not know how a plan is found (`_match`, `_fill`), written
(`_plan_json`), shown (`_render`) or carried out (`_apply`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

Runs = tuple[tuple[int, int], ...]
"""Positions along one dim as half-open `(start, stop)` runs, in order."""


@dataclass(frozen=True, slots=True)
class Own:
    """The target's own initialisation, times `scale`."""

    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Value:
    """The constant `value`; with `diagonal=(i, j)` only where dims i and j agree, 0 elsewhere."""

    value: float
    diagonal: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Reduction:
    """A sum over one source dim with `weights` (None: the mean), kept as a dim of one or dropped."""

    dim: int
    weights: tuple[float, ...] | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """`scale` times the source tensor at `index` (one `Runs` per source dim), reduced in order.

    What is left after the reductions broadcasts against the block's region; reductions count dims as
    they stand before any of them is dropped.
    """

    source: str
    index: tuple[Runs, ...]
    scale: float = 1.0
    reductions: tuple[Reduction, ...] = ()


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of scaled, reduced source terms; one plain term is a copy."""

    terms: tuple[Term, ...]


Fill = Own | Value | Sum


@dataclass(frozen=True, slots=True)
class Block:
    """A product region of a target tensor (one `Runs` per dim) and what fills it."""

    region: tuple[Runs, ...]
    fill: Fill

    @property
    def shape(self) -> tuple[int, ...]:
        """The region's shape in entries."""
        return tuple(sum(stop - start for start, stop in runs) for runs in self.region)

    @property
    def size(self) -> int:
        """The number of entries in the region."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Label:
    """A named entry along one dim of a tensor: its position on each side, None where it is absent."""

    dim: int
    name: str
    source: int | None
    target: int | None


@dataclass(frozen=True, slots=True)
class Tensor:
    """The shape and dtype of one named tensor, e.g. `Tensor("fc.weight", (3, 4), "f32")`."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """What one target tensor becomes.

    Attributes:
        target: the target's tensor; `tied` are the other names it has in the state dict.
        source: the source tensor it is paired with, or None.
        kind: `"parameter"` or `"buffer"`.
        blocks: a partition of the target's entries.
        labels: the named entries along its dims.
        reason: why it is treated so, where that is not plain from the blocks.
    """

    target: Tensor
    source: Tensor | None
    kind: Literal["parameter", "buffer"]
    blocks: tuple[Block, ...]
    labels: tuple[Label, ...] = ()
    tied: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """`length` consecutive target positions that come from consecutive source positions."""

    target: int
    source: int
    length: int


IndexMap = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the entries of one input or output sit on both sides: one `IndexMap` per dim.

    `values` maps the values of an integer input that index an axis; None for any other tensor.
    `labels` names entries along dims; with `dim` -1 and `values` set they name values.
    """

    name: str
    source: Tensor | None
    target: Tensor | None
    dims: tuple[IndexMap, ...]
    values: IndexMap | None = None
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person must know: `kind`, what it is about, and why.

    Kinds: `"inexact"` (the function is not preserved, or not known to be), `"condition"` (it is, given
    that a removed input holds a value), `"pairing"` (paired by position or overlap), `"unreached"`,
    `"cast"`, `"fresh"` (a target tensor without a source), `"unused"` (a source tensor not carried).
    """

    kind: Literal["inexact", "condition", "pairing", "unreached", "cast", "fresh", "unused"]
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything needed to carry weights from one structure to another, and to check that it worked.

    `source` and `target` are the fingerprints of the two structures (hex digests).
    """

    source: str
    target: str
    tensors: tuple[TensorPlan, ...]
    inputs: tuple[Placement, ...] = ()
    outputs: tuple[Placement, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the plan promises the old function on the old outputs."""
        return all(note.kind != "inexact" for note in self.notes)
