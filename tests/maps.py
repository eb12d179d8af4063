"""Two interaction maps of one network, beside each other.

Knows maps. Does not know how either was found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suture import Interactions

Pair = tuple[str, str]
"""A parameter or buffer, and a feature."""


def lost(found: Interactions, known: Interactions) -> dict[Pair, int]:
    """Count what a map has not found of what is known, and require that it has nothing besides."""
    assert found.features == known.features
    assert list(found.touched) == list(known.touched)
    pairs = [(name, feature) for name in known.touched for feature in known.features]
    masks = {pair: (whole(found, pair), whole(known, pair)) for pair in pairs}
    assert [pair for pair, (one, other) in masks.items() if (one & ~other).any()] == []
    counts = {pair: int((other & ~one).sum()) for pair, (one, other) in masks.items()}
    return {pair: count for pair, count in counts.items() if count}


def whole(phi: Interactions, pair: Pair) -> NDArray[np.bool_]:
    """Write a mask out in its parameter's shape."""
    return np.broadcast_to(phi.mask(*pair), phi.touched[pair[0]].tensor.shape)
