"""Folders of weights: shards, their index, and the files that lie beside."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from disks import largest_file, masked
from suture._errors import FileError, PlanError
from suture._files import carry_file, open_checkpoint
from suture._plan import Block, Tensor, TensorPlan
from widened import ZEROS, State, some, widened

OLD: State = {f"layers.{i}.weight": some((6, 5), seed=i) for i in range(5)}
PLAN = widened(OLD, fill=ZEROS)


STEMS = {".safetensors": "model", ".bin": "pytorch_model"}
"""How files of weights end -> how they begin."""


def save(state: State, path: Path) -> None:
    if path.suffix == ".bin":
        torch.save({name: torch.from_numpy(array) for name, array in state.items()}, path)
    else:
        save_file(state, path, {"format": "pt"})


def load(path: Path) -> State:
    if path.suffix == ".bin":
        found = torch.load(path, weights_only=True, mmap=True)
        return {name: tensor.numpy() for name, tensor in found.items()}
    return load_file(path)


def sharded(folder: Path, end: str = ".safetensors", **more: Any) -> Path:
    """Write a folder of three files, as libraries write them."""
    folder.mkdir(exist_ok=True)
    weights: dict[str, str] = {}
    for number, names in enumerate(([0, 1], [2, 3], [4])):
        file = f"{STEMS[end]}-{number + 1:05}-of-00003{end}"
        keys = [f"layers.{name}.weight" for name in names]
        save({key: OLD[key] for key in keys}, folder / file)
        weights |= dict.fromkeys(keys, file)
    told = {"total_size": 600, "total_parameters": 150, "kept": 1}
    index = {"metadata": told, "weight_map": weights} | more
    (folder / f"{STEMS[end]}{end}.index.json").write_text(json.dumps(index))
    return folder


def read(folder: Path, end: str) -> State:
    """Read all files that an index names."""
    index = json.loads((folder / f"{STEMS[end]}{end}.index.json").read_text())
    found = {
        name: (file, array)
        for file in {*index["weight_map"].values()}
        for name, array in load(folder / file).items()
    }
    assert {name: file for name, (file, _) in found.items()} == index["weight_map"]
    return {name: array for name, (_, array) in found.items()}


KINDS = {".safetensors": "sharded safetensors", ".bin": "sharded torch"}


@pytest.mark.parametrize("end", KINDS)
def test_shards(tmp_path: Path, end: str) -> None:
    """New files are no larger than the old ones, and an index names them."""
    old = open_checkpoint(sharded(tmp_path / "old", end))
    assert (old.format, len(old.files), [*old.tensors]) == (KINDS[end], 3, [*OLD])
    carry_file(PLAN, old, tmp_path / "new")
    found = read(tmp_path / "new", end)
    for name, array in OLD.items():
        np.testing.assert_array_equal(found[name], np.pad(array, ((0, 1), (0, 0))))
    files = sorted(path.name for path in (tmp_path / "new").glob(f"*{end}"))
    assert files == [f"{STEMS[end]}-{number:05}-of-00005{end}" for number in range(1, 6)]
    said = json.loads((tmp_path / "new" / f"{STEMS[end]}{end}.index.json").read_text())
    assert said["metadata"] == {"total_size": 700, "total_parameters": 175, "kept": 1}
    opened = open_checkpoint(tmp_path / "new")
    assert opened.format == KINDS[end]
    with pytest.raises(PlanError, match="was made by this plan already"):
        carry_file(PLAN, opened, tmp_path / "newer")


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


@pytest.mark.parametrize("end", KINDS)
def test_one_file_in_a_folder(tmp_path: Path, end: str) -> None:
    """It stays one file, without an index."""
    (tmp_path / "old").mkdir()
    save(OLD, tmp_path / "old" / f"{STEMS[end]}{end}")
    carry_file(PLAN, open_checkpoint(tmp_path / "old"), tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"{STEMS[end]}{end}"]
    assert load(tmp_path / "new" / f"{STEMS[end]}{end}").keys() == OLD.keys()


CHANGED = """\
{old}/config.json says the old sizes, and nothing takes its place.
  changes  layers.0.weight f32[6,5] -> f32[7,5]
  changes  layers.1.weight f32[6,5] -> f32[7,5]
  changes  layers.2.weight f32[6,5] -> f32[7,5]
  is new   more f32[3]
  is gone  layers.3.weight f32[6,5]
           1 more

