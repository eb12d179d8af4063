"""Folders of models on the command line: whose config goes into the new one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from commands import Suture
from suture._reference import load

APPLIED = "apply", "plan.json", "old", "-o", "carried", "--fresh"


def folder(name: str, config: bytes, model: str) -> None:
    """Write a model as a folder that has a config."""
    Path(name).mkdir()
    Path(name, "config.json").write_bytes(config)
    torch.manual_seed(3)
    save_file(load(f"models.py:{model}").model.state_dict(), Path(name, "model.safetensors"))


@pytest.fixture
def trained(run: Suture) -> Suture:
    """Run commands where a plan and the folder of the trained model lie."""
    run("plan", "models.py:old", "models.py:new", "-o", "plan.json")
    folder("old", b'{"width": 3}', "old")
    return run


def test_the_config_of_a_fresh_folder(trained: Suture) -> None:
    """It takes the place of the old one, as it is."""
    folder("new", b'{"width":  4}', "new")
    assert trained(*APPLIED, "new").exit_code == 0
    assert Path("carried/config.json").read_text() == '{"width":  4}'


@pytest.mark.parametrize("beside", [b'{"width": 3}', b"no JSON", b"\xff\xfe"])
def test_a_config_beside_a_fresh_file(trained: Suture, beside: bytes) -> None:
    """It may be any model's: it is not taken, and without another nothing is written."""
    folder("new", beside, "new")
    result = trained(*APPLIED, "new/model.safetensors")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "FileError: old/config.json says the old sizes, and nothing takes" in result.stderr
    assert "give the changed model, --target TARGET, a folder of it, --fresh NEW" in result.stderr
    assert not Path("carried").exists()


REASONS = {
    b"no JSON": "is not JSON.\n  because  Expecting value: line 1 column 1 (char 0)\n",
    b"\xff\xfe": "is not JSON.\n  because  'utf-8' codec can't decode byte 0xff in position 0: "
    "invalid start byte\n",
    b"[4]": "is not the config of a model: it is no object.\n",
}


@pytest.mark.parametrize("config", REASONS)
def test_a_fresh_folder_whose_config_is_none(trained: Suture, config: bytes) -> None:
    """What no library could read is not carried on."""
    folder("new", config, "new")
    result = trained(*APPLIED, "new")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"FileError: new/config.json {REASONS[config]}")
    assert not Path("carried").exists()
