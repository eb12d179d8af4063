"""Models of the world as it is, each with a wider one, and where everything goes by hand.

Knows sizes. Does not know how a plan is found, nor by whom.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import nn

import suture
from by_hand import Hand, gpt2, linear, llama, norm, ordered

SHAPES_ONLY = torch.device("meta")
TOKENS = 7


@dataclass(frozen=True, slots=True)
class Growth:
    """A model and a wider one.

    Attributes:
        title: what it is, and what grows.
        kind: the model's class.
        config: the class of its config.
        old: the config's arguments.
        new: those that change.
        by_hand: where every entry of the wider one comes from, given both configs.
    """

    title: str
    kind: Callable[[Any], nn.Module]
    config: Callable[..., Any]
    old: dict[str, Any]
    new: dict[str, Any]
    by_hand: Callable[[Any, Any], Hand]

    def configs(self) -> tuple[Any, Any]:
        """Give the config of the model and that of the wider one."""
        return self.config(**self.old), self.config(**{**self.old, **self.new})

    def subjects(self) -> tuple[suture.Subject, suture.Subject]:
        """Make both models without weights, and what to run them on."""
        before, after = (subject(self.kind, config) for config in self.configs())
        return before, after


def subject(kind: Callable[[Any], nn.Module], config: Any) -> suture.Subject:
    """Make a model without weights."""
    with SHAPES_ONLY:
        model = kind(config).train(mode=False)
    return suture.Subject(model, kwargs=example(config))


def example(config: Any) -> dict[str, torch.Tensor]:
    """Make a batch of two small inputs."""
    if isinstance(config, transformers.ResNetConfig):
        return {"pixel_values": torch.zeros(2, config.num_channels, 64, 64)}
    return {"input_ids": torch.zeros(2, TOKENS, dtype=torch.long)}


def resnet(a: Any, b: Any) -> Hand:
    """ResNet of bottlenecks: a quarter of the channels inside, a projection where sizes change."""
    tap = {size: ordered(size, size) for size in (1, 3, 7)}

    def convolved(name: str, out: Any, into: Any, size: int) -> Hand:
        weight = (out, into, tap[size], tap[size])
        return {f"{name}.convolution.weight": weight, **norm(f"{name}.normalization", out)}

    stream = ordered(a.embedding_size, b.embedding_size)
    channels = ordered(a.num_channels, b.num_channels)
    found = convolved("resnet.embedder.embedder", stream, channels, 7)
    for stage, depth in enumerate(a.depths):
        old, new = a.hidden_sizes[stage], b.hidden_sizes[stage]
        out, inner = ordered(old, new), ordered(old // 4, new // 4)
        for layer in range(depth):
            name = f"resnet.encoder.stages.{stage}.layers.{layer}"
            if layer == 0:
                found |= convolved(f"{name}.shortcut", out, stream, 1)
            found |= convolved(f"{name}.layer.0", inner, stream, 1)
            found |= convolved(f"{name}.layer.1", inner, inner, 3)
            found |= convolved(f"{name}.layer.2", out, inner, 1)
            stream = out
    return found | linear("classifier.1", ordered(a.num_labels, b.num_labels), stream)


GPT2 = (transformers.GPT2LMHeadModel, transformers.GPT2Config)
LLAMA = (transformers.LlamaForCausalLM, transformers.LlamaConfig)
RESNET = (transformers.ResNetForImageClassification, transformers.ResNetConfig)

GROWTHS: dict[str, Growth] = {
    "GPT-2 124M": Growth(
        "width 768 to 896, inner 3072 to 3584, heads 12 to 14, tokens 50257 to 50304",
        *GPT2,
        {"use_cache": False},
        {"n_embd": 896, "n_head": 14, "vocab_size": 50304},
        gpt2,
    ),
    "ResNet-50": Growth(
        "channels 64/256/512/1024/2048 to 80/320/640/1280/2560, labels 1000 to 1010",
        *RESNET,
        {"num_labels": 1000},
        {"embedding_size": 80, "hidden_sizes": [320, 640, 1280, 2560], "num_labels": 1010},
        resnet,
    ),
    "Llama 7B": Growth(
        "width 4096 to 4608, inner 11008 to 12288, heads 32 to 36, tokens 32000 to 32256",
        *LLAMA,
        {
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
            "num_hidden_layers": 32,
            "vocab_size": 32000,
            "use_cache": False,
        },
        {
            "hidden_size": 4608,
            "intermediate_size": 12288,
            "num_attention_heads": 36,
            "num_key_value_heads": 36,
            "vocab_size": 32256,
        },
        llama,
    ),
    "Llama 70B": Growth(
        "width 8192 to 9216, inner 28672 to 32256, heads 64 to 72 (keys 8 to 9), "
        "tokens 32000 to 32256",
        *LLAMA,
        {
            "hidden_size": 8192,
            "intermediate_size": 28672,
            "num_attention_heads": 64,
            "num_key_value_heads": 8,
            "num_hidden_layers": 80,
            "vocab_size": 32000,
            "use_cache": False,
        },
        {
            "hidden_size": 9216,
            "intermediate_size": 32256,
            "num_attention_heads": 72,
            "num_key_value_heads": 9,
            "vocab_size": 32256,
        },
        llama,
    ),
}
"""Every model that is measured, by name, from small to large."""
