"""Padding: entries laid around a dim, constant or picked from inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from suture._bind import Pick, Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, laid, spec
from suture._torch.rules.selection import picked_dims


@rule("aten.constant_pad_nd")
def constant_pad(
    self: TensorArgument, pad: list[int], value: float = 0, *, out: list[Shape]
) -> Described:
    """Lay constants around dims, the last dim's first; negative amounts cut entries off."""
    own, result = axes(self.ndim), axes(self.ndim)
    sizes: dict[str, int] = {}
    for place, (before, behind) in _sides(self.ndim, pad).items():
        axis, size = own[place], self.shape[place]
        sizes[axis] = size + min(before, 0) + min(behind, 0)
        kept = (axis, sizes[axis])
        cut = {f"x{place}": -min(before, 0), f"y{place}": -min(behind, 0)}
        laid_on = {f"v{place}": max(before, 0), f"w{place}": max(behind, 0)}
        own[place] = laid((f"x{place}", cut[f"x{place}"]), kept, (f"y{place}", cut[f"y{place}"]))
        result[place] = laid(
            (f"v{place}", laid_on[f"v{place}"]), kept, (f"w{place}", laid_on[f"w{place}"])
        )
        sizes |= cut | laid_on
    cut_off = tuple(
        Pick(f"{side}{place}", f"a{place}", np.full(sizes[f"{side}{place}"], -1))
        for place in range(self.ndim)
        for side in "xy"
        if sizes.get(f"{side}{place}")
    )
    words = "linear moves" if value == 0 else "moves"
    return Described(spec([own], [result]), words, sizes, cut_off)


def _sides(ndim: int, pad: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Amounts before and behind per dim."""
    pairs = zip(pad[::2], pad[1::2], strict=True)
    return {ndim - 1 - place: pair for place, pair in enumerate(pairs)}


Fold = Callable[[NDArray[np.int64], int], NDArray[np.int64]]


def _pad_from_inside(ops: str, fold: Fold) -> None:
    """Register pads whose entries are picked from inside: `fold` says which, by place."""

    @rule(ops, algebra="linear moves")
    def padding(
        self: TensorArgument,
        *,
        out: list[Shape],
        padding: Sequence[int] = (),
        pad: Sequence[int] = (),
    ) -> Described:
        indices = {
            place: fold(np.arange(-before, self.shape[place] + behind), self.shape[place]).tolist()
            for place, (before, behind) in _sides(self.ndim, padding or pad).items()
        }
        return picked_dims(self.ndim, indices)


def _reflected(place: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    from_end: NDArray[np.int64] = np.abs(size - 1 - np.abs(place))
    return size - 1 - from_end


def _replicated(place: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return place.clip(0, size - 1)


_pad_from_inside("aten.reflection_pad1d aten.reflection_pad2d aten.reflection_pad3d", _reflected)
_pad_from_inside(
    "aten.replication_pad1d aten.replication_pad2d aten.replication_pad3d",
    _replicated,
)
_pad_from_inside("aten._pad_circular", lambda place, size: place % size)
