"""The command line: literal screens, where they are printed, and how each command ends."""

import json
import re
from pathlib import Path

import suture
from commands import Suture, said, seen, suture_command, undigested

SCREEN = """\
Plan <digest> -> <digest>

  = as before   ~ changed   a..b from a up to b, without b   <- comes from   : a whole dim
  own init as the target was initialised

inputs
  ~ input   f32[5,2] -> f32[5,3]
      dim 1   1..3 <- 0..2; fresh 0
              new input.place at 0; moved input.angle 0 -> 1, input.speed 1 -> 2

outputs
  = output   f32[5,2]

parameters
  ~ 0.weight   f32[3,2] -> f32[4,3]   widened
      dim 0      0..3 <- 0..3; fresh 3
      dim 1      1..3 <- 0..2; fresh 0
                 new input.place at 0; moved input.angle 0 -> 1, input.speed 1 -> 2
      0          [0..3, 0]
      own init   [3, :]
  ~ 0.bias     f32[3] -> f32[4]       widened
      dim 0      0..3 <- 0..3; fresh 3
      own init   [3]
  ~ 2.weight   f32[2,3] -> f32[2,4]   widened
      dim 1   0..3 <- 0..3; fresh 3
      0       [:, 3]
  = 2.bias     f32[2]                 copied

4 parameters: 3 widened, 1 copied
26 entries: 17 copied, 5 zero, 4 own init
Exact: every old output is kept.
"""


# --- plan ----------------------------------------------------------------------


def test_a_plan_is_a_screen_on_stdout_and_the_rest_is_not(run: Suture) -> None:
    """The next command, and what the models print, go to stderr."""
    result = run("plan", "models.py:old", "models.py:new")
    next_command = "\nnext: suture plan models.py:old models.py:new -o plan.json\n"
    assert seen(result) == (0, SCREEN, f"building the new driver\n{next_command}")


def test_a_plan_as_json_is_all_of_stdout(run: Suture) -> None:
    """Stdout is what `to_json` wrote."""
    result = run("plan", "models.py:old", "models.py:new", "--json")
    assert suture.Plan.from_json(result.stdout).exact
    assert json.loads(result.stdout)["format"] == "suture-plan"


def test_a_written_plan_is_the_one_shown(run: Suture) -> None:
    """The file holds the plan, and the next command verifies it."""
    result = run("plan", "models.py:old", "models:new", "-o", "my plan.json")
    assert seen(result)[:2] == (0, SCREEN)
    assert result.stderr.endswith(
        said(
            """
            wrote my plan.json

            next: suture verify 'my plan.json' models.py:old models:new
            """
        )
    )
    shown = run("show", "my plan.json")
    assert shown.stdout == result.stdout
    assert shown.stderr == "\nnext: suture verify 'my plan.json' SOURCE TARGET\n"
    assert run("show", "my plan.json", "--json").stdout == Path("my plan.json").read_text()


def test_an_output_that_exists_is_not_overwritten(run: Suture) -> None:
    """Nothing is written without --force, and then no piece of it is left behind."""
    Path("plan.json").write_text("dear to me")
    result = run("plan", "models.py:old", "models.py:new", "-o", "plan.json")
    assert seen(result) == (
        2,
        "",
        "FileError: plan.json exists already.\n\nhint: give --force to overwrite it\n",
    )
    assert Path("plan.json").read_text() == "dear to me"
    assert (
        run("plan", "models.py:old", "models.py:new", "-o", "plan.json", "--force").exit_code == 0
    )
    assert suture.Plan.from_json(Path("plan.json").read_text()).exact
    assert sorted(path.name for path in Path().iterdir()) == ["models.py", "plan.json"]


def test_an_inexact_plan_is_a_plan(run: Suture) -> None:
    """What cannot be promised is said on the screen; the command has done its work."""
    result = run("plan", "models.py:old", "models.py:bent")
    assert result.exit_code == 0
    assert "  inexact   ops: the target computes otherwise: + aten.relu" in result.stdout
    assert result.stdout.endswith("Not exact: 1 note says where.\n")


def test_rules_for_names(run: Suture) -> None:
    """Rules go on to the next command; here they change the names back to what they were."""
    rules = ["--rename", "^=body.", "--rename", r"^body\.="]
    result = run("plan", "models.py:old", "models.py:new", *rules)
    assert seen(result)[:2] == (0, SCREEN)
    assert result.stderr.endswith(
        "next: suture plan models.py:old models.py:new --rename '^=body.' "
        "--rename '^body\\.=' -o plan.json\n"
    )


def test_a_rule_without_a_new_name(run: Suture) -> None:
    """It ends with 2 and shows how one is written."""
    result = run("plan", "models.py:old", "models.py:new", "--rename", "fc1")
    assert seen(result) == (
        2,
        "",
        said(
            r"""
            MatchError: A rule of `--rename` has no `=`.
              rename   fc1

            hint: write what to replace, = and the new text: --rename '^h\.=blocks.'
            """
        ),
    )


