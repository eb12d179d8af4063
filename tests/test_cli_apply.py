"""Checkpoints on the command line: carried, checked, refused, and planned from alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file

import suture
from commands import Suture, said, seen, undigested
from suture._cli._screen import ERR
from suture._reference import load

PLANNED = ("models.py:old", "models.py:new", "-o", "plan.json")
NEXT = (
    "\nnext: suture verify plan.json SOURCE models.py:new "
    "--source-weights old.safetensors --target-weights new.safetensors\n"
)
COUNTED = """\
  4 parameters: 3 widened, 1 copied
  26 entries: 17 copied, 5 zero, 4 own init
  Exact: every old output is kept.
"""


@pytest.fixture
def trained(run: Suture) -> Suture:
    """Run commands where a plan and the trained weights lie."""
    run("plan", *PLANNED)
    torch.manual_seed(3)
    save_file(load("models.py:old").model.state_dict(), "old.safetensors")
    return run


def applied(run: Suture, *words: str, old: str = "old.safetensors") -> tuple[int, str, str]:
    out = seen(run("apply", "plan.json", old, "-o", "new.safetensors", *words))
    return out[0], out[1], undigested(out[2])


def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


# --- apply ---------------------------------------------------------------------


def test_a_checkpoint_is_carried(trained: Suture) -> None:
    """It says what it will do, then what it wrote; the file holds the old function."""
    assert applied(trained, "--target", "models.py:new") == (
        0,
        said(
            """
            Wrote new.safetensors: safetensors, 4 tensors, 104 bytes
              plan     <digest>
              source   <digest>
            """
        ),
        "building the new driver\n"
        "writing new.safetensors: safetensors, 4 tensors, 104 bytes, from old.safetensors\n"
        + COUNTED
        + NEXT,
    )
    files = "--source-weights", "old.safetensors", "--target-weights", "new.safetensors"
    result = trained("verify", "plan.json", "models.py:old", "models.py:new", *files)
    assert result.exit_code == 0
    assert result.stdout.endswith("Equal: the new model computes the old function, to rounding.\n")


def test_what_is_fresh_follows_from_the_seed(trained: Suture) -> None:
    """One seed, one file, bit by bit; the old model's weights are where the plan says."""
    found = []
    for number in ("5", "5", "6"):
        applied(trained, "--target", "models.py:new", "--seed", number, "--force")
        found.append(load_file("new.safetensors"))
    same, again, other = found
    assert all(np.array_equal(same[name], again[name]) for name in same)
    assert not np.array_equal(same["0.weight"][3], other["0.weight"][3])
    old = load_file("old.safetensors")
    assert np.array_equal(same["0.weight"][:3, 1:], old["0.weight"])
    assert np.array_equal(other["2.weight"][:, :3], old["2.weight"])


def test_what_is_fresh_comes_from_a_file(trained: Suture) -> None:
    """The changed model's own checkpoint begins what the plan leaves as it was."""
    fresh = load("models.py:new").model.state_dict()
    save_file(fresh, "fresh.safetensors")
    assert applied(trained, "--fresh", "fresh.safetensors")[0] == 0
    row = load_file("new.safetensors")["0.weight"][3]
    assert np.array_equal(row, fresh["0.weight"][3].numpy())


def test_nothing_is_made_up(trained: Suture) -> None:
    """Fresh entries that no file and no model holds are asked for."""
    refused = """
        PlanError: The plan keeps entries as the target was initialised, and no file holds them.
          own init 0.weight, 0.bias

        hint: give the changed model, --target TARGET --seed 0, or a checkpoint of it, --fresh NEW
        """
    assert applied(trained) == (2, "", said(refused))
    both = applied(trained, "--fresh", "old.safetensors", "--target", "models.py:new")
    assert both[0] == 2
    assert "give --fresh or --target: both say how the rest begins" in both[2]
    seeded = applied(trained, "--seed", "3")
    assert seeded[0] == 2
    assert "--seed is what --target is initialised from: give that too" in seeded[2]


