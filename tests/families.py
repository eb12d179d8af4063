"""Models that were not written for Suture: small ones of each family, with random weights.

Knows configs, and what each model is called with. Does not know what changes, nor what is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers as hf
from torch import Tensor

from suture import Subject

hf.logging.set_verbosity_error()  # type: ignore[no-untyped-call]

Numbers = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Family:
    """What models of a family are built from: their class, what calls them, a small config."""

    kind: Any
    inputs: Callable[[Any], dict[str, Tensor]]
    numbers: Numbers

    def __call__(self, **others: Any) -> Subject:
        """Build one with random weights; numbers of an inner config are named `outer.inner`."""
        config = self.kind.config_class(**settings(self.numbers, others))
        return Subject(self.kind(config).eval(), (), self.inputs(config))


def settings(numbers: Numbers, others: Numbers) -> Numbers:
    """Put other numbers in the place of some."""
    result = dict(numbers)
    for name, value in others.items():
        outer, _, inner = name.partition(".")
        result[outer] = {**result[outer], inner: value} if inner else value
    return result


def tokens(length: int) -> Tensor:
    """Two texts."""
    return torch.arange(2 * length).reshape(2, length) + 3


def text(_: Any) -> dict[str, Tensor]:
    return {"input_ids": tokens(5)}


def masked(_: Any) -> dict[str, Tensor]:
    return {"input_ids": tokens(5), "attention_mask": torch.ones(2, 5, dtype=torch.long)}


def answered(_: Any) -> dict[str, Tensor]:
    return {"input_ids": tokens(5), "decoder_input_ids": tokens(4)}


def image(config: Any) -> dict[str, Tensor]:
    return {"pixel_values": torch.randn(2, config.num_channels, *[config.image_size] * 2)}


def heard(config: Any) -> dict[str, Tensor]:
    sound = torch.randn(2, config.num_mel_bins, 2 * config.max_source_positions)
    return {"input_features": sound, "decoder_input_ids": tokens(4)}


def captioned(config: Any) -> dict[str, Tensor]:
    return text(config) | image(config.vision_config)


def large(_: Any) -> dict[str, Tensor]:
    return {"pixel_values": torch.randn(2, 3, 64, 64)}


INNER: Numbers = {
    "hidden_size": 24,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "intermediate_size": 44,
}
WORDS: Numbers = {"vocab_size": 97, "max_position_embeddings": 16}
GROUPED = INNER | WORDS | {"num_attention_heads": 6, "num_key_value_heads": 2, "use_cache": False}
PATCHES: Numbers = {"image_size": 12, "patch_size": 4}
TWICE: Numbers = {
    "encoder_layers": 2,
    "encoder_attention_heads": 3,
    "encoder_ffn_dim": 44,
    "decoder_layers": 2,
    "decoder_attention_heads": 3,
    "decoder_ffn_dim": 40,
    "d_model": 24,
    "use_cache": False,
}
GPT2 = {"n_embd": 24, "n_head": 3, "n_layer": 2, "vocab_size": 97, "n_positions": 16}
BLOOM = {"hidden_size": 24, "n_head": 3, "n_layer": 2, "vocab_size": 97}
MAMBA = {"hidden_size": 24, "num_hidden_layers": 2, "vocab_size": 97, "state_size": 7}
T5 = {"d_model": 24, "d_ff": 44, "d_kv": 8, "num_heads": 3, "num_layers": 2, "vocab_size": 97}
WHISPER: Numbers = {
    "vocab_size": 97,
    "num_mel_bins": 10,
    "max_source_positions": 8,
    "max_target_positions": 9,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
CLIP: Numbers = {
    "text_config": INNER | WORDS | {"bos_token_id": 1, "eos_token_id": 2},
    "vision_config": INNER | PATCHES | {"hidden_size": 20, "num_attention_heads": 2},
    "projection_dim": 14,
}
CONVNEXT = {"hidden_sizes": [8, 12, 16, 20], "depths": [1, 1, 1, 1], "image_size": 64}
SWIN = {"embed_dim": 8, "depths": [2, 1], "num_heads": [2, 4], "window_size": 2}
RESNET = {"embedding_size": 8, "hidden_sizes": [12, 16, 20, 24], "depths": [1, 1, 1, 1]}
LABELS, CACHELESS = {"num_labels": 5}, {"use_cache": False}

FAMILIES: dict[str, Family] = {
    "gpt2": Family(hf.GPT2LMHeadModel, text, GPT2 | CACHELESS),
    "llama": Family(hf.LlamaForCausalLM, text, GROUPED),
    "mistral": Family(hf.MistralForCausalLM, text, GROUPED),
    "qwen2": Family(hf.Qwen2ForCausalLM, text, GROUPED),
    "gemma2": Family(hf.Gemma2ForCausalLM, text, GROUPED | {"head_dim": 4}),
    "phi3": Family(hf.Phi3ForCausalLM, text, GROUPED | {"pad_token_id": 0}),
    "mixtral": Family(hf.MixtralForCausalLM, text, GROUPED | {"num_local_experts": 4}),
    "gpt_neox": Family(hf.GPTNeoXForCausalLM, text, INNER | WORDS | CACHELESS),
    "bloom": Family(hf.BloomForCausalLM, text, BLOOM | CACHELESS),
    "mamba": Family(hf.MambaForCausalLM, text, MAMBA | CACHELESS | {"time_step_rank": 3}),
    "bert": Family(hf.BertForSequenceClassification, masked, INNER | WORDS | LABELS),
    "t5": Family(hf.T5ForConditionalGeneration, answered, T5 | CACHELESS),
    "whisper": Family(hf.WhisperForConditionalGeneration, heard, TWICE | WHISPER),
    "bart": Family(hf.BartForConditionalGeneration, answered, TWICE | WORDS),
    "vit": Family(hf.ViTForImageClassification, image, INNER | PATCHES | LABELS),
    "clip": Family(hf.CLIPModel, captioned, CLIP),
    "convnext": Family(hf.ConvNextForImageClassification, image, CONVNEXT | LABELS),
    "swin": Family(
        *(hf.SwinForImageClassification, image),
        SWIN | LABELS | {"image_size": 16, "patch_size": 2},
    ),
    "resnet": Family(hf.ResNetForImageClassification, large, RESNET | LABELS),
}
"""Every family by its name."""
