"""Weights in another dtype than a plan was made for, on the command line."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
import torch
from safetensors.torch import load_file, save_file

from commands import Suture, said, seen
from suture._reference import load

HALVES = """

    def narrow():
        found = driver(["angle", "speed"], ["left", "right"], 3)
        found.model.to(torch.bfloat16)
        return suture.Subject(found.model, (found.args[0].to(torch.bfloat16),), schema=found.schema)


    def wide():
        found = driver(["place", "angle", "speed"], ["left", "right"], 4)
        found.model.to(torch.bfloat16)
        return suture.Subject(found.model, (found.args[0].to(torch.bfloat16),), schema=found.schema)


    def deep(width):
        layers = [nn.Linear(3, width), *(nn.Linear(width, width) for _ in range(4))]
        return suture.Subject(nn.Sequential(*layers), (torch.zeros(5, 3),))


    def deep_old():
        return deep(4)


    def deep_new():
        return deep(6)
    """


@pytest.fixture
def halves(run: Suture) -> Suture:
    """Run commands where models in bf16 lie beside those in f32, and their weights."""
    with Path("models.py").open("a") as file:
        file.write(dedent(HALVES))
    for name in ("old", "new", "narrow", "wide"):
        save_file(load(f"models.py:{name}").model.state_dict(), f"{name}.safetensors")
    run("plan", "models.py:old", "models.py:new", "-o", "plan.json")
    run("plan", "models.py:narrow", "models.py:wide", "-o", "halves.json")
    return run


def refused(result: tuple[int, str, str]) -> str:
    """Read the error of a command that wrote nothing."""
    assert result[:2] == (2, "")
    assert not Path("carried").exists()
    return result[2].removeprefix("building the new driver\n")


def test_a_checkpoint_of_another_dtype(halves: Suture) -> None:
    """The same models would make the same plan: they are to be built in the checkpoint's dtype."""
    words = "apply", "plan.json", "narrow.safetensors", "-o", "carried"
    assert refused(seen(halves(*words, "--target", "models.py:new"))) == said(
        """
        PlanError: The plan was not made for 4 of the arrays.
          source   0.weight is bf16[3,2]; the plan was made for f32[3,2]
          source   0.bias is bf16[3]; the plan was made for f32[3]
          source   2.weight is bf16[2,3]; the plan was made for f32[2,3]
          source   2.bias is bf16[2]; the plan was made for f32[2]

        hint: build both models in the dtype of the trained weights, \
with `model.to(torch.bfloat16)`, and plan again
        """
    )
    words = "apply", "halves.json", "old.safetensors", "-o", "carried"
    hint = "with `model.to(torch.float32)`, and plan again\n"
    assert refused(seen(halves(*words, "--fresh", "wide.safetensors"))).endswith(hint)


def test_the_dtype_that_the_hint_names(halves: Suture) -> None:
    """A plan for models in it carries the checkpoint."""
    words = "apply", "halves.json", "narrow.safetensors", "-o", "carried"
    assert halves(*words, "--target", "models.py:wide").exit_code == 0
    assert {tensor.dtype for tensor in load_file("carried").values()} == {torch.bfloat16}


def test_fresh_weights_of_another_dtype(halves: Suture) -> None:
    """Those are to be had in the plan's."""
    words = "apply", "plan.json", "old.safetensors", "-o", "carried"
    text = refused(seen(halves(*words, "--fresh", "wide.safetensors")))
    assert "  target   0.weight is bf16[4,3]; the plan was made for f32[4,3]\n" in text
    hint = "hint: give the target's weights in the dtype that the plan was made for\n"
    assert text.endswith(hint)


def test_weights_of_another_dtype_and_shape(halves: Suture) -> None:
    """They are of another model."""
    words = "apply", "plan.json", "wide.safetensors", "-o", "carried"
    text = refused(seen(halves(*words, "--target", "models.py:new")))
    assert text.endswith("hint: make a plan for these two models\n")


def test_many_arrays_that_do_not_fit(halves: Suture) -> None:
    """Eight are named and the others counted."""
    halves("plan", "models.py:deep_old", "models.py:deep_new", "-o", "deep.json")
    state = load("models.py:deep_old").model.to(torch.bfloat16).state_dict()
    save_file(state, "deep.safetensors")
    words = "apply", "deep.json", "deep.safetensors", "-o", "carried"
    text = refused(seen(halves(*words, "--target", "models.py:deep_new")))
    assert text.startswith("PlanError: The plan was not made for 10 of the arrays.\n")
    assert text.count("  source   ") == 8
    assert "\n  and      2 more\n\nhint: build both models" in text