hint: give the changed model, --target TARGET, a folder of it, --fresh NEW, or \
config={{"config.json": text}}"""


def test_a_config_of_other_sizes(tmp_path: Path) -> None:
    """It does not stay beside weights that changed theirs: no library could read them."""
    folder = sharded(tmp_path / "old")
    (folder / "config.json").write_text("{}")
    old = open_checkpoint(folder)
    more = Block((((0, 3),),), ZEROS)
    gone = tuple(tensor.source for tensor in PLAN.tensors[3:] if tensor.source is not None)
    came = TensorPlan(Tensor("more", (3,), "f32"), None, "parameter", (more,))
    plan = replace(PLAN, tensors=(*PLAN.tensors[:3], came), unpaired=gone)
    for given in (None, {"tokenizer.json": "{}"}):
        with pytest.raises(FileError) as caught:
            carry_file(plan, old, tmp_path / "new", config=given)
        assert str(caught.value) == CHANGED.format(old=folder)
    assert not (tmp_path / "new").exists()


def test_a_config_whose_sizes_hold(tmp_path: Path) -> None:
    """It stays where a plan only moves entries."""
    folder = sharded(tmp_path / "old")
    (folder / "config.json").write_text("{}")
    there = ((2, 6), (0, 2)), ((0, 5),)
    turned = [
        replace(t, target=t.source, blocks=(Block(there, t.blocks[0].fill),))
        for t in PLAN.tensors
        if t.source is not None
    ]
    plan = replace(PLAN, tensors=tuple(turned))
    carry_file(plan, open_checkpoint(folder), tmp_path / "new")
    assert (tmp_path / "new" / "config.json").read_text() == "{}"
    for name, array in read(tmp_path / "new", ".safetensors").items():
        np.testing.assert_array_equal(array, np.roll(OLD[name], 2, axis=0))


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


@pytest.mark.parametrize("end", KINDS)
@pytest.mark.parametrize("where", OUTSIDE)
def test_an_index_that_leads_out_of_its_folder(tmp_path: Path, where: object, end: str) -> None:
    """It is refused before anything there is looked at."""
    where = where.replace(".safetensors", end) if isinstance(where, str) else where
    save(OLD, tmp_path / f"secret{end}")
    folder = sharded(tmp_path / "old", end, weight_map={"layers.0.weight": where})
    with pytest.raises(FileError) as caught:
        open_checkpoint(folder)
    assert str(caught.value) == (
        f"{folder}/{STEMS[end]}{end}.index.json leads out of its folder.\n"
        f"  layers.0.weight lies in {str(where)!r}, which is no file of this folder"
    )


@pytest.mark.parametrize("end", KINDS)
def test_an_index_that_does_not_agree_with_its_files(tmp_path: Path, end: str) -> None:
    """Tensors that are missing, elsewhere, or not named at all are listed."""
    file = f"{STEMS[end]}-00001-of-00003{end}"
    said = {"layers.0.weight": file, "layers.9.weight": file}
    folder = sharded(tmp_path / "old", end, weight_map=said)
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
    r'{"weight_map": {"a\ud800": "gone.safetensors"}}': r"'\\ud800' stands in it, which is half",
    '{"weight_map": {"a": "gone.safetensors"}}': "names files that are not there",
}


@pytest.mark.parametrize("end", KINDS)
@pytest.mark.parametrize("text", INDICES, ids=lambda text: text[:20])
def test_an_index_that_is_none(tmp_path: Path, text: str, end: str) -> None:
    """It is refused with the reason."""
    (tmp_path / f"any{end}.index.json").write_text(text.replace(".safetensors", end))
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
    with pytest.raises(FileError) as caught:
        open_checkpoint(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} holds no weights.\n  looked for model.safetensors, "
        "*.safetensors.index.json, pytorch_model.bin, *.bin.index.json"
    )
