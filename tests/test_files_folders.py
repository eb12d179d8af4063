"""Folders of weights: shards, their index, and the files that lie beside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import suture
from disks import largest_file, masked
from suture._errors import FileError
from suture._files import carry_file, open_checkpoint
from widened import ZEROS, State, some, widened

OLD: State = {f"layers.{i}.weight": some((6, 5), seed=i) for i in range(5)}
PLAN = widened(OLD, fill=ZEROS)


def sharded(folder: Path, **more: Any) -> Path:
    """Write a folder of three files, as libraries write them."""
    folder.mkdir()
    weights: dict[str, str] = {}
    for number, names in enumerate(([0, 1], [2, 3], [4])):
        file = f"model-{number + 1:05}-of-00003.safetensors"
        keys = [f"layers.{name}.weight" for name in names]
        save_file({key: OLD[key] for key in keys}, folder / file, {"format": "pt"})
        weights |= dict.fromkeys(keys, file)
    index = {"metadata": {"total_size": 600, "kept": 1}, "weight_map": weights} | more
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def read(folder: Path) -> State:
    """Read all files that an index names."""
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    return {
        name: array
        for file in {*index["weight_map"].values()}
        for name, array in load_file(folder / file).items()
    }


def test_shards(tmp_path: Path) -> None:
    """New files are no larger than the old ones, and an index names them."""
    old = open_checkpoint(sharded(tmp_path / "old"))
    assert (old.format, len(old.files), [*old.tensors]) == ("sharded safetensors", 3, [*OLD])
    carry_file(PLAN, old, tmp_path / "new")
    found = read(tmp_path / "new")
    for name, array in OLD.items():
        np.testing.assert_array_equal(found[name], np.pad(array, ((0, 1), (0, 0))))
    files = sorted(path.name for path in (tmp_path / "new").glob("*.safetensors"))
    assert files == [f"model-{number:05}-of-00005.safetensors" for number in range(1, 6)]
    said = json.loads((tmp_path / "new" / "model.safetensors.index.json").read_text())
    assert said["metadata"] == {"total_size": 700, "kept": 1}
    assert {*open_checkpoint(tmp_path / "new").metadata} == {"format", "suture"}


def test_what_lies_beside(tmp_path: Path) -> None:
    """Other files go along or are replaced; old weights in other forms do not, and that is told."""
    folder = sharded(tmp_path / "old")
    (folder / "config.json").write_text('{"hidden_size": 6}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"old weights")
    (folder / "runs").mkdir()
    old = open_checkpoint(folder)
    assert old.format == "hugging face folder"
    written = carry_file(PLAN, old, tmp_path / "new", config={"config.json": '{"hidden_size": 7}'})
    assert written.left_out == ("pytorch_model.bin", "runs")
    others = {p.name: p.read_text() for p in (tmp_path / "new").iterdir() if "model" not in p.name}
    assert others == {"config.json": '{"hidden_size": 7}', "tokenizer.json": "{}"}


def test_one_file_in_a_folder(tmp_path: Path) -> None:
    """It stays one file, without an index."""
    (tmp_path / "old").mkdir()
    save_file(OLD, tmp_path / "old" / "model.safetensors")
    carry_file(PLAN, open_checkpoint(tmp_path / "old"), tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.safetensors"]


def test_a_folder_that_is_overwritten(tmp_path: Path) -> None:
    """Nothing of what was there is left in it, nor beside it."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "stale.safetensors").write_text("")
    (tmp_path / ".new.suture-part").mkdir()
    (tmp_path / ".new.suture-part" / "half").write_text("")
    old = open_checkpoint(sharded(tmp_path / "old"))
    carry_file(PLAN, old, tmp_path / "new", force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]
    assert not (tmp_path / "new" / "stale.safetensors").exists()


def test_a_folder_that_is_written_where_a_file_is(tmp_path: Path) -> None:
    """It is refused, whatever is said; so is what is no name."""
    old = open_checkpoint(sharded(tmp_path / "old"))
    (tmp_path / "new").write_text("dear to somebody")
    with pytest.raises(FileError, match="new is a file, and a folder would be written"):
        carry_file(PLAN, old, tmp_path / "new", force=True)
    assert (tmp_path / "new").read_text() == "dear to somebody"
    for place in (Path(), tmp_path / "old" / ".."):
        with pytest.raises(FileError, match="does not name a new folder"):
            carry_file(PLAN, old, place, force=True)


def test_who_may_read_a_new_folder(tmp_path: Path) -> None:
    """Files of weights are for those who may read all old ones, others as they were."""
    folder = sharded(tmp_path / "old")
    (folder / "tokenizer.json").touch(0o640)
    (folder / "run.sh").touch(0o755)
    (folder / "model-00002-of-00003.safetensors").chmod(0o600)
    folder.chmod(0o750)
    with masked(0o022):
        carry_file(PLAN, open_checkpoint(folder), tmp_path / "new", config={"config.json": "{}"})
    found = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o750
    assert (found.pop("tokenizer.json"), found.pop("run.sh")) == (0o640, 0o644)
    assert {*found.values()} == {0o600}


LOST = """\
{new} was being overwritten when a run was killed.
  it is    {old}

hint: give it its name again: mv {old} {new}"""


