"""Growth of everything at once in the networks that people grow: the old function, and life.

Weights are of order one. In float64 outputs agree to 1e-10 of the largest, in float32 to 1e-5.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaRMSNorm

import suture
from growable import NORMS
from grown import KINDS, Case, Numbers, built, grown
from living import dead, fresh_units, stepped, twins
from measured import notes
from suture import Subject

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")


TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}

WIDER: Numbers = {"words": 31, "width": 17, "heads": 9, "groups": 3, "inner": 37}
WIDER |= {"layers": ("first", "a", "second", "b", "last")}
SEEN: Numbers = {"features": 8, "actions": 6, "inner": 14, "width": 13}
PICTURE: Numbers = {"channels": 4, "widths": (7, 9, 15), "labels": 6}

GPT2 = {"n_embd": 40, "n_head": 4, "n_layer": 3, "vocab_size": 120, "n_positions": 40}
LLAMA = {"hidden_size": 45, "num_hidden_layers": 3, "intermediate_size": 99, "vocab_size": 111}
VIT = {"hidden_size": 36, "num_attention_heads": 4, "num_hidden_layers": 3, "num_labels": 7}
RESNET = {"hidden_sizes": [14, 18, 22, 28], "embedding_size": 10, "num_labels": 7}
BERT = {"hidden_size": 48, "num_attention_heads": 6, "vocab_size": 111, "num_labels": 7}

CASES: dict[str, Case] = {
    "gpt2": ("gpt2", {}, {**GPT2, "n_inner": 111}),
    "llama": (
        "llama",
        {},
        {**LLAMA, "head_dim": 8, "num_attention_heads": 9, "num_key_value_heads": 3},
    ),
    "vit": ("vit", {}, {**VIT, "intermediate_size": 77, "num_channels": 4}),
    "hf resnet": ("hf resnet", {}, {**RESNET, "depths": [1, 2, 1, 1]}),
    "bert, twice": ("bert", {}, {**BERT, "intermediate_size": 77}),
    "bert, heads of twice": ("bert", {}, {**BERT, "num_attention_heads": 3}),
    "encoder": ("encoder", {}, {"width": 20, "heads": 4, "inner": 37, "layers": 3, "classes": 5}),
    "u-net": ("u-net", {}, PICTURE),
    "resnet": ("resnet", {}, {**PICTURE, "depths": (1, 3)}),
    "lstm": ("policy", {}, {**SEEN, "plain": 2}),
    "lstm, doubled": ("policy", {}, {"width": 16}),
    "lstm, both ways": ("policy", {"both": True}, SEEN),
    "lstm, projected": ("policy", {"more": {"proj_size": 5}}, {**SEEN, "more": {"proj_size": 7}}),
    "gru": ("policy", {"kind": "GRU"}, {**SEEN, "plain": 1}),
    "gru, both ways": ("policy", {"kind": "GRU", "both": True}, SEEN),
    **{
        f"{norm}, {form}{', tied' * tied}": (
            "decoder",
            {"norm": norm, "form": form, "tied": tied},
            {**WIDER, "size": 8 if form == "rotary" else 7},
        )
        for norm in NORMS
        for form, tied in (("rotary", True), ("sdpa", False), ("by hand", False))
    },
}
LIVELY = {
    name: (
        kind,
        before | {"bend": "SiLU"} if kind in ("u-net", "resnet", "policy") else before,
        after,
    )
    for name, (kind, before, after) in CASES.items()
    if name != "hf resnet"
}
"""The same without rectifiers, which may be flat on a whole batch."""
LIVELY |= {"lstm": ("policy", {"bend": "SiLU"}, SEEN), "gru": LIVELY["gru, both ways"]}


def double_norm(norm: Any, x: Tensor) -> Tensor:
    """Norm as Llama does, in the dtype of `x`; its own forward goes by float32."""
    spread = x.pow(2).mean(-1, keepdim=True)
    scaled: Tensor = norm.weight * (x * torch.rsqrt(spread + norm.variance_epsilon))
    return scaled


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_everything_grows_at_once(
    name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Widths, heads, head dims, layers, vocabulary and labels: the old function is kept."""
    if dtype is torch.float64:
        monkeypatch.setattr(LlamaRMSNorm, "forward", double_norm)
    plan, source, target = grown(CASES[name], dtype)
    assert plan.exact, notes(plan, "inexact")
    report = suture.verify(plan, source, target, generic=0)
    assert len(report.outputs) > 0
    assert all(one.compared > 0 for one in report.outputs)
    assert report.max_rel_diff < TOLERANCE[dtype]


@pytest.mark.parametrize("name", LIVELY)
def test_one_step_of_training(name: str) -> None:
    """Law 9: the first gradient reaches every fresh unit, and the first step parts them."""
    _, source, target = grown(LIVELY[name], torch.float64)
    kind, before, after = LIVELY[name]
    usual = built(kind, {**before, **after}, 2, torch.float64)
    fresh = fresh_units(source, target)
    assert len(fresh) > 0
    assert dead(fresh, target, usual) == []
    stepped(target)
    assert twins(fresh, target.model) == []


class Unnormed(nn.Module):
    """A stream that is centred and powered inside, and read by its own table as it stands."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.words, self.norm = nn.Embedding(19, width), NORMS["centred"](width)
        self.inside = nn.Linear(width, width)

    def forward(self, text: Tensor) -> Tensor:
        x = self.words(text)
        read: Tensor = x + self.inside(self.norm(x))
        return read @ self.words.weight.T


KINDS["unnormed"] = lambda **numbers: Subject(Unnormed(**numbers), (torch.arange(10)[None],))
DEEP = {"num_hidden_layers": 3}
REFUSED: dict[str, tuple[Case, str]] = {
    "post-norm, no multiple": (("bert", {}, {"hidden_size": 36}), "native_layer_norm"),
    "post-norm, deeper": (("bert", {}, DEEP), "native_layer_norm"),
    "rotary, no multiple": (("llama", {}, {"head_dim": 6}), ""),
    "gains of 1 + w": (("gemma2", {}, {"hidden_size": 42}), "scales"),
    "a layer of cells": (("policy", {}, {"deep": 3}), "core.weight_ih_l2"),
    "fewer layers": (("gpt2", {}, {"n_layer": 1}), "the target has no such parameter"),
    "read as written": (("unnormed", {"width": 12}, {"width": 17}), "tied table"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_kept(name: str) -> None:
    """Where no weights compute the old function, or none are known, the plan says where."""
    case, reason = REFUSED[name]
    plan, source, target = grown(case, torch.float64)
    assert not plan.exact
    assert any(reason in note for note in notes(plan, "inexact")), notes(plan, "inexact")
    assert suture.verify(plan, source, target, generic=0).max_rel_diff > 1e-3
