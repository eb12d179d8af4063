"""The plan: what every entry of every target tensor becomes, as frozen data without arrays.

Knows the plan's closed language. Does not know how a plan is found (`_match`, `_fill`), written
(`_plan_json`), shown (`_render`) or carried out (`_apply`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Literal

Runs = tuple[tuple[int, int], ...]
"""Positions along one dim as half-open `(start, stop)` runs, none empty, in reading order.

A source index may be in any order and read a position twice; a region holds each position once.
"""


@dataclass(frozen=True, slots=True)
class Own:
    """The target's own initialisation, times `scale`."""

    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Value:
    """The constant `value`; with `diagonal=(i, j)` only where dims i and j agree, 0 elsewhere.

    Dims agree where an entry stands at equal positions within the block's region.
    """

    value: float
    diagonal: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Reduction:
    """A sum over one source dim with `weights` (None: the mean), kept as a size of 1 or dropped."""

    dim: int
    weights: tuple[float, ...] | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """`scale` times the source tensor at `index` (one `Runs` per source dim), reduced in order.

    What is left after the reductions broadcasts against the block's region; reductions count dims
    as they stand before any of them is dropped.
    """

    source: str
    index: tuple[Runs, ...]
    scale: float = 1.0
    reductions: tuple[Reduction, ...] = ()


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of scaled, reduced source terms; one plain term is a copy.

    `own` times the target's own initialisation is added to it: copies that begin with noise.
    """

    terms: tuple[Term, ...]
    own: float = 0.0


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
    """A named entry along one dim of a tensor: its position on each side, None where absent."""

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

    @property
    def type(self) -> str:
        """Dtype and shape as text.

        Example:
            >>> Tensor("fc.weight", (3, 4), "f32").type
            'f32[3,4]'
        """
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"

    @property
    def size(self) -> int:
        """The number of entries."""
        return prod(self.shape)


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

    @property
    def keeps_own(self) -> bool:
        """Whether some entry depends on how the target was initialised."""
        return any(block.size and _is_own(block.fill) for block in self.blocks)


def _is_own(fill: Fill) -> bool:
    return isinstance(fill, Own) or (isinstance(fill, Sum) and fill.own != 0)


@dataclass(frozen=True, slots=True)
class Run:
    """`length` consecutive target positions that come from consecutive source positions."""

    target: int
    source: int
    length: int


IndexMap = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Affine:
    """How a feature follows from the old one: `scale` x old + `shift`.

    Example:
        >>> kmh = Affine(scale=3.6)  # the new model sees km/h, the old one m/s
        >>> kmh.old(72.0)
        20.0
    """

    scale: float = 1.0
    shift: float = 0.0

    def old(self, new: Any) -> Any:
        """Give the old model's value of a feature, or an array of them."""
        return (new - self.shift) / self.scale


@dataclass(frozen=True, slots=True)
class Held:
    """A feature that the source alone sees, by name, and the value at which it is dropped."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Rescaled:
    """A feature of both sides, by name, that the target sees on another scale."""

    name: str
    affine: Affine


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the entries of one input or output sit on both sides: one `IndexMap` per dim.

    `values` maps the values of an integer input that index an axis; None for any other tensor.
    `labels` names entries along dims; with `dim` -1 and `values` set they name values. `held` and
    `rescaled` say of entries of an input what a user said of them; `held` may name the whole input.
    """

    name: str
    source: Tensor | None
    target: Tensor | None
    dims: tuple[IndexMap, ...]
    values: IndexMap | None = None
    labels: tuple[Label, ...] = ()
    held: tuple[Held, ...] = ()
    rescaled: tuple[Rescaled, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person must know: `kind`, what it is about, and why.

    Kinds: `"inexact"` (the function is not preserved, or not known to be), `"approximate"` (it is
    where a removed input holds its mean, or but for noise that was asked for), `"bound"` (it is up
    to what the reason says),
    `"condition"` (it is, given that a removed input holds a value, or a constant without values
    those of before), `"pairing"` (paired by position, order of use or overlap), `"dead"` (fresh
    units that cannot learn), `"unreached"`, `"cast"`, `"fresh"` (a target tensor without a source),
    `"unused"` (a source tensor not carried). `outputs` names the outputs that it concerns; none if
    it concerns all.
    """

    kind: Literal[
        "inexact",
        "approximate",
        "bound",
        "condition",
        "pairing",
        "dead",
        "unreached",
        "cast",
        "fresh",
        "unused",
    ]
    subject: str
    reason: str
    outputs: tuple[str, ...] = ()


LIMITS = ("inexact", "approximate", "bound")
"""The kinds of notes that limit what a plan promises, the worst first."""

Level = Literal["exact", "bounded", "approximate", "impossible"]


@dataclass(frozen=True, slots=True)
class Exactness:
    """How much of the old function an output keeps.

    Attributes:
        output: the output's name.
        level: `"exact"` (to rounding), `"bounded"` (exact up to the bound that the reasons state),
            `"approximate"` (exact where removed inputs hold their means, or but for noise that was
            asked for), or `"impossible"` (not kept, or not known to be).
        reasons: the notes that say so, each with the unit and the reason; of an exact output the
            conditions.

    Example:
        >>> note = Note("inexact", "ops", "the target computes otherwise: + aten.relu x1")
        >>> Exactness("value", "impossible", (note,)).reasons[0].reason
        'the target computes otherwise: + aten.relu x1'
    """

    output: str
    level: Level
    reasons: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything needed to carry weights from one structure to another, and to check the result.

    Printed, it is a screen that says what becomes of every tensor.

    Attributes:
        source: the fingerprint of the source structure, a hex digest.
        target: the fingerprint of the target structure, a hex digest.
        tensors: what each target tensor becomes.
        inputs: where the entries of each input sit on both sides.
        outputs: where the entries of each output sit on both sides.
        notes: what a person must know.
        unpaired: the source tensors that no target tensor is paired with: read by terms alone,
            further names of tied ones, or not carried.

    Example:
        >>> bias = Tensor("bias", (3,), "f32")
        >>> whole = Block((((0, 3),),), Own())
        >>> plan = Plan("a1", "b2", (TensorPlan(bias, None, "parameter", (whole,)),))
        >>> Plan.from_json(plan.to_json()) == plan
        True
    """

    source: str
    target: str
    tensors: tuple[TensorPlan, ...]
    inputs: tuple[Placement, ...] = ()
    outputs: tuple[Placement, ...] = ()
    notes: tuple[Note, ...] = ()
    unpaired: tuple[Tensor, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the plan promises the old function on the old outputs."""
        return all(note.kind not in LIMITS for note in self.notes)

    @property
    def exactness(self) -> tuple[Exactness, ...]:
        """How much of the old function each output keeps that both models have, and why."""
        from suture._exactness import exactness

        return exactness(self)

    def to_json(self) -> str:
        """Write the plan as versioned JSON text, one tensor a line."""
        from suture._plan_json import to_json

        return to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan from JSON text.

        Args:
            text: what `to_json` wrote.

        Returns:
            A plan equal to the one written.

        Raises:
            PlanError: with every problem and its place, if the text is not a whole plan.
        """
        from suture._plan_json import from_json

        return from_json(text)

    def __str__(self) -> str:
        """Render the plan as a screen of at most 100 columns."""
        from suture._render import render

        return render(self)
