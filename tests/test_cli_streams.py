"""Names and paths that a terminal has no letters for: shown otherwise, and no reason to end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from commands import suture_command
from widened import ZEROS, State, some, widened

OLD: State = {"größe.weight": some((4, 3)), "größe.bias": some((4,), seed=1)}
ODD = os.fsdecode(b"new\xff")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_file(OLD, "old")
    Path("plan.json").write_text(widened(OLD, fill=ZEROS).to_json())


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_name_on_a_terminal(encoding: str) -> None:
    """It is spelled where its letters are not known."""
    shown = suture_command("show", "plan.json", PYTHONIOENCODING=encoding, PYTHONUTF8="1")
    assert shown.returncode == 0
    assert shown.stderr == "\nnext: suture verify plan.json SOURCE TARGET\n"
    name = "größe.bias" if encoding == "utf-8" else r"gr\xf6\xdfe.bias"
    assert f"~ {name} " in shown.stdout


def test_a_path_that_is_no_text() -> None:
    """The file is written, and said to be."""
    words = "apply", "plan.json", "old", "-o", ODD
    written = suture_command(*words, PYTHONIOENCODING="utf-8:strict")
    assert written.returncode == 0
    assert written.stdout.startswith(r"Wrote new\udcff: safetensors, 2 tensors, 80 bytes")
    assert r"--target-weights 'new\udcff'" in written.stderr
    assert Path(ODD).is_file()
    said = suture_command(*words, "--force", "--json", PYTHONIOENCODING="utf-8:strict")
    assert json.loads(said.stdout)["path"] == ODD
