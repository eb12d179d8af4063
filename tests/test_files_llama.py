"""A Llama in a folder of transformers: wider, loaded without a word, with the old logits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import split_torch_state_dict_into_shards
from transformers import LlamaConfig, LlamaForCausalLM

import suture
from suture._files import carry_file, open_checkpoint

READ: Callable[..., Any] = LlamaForCausalLM.from_pretrained
SIZES: dict[str, Any] = {
    "vocab_size": 61,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "use_cache": False,
}


def llama(intermediate: int, **more: Any) -> Any:
    config = LlamaConfig(intermediate_size=intermediate, **SIZES, **more)
    return LlamaForCausalLM(config).train(mode=False)


def save_shards(model: Any, folder: Path, size: str) -> None:
    """Write files of torch, as transformers did before safetensors."""
    model.config.save_pretrained(folder)
    pattern, state = "pytorch_model{suffix}.bin", model.state_dict()
    split = split_torch_state_dict_into_shards(state, filename_pattern=pattern, max_shard_size=size)
    for file, keys in split.filename_to_tensors.items():
        torch.save({key: state[key] for key in keys}, folder / file)
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def save_safetensors(model: Any, folder: Path, size: str) -> None:
    model.save_pretrained(folder, max_shard_size=size)


WAYS = {
    "safetensors in shards": (save_safetensors, "20KB", {}),
    "torch in shards": (save_shards, "20KB", {}),
    "torch in one file": (save_shards, "1MB", {}),
    "torch in shards, tied": (save_shards, "20KB", {"tie_word_embeddings": True}),
}


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
@pytest.mark.parametrize("way", WAYS)
def test_a_llama_gets_wider(way: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A wider one loads without a word about its weights, and computes the old logits."""
    save, size, more = WAYS[way]
    torch.manual_seed(0)
    old, new = llama(40, **more), llama(56, **more)
    save(old, tmp_path / "old", size)
    tokens = torch.randint(0, 61, (2, 7))
    a, b = (suture.trace(suture.Subject(m, (), {"input_ids": tokens})) for m in (old, new))
    config = {"config.json": new.config.to_json_string()}
    source = open_checkpoint(tmp_path / "old")
    assert (source.format, len(source.files) > 2) == ("hugging face folder", "shards" in way)
    fresh = new.state_dict()
    carry_file(suture.plan(a, b), source, tmp_path / "new", fresh=fresh, config=config)
    assert {*endings(tmp_path / "new")} == {*endings(tmp_path / "old")}

    capfd.readouterr()
    loaded, info = READ(tmp_path / "new", output_loading_info=True)
    assert not any(info.values())
    told = capfd.readouterr()
    assert "weight" not in (told.out + told.err).lower().replace("loading weights", "")
    with torch.no_grad():
        torch.testing.assert_close(loaded(tokens).logits, old(tokens).logits, rtol=1e-5, atol=1e-6)


def endings(folder: Path) -> list[str]:
    return [path.suffix for path in folder.iterdir()]
