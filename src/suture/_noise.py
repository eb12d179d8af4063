"""Noise: what copies begin with besides what they are copies of, so that they differ at once.

Knows which entries write copies: those of the weights and tables into all copies of a unit but the
first. Does not know where copies stand (`_replicate`), nor how they are read (`_shares`).

Source: Net2Net (Chen et al., 2016), section 2.2: noise on all but the first copy of each column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from suture._absorb import part, spelled
from suture._axes import Class
from suture._copies import Copies
from suture._couple import Column, marked
from suture._fill import below
from suture._leads import told
from suture._match import Match
from suture._plan import Block, Note, Sum, TensorPlan
from suture._roles import Use
from suture._side import Side

Mask = NDArray[np.bool_]


def noisy(
    tensors: Sequence[TensorPlan], match: Match, side: Side, noise: float
) -> tuple[tuple[TensorPlan, ...], tuple[Note, ...]]:
    """Add noise to copies: so many times what the target was initialised with in their place.

    Args:
        tensors: what becomes of the target's tensors.
        match: which units are copies.
        side: the target's side of it.
        noise: what the initialisation is multiplied by.

    Returns:
        The same tensors with noise, and notes on which outputs hear it.
    """
    if noise == 0 or match.copies is None:
        return tuple(tensors), ()
    found = tuple(_noised(tensor, match, match.copies, noise) for tensor in tensors)
    pairs = zip(tensors, found, strict=True)
    changed = [new.target.name for old, new in pairs if old.blocks != new.blocks]
    return found, tuple(note for name in changed for note in _heard(name, side, noise))


def _noised(tensor: TensorPlan, match: Match, copies: Copies, noise: float) -> TensorPlan:
    name = tensor.target.name
    uses = [use for use in match.uses[1].get(name, ()) if use.reads or use.lookups]
    if tensor.kind == "buffer" or tensor.reason or not uses:
        return tensor
    masks = [_further(match, copies, name, dim, uses) for dim in range(len(tensor.target.shape))]
    blocks = (piece for block in tensor.blocks for piece in _pieces(block, masks, noise))
    return replace(tensor, blocks=tuple(blocks))


def _further(match: Match, copies: Copies, name: str, dim: int, uses: Sequence[Use]) -> Mask:
    """Say of each position along a dim whether it writes a copy that is not the first."""
    found = []
    for use in uses:
        members = {member for at, member in use.reads | use.lookups if at == dim}
        writes = partial(_writes, match, copies, [*below(match.target.axes, members)])
        layout = match.target.tensors[name][dim]
        found.append(np.concatenate([marked([*map(writes, segment)]) for segment in layout]))
    further: Mask = np.logical_or.reduce(found)
    return further


def _writes(match: Match, copies: Copies, taken: Sequence[Class], column: Column) -> Mask:
    """Say of each entry of a factor whether it is a further copy, and not of an axis taken."""
    further: Mask = (column >= 0) & (copies.number[column] > 0)
    return further & ~np.isin(match.target.atom[column], taken)


def _pieces(block: Block, masks: Sequence[Mask], noise: float) -> Iterator[Block]:
    """Cut a block into what writes further copies, which takes noise, and the rest."""
    for dim, mask in enumerate(masks if isinstance(block.fill, Sum) else ()):
        further = mask[spelled(block.region[dim])]
        if further.any():
            yield _with(part(block, dim, np.flatnonzero(further)), noise)
            block = part(block, dim, np.flatnonzero(~further))
    if block.size:
        yield block


def _with(block: Block, noise: float) -> Block:
    assert isinstance(block.fill, Sum), "only what is copied takes noise"
    return replace(block, fill=replace(block.fill, own=noise))


def _heard(name: str, side: Side, noise: float) -> Iterator[Note]:
    if ahead := side.hear(name):
        reason = f"copies begin with noise, {noise:g} x the target's initialisation"
        yield Note("approximate", name, reason, told(ahead, side.shared))
