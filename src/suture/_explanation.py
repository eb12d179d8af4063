"""An explanation: what the dims of one tensor are, and who shares them, as frozen data.

Knows how an axis is made up of others and what is said of each. Does not know how it is found
(`_explain`), shown (`_explain_render`) or written (`_explain_json`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from suture._plan import Tensor

Role = Literal["written", "added", "scaled", "met", "read", "tap", "chosen", "held"]
"""What an op does with a parameter's dim.

Its result has the dim (`written`; `added`, `scaled` or otherwise `met` where entry meets entry of
data), or it is contracted with data (`read`; with a window of data: `tap`), or integers choose
along it (`chosen`), or nothing at all is done with it (`held`).
"""

Action = Literal["made", "tied", "mixed", "contracted", "reduced"]
"""What an op does along an axis of data.

It gives the axis as new (`made`), lets it meet that of data from elsewhere entry by entry (`tied`),
lets every entry see every other (`mixed`), or sums over it, data with data (`contracted`) or alone
(`reduced`).
"""

Word = Role | Action | Literal["input", "values", "output"]


@dataclass(frozen=True, slots=True)
class One:
    """An axis that nothing makes up.

    Attributes:
        size: in entries.
        letter: what the explanation calls it; "" if it is none of the axes explained.
        picked: whether only some of that axis's entries are here, or in another order.
    """

    size: int
    letter: str = ""
    picked: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """Axes laid end to end (`sum`), or factors in C order (`product`)."""

    kind: Literal["sum", "product"]
    parts: tuple[Made, ...]
    size: int


Made = One | Joined


@dataclass(frozen=True, slots=True)
class Done:
    """What an op of some module does with a dim."""

    role: Role
    op: str
    module: str


@dataclass(frozen=True, slots=True)
class Dim:
    """One dim of the tensor: what it is made of, and what ops do with it."""

    made: Made
    done: tuple[Done, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that is said of an axis.

    Attributes:
        word: a role that a tensor plays, or what an op does along it.
        name: the tensor, or the module of the op.
        op: the op; "" for a tensor.
        dims: the tensor's dims, where letters say what is shared.
    """

    word: Word
    name: str
    op: str = ""
    dims: tuple[Made, ...] = ()


@dataclass(frozen=True, slots=True)
class Shared:
    """One axis of the tensor: its letter, its size in entries, its names and who shares it."""

    letter: str
    size: int
    names: tuple[str, ...]
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the dims of a tensor are what they are; printing it shows a screen.

    Attributes:
        tensor: its name, shape and dtype.
        kind: `"parameter"`, `"buffer"`, `"input"` or `"output"`.
        tied: its other names.
        reached: whether a call reaches it; if not, nothing but sizes is known.
        mirror: the tensor whose plan it takes, or None.
        dims: what each dim is made of.
        values: the axis that the entries of an integer input index, or None.
        axes: every axis of the dims, in order of its letter.
    """

    tensor: Tensor
    kind: Literal["parameter", "buffer", "input", "output"]
    tied: tuple[str, ...]
    reached: bool
    mirror: str | None
    dims: tuple[Dim, ...]
    values: Made | None
    axes: tuple[Shared, ...]

    def __str__(self) -> str:
        """Render the explanation as a screen of at most 100 columns."""
        from suture._explain_render import render

        return render(self)

    def to_json(self) -> str:
        """Write the explanation as versioned JSON text, one axis a line."""
        from suture._explain_json import to_json

        return to_json(self)