def test_features_that_are_restated(run: Suture) -> None:
    """What is said of features is asked for again by the next command, and verified."""
    said = ("--constant", "input.place=0.5", "--rescaled", "input.speed=3.6,-1")
    result = run("plan", "models.py:new", "models.py:old", *said)
    assert result.exit_code == 0
    assert result.stderr.endswith(
        "next: suture plan models.py:new models.py:old --constant input.place=0.5 "
        "--rescaled input.speed=3.6,-1 -o plan.json\n"
    )
    run("plan", "models.py:new", "models.py:old", *said, "-o", "plan.json")
    result = run("verify", "plan.json", "models.py:new", "models.py:old")
    assert result.stdout.startswith("8 world states, input.place held at 0.5\n")


def test_features_that_cannot_be_read(run: Suture) -> None:
    """Every option is refused with all that is wrong with it."""
    result = run("plan", "models.py:new", "models.py:old", "--mean", "place", "--mean", "a=b")
    assert seen(result) == (
        2,
        "",
        said(
            """
            PlanError: `--mean` cannot be read.
              mean     place
              mean     a=b

            hint: write a feature, = and a number: --mean obs.weather=0.5
            """
        ),
    )


# --- verify --------------------------------------------------------------------


def test_a_carried_model_is_verified_in_memory(run: Suture) -> None:
    """Equal outputs end with 0, and no file is changed."""
    run("plan", "models.py:old", "models.py:new", "-o", "plan.json")
    before = {path: path.read_bytes() for path in Path().iterdir()}
    result = run("verify", "plan.json", "models.py:old", "models.py:new")
    assert result.exit_code == 0
    assert re.sub(r"\S+e[+-]\d\d", "<small>", result.stdout) == said(
        """
        8 world states
          output  max |difference| <small>  relative <small>
        2 world states, generic weights
          output  max |difference| <small>  relative <small>
        Equal: the new model computes the old function, to rounding.
        """
    )
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_models_that_differ_end_with_one(run: Suture) -> None:
    """A difference is found, measured and blamed on the notes that announced it."""
    run("plan", "models.py:old", "models.py:bent", "-o", "plan.json")
    result = run("verify", "plan.json", "models.py:old", "models.py:bent")
    assert (result.exit_code, result.stderr) == (1, "\nnext: suture show plan.json\n")
    assert re.sub(r"\S+e[+-]\d\d", "<small>", result.stdout) == said(
        """
        8 world states
          output  max |difference| <small>  relative <small>
        2 world states, generic weights
          output  max |difference| <small>  relative <small>
        values part at 1 (relu): relative difference <small>
        Apart: output, as the plan's notes say.
        """
    )


def test_a_plan_for_other_models_is_refused(run: Suture) -> None:
    """Both sides that do not fit are named, and nothing is measured."""
    run("plan", "models.py:old", "models.py:new", "-o", "plan.json")
    result = run("verify", "plan.json", "models.py:new", "models.py:old")
    assert (result.exit_code, result.stdout) == (2, "")
    assert undigested(result.stderr).endswith(
        said(
            """
            PlanError: The plan was made for other models.
              source   is <digest>; the plan was made for <digest>
              target   is <digest>; the plan was made for <digest>

            hint: SOURCE and TARGET have changed places: give the trained model first
            """
        )
    )
    result = run("verify", "plan.json", "models.py:bent", "models.py:old")
    hint = "hint: make a plan for these two: suture plan SOURCE TARGET -o PLAN\n"
    assert (result.exit_code, result.stderr.endswith(hint)) == (2, True)


def test_models_without_a_common_output_are_not_called_equal(run: Suture) -> None:
    """Where nothing can be compared, nothing was verified."""
    run("plan", "models.py:old", "models.py:elsewhere", "-o", "plan.json")
    result = run("verify", "plan.json", "models.py:old", "models.py:elsewhere")
    refused = """
        VerifyError: Nothing shows whether the new model computes the old function.
          outputs  none is in both models
        """
    assert seen(result) == (2, "", said(refused))


def test_an_output_without_a_common_entry_is_not_called_equal(run: Suture) -> None:
    """No action of the old model is in the new one: there is no difference to measure."""
    run("plan", "models.py:old", "models.py:turned", "-o", "plan.json")
    result = run("verify", "plan.json", "models.py:old", "models.py:turned")
    refused = """
        VerifyError: Nothing shows whether the new model computes the old function.
          output   has no number in common
        """
    assert seen(result) == (2, "", said(refused))


# --- what cannot be read -------------------------------------------------------


def test_a_reference_that_leads_nowhere(run: Suture) -> None:
    """The error goes to stderr, with the name that was probably meant."""
    refused = """
        LoadError: There is no file 'modls.py'.

        hint: did you mean 'models.py'?
        """
    assert seen(run("plan", "modls.py:old", "models.py:new")) == (2, "", said(refused))


