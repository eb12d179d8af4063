"""The numbers of each family's config that people change, from what to what.

Knows names and sizes. Does not know models, nor what becomes of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Change = Mapping[str, tuple[Any, Any]]
"""Every number that changes: what it was, and what it becomes."""


def changed(**numbers: tuple[Any, Any]) -> Change:
    return numbers


def back(change: Change) -> Change:
    """The same change the other way round."""
    return {name: (after, before) for name, (before, after) in change.items()}


def config(change: Change, side: int) -> dict[str, Any]:
    """What is asked of a builder: 0 for the old model, 1 for the new one."""
    return {name: values[side] for name, values in change.items()}


def told(change: Change) -> str:
    """Say a change in words.

    Example:
        >>> told(changed(n_head=(3, 4), n_inner=(None, 50)))
        'n_head 3 → 4, n_inner None → 50'
    """
    return ", ".join(f"{name} {before} → {after}" for name, (before, after) in change.items())


GPT2 = (
    changed(n_embd=(24, 36)),
    changed(n_embd=(24, 32), n_head=(3, 4)),
    changed(n_embd=(8, 24), n_head=(1, 3)),
    changed(n_head=(3, 4)),
    changed(n_head=(3, 2)),
    changed(n_inner=(96, 120)),
    changed(n_layer=(2, 3)),
    changed(vocab_size=(97, 101)),
    changed(n_positions=(16, 20)),
    changed(n_embd=(24, 48), n_head=(3, 4), n_layer=(2, 3), vocab_size=(97, 110)),
)
LLAMA = (
    changed(hidden_size=(24, 36), head_dim=(4, 4)),
    changed(hidden_size=(24, 36)),
    changed(intermediate_size=(44, 50)),
    changed(num_attention_heads=(6, 8), head_dim=(4, 4)),
    changed(num_attention_heads=(6, 12), num_key_value_heads=(2, 4), head_dim=(4, 4)),
    changed(num_attention_heads=(2, 6), head_dim=(4, 4)),
    changed(num_attention_heads=(4, 6), num_key_value_heads=(4, 6), head_dim=(4, 4)),
    changed(num_attention_heads=(8, 8), num_key_value_heads=(2, 4), head_dim=(4, 4)),
    changed(num_key_value_heads=(1, 2)),
    changed(num_key_value_heads=(2, 6)),
    changed(num_key_value_heads=(1, 6)),
    changed(head_dim=(4, 8)),
    changed(head_dim=(4, 6)),
    changed(head_dim=(2, 4)),
    changed(rope_theta=(10000.0, 500.0)),
    changed(num_hidden_layers=(2, 3)),
    changed(vocab_size=(97, 101)),
    changed(max_position_embeddings=(16, 20)),
    changed(hidden_size=(24, 36), head_dim=(4, 8), num_hidden_layers=(2, 3), vocab_size=(97, 101)),
)
BERT = (
    changed(hidden_size=(24, 36)),
    changed(hidden_size=(24, 32), num_attention_heads=(3, 4)),
    changed(num_attention_heads=(3, 4)),
    changed(intermediate_size=(44, 50)),
    changed(num_hidden_layers=(2, 3)),
    changed(vocab_size=(97, 101)),
    changed(max_position_embeddings=(16, 20)),
    changed(type_vocab_size=(1, 3)),
    changed(num_labels=(5, 7)),
    changed(num_labels=(1, 5)),
    changed(hidden_size=(24, 48), num_attention_heads=(3, 4), num_hidden_layers=(2, 3)),
)
VIT = (
    changed(hidden_size=(24, 36)),
    changed(hidden_size=(24, 32), num_attention_heads=(3, 4)),
    changed(num_attention_heads=(3, 4)),
    changed(intermediate_size=(44, 50)),
    changed(num_hidden_layers=(2, 3)),
    changed(num_labels=(5, 7)),
    changed(num_channels=(3, 4)),
    changed(num_channels=(1, 3)),
    changed(image_size=(12, 16)),
    changed(image_size=(4, 12)),
    changed(patch_size=(4, 6)),
    changed(patch_size=(4, 3)),
    changed(patch_size=(1, 4)),
    changed(patch_size=(4, 6), image_size=(12, 18)),
    changed(hidden_size=(24, 48), num_attention_heads=(3, 4), num_channels=(3, 5)),
)
CHANGES: dict[str, tuple[Change, ...]] = {"gpt2": GPT2, "llama": LLAMA, "bert": BERT, "vit": VIT}
"""Each is met both ways."""

SIZES: dict[str, dict[str, tuple[Any, ...]]] = {
    "gpt2": {
        "n_embd": (12, 24, 36),
        "n_head": (1, 2, 3, 4),
        "n_inner": (40, 50),
        "n_layer": (1, 2, 3),
        "vocab_size": (97, 101),
        "n_positions": (16, 20),
    },
    "llama": {
        "hidden_size": (24, 48),
        "intermediate_size": (44, 50),
        "num_attention_heads": (1, 2, 3, 4, 6, 8, 12),
        "num_key_value_heads": (1, 2, 3, 4, 6),
        "head_dim": (2, 4, 6, 8),
        "rope_theta": (10000.0, 10000.0, 500.0),
        "num_hidden_layers": (1, 2, 3),
        "vocab_size": (97, 101),
    },
    "bert": {
        "hidden_size": (12, 24, 36),
        "num_attention_heads": (1, 2, 3, 4),
        "intermediate_size": (44, 50),
        "num_hidden_layers": (1, 2, 3),
        "vocab_size": (97, 101),
        "max_position_embeddings": (16, 20),
        "type_vocab_size": (1, 2, 3),
        "num_labels": (1, 5, 7),
    },
    "vit": {
        "hidden_size": (12, 24, 36),
        "num_attention_heads": (1, 2, 3, 4),
        "intermediate_size": (44, 50),
        "num_hidden_layers": (1, 2),
        "num_channels": (1, 3, 4),
        "image_size": (12, 24),
        "patch_size": (2, 3, 4, 6),
        "num_labels": (1, 5, 7),
    },
}
"""What the numbers of a config may be, to be drawn together."""
