"""Optimizers of an agent of Stable-Baselines3: whether a new policy's can go on with their groups.

Knows how the library makes a policy's optimizers of its `policy_kwargs`. Does not know archives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

BESIDE = {"params", "param_names", "initial_lr", "max_lr", "min_lr", "max_momentum"}
BESIDE |= {"base_momentum", "swa_lr"}
"""What stands in a group and is no option of its optimizer: parameters, and what schedules keep."""


def strange_options(state: object, policy_kwargs: Mapping[str, Any]) -> str | None:
    """Say how the options in a state dict are not those of the optimizer that a policy makes.

    Options that the optimizer itself adds to a file of an older torch are not missing.

    Example:
        >>> old = torch.optim.RMSprop([torch.ones(2)]).state_dict()
        >>> strange_options(old, {"optimizer_class": torch.optim.Adam})
        'lacks betas of Adam; has alpha, centered, momentum'
        >>> strange_options(old, {"optimizer_class": torch.optim.RMSprop})
    """
    made = _made(policy_kwargs)
    known = made.param_groups[0].keys() - BESIDE
    held = [_completed(_made(policy_kwargs), group) for group in _groups(state)]
    lacking = sorted({name for names in held for name in known - names})
    strange = sorted({name for names in held for name in names - known})
    said = [f"lacks {', '.join(lacking)} of {type(made).__name__}"] if lacking else []
    said += [f"has {', '.join(strange)}"] if strange else []
    return "; ".join(said) or None


def _made(policy_kwargs: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Make an optimizer as every policy of the library does, which is Adam if nothing is said.

    Source: stable_baselines3.common.policies, `BaseModel.__init__`.
    """
    kind = policy_kwargs.get("optimizer_class", torch.optim.Adam)
    options = policy_kwargs.get("optimizer_kwargs") or {}
    made: torch.optim.Optimizer = kind([torch.nn.Parameter(torch.ones(1))], lr=1.0, **options)
    return made


def _groups(state: object) -> Sequence[Mapping[str, Any]]:
    """List groups of what should be a state dict; what is none is refused where it is carried."""
    match state:
        case {"param_groups": list() as groups}:
            return [group for group in groups if isinstance(group, dict)]
        case _:
            return ()


def _completed(made: torch.optim.Optimizer, group: Mapping[str, Any]) -> set[str]:
    """Name the options of a group once it is loaded."""
    only = {name: option for name, option in group.items() if name not in BESIDE}
    made.load_state_dict({"state": {}, "param_groups": [{**only, "params": [0]}]})
    return {str(name) for name in made.param_groups[0]} - BESIDE
