"""Meeting in a product: which entries of a weight have a gradient, feature by feature.

Knows contractions. The gradient of a weight is what came in times the gradient of what goes out,
summed over all positions: it is found from where those are zero, one feature at a time, and never
held for all features. (Only a sum of numbers that cancel would be told wrong, and of numbers
without a relation none do.)

Shapes are those of a batch of K features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suture._torch._drawn import filled
from suture._torch._record import Made

aten = torch.ops.aten
Bools = NDArray[np.bool_]


MATRICES = (aten.mm.default, aten.addmm.default)
"""Of these the operands of the product, `m k, k n -> m n`, are the last two."""


def product(made: Made, x: Tensor, weight: Tensor, term: Tensor | None) -> Tensor:
    """Multiply all rows of a batch by one matrix at once, where `vmap` would do so K times.

    Args:
        made: the op, one of `MATRICES`.
        x: [K, m, k].
        weight: [k, n].
        term: what is added, [K, ...] with dims that broadcast to `m n`, or None.

    Returns:
        [K, m, n].
    """
    alpha, beta = (made.arguments.get(name, 1) for name in ("alpha", "beta"))
    y: Tensor = (x.flatten(0, 1) @ weight).unflatten(0, x.shape[:2])
    y = y if alpha == 1 else y * alpha
    if term is None:
        return y
    added = term.reshape(len(term), *(1,) * (3 - term.ndim), *term.shape[1:])
    return torch.add(y, added, alpha=beta)


@dataclass(frozen=True, slots=True, eq=False)
class Meeting:
    """An op that is linear in a weight and multiplies it by data.

    Attributes:
        made: the op.
        place: which operand the weight is.
        still: per operand its value, of those that are no data.
        incoming: per operand where it is not zero, bool[K, ...], of those that are data.
    """

    made: Made
    place: int
    still: Sequence[Tensor | None]
    incoming: Sequence[Bools | None]

    def reached(self, gradient: Bools) -> Iterator[tuple[int, Bools]]:
        """List the features that reach the weight, each with the entries that it reaches.

        Args:
            gradient: where the gradient of the result is not zero, bool[K, ...].

        Yields:
            A feature as its place in the batch, and bool, broadcastable to the weight.
        """
        if self.made.op in MATRICES:
            return _matrices(self, gradient)
        return _one_by_one(self, gradient)


def _matrices(meeting: Meeting, gradient: Bools) -> Iterator[tuple[int, Bools]]:
    """Read the weight as the second matrix of a product."""
    first, second = meeting.incoming[-2:]
    if first is not None:
        yield from _outer(first, gradient)
    elif second is not None:
        for feature, mask in _outer(second.swapaxes(1, 2), gradient.swapaxes(1, 2)):
            yield feature, mask.T


def _outer(x: Bools, g: Bools) -> Iterator[tuple[int, Bools]]:
    """Find where any row of x[K, m, k] meets a row of g[K, m, n]: per feature bool[k, n].

    Mostly all rows that meet are alike on one side, and the answer is a row times a row.
    """
    meets: Bools = np.asarray(x.any(axis=2) & g.any(axis=2))[..., None]
    x, g = x & meets, g & meets
    every_x: Bools = np.any(x, axis=1)
    every_g: Bools = np.any(g, axis=1)
    plain = _alike(x, every_x, meets) | _alike(g, every_g, meets)
    for feature in np.flatnonzero(meets.any(axis=(1, 2))).tolist():
        if plain[feature]:
            yield feature, _short(every_x[feature])[:, None] & _short(every_g[feature])
        else:
            rows, columns = (side[feature].astype(np.float32) for side in (x, g))
            yield feature, rows.T @ columns > 0


def _alike(rows: Bools, every: Bools, meets: Bools) -> Bools:
    """Say of each feature whether all its rows that meet are one row: bool[K]."""
    found: Bools = ((rows == every[:, None]) | ~meets).all(axis=(1, 2))
    return found


def _short(row: Bools) -> Bools:
    return row[:1] if row.all() else row


def _one_by_one(meeting: Meeting, gradient: Bools) -> Iterator[tuple[int, Bools]]:
    """Count for each entry the positions where something comes in and has a gradient."""
    weight = meeting.still[meeting.place]
    assert weight is not None
    kernel = meeting.made.op is aten.convolution.default and meeting.place == 1
    count = _convolved if kernel else _differentiated
    for feature in np.flatnonzero(gradient.reshape(len(gradient), -1).any(axis=1)).tolist():
        operands = [
            still if data is None else _ones(data[feature], weight.dtype)
            for still, data in zip(meeting.still, meeting.incoming, strict=True)
        ]
        found = count(meeting, operands, _ones(gradient[feature], weight.dtype))
        yield feature, found.numpy() != 0


def _ones(mask: Bools, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(np.asarray(mask)).to(dtype)


def _convolved(meeting: Meeting, operands: list[Any], gradient: Tensor) -> Tensor:
    """Find the gradient of a kernel without what the convolution gives."""
    settings = dict(meeting.made.arguments)
    x, kernel = operands[:2]
    del settings["input"], settings["weight"], settings["bias"]
    mask = [False, True, False]
    found: Tensor = aten.convolution_backward(
        gradient, x, kernel, None, **settings, output_mask=mask
    )[1]
    return found


def _differentiated(meeting: Meeting, operands: list[Any], gradient: Tensor) -> Tensor:
    """Find the gradient of a weight by running the op."""
    weight = operands[meeting.place].detach().requires_grad_()
    given = [*operands[: meeting.place], weight, *operands[meeting.place + 1 :]]
    with torch.enable_grad():
        result = meeting.made.op(**filled(meeting.made.arguments, given))
    found: Tensor = torch.autograd.grad(result, weight, gradient)[0]
    return found
