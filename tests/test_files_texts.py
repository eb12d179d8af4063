"""Texts of a file that are longer than another has room for: left out, told, and nothing breaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from commands import Suture
from suture._errors import PlanError
from suture._files import Format, carry_file, open_checkpoint
from suture._files._zips import LONGEST, LONGEST_OF_TORCH, comment
from widened import ZEROS, State, layers, some, widened

SMALL = layers()
LARGE: State = {"w": some((40, 60))}


def carried(folder: Path, old: State, texts: dict[str, str], kind: Format) -> tuple[str, ...]:
    """Carry texts into another format, read the new file in every way, and give what it lacks."""
    folder.mkdir(exist_ok=True)
    save_file(old, folder / "old", texts)
    plan = widened(old, fill=ZEROS)
    written = carry_file(plan, open_checkpoint(folder / "old"), folder / "new", format=kind)
    for name, array in old.items():
        if kind == "npz":
            found = np.load(folder / "new")[name]
        else:
            found = torch.load(folder / "new", weights_only=True)[name].numpy()
            mapped = torch.load(folder / "new", weights_only=True, mmap=True)[name].numpy()
            np.testing.assert_array_equal(found, mapped)
        np.testing.assert_array_equal(found[:-1], array)
    held = open_checkpoint(folder / "new")
    left = {name for name in texts if f"text {name}" in written.left_out}
    kept = {name: text for name, text in texts.items() if name not in left}
    assert {name: held.metadata[name] for name in held.metadata if name != "suture"} == kept
    with pytest.raises(PlanError, match="was made by this plan already"):
        carry_file(plan, held, folder / "newer")
    return written.left_out


LENGTHS = [100, 3000, 3800, 4000, 4100, 8000, 30_000, 60_000, 65_000, 65_400, 70_000, 500_000]


@pytest.mark.parametrize("kind", ["torch", "npz"])
@pytest.mark.parametrize("old", [SMALL, LARGE], ids=["small", "large"])
def test_a_text_of_any_length(kind: Format, old: State, tmp_path: Path) -> None:
    """It is kept whole or left out, and the record is there."""
    limit = 3800 if kind == "torch" and old is SMALL else 65_000
    for length in LENGTHS:
        left = carried(tmp_path / f"{length}", old, {"notes": "x" * length}, kind)
        assert left == (() if length <= limit else ("text notes",))


@given(st.integers(0, 70_000), st.integers(3, 2000))
@settings(max_examples=60)
def test_any_file_of_torch(
    tmp_path_factory: pytest.TempPathFactory, length: int, rows: int
) -> None:
    """However small the weights are, and however long a text, torch finds the archive's end."""
    carried(
        tmp_path_factory.mktemp("any"), {"w": some((rows, 2))}, {"notes": "x" * length}, "torch"
    )


def test_several_texts(tmp_path: Path) -> None:
    """Those that fit are kept, beside one that does not."""
    texts = {"a": "1", "long": "x" * 70_000, "ä": "ü" * 9_000, "b": "y" * 9_000}
    assert carried(tmp_path, LARGE, texts, "npz") == ("text long",)
    assert {*open_checkpoint(tmp_path / "new").metadata} == {"a", "ä", "b", "suture"}


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=40), max_size=9), st.integers(20, 300))
def test_any_comment(texts: dict[str, str], longest: int) -> None:
    """It is as long as it may be at most, and nothing is left out that has room."""
    texts.pop("suture", None)
    found, left = comment({**texts, "suture": "{}"}, longest)
    assert len(found) <= longest
    assert b'"suture": "{}"' in found
    whole, nothing = comment({**texts, "suture": "{}"})
    assert nothing == ()
    assert (left == ()) == (len(whole) <= longest)


def test_an_archive_whose_comment_is_full(tmp_path: Path) -> None:
    """Somebody else's texts make room for the record."""
    texts = {"notes": "x" * (LONGEST - 40), "epoch": "7"}
    with (tmp_path / "old").open("wb") as file:
        np.savez(file, allow_pickle=False, **LARGE)
    content = (tmp_path / "old").read_bytes()
    assert content[-2:] == b"\0\0"
    said, left = comment(texts)
    assert left == ()
    (tmp_path / "old").write_bytes(content[:-2] + len(said).to_bytes(2, "little") + said)
    old = open_checkpoint(tmp_path / "old")
    assert old.metadata == texts
    written = carry_file(widened(LARGE, fill=ZEROS), old, tmp_path / "new")
    assert written.left_out == ("text notes",)
    assert [*open_checkpoint(tmp_path / "new").metadata] == ["epoch", "suture"]


def test_what_a_command_says_of_it(run: Suture, tmp_path: Path) -> None:
    """It is named among what is left out."""
    save_file(SMALL, tmp_path / "old", {"notes": "x" * LONGEST_OF_TORCH, "epoch": "7"})
    Path("plan.json").write_text(widened(SMALL, fill=ZEROS).to_json())
    result = run("apply", "plan.json", "old", "-o", "new", "--format", "torch")
    assert result.exit_code == 0
    assert result.stdout.endswith("\n  left out text notes\n")
