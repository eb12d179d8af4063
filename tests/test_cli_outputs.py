"""Outputs on the command line: what is never written over, and the command that comes next."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import Result

from commands import Suture, said, seen
from suture._files import whole_file
from suture._reference import load

APPLIED = "apply", "plan.json", "old.safetensors", "-o", "new.safetensors"


@pytest.fixture
def trained(run: Suture) -> Suture:
    """Run commands where a plan and the trained weights lie."""
    run("plan", "models.py:old", "models.py:new", "-o", "plan.json")
    save_file(load("models.py:old").model.state_dict(), "old.safetensors")
    return run


# --- plans ---------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--force",)])
def test_a_plan_over_a_folder(run: Suture, words: tuple[str, ...]) -> None:
    """It is refused before the models are built, whatever is said, and nothing is left in it."""
    Path("plans").mkdir()
    for name in ("plans", "."):
        result = run("plan", "models.py:broken", "models.py:new", "-o", name, *words)
        refused = f"""
            FileError: {name} is a folder, and a file would be written.

            hint: write to another place
            """
        assert seen(result) == (2, "", said(refused))
    assert sorted(path.name for path in Path().rglob("*")) == ["models.py", "plans"]


def test_a_plan_over_what_is_read(run: Suture) -> None:
    """Models and checkpoints are not overwritten by a plan of them, whatever is said."""
    Path("old").mkdir()
    for name in ("model.safetensors", "config.json"):
        Path("old", name).write_text("dear to me")
    both = "models.py:old", "models.py:new"
    alone = "--source-checkpoint", "old", "models.py:new"
    named = *alone, "--source-schema", "names.py:old"
    Path("names.py").write_text("")
    cases = ((both, "models.py"), (alone, "old/config.json"), (named, "names.py"))
    for words, output in cases:
        result = run("plan", *words, "-o", output, "--force")
        refused = f"""
            FileError: {output} is what would be read.

            hint: write to another place
            """
        assert seen(result) == (2, "", said(refused))


def test_a_plan_that_another_run_writes(run: Suture) -> None:
    """Two runs do not write one plan; what a killed one left is taken away."""
    words = "plan", "models.py:old", "models.py:new", "-o", "plan.json"
    with whole_file(Path("plan.json")) as part:
        assert "Another run is writing .plan.json.suture-part now." in run(*words).stderr
        part.write_text("theirs")
    assert Path("plan.json").read_text() == "theirs"
    Path(".plan.json.suture-part").write_text("half")
    assert run(*words, "--force").exit_code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["models.py", "plan.json"]


# --- checkpoints ---------------------------------------------------------------


@pytest.mark.parametrize("output", ["plan.json", "fresh.pt", "old.safetensors", "models.py"])
def test_a_checkpoint_over_what_is_read(trained: Suture, output: str) -> None:
    """The plan, the fresh checkpoint and the model's file are kept as the old checkpoint is."""
    torch.save(load("models.py:new").model.state_dict(), "fresh.pt")
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    words = *APPLIED[:-1], output, "--force"
    fresh = ("--target", "models.py:new") if output == "models.py" else ("--fresh", "fresh.pt")
    result = trained(*words, *fresh)
    assert result.exit_code == 2
    assert f"FileError: {output} is what would be read.\n" in result.stderr
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


def test_a_checkpoint_over_a_folder(trained: Suture) -> None:
    """A file does not take the place of a folder, whatever is said; a dry run says so too."""
    Path("new.safetensors").mkdir()
    for words in (("--force",), ("--force", "--dry-run"), ()):
        result = trained(*APPLIED, "--target", "models.py:new", *words)
        assert result.exit_code == 2
        assert "new.safetensors is a folder, and a file would be written." in result.stderr


# --- the next command ----------------------------------------------------------


def following(result: Result, **said: str) -> list[str]:
    """Read which command comes next, with what stands for a name given one."""
    assert result.exit_code == 0, result.stderr
    (line,) = re.findall("^next: suture (.*)$", result.stderr, re.MULTILINE)
    return [said.get(word, word) for word in shlex.split(line)]


@pytest.mark.parametrize("form", [None, "torch", "safetensors", "npz"])
def test_one_of_several_sets_of_weights(run: Suture, form: str | None) -> None:
    """Each printed command runs as it is: which weights were meant goes from one to the next."""
    old = load("models.py:old").model
    states = {"live": old.state_dict(), "mean": {n: t + 1 for n, t in old.state_dict().items()}}
    torch.save(states, "old.pt")
    with Path("models.py").open("a") as file:
        file.write("\ndef wider():\n    return driver(['angle', 'speed'], ['left', 'right'], 4)\n")
    words = "plan", "models.py:wider", "--source-checkpoint", "old.pt", "--weights", "mean"
    planned = run(*following(run(*words)))
    applied = following(planned, NEW="new")
    assert (*applied[3:5],) == ("--weights", "mean")
    result = run(*applied, *([] if form is None else ["--format", form]))
    verified = following(result, SOURCE="models.py:old")
    assert run(*verified).exit_code == 0
    verified[verified.index("mean")] = "live"  # which a new file holds too, if it holds several
    assert run(*verified).exit_code == (0 if form is None else 1)
