"""Folders of `pytorch_model.bin`, whole and in shards: what such files may hold, and what not."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from suture._errors import FileError
from suture._files import carry_file, open_checkpoint
from suture._files._members import stored
from widened import ZEROS, layers, some, widened

OLD = layers()
PLAN = widened(OLD, fill=ZEROS)


def tensors() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in OLD.items()}


def folder_of(path: Path, whole: object) -> Path:
    """Write a folder of transformers, with its weights in one file of torch."""
    path.mkdir()
    torch.save(whole, path / "pytorch_model.bin")
    (path / "config.json").write_text('{"hidden_size": 4}')
    return path


def test_one_file_and_its_config(tmp_path: Path) -> None:
    """It stays a file of torch; the config is replaced, and what else lies there goes along."""
    folder = folder_of(tmp_path / "old", tensors())
    (folder / "training_args.bin").write_bytes(b"not weights")
    (folder / "tf_model.h5").write_bytes(b"old weights")
    old = open_checkpoint(folder)
    assert (old.format, old.files) == ("hugging face folder", (folder / "pytorch_model.bin",))
    config = {"config.json": '{"hidden_size": 5}'}
    written = carry_file(PLAN, old, tmp_path / "new", config=config)
    assert (written.format, written.left_out) == ("hugging face folder", ("tf_model.h5",))
    found = torch.load(tmp_path / "new" / "pytorch_model.bin", weights_only=True, mmap=True)
    assert torch.equal(found["fc.weight"][:4], tensors()["fc.weight"])
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["config.json", "pytorch_model.bin", "training_args.bin"]
    assert (tmp_path / "new" / "config.json").read_text() == '{"hidden_size": 5}'


def test_weights_in_both_forms(tmp_path: Path) -> None:
    """Those in safetensors are read, as libraries do; the others are stale, and left out."""
    folder = folder_of(tmp_path / "old", {"stale": torch.zeros(3)})
    save_file(tensors(), folder / "model.safetensors")
    old = open_checkpoint(folder)
    assert [*old.tensors] == ["fc.bias", "fc.weight"]
    written = carry_file(PLAN, old, tmp_path / "new", config={"config.json": "{}"})
    assert written.left_out == ("pytorch_model.bin",)
    assert [*open_checkpoint(tmp_path / "new").tensors] == ["fc.bias", "fc.weight"]


@pytest.mark.parametrize("end", [".safetensors", ".bin"])
def test_weights_in_one_file_and_in_several(tmp_path: Path, end: str) -> None:
    """The one file is read, as libraries do; the others are stale, and left out."""
    names = {".safetensors": "model", ".bin": "pytorch_model"}
    single, shard = f"{names[end]}{end}", f"{names[end]}-00001-of-00001{end}"
    save: Any = {".safetensors": save_file, ".bin": torch.save}[end]
    folder = tmp_path / "old"
    folder.mkdir()
    save(tensors(), folder / single)
    save({"stale": torch.zeros(3)}, folder / shard)
    (folder / f"{single}.index.json").write_text(json.dumps({"weight_map": {"stale": shard}}))
    old = open_checkpoint(folder)
    assert {*old.tensors} == {"fc.weight", "fc.bias"}
    written = carry_file(PLAN, old, tmp_path / "new")
    assert {*written.left_out} == {shard, f"{single}.index.json"}


def test_a_file_that_is_more_than_a_state_dict(tmp_path: Path) -> None:
    """Nobody reads such a folder; the file itself can be carried."""
    folder = folder_of(tmp_path / "old", {"step": 3, "model": tensors()})
    with pytest.raises(FileError) as caught:
        open_checkpoint(folder)
    assert str(caught.value) == (
        f"{folder}/pytorch_model.bin is no state dict.\n  weights  lie under model\n\n"
        "hint: give the file itself, not its folder"
    )


class Settings:
    """Something that only code can read."""


def test_a_file_that_needs_code(tmp_path: Path) -> None:
    """It is refused by the names that it asks for; nothing of it is run."""
    folder = folder_of(tmp_path / "old", {**tensors(), "settings": Settings()})
    with pytest.raises(FileError, match=r"asks for test_files_bin\.Settings"):
        open_checkpoint(folder)
    (folder / "pytorch_model.bin").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(FileError, match=r"pytorch_model\.bin is a broken archive"):
        open_checkpoint(folder)


def test_what_modules_say_of_themselves(tmp_path: Path) -> None:
    """Versions and extra states stay in a file that is one, and in the first of several."""
    state: Any = OrderedDict(tensors())
    state["fc._extra_state"] = {"scale": 2}
    state._metadata = {"fc": {"version": 3}}
    config = {"config.json": "{}"}
    old = open_checkpoint(folder_of(tmp_path / "old", state))
    carry_file(PLAN, old, tmp_path / "new", config=config)
    found = torch.load(tmp_path / "new" / "pytorch_model.bin", weights_only=True)
    assert found["fc._extra_state"] == {"scale": 2}
    assert vars(found)["_metadata"] == {"fc": {"version": 3}}


def test_tied_weights(tmp_path: Path) -> None:
    """They share their memory in one file, under the names that the old files used."""
    table, head, more = (torch.from_numpy(some((6, 5), seed=seed)) for seed in (0, 0, 1))
    (tmp_path / "old").mkdir()
    files = {
        "pytorch_model-00001-of-00002.bin": {"table": table, "head": table},
        "pytorch_model-00002-of-00002.bin": {"more": more},
    }
    for name, state in files.items():
        torch.save(state, tmp_path / "old" / name)
    index = {"weight_map": {key: name for name, state in files.items() for key in state}}
    (tmp_path / "old" / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    plan = widened({"table": table.numpy(), "more": more.numpy()}, fill=ZEROS)
    first, second = plan.tensors
    plan = replace(plan, tensors=(replace(first, tied=("head", "other")), second))
    written = carry_file(plan, open_checkpoint(tmp_path / "old"), tmp_path / "new")
    assert written.tensors == 2
    said = json.loads((tmp_path / "new" / "pytorch_model.bin.index.json").read_text())
    places = said["weight_map"]
    assert places.keys() == {"table", "head", "more"}
    assert places["table"] == places["head"] != places["more"]
    assert said["metadata"]["total_size"] == 2 * 7 * 5 * 4
    found = torch.load(tmp_path / "new" / places["head"], weights_only=True)
    assert found["head"].data_ptr() == found["table"].data_ptr()
    assert torch.equal(found["head"][:6], head)


def test_entries_of_every_layout(tmp_path: Path) -> None:
    """What is stored as a view of something larger is written alone, and no more of it."""
    large = torch.arange(2000.0).reshape(100, 20)
    folder = folder_of(tmp_path / "old", {"w": large[7:10, ::2].T})
    plan = widened({"w": np.empty((10, 3), "f4")}, fill=ZEROS)
    carry_file(plan, open_checkpoint(folder), tmp_path / "new", config={"config.json": "{}"})
    found = torch.load(tmp_path / "new" / "pytorch_model.bin", weights_only=True)["w"]
    assert torch.equal(found[:10], large[7:10, ::2].T)
    assert found.untyped_storage().nbytes() == 11 * 3 * 4


def test_a_shard_that_is_damaged(tmp_path: Path) -> None:
    """Every file has checksums of its own; nothing is left."""
    folder = tmp_path / "old"
    folder.mkdir()
    places = {}
    for number, (name, tensor) in enumerate(tensors().items()):
        file = f"pytorch_model-{number + 1:05}-of-00002.bin"
        torch.save({name: tensor}, folder / file)
        places[name] = file
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    carry_file(PLAN, open_checkpoint(folder), tmp_path / "new", force=True)
    for file in places.values():
        whole = (folder / file).read_bytes()
        weights = next(m for m in stored(folder / file) if m.name.endswith("data/0"))
        changed = bytearray(whole)
        changed[weights.begin + 5] ^= 0x20
        (folder / file).write_bytes(changed)
        with pytest.raises(FileError, match=rf"{file} is damaged: bytes are not those that"):
            carry_file(PLAN, open_checkpoint(folder), tmp_path / "newer")
        (folder / file).write_bytes(whole)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_texts_that_leave_no_room_for_the_record(tmp_path: Path) -> None:
    """They are left out, and named; torch reads the new file."""
    folder = folder_of(tmp_path / "old", tensors())
    with ZipFile(folder / "pytorch_model.bin", "a") as archive:
        archive.comment = json.dumps({"notes": "x" * 4000}).encode()
    old = open_checkpoint(folder)
    assert [*old.metadata] == ["notes"]
    config = {"config.json": '{"hidden_size": 5}'}
    written = carry_file(PLAN, old, tmp_path / "new", config=config)
    assert written.left_out == ("text notes",)
    torch.load(tmp_path / "new" / "pytorch_model.bin", weights_only=True)
