"""Settings of an agent of Stable-Baselines3: which stay, and which the new world replaces.

Knows the JSON in which they lie, in which most objects are pickled with their plain attributes
beside. Reads no pickle. Does not know archives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import Any

ACTIONS, NOISE, ENTROPY = "action_space", "action_noise", "target_entropy"
SEEN = ("_last_obs", "_last_original_obs")
"""What an agent saw last: it has the old shape, and the next reset replaces it."""

Shape = tuple[int, ...]


def replaced(data: Mapping[str, Any], settings: Mapping[str, Any]) -> bytes:
    """Replace settings by live ones, written as the library itself does, and what hangs on them.

    Args:
        data: an archive's settings.
        settings: name -> a live object.
    """
    from stable_baselines3.common.save_util import data_to_json

    live = json.loads(data_to_json(dict(settings)))
    empty = dict.fromkeys([name for name in SEEN if name in data] + lost(data, settings))
    return json.dumps({**data, **_derived(data, settings), **empty, **live}, indent=4).encode()


def lost(data: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """Name what cannot follow: noise on actions is pickled, with a number for each of them."""
    if data.get(NOISE) is None or NOISE in settings:
        return []
    return [] if _old_shape(data) == _new_shape(settings) else [NOISE]


def _derived(data: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, float]:
    """Derive anew what the library derived of the actions, and keeps as if somebody had chosen it.

    Source: stable_baselines3.sac.sac, `SAC._setup_model`.
    """
    old, new = _old_shape(data), _new_shape(settings)
    if old is None or new is None or data.get(ENTROPY) != -prod(old):
        return {}
    return {ENTROPY: -float(prod(new))}


def _old_shape(data: Mapping[str, Any]) -> Shape | None:
    """Read the shape of actions from what lies beside their pickle, None if it says none."""
    match data.get(ACTIONS):
        case {"_shape": list() as shape} if all(type(size) is int for size in shape):
            return tuple(shape)
        case _:
            return None


def _new_shape(settings: Mapping[str, Any]) -> Shape | None:
    space = settings.get(ACTIONS)
    return None if space is None else space.shape