def test_a_dry_run_checks_everything_and_writes_nothing(trained: Suture) -> None:
    """It says what would be done, on stdout."""
    before = files()
    assert applied(trained, "--target", "models.py:new", "--dry-run") == (
        0,
        "Would write new.safetensors: safetensors, 4 tensors, 104 bytes, from old.safetensors\n"
        + COUNTED,
        "building the new driver\n",
    )
    assert files() == before


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_what_was_written_as_json(trained: Suture, words: tuple[str, ...]) -> None:
    """Stdout is one JSON document, of a dry run too."""
    read = json.loads(applied(trained, "--target", "models.py:new", "--json", *words)[1])
    assert (read["format"], read["kind"], read["bytes"]) == ("suture-written", "safetensors", 104)
    assert read["written"] == (not words) == Path("new.safetensors").exists()


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_an_output_that_exists(trained: Suture, words: tuple[str, ...]) -> None:
    """It is not overwritten without --force, and a dry run says so too."""
    Path("new.safetensors").write_text("dear to me")
    result = applied(trained, "--target", "models.py:new", *words)
    exists = """
        building the new driver
        FileError: new.safetensors exists already.

        hint: give --force to overwrite it
        """
    assert result == (2, "", said(exists))
    assert Path("new.safetensors").read_text() == "dear to me"


def test_a_second_application(trained: Suture) -> None:
    """What a plan made is not what it was made for."""
    applied(trained, "--target", "models.py:new")
    result = applied(trained, "--target", "models.py:new", "--force", old="new.safetensors")
    assert (result[0], result[1]) == (2, "")
    assert "new.safetensors is what would be read." in result[2]
    Path("new.safetensors").rename("once.safetensors")
    result = applied(trained, "--target", "models.py:new", old="once.safetensors")
    refused = """
        building the new driver
        PlanError: once.safetensors was made by this plan already.
          plan     <digest>
          source   <digest>

        hint: give the weights that the plan was made for
        """
    assert result == (2, "", said(refused))


def test_a_plan_for_another_target(trained: Suture) -> None:
    """A changed model that changed again needs a new plan."""
    result = applied(trained, "--target", "models.py:turned")
    stale = """
        PlanError: The plan was made for another model.
          target   is <digest>; the plan was made for <digest>

        hint: make a plan for this one
        """
    assert result == (2, "", said(stale))
    hint = "hint: this is the trained model: TARGET is the changed one\n"
    assert applied(trained, "--target", "models.py:old")[2].endswith(hint)


def test_a_plan_for_other_weights(trained: Suture) -> None:
    """Weights of another shape than the plan was made for are listed, and nothing is written."""
    save_file(load("models.py:new").model.state_dict(), "other.safetensors")
    result = applied(trained, "--target", "models.py:new", old="other.safetensors")
    assert result[0] == 2
    assert "source   0.weight is f32[4,3]; the plan was made for f32[3,2]" in result[2]
    assert not Path("new.safetensors").exists()


def test_a_file_that_is_no_checkpoint(trained: Suture) -> None:
    """Its content says what it is."""
    result = applied(trained, "--target", "models.py:new", old="models.py")
    assert result[0] == 2
    assert "FileError: models.py is no checkpoint that can be read." in result[2]


def test_another_format(trained: Suture) -> None:
    """Weights alone may be written in one; what is none is refused with those there are."""
    words = "apply", "plan.json", "old.safetensors", "--target", "models.py:new"
    assert trained(*words, "-o", "new.npz", "--format", "npz").exit_code == 0
    assert np.load("new.npz")["0.weight"].shape == (4, 3)
    result = trained(*words, "-o", "new.onnx", "--format", "onnx")
    refused = """
        FileError: Weights alone are not written as 'onnx'.
          formats  safetensors, torch, npz
        """
    assert (result.exit_code, result.stderr.endswith(said(refused))) == (2, True)


