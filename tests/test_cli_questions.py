"""Questions on the command line: which weights inputs reach, and what the dims of a tensor are."""

import json
import re

from commands import Suture, said, seen, suture_command

# --- interactions --------------------------------------------------------------

INTERACTIONS = """\
Interactions

features
       2   input.{angle, speed}

parameters   type       groups   features   interactions
  0.weight   f32[3,2]        2          1              6
  0.bias     f32[3]          1        all              6
  2.weight   f32[2,3]        1        all             12
  2.bias     f32[2]          1        all              4

2 features
4 parameters with 17 entries
28 interactions
"""


def test_a_map_of_interactions(run: Suture) -> None:
    """It is a screen on stdout, and the next question asks for a feature."""
    next_command = "\nnext: suture interactions models.py:old --feature input.angle\n"
    assert seen(run("interactions", "models.py:old")) == (0, INTERACTIONS, next_command)


def test_what_a_feature_and_a_parameter_have_in_common(run: Suture) -> None:
    """Questions are answered features first; what a model prints is no answer."""
    asked = "--parameter", "0.weight", "--feature", "input.angle"
    answers = """
        Feature input.angle

          : a whole dim

        parameters   type       entries
          0.weight   f32[4,3]         4   [:, 1]
          0.bias     f32[4]           4   all
          2.weight   f32[2,4]         8   all
          2.bias     f32[2]           2   all

        4 parameters, 18 entries

        Parameter 0.weight f32[4,3]

          : a whole dim

        groups     entries   features
          [:, 0]         4          1   input.place
          [:, 1]         4          1   input.angle
          [:, 2]         4          1   input.speed

        3 groups, 12 interactions
        """
    said_besides = "building the new driver\n"
    assert seen(run("interactions", "models.py:new", *asked)) == (0, said(answers), said_besides)


def test_a_feature_leads_to_a_parameter(run: Suture) -> None:
    """The next question asks for the first parameter that the feature reaches."""
    result = run("interactions", "models.py:old", "--feature", "input")
    assert result.stdout.startswith("2 features under input\n")
    assert result.stderr == "\nnext: suture interactions models.py:old --parameter 0.weight\n"


def test_interactions_as_json_are_all_of_stdout(run: Suture) -> None:
    """The map, or the answers."""
    read = json.loads(run("interactions", "models.py:new", "--json").stdout)
    assert (read["format"], read["total"]) == ("suture-interactions", 54)
    read = json.loads(run("interactions", "models.py:new", "--json", "--feature", "input").stdout)
    assert [answer["feature"] for answer in read["answers"]] == ["input"]


def test_a_feature_that_is_not_there(run: Suture) -> None:
    """The command could not run, and says which name was probably meant."""
    refused = """
        SchemaError: No feature is called 'input.sped'.
          features 2, e.g. input.angle, input.speed

        hint: did you mean 'input.speed'?
        """
    result = run("interactions", "models.py:old", "--feature", "input.sped")
    assert seen(result) == (2, "", said(refused))


# --- explain -------------------------------------------------------------------


def test_a_parameter_explained(run: Suture) -> None:
    """Its dims, and who shares them under which names, are a screen on stdout."""
    screen = """
        Parameter 2.weight f32[2,3]

          written: an op's result has it   read: summed over, with data

        dim 0   2 = a
                written in addmm of 2
        dim 1   3 = b
                read in addmm of 2

        a   2 entries, shared by 2 other tensors
          named                output.left, output.right
          added to by          2.bias   a
          given as output      output   5 a

        b   3 entries, shared by 2 other tensors
          written by           0.weight   b 2
          added to by          0.bias   b
        """
    next_command = "\nnext: suture explain models.py:old 2.bias\n"
    assert seen(run("explain", "models.py:old", "2.weight")) == (0, said(screen), next_command)


def test_an_explanation_as_json_is_all_of_stdout(run: Suture) -> None:
    """Stdout is what `to_json` wrote."""
    read = json.loads(run("explain", "models.py:new", "input", "--json").stdout)
    assert (read["format"], read["name"]) == ("suture-explanation", "input")
    assert read["axes"][1]["names"] == ["input.place", "input.angle", "input.speed"]


def test_a_tensor_that_is_not_there(run: Suture) -> None:
    """The command could not run, and says which name was probably meant."""
    refused = """
        SchemaError: No tensor is called '2.wight'.
          parameters 4, e.g. 0.weight
          inputs   1, e.g. input

        hint: did you mean '2.weight'?
        """
    assert seen(run("explain", "models.py:old", "2.wight")) == (2, "", said(refused))


def test_titles_of_a_map_stand_out(run: Suture) -> None:
    """A terminal gets them bold, over all of their columns; nothing else is marked."""
    colours = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    screen = suture_command("interactions", "models.py:old", **colours).stdout
    title = "parameters   type       groups   features   interactions"
    assert re.findall(r"\x1b\[1m(.*?)\x1b\[0m", screen) == ["features", title]


def test_titles_of_an_explanation_stand_out(run: Suture) -> None:
    """A terminal gets dims and axes bold."""
    colours = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    screen = suture_command("explain", "models.py:old", "0.bias", **colours).stdout
    titles = ["dim 0   3 = a", "a   3 entries, shared by 2 other tensors"]
    assert re.findall(r"\x1b\[1m(.*?)\x1b\[0m", screen) == titles
