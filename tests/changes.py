"""The numbers of each family's config that people change, from what to what.

Knows names and sizes. Does not know models, nor what becomes of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Change = Mapping[str, tuple[Any, Any]]
"""Every number that changes: what it was, and what it becomes."""


def changed(inner: Change | None = None, **numbers: tuple[Any, Any]) -> Change:
    """Say what changes; numbers of a config within the config have a dot in their names."""
    return {**(inner or {}), **numbers}


def back(change: Change) -> Change:
    """The same change the other way round."""
    return {name: (after, before) for name, (before, after) in change.items()}


def config(change: Change, side: int) -> dict[str, Any]:
    """What is asked of a builder: 0 for the old model, 1 for the new one."""
    return {name: values[side] for name, values in change.items()}


def told(change: Change) -> str:
    """Say a change in words.

    Example:
        >>> told(changed(n_head=(3, 4), n_embd=(24, 24)))
        'n_head 3 → 4, n_embd 24'
    """
    return ", ".join(
        f"{name} {before}" if before == after else f"{name} {before} → {after}"
        for name, (before, after) in change.items()
    )


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
"""What is changed in the families that are known by hand; each is met both ways."""

LABELS = changed(num_labels=(5, 7))
WORDS = changed(vocab_size=(97, 101))
INNER = changed(intermediate_size=(44, 50))
LAYERS = changed(num_hidden_layers=(2, 3))

MORE: dict[str, tuple[Change, ...]] = {
    "t5": (
        changed(d_model=(24, 30)),
        changed(d_ff=(44, 50)),
        changed(d_kv=(8, 10)),
        changed(num_heads=(3, 4)),
        changed(num_layers=(2, 3)),
        WORDS,
        changed(relative_attention_num_buckets=(32, 40)),
    ),
    "whisper": (
        changed(d_model=(24, 30)),
        changed(d_model=(24, 32), encoder_attention_heads=(3, 4), decoder_attention_heads=(3, 4)),
        changed(encoder_ffn_dim=(44, 50)),
        changed(encoder_layers=(2, 3), decoder_layers=(2, 3)),
        WORDS,
        changed(num_mel_bins=(10, 12)),
        changed(max_target_positions=(9, 11)),
        changed(max_source_positions=(8, 10)),
    ),
    "bart": (changed(d_model=(24, 30)), changed(decoder_ffn_dim=(40, 50)), WORDS),
    "mistral": (changed(hidden_size=(24, 36), head_dim=(4, 4)), INNER, LAYERS),
    "qwen2": (changed(num_attention_heads=(6, 8), head_dim=(4, 4)), INNER, WORDS),
    "gemma2": (changed(hidden_size=(24, 36)), changed(num_attention_heads=(6, 8)), INNER),
    "phi3": (
        INNER,
        changed(num_key_value_heads=(2, 4), num_attention_heads=(6, 12), hidden_size=(24, 48)),
        WORDS,
    ),
    "gpt_neox": (changed(hidden_size=(24, 32), num_attention_heads=(3, 4)), INNER, WORDS),
    "bloom": (changed(hidden_size=(24, 36)), changed(n_head=(2, 4), hidden_size=(24, 48)), WORDS),
    "mixtral": (changed(num_local_experts=(4, 5)), changed(intermediate_size=(44, 52)), WORDS),
    "mamba": (
        changed(hidden_size=(24, 36)),
        changed(state_size=(7, 9)),
        changed(conv_kernel=(4, 5)),
        changed(time_step_rank=(3, 4)),
        LAYERS,
        WORDS,
    ),
    "clip": (
        changed(projection_dim=(14, 16)),
        changed({"text_config.intermediate_size": (44, 50)}),
        changed({"text_config.vocab_size": (97, 101)}),
        changed({"text_config.hidden_size": (24, 36)}),
        changed({"vision_config.hidden_size": (20, 30)}),
        changed({"vision_config.image_size": (12, 16)}),
    ),
    "convnext": (
        changed(hidden_sizes=([8, 12, 16, 20], [8, 12, 18, 20])),
        changed(depths=([1, 1, 1, 1], [1, 2, 1, 1])),
        changed(num_channels=(3, 4)),
        LABELS,
    ),
    "swin": (
        changed(embed_dim=(8, 16), num_heads=([2, 4], [4, 8])),
        changed(mlp_ratio=(4.0, 5.0)),
        changed(depths=([2, 1], [2, 2])),
        changed(window_size=(2, 4)),
        changed(num_channels=(3, 4)),
        LABELS,
    ),
    "resnet": (
        changed(embedding_size=(8, 10)),
        changed(hidden_sizes=([12, 16, 20, 24], [12, 16, 22, 24])),
        changed(depths=([1, 1, 1, 1], [1, 2, 1, 1])),
        LABELS,
    ),
}
"""What is changed in other families of transformers; each grows."""

POLICY = (
    changed(features=(6, 8)),
    changed(actions=(3, 4)),
    changed(net_arch=([10, 12], [10, 14])),
    changed(features=(6, 8), actions=(3, 4), net_arch=([10, 12], [16, 14])),
)
OWN: dict[str, tuple[Change, ...]] = {
    **dict.fromkeys(("sb3 ppo", "sb3 dqn", "sb3 sac", "sb3 td3"), POLICY),
    "u-net": (
        changed(channels=(3, 4)),
        changed(width=(8, 10)),
        changed(deep=(12, 14)),
        changed(classes=(1, 5)),
    ),
    "dlrm": (
        changed(dense=(6, 7)),
        changed(rows=((11, 9, 10), (11, 12, 10))),
        changed(rows=((11, 9, 10), (11, 9, 10, 13))),
        changed(width=(8, 10)),
        changed(top=(14, 16)),
    ),
    "lstm": (
        changed(words=(30, 33)),
        changed(width=(9, 11)),
        changed(hidden=(8, 11)),
        changed(layers=(2, 3)),
        changed(classes=(1, 5)),
    ),
}
"""What is changed in networks of plain torch; each grows."""

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