def test_one_of_several_sets_of_weights(trained: Suture) -> None:
    """Where a file of torch holds several, it is asked which are meant."""
    state = load("models.py:old").model.state_dict()
    torch.save({"live": state, "mean": dict(state)}, "old.pt")
    words = "apply", "plan.json", "old.pt", "--target", "models.py:new", "-o", "new.pt"
    result = trained(*words)
    assert result.exit_code == 2
    assert "hint: say which are the model's: --weights live\n" in result.stderr
    assert trained(*words, "--weights", "mean").exit_code == 0


# --- verify --------------------------------------------------------------------


def test_weights_of_another_model(trained: Suture) -> None:
    """What a model has otherwise than a file is listed."""
    both = "models.py:old", "models.py:new"
    result = trained("verify", "plan.json", *both, "--target-weights", "old.safetensors")
    refused = """
        building the new driver
        PlanError: old.safetensors does not hold the weights of this model.
          0.weight is f32[3,2] in the file, f32[4,3] in the model
          0.bias   is f32[3] in the file, f32[4] in the model
          2.weight is f32[2,3] in the file, f32[2,4] in the model
        """
    assert seen(result) == (2, "", said(refused))


def test_weights_that_were_changed_since(trained: Suture) -> None:
    """A file that was touched is found out, with the exit code of a difference."""
    applied(trained, "--target", "models.py:new")
    weights = load_file("new.safetensors")
    weights["2.weight"][0, 1] += 1
    save_file({name: torch.from_numpy(one) for name, one in weights.items()}, "new.safetensors")
    files = "--source-weights", "old.safetensors", "--target-weights", "new.safetensors"
    result = trained("verify", "plan.json", "models.py:old", "models.py:new", *files, "--json")
    assert result.exit_code == 1
    read = json.loads(result.stdout)
    assert (read["format"], read["equal"], read["promised"]) == ("suture-report", False, True)
    assert read["apart"] == ["output"]


def test_weights_that_only_one_side_is_given(trained: Suture) -> None:
    """Where the outputs part, it is said which weights the other side has."""
    applied(trained, "--target", "models.py:new")
    words = "verify", "plan.json", "models.py:old", "models.py:new"
    result = trained(*words, "--target-weights", "new.safetensors")
    told = (
        "SOURCE has the weights that its function gives it; "
        "`--source-weights OLD` reads a checkpoint's."
    )
    parted = f"building the new driver\n\n{told}\n\nnext: suture show plan.json\n"
    assert (result.exit_code, result.stderr) == (1, parted)


def test_a_report_as_json(trained: Suture) -> None:
    """It holds what the screen says."""
    read = json.loads(
        trained("verify", "plan.json", "models.py:old", "models.py:new", "--json").stdout
    )
    assert [each["name"] for each in read["outputs"]] == ["output"]
    assert (read["equal"], read["states"], read["generic_states"]) == (True, 8, 2)


# --- plans from a checkpoint ---------------------------------------------------

SCHEMA = """

def old_names():
    inputs, outputs = {"input": ["angle", "speed"]}, {"output": ["left", "right"]}
    return suture.Schema(inputs=inputs, outputs=outputs)
"""


def test_a_plan_without_the_old_model(trained: Suture) -> None:
    """With the old names it is the plan from the model, and one condition says what was taken."""
    with Path("models.py").open("a") as file:
        file.write(dedent(SCHEMA))
    words = "--source-checkpoint", "old.safetensors", "models.py:new"
    named = "--source-schema", "models.py:old_names"
    result = trained("plan", *words, *named)
    assert result.exit_code == 0
    assert result.stderr.endswith(
        "next: suture plan models.py:new --source-schema models.py:old_names "
        "--source-checkpoint old.safetensors -o plan.json\n"
    )
    result = trained("plan", *words, *named, "-o", "plan2.json")
    assert result.stderr.endswith(
        "wrote plan2.json\n\n"
        "next: suture apply plan2.json old.safetensors --target models.py:new -o NEW\n"
    )
    derived = suture.Plan.from_json(Path("plan2.json").read_text())
    traced = suture.Plan.from_json(Path("plan.json").read_text())
    assert (derived.tensors, derived.source) == (traced.tensors, traced.source)
    assert [note.kind for note in derived.notes] == ["condition"]