def test_a_folder_whose_run_was_killed_while_it_was_replaced(tmp_path: Path) -> None:
    """Between two renames it has another name: that is told, and the next run goes on from it."""
    old = open_checkpoint(sharded(tmp_path / "old"))
    new, beside = tmp_path / "new", tmp_path / ".new.suture-old"
    sharded(beside)
    for look in (lambda: open_checkpoint(new), lambda: carry_file(PLAN, old, new)):
        with pytest.raises(FileError) as caught:
            look()
        assert str(caught.value) == LOST.format(new=new, old=beside)
    with pytest.raises(FileError, match="suture-old is what would be read"):
        carry_file(PLAN, open_checkpoint(beside), new, force=True)
    with largest_file(100), pytest.raises(FileError, match="cannot be written"):
        carry_file(PLAN, old, new, force=True)
    assert [*open_checkpoint(beside).tensors] == [*OLD]
    carry_file(PLAN, old, new, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_a_folder_that_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was there gets its name back."""
    old = open_checkpoint(sharded(tmp_path / "old"))
    sharded(tmp_path / "new")
    replace = Path.replace

    def refused(path: Path, target: Path) -> Path:
        if path.name.endswith("-part"):
            raise OSError("the disk is gone")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(FileError, match="the disk is gone"):
        carry_file(PLAN, old, tmp_path / "new", force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]
    assert [*open_checkpoint(tmp_path / "new").tensors] == [*OLD]


OUTSIDE = ("../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", "weights.txt", 3, None)


@pytest.mark.parametrize("where", OUTSIDE)
def test_an_index_that_leads_out_of_its_folder(tmp_path: Path, where: object) -> None:
    """It is refused before anything there is looked at."""
    save_file(OLD, tmp_path / "secret.safetensors")
    folder = sharded(tmp_path / "old", weight_map={"layers.0.weight": where})
    with pytest.raises(FileError) as caught:
        open_checkpoint(folder)
    assert str(caught.value) == (
        f"{folder}/model.safetensors.index.json leads out of its folder.\n"
        f"  layers.0.weight lies in {str(where)!r}, which is no file of this folder"
    )


def test_an_index_that_does_not_agree_with_its_files(tmp_path: Path) -> None:
    """Tensors that are missing, elsewhere, or not named at all are listed."""
    file = "model-00001-of-00003.safetensors"
    said = {"layers.0.weight": file, "layers.9.weight": file}
    folder = sharded(tmp_path / "old", weight_map=said)
    with pytest.raises(FileError) as caught:
        open_checkpoint(folder)
    assert str(caught.value) == (
        f"The files in {folder} are not what its index says.\n"
        f"  {file} holds layers.1.weight, which the index lacks\n"
        f"  {file} lacks layers.9.weight"
    )


INDICES = {
    "{": "is not JSON",
    "[" * 100_000: "is not JSON",
    "[]": "names no weights",
    '{"weight_map": {}}': "names no weights",
    '{"weight_map": {"a": "gone.safetensors"}}': "names files that are not there",
}


@pytest.mark.parametrize("text", INDICES, ids=lambda text: text[:20])
def test_an_index_that_is_none(tmp_path: Path, text: str) -> None:
    """It is refused with the reason."""
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(FileError, match=INDICES[text]):
        open_checkpoint(tmp_path)


def test_files_that_are_links(tmp_path: Path) -> None:
    """Caches keep files elsewhere and link to them: the index names the link."""
    folder = sharded(tmp_path / "old")
    file = folder / "model-00001-of-00003.safetensors"
    file.rename(tmp_path / "blob")
    file.symlink_to(tmp_path / "blob")
    assert [*open_checkpoint(folder).tensors] == [*OLD]


def test_a_folder_without_weights(tmp_path: Path) -> None:
    """It is told what was looked for."""
    with pytest.raises(FileError, match=r"looked for model.safetensors, \*.safetensors.index.json"):
        open_checkpoint(tmp_path)


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_a_llama_in_shards(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A wider one loads without a word about its weights, and computes the old logits."""
    from transformers import LlamaConfig, LlamaForCausalLM

    read_llama: Callable[..., Any] = LlamaForCausalLM.from_pretrained
    small = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "use_cache": False}
    sizes: dict[str, Any] = {"vocab_size": 61, "hidden_size": 24, "num_hidden_layers": 2, **small}
    torch.manual_seed(0)
    old = LlamaForCausalLM(LlamaConfig(intermediate_size=40, **sizes)).train(mode=False)
    new = LlamaForCausalLM(LlamaConfig(intermediate_size=56, **sizes)).train(mode=False)
    old.save_pretrained(tmp_path / "old", max_shard_size="20KB")
    tokens = torch.randint(0, 61, (2, 7))
    a, b = (suture.trace(suture.Subject(m, (), {"input_ids": tokens})) for m in (old, new))
    config = {"config.json": new.config.to_json_string()}
    source = open_checkpoint(tmp_path / "old")
    assert len(source.files) > 2
    fresh = new.state_dict()
    carry_file(suture.plan(a, b), source, tmp_path / "new", fresh=fresh, config=config)
    capfd.readouterr()
    loaded, info = read_llama(tmp_path / "new", output_loading_info=True)
    assert not any(info.values())
    told = capfd.readouterr()
    assert "newly initialized" not in told.out + told.err
    with torch.no_grad():
        torch.testing.assert_close(loaded(tokens).logits, old(tokens).logits, rtol=1e-5, atol=1e-6)
