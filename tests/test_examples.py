"""The examples run, print what they promise and leave behind what they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def printed(script: str, *arguments: str) -> list[str]:
    """Run an example as a reader would, and return the lines it prints."""
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=alone, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def row(lines: list[str], start: str) -> list[str]:
    """Return the cells of the one table row that starts with a text."""
    (found,) = [line for line in lines if line.startswith(f"│ {start} ")]
    return [cell.strip() for cell in found.strip("│").split("│")]


def test_a_network_gets_a_feature_and_width() -> None:
    """The small example keeps the error to the last printed digit, then learns from the feature."""
    lines = printed("mlp_features.py")
    old, carried, trained = [line.split()[-1] for line in lines[-3:]]
    assert "81 entries: 33 copied, 16 zero, 32 own init" in lines
    assert "Exact: every old output is kept." in lines
    assert carried == old
    assert float(trained) < float(old)


def test_the_small_example_is_small() -> None:
    """The example without reinforcement learning has fewer than 40 lines."""
    assert len((EXAMPLES / "mlp_features.py").read_text(encoding="utf-8").splitlines()) < 40


@pytest.mark.slow
def test_an_agent_gets_sensors_and_width(tmp_path: Path) -> None:
    """The demo keeps the agent's outputs and its returns, and draws its picture."""
    picture = tmp_path / "new folder" / "curves.png"
    lines = printed("cartpole.py", "--quick", "--picture", str(picture))
    _, difference, right_after, *_ = row(lines, "surgery")
    assert "Exact: every old output is kept." in lines
    assert float(difference) <= 1e-5
    assert f"The old agents ended at {right_after}." in [line.strip() for line in lines]
    assert lines[-1].startswith(str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")
