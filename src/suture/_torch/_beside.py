"""What libraries keep beside a model's weights, made anew from the model itself.

Knows the config of transformers, and the settings of Stable-Baselines3's agents that a policy
decides. Does not know weights.
"""

from __future__ import annotations

import json
from typing import Any

from torch import nn

PRETRAINED = "transformers.modeling_utils", "PreTrainedModel"
POLICY = "stable_baselines3.common.policies", "BasePolicy"
GIVEN = ("observation_space", "action_space", "lr_schedule", "use_sde")
"""What an agent gives its policy besides the policy's own settings."""


def texts(model: nn.Module) -> dict[str, str]:
    """Give files by name: of a transformers model, the config that it is built from."""
    if not _is(model, PRETRAINED):
        return {}
    config: Any = model.config
    said = config.to_diff_dict()
    said["architectures"] = [type(model).__name__]
    return {"config.json": json.dumps(said, indent=2, sort_keys=True) + "\n"}


def settings(model: nn.Module) -> dict[str, Any]:
    """Give settings by name: of a policy, what its agent says of it and of the world."""
    if not _is(model, POLICY):
        return {}
    policy: Any = model
    built = policy._get_constructor_parameters()
    return {
        "observation_space": policy.observation_space,
        "action_space": policy.action_space,
        "policy_kwargs": {name: value for name, value in built.items() if name not in GIVEN},
    }


def _is(model: nn.Module, kind: tuple[str, str]) -> bool:
    """Whether a model is of a class, without importing where that comes from."""
    return kind in [(parent.__module__, parent.__name__) for parent in type(model).__mro__]
