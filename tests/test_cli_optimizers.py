"""States of optimizers on the command line: carried along with the weights, refused, left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from commands import Suture, said, seen
from suture._reference import load


@pytest.fixture
def resumed(run: Suture) -> Suture:
    """Run commands where a file of torch holds the weights, and an optimizer that has stepped."""
    run("plan", "models.py:old", "models.py:new", "-o", "plan.json")
    subject = load("models.py:old")
    optimizer = torch.optim.Adam(subject.model.parameters())
    subject.model(*subject.args).square().mean().backward()
    optimizer.step()
    whole = {"model": subject.model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(whole, "old.pt")
    return run


def test_an_optimizer_goes_along(resumed: Suture) -> None:
    """What became of it is said before and after, and as JSON."""
    words = "apply", "plan.json", "old.pt", "--target", "models.py:new", "-o", "new.pt"
    told = "  optimizer optimizer: 17 of 26 entries carried\n"
    dry = resumed(*words, "--dry-run")
    assert dry.stdout.endswith("  Exact: every old output is kept.\n" + told)
    assert not Path("new.pt").exists()
    assert told in resumed(*words).stdout
    found = torch.load("new.pt", weights_only=True)["optimizer"]
    assert found["state"][0]["exp_avg"].shape == (4, 3)
    read = json.loads(resumed(*words, "--force", "--json").stdout)
    assert read["optimizers"] == [{"keypath": "optimizer", "carried": 17, "size": 26}]


def test_an_optimizer_that_cannot_go_along(resumed: Suture) -> None:
    """A dry run says so too, and --reset-optimizer leaves it out."""
    whole = torch.load("old.pt", weights_only=True)
    whole["optimizer"]["param_groups"][0]["params"].pop()
    del whole["optimizer"]["state"][3]
    torch.save(whole, "old.pt")
    words = "apply", "plan.json", "old.pt", "--target", "models.py:new", "-o", "new.pt"
    refused = """
        building the new driver
        OptimizerError: old.pt holds the state of optimizers that cannot be carried.
          optimizer holds 3 parameters; 4 are in the weights

        hint: begin them anew: --reset-optimizer
        """
    for more in ((), ("--dry-run",)):
        assert seen(resumed(*words, *more)) == (2, "", said(refused))
    assert not Path("new.pt").exists()
    dry = resumed(*words, "--reset-optimizer", "--dry-run")
    assert dry.stdout.endswith("  left out optimizer\n")
    foreseen = json.loads(resumed(*words, "--reset-optimizer", "--dry-run", "--json").stdout)
    reset = json.loads(resumed(*words, "--reset-optimizer", "--json").stdout)
    assert reset["left_out"] == ["optimizer"]
    assert foreseen == reset | {"written": False, "source": None}
    assert "optimizer" not in torch.load("new.pt", weights_only=True)


def test_what_lightning_builds_a_module_from(resumed: Suture) -> None:
    """It goes along as it is, and that it may say the old sizes is said."""
    whole = torch.load("old.pt", weights_only=True)
    said_of_sizes = {"hyper_parameters": {"width": 3}, "pytorch-lightning_version": "2.5.0"}
    torch.save({"state_dict": whole["model"], **said_of_sizes}, "old.ckpt")
    words = "apply", "plan.json", "old.ckpt", "--target", "models.py:new", "-o", "new.ckpt"
    told = "  as it was hyper_parameters, which may say the old sizes\n"
    assert resumed(*words, "--dry-run").stdout.endswith(told)
    assert resumed(*words).stdout.endswith(told)
    assert torch.load("new.ckpt", weights_only=True)["hyper_parameters"] == {"width": 3}
