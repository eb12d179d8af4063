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
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suture._torch._recording import Made
from suture._torch._running import Run

aten = torch.ops.aten
Bools = NDArray[np.bool_]


AT_ONCE = 1 << 25
"""Entries of the gradients that are held at once where no shorter way is known."""

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
        run: what is run in its place.
        place: which operand the weight is.
        still: per operand its value, of those that are no data.
        incoming: per operand where it is not zero, bool[K, ...], of those that are data.
    """

    made: Made
    run: Run
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
        return _counted(self, gradient)


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


def _counted(meeting: Meeting, gradient: Bools) -> Iterator[tuple[int, Bools]]:
    """Count for each entry the positions where something comes in and has a gradient."""
    weight = meeting.still[meeting.place]
    assert weight is not None
    kernel = meeting.made.op is aten.convolution.default and meeting.place == 1
    count = torch.vmap(partial(_convolved if kernel else _differentiated, meeting))
    features = np.flatnonzero(gradient.reshape(len(gradient), -1).any(axis=1))
    at_once = max(1, AT_ONCE // max(1, weight.numel()))
    for start in range(0, len(features), at_once):
        some = features[start : start + at_once]
        data = [_ones(x[some], weight) for x in meeting.incoming if x is not None]
        counts = count(_ones(gradient[some], weight), *data)
        yield from zip(some.tolist(), counts.numpy() != 0, strict=True)


def _ones(mask: Bools, like: Tensor) -> Tensor:
    return torch.from_numpy(mask).to(like.dtype)


def _operands(meeting: Meeting, data: Sequence[Tensor]) -> list[Tensor | None]:
    """Put data in the places of an op's operands where there is data."""
    each = iter(data)
    pairs = zip(meeting.still, meeting.incoming, strict=True)
    return [still if incoming is None else next(each) for still, incoming in pairs]


def _convolved(meeting: Meeting, gradient: Tensor, *data: Tensor) -> Tensor:
    """Find the gradient of a kernel without what the convolution gives."""
    settings = dict(meeting.made.arguments)
    x, kernel = _operands(meeting, data)[:2]
    del settings["input"], settings["weight"], settings["bias"]
    mask = [False, True, False]
    found: Tensor = aten.convolution_backward(
        gradient, x, kernel, None, **settings, output_mask=mask
    )[1]
    return found


def _differentiated(meeting: Meeting, gradient: Tensor, *data: Tensor) -> Tensor:
    """Find the gradient of a weight by running the op."""
    operands = _operands(meeting, data)

    def run(weight: Tensor) -> Tensor:
        given = [*operands[: meeting.place], weight, *operands[meeting.place + 1 :]]
        return meeting.run(given)[0]

    pull = torch.func.vjp(run, operands[meeting.place])[1]
    found: Tensor = pull(gradient)[0]
    return found