def test_a_plan_file_that_cannot_be_read(run: Suture) -> None:
    """A missing file has a near miss; a file that is no plan says why."""
    Path("plan.json").write_text("[1, 2]")
    missing = """
        FileError: plam.json cannot be read.
          because  No such file or directory

        hint: did you mean 'plan.json'?
        """
    assert seen(run("show", "plam.json")) == (2, "", said(missing))
    no_plan = """
        PlanError: The JSON is not a plan: it does not say "format": "suture-plan".

        hint: give what plan.to_json() wrote
        """
    assert seen(run("show", "plan.json")) == (2, "", said(no_plan))
    Path("plan.json").write_bytes(b"\xff\xfe")
    assert seen(run("show", "plan.json")) == (
        2,
        "",
        "FileError: plan.json is not a plan: it is not text.\n",
    )


def test_an_output_in_a_folder_that_is_not_there(run: Suture) -> None:
    """It is refused before the models are built."""
    result = run("plan", "models.py:broken", "models.py:new", "-o", "out/plan.json")
    assert seen(result) == (
        2,
        "",
        "FileError: There is no folder 'out' to write plan.json into.\n",
    )


def test_code_that_raises_is_shown_in_full(run: Suture) -> None:
    """A model's own error keeps its traceback, and the command could not run."""
    result = run("plan", "models.py:old", "models.py:broken")
    assert (result.exit_code, result.stdout) == (2, "")
    assert 'in broken\n    return {}["weights"]' in result.stderr
    assert result.stderr.endswith("KeyError: 'weights'\n\nCould not run: see the traceback.\n")


# --- the program ---------------------------------------------------------------


def test_the_program_says_its_version() -> None:
    """`suture --version` is one line on stdout."""
    run = suture_command("--version")
    assert (run.returncode, run.stdout, run.stderr) == (0, f"suture {suture.__version__}\n", "")


def test_a_command_without_its_arguments() -> None:
    """The usage goes to stderr, and nothing ran."""
    run = suture_command("verify", "plan.json", "models.py:old")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.splitlines()[-1] == "Error: Missing argument 'TARGET'."


def test_a_plan_needs_two_models(run: Suture) -> None:
    """One is not enough without a checkpoint, two are too many with one."""
    result = run("plan", "models.py:old")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("Error: Invalid value: give both models, SOURCE and TARGET\n")
    result = run("plan", "--source-checkpoint", "old.pt", "models.py:old", "models.py:new")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "with --source-checkpoint give one model, TARGET" in result.stderr


def test_colours_only_where_they_are_wanted(run: Suture, tmp_path: Path) -> None:
    """A pipe gets plain text, a terminal gets colours, and NO_COLOR takes them away."""
    run("plan", "models.py:old", "models.py:new", "-o", "plan.json")
    file = str(tmp_path / "plan.json")
    piped = suture_command("show", file)
    assert undigested(piped.stdout) == SCREEN
    forced = suture_command("show", file, FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b[33m  ~ input\x1b[0m" in forced.stdout
    colourless = suture_command("show", file, FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1")
    assert not re.search(r"\x1b\[[\d;]*3\d", colourless.stdout)


def test_a_policy(run: Suture) -> None:
    """It goes on to the next command, and a word that is none is refused."""
    result = run("plan", "models.py:old", "models.py:new", "--fill", "zeros")
    assert result.exit_code == 0
    assert "--fill zeros" in result.stderr
    wrong = run("plan", "models.py:old", "models.py:new", "--fill", "zero")
    assert wrong.exit_code == 2
    assert "There is no fill 'zero'." in wrong.stderr


def test_a_number_that_the_weights_cannot_hold(run: Suture) -> None:
    """It is named while the plan is made, and none is written."""
    fill = "--fill", "output.up=1e39", "--fill", "output.down=-1e39"
    result = run("plan", "models.py:old", "models.py:turned", *fill, "-o", "plan.json")
    told = """
        PlanError: The plan has 2 problems.
          tensors[3].blocks[0].fill.value  1e+39 does not fit f32[2]
          tensors[3].blocks[1].fill.value  -1e+39 does not fit f32[2]
        """
    assert seen(result) == (2, "", said(told))
    assert not Path("plan.json").exists()


def test_a_policy_with_noise(run: Suture) -> None:
    """It is a number behind a comma, and whatever else stands there is refused."""
    result = run("plan", "models.py:old", "models.py:new", "--fill", "replicate,0.5")
    assert result.exit_code == 0
    assert "copies begin with noise, 0.5 x the target's initialisation" in result.stdout
    assert "--fill replicate,0.5" in result.stderr
    wrong = run("plan", "models.py:old", "models.py:new", "--fill", "replicate,much")
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith(
        "PlanError: `--fill` cannot be read.\n  fill     replicate,much\n\nhint: write a policy, "
        "and for copies with noise a comma and a number: --fill replicate,0.01\n"
    )
