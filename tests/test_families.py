"""Models that people bring: each is traced, coupled, carried onto itself and into a wider one.

`test_family_changes` asks where each entry goes; here nothing may be in the way of the trace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

import suture
from families import FAMILIES, GROUPED, INNER, PATCHES, WORDS, Family, image, text
from policies import POLICIES
from refusals import error, refused
from styles import STYLES
from suture import Graph, Plan, Subject
from suture._plan import Sum
from tricks import TRICKS


def on_meta(family: Family) -> Subject:
    """Build a model of shapes alone: every example input keeps its values."""
    with torch.device("meta"):
        model = family().model
    return replace(family(), model=model)


def copied(plan: Plan) -> bool:
    """Whether every entry is copied, but for integers that the model computes with."""
    kept = {note.subject for note in plan.notes if "integers that the model" in note.reason}
    return plan.exact and all(
        isinstance(block.fill, Sum) and [term.scale for term in block.fill.terms] == [1]
        for tensor in plan.tensors
        if tensor.target.name not in kept
        for block in tensor.blocks
    )


def carried_onto_itself(subject: Subject) -> Graph:
    graph = suture.trace(subject)
    assert copied(suture.plan(graph, graph))
    assert not graph.unreached_parameters - graph.mirrors.keys()
    return graph


# Libraries

EXPERTS = {"num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 20}
LATENT = {"kv_lora_rank": 10, "q_lora_rank": 14, "qk_rope_head_dim": 4, "qk_nope_head_dim": 6}
ROUTED = {"n_routed_experts": 8, "n_group": 2, "topk_group": 1, "first_k_dense_replace": 1}
WAVES = {"conv_dim": (10, 12), "conv_stride": (5, 2), "conv_kernel": (10, 3), "vocab_size": 32}
POSITIONS = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}


def sounds(_: Any) -> dict[str, torch.Tensor]:
    return {"input_values": torch.randn(2, 200)}


def others() -> dict[str, Family]:
    """Build further architectures, each for an op or a style that no other has."""
    hf = pytest.importorskip("transformers")
    mamba2 = {"num_heads": 6, "head_dim": 8, "n_groups": 2, "chunk_size": 4, "state_size": 7}
    deepseek = GROUPED | LATENT | ROUTED | EXPERTS | {"num_key_value_heads": 6, "v_head_dim": 5}
    masks = {"apply_spec_augment": False, "mask_time_prob": 0.0}
    return {
        "qwen3_moe": Family(hf.Qwen3MoeForCausalLM, text, GROUPED | EXPERTS | {"head_dim": 4}),
        "deepseek_v3": Family(hf.DeepseekV3ForCausalLM, text, deepseek),
        "mamba2": Family(hf.Mamba2ForCausalLM, text, INNER | {"vocab_size": 97} | mamba2),
        "longformer": Family(
            hf.LongformerModel,
            text,
            INNER | WORDS | {"attention_window": 4, "max_position_embeddings": 20},
        ),
        "wav2vec2": Family(hf.Wav2Vec2ForCTC, sounds, INNER | WAVES | POSITIONS | masks),
        "beit": Family(
            hf.BeitForImageClassification,
            image,
            INNER | PATCHES | {"use_relative_position_bias": True},
        ),
    }


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family(name: str) -> None:
    """A model of shapes is traced, and its plan onto itself copies everything exactly."""
    carried_onto_itself(on_meta(FAMILIES[name]))


NOT_REACHED = {
    "longformer": ("query_global", "key_global", "value_global", "pooler"),
    "wav2vec2": ("masked_spec_embed",),
}
"""What no plain call of a family uses."""


@pytest.mark.parametrize("name", others())
def test_another_architecture(name: str) -> None:
    """The same, but for parameters that only other calls use."""
    graph = suture.trace(on_meta(others()[name]))
    assert copied(suture.plan(graph, graph))
    unused = NOT_REACHED.get(name, ())
    assert all(any(part in each for part in unused) for each in graph.unreached_parameters)


# Plain torch, and Stable-Baselines3

BUILDS = {**STYLES, **TRICKS, **POLICIES}

INEXACT = {
    "ppo_explores",  # no logarithm of a spread is a spread of 0
}
"""What cannot grow and compute the same, as the plan says."""


@pytest.mark.parametrize("name", BUILDS)
def test_a_style(name: str) -> None:
    """A model is traced, and its plan onto itself copies everything exactly."""
    carried_onto_itself(BUILDS[name](6))


@pytest.mark.parametrize(
    "name",
    BUILDS,
)
def test_a_style_that_grows(name: str) -> None:
    """A wider one computes the same, as `transfer` measures, or the plan says why not."""
    torch.manual_seed(3)
    plan = suture.transfer(BUILDS[name](6), BUILDS[name](8))
    assert plan.exact == (name not in INEXACT)


def test_target_networks_and_twin_critics() -> None:
    """Twins take the plan of what they copy; nothing is left to chance."""
    for name in ("dqn", "sac", "td3"):
        graph = suture.trace(POLICIES[name](6))
        assert graph.mirrors
        assert graph.unreached_parameters <= graph.mirrors.keys()


def test_modules_that_are_still_lazy() -> None:
    """They say what to do."""
    lazy: Callable[[], object] = lambda: suture.trace(  # noqa: E731
        Subject(nn.Sequential(nn.LazyLinear(4)), (torch.randn(7, 3),))
    )
    assert refused(lazy) == error(
        """
        TraceError: Parameters have no shape yet.
          lazy     0.weight
          lazy     0.bias

        hint: run the model once on real data before tracing it
        """
    )