def test_names_that_a_checkpoint_does_not_hold(trained: Suture) -> None:
    """Features that came are asked for by name."""
    result = trained("plan", "--source-checkpoint", "old.safetensors", "models.py:new")
    asked = """
        building the new driver
        SchemaError: A checkpoint does not hold the names of the old model's features.
          input    was f32[5,2], is f32[5,3] in the target

        hint: give the old names: --source-schema path/to/file.py:function, or schema=Schema(...)
        """
    assert seen(result) == (2, "", said(asked))
    result = trained(
        *("plan", "--source-checkpoint", "old.safetensors", "models.py:new"),
        *("--source-schema", "models.py:old"),
    )
    assert "'models.py:old' returned Subject, not Schema." in result.stderr


def test_sizes_on_the_command_line(trained: Suture) -> None:
    """They are read, and refused where they do not fit."""
    words = "plan", "--source-checkpoint", "old.safetensors", "models.py:bent"
    assert trained(*words, "--size", "0.weight dim 0=3").exit_code == 0
    result = trained(*words, "--size", "0.weight dim 0=3x1")
    assert "0.weight dim 0 is 3 in the target; 3x1 is not written like that" in result.stderr
    assert "`--size` cannot be read." in trained(*words, "--size", "3").stderr


def test_tied_weights_that_a_file_holds_twice(run: Suture) -> None:
    """They are one tensor where they are equal, and two where they are not."""
    Path("tied.py").write_text(dedent(TIED))
    whole = {
        name: tensor.clone() for name, tensor in load("tied.py:tied").model.state_dict().items()
    }
    torch.save(whole, "old.pt")
    words = "plan", "--source-checkpoint", "old.pt", "tied.py:tied"
    assert run(*words).exit_code == 0
    whole["out.weight"][0, 0] += 1
    torch.save(whole, "old.pt")
    assert "Two source tensors cannot fill one tied target." in run(*words).stderr


TIED = """
    import torch, suture

    def tied():
        model = torch.nn.Module()
        model.words = torch.nn.Embedding(7, 4)
        model.out = torch.nn.Linear(4, 7, bias=False)
        model.out.weight = model.words.weight
        call = lambda model, text: model.out(model.words(text))
        return suture.Subject(model, (torch.zeros(3, dtype=torch.long),), call=call)
    """


# --- fills by name -------------------------------------------------------------


def test_how_a_new_output_begins(run: Suture) -> None:
    """A start by name stands beside a policy, and goes on to the next command."""
    words = "--fill", "output.up=-5", "--fill", "output.down=left"
    result = run("plan", "models.py:old", "models.py:turned", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    words = "--fill", "output.up=-5", "--fill", "exact"
    result = run("plan", "models.py:old", "models.py:turned", *words)
    assert "-5" in result.stdout
    assert "--fill output.up=-5 --fill exact" in result.stderr
    result = run("plan", "models.py:old", "models.py:new", "--fill", "zeros", "--fill", "own")
    assert "All that is fresh begins by one policy." in result.stderr


def test_a_terminal_sees_how_far_long_work_is(
    trained: Suture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only there, and only if it takes more than a second: a pipe gets lines alone."""
    monkeypatch.setattr("suture._cli._apply.LONG", -1.0)
    monkeypatch.setattr(ERR, "_force_terminal", True)
    monkeypatch.setattr(ERR, "is_interactive", True)
    monkeypatch.setenv("TERM", "xterm")
    result = trained(
        *("apply", "plan.json", "old.safetensors", "-o", "new.safetensors"),
        *("--target", "models.py:new"),
    )
    assert result.exit_code == 0
    assert re.search(r"writing\b.*━.*%", result.stderr)
