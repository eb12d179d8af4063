"""The command line, run: in this process or as a program, in a folder that holds models."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from typer.testing import CliRunner, Result

from drivers import MODELS
from suture._cli import app

Suture = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suture:
    """Run a command in a folder that holds `models.py`."""
    monkeypatch.chdir(tmp_path)
    Path("models.py").write_text(MODELS)
    runner = CliRunner()
    return lambda *words: runner.invoke(app, list(words))


def undigested(text: str) -> str:
    return re.sub(r"\b[0-9a-f]{12}\b", "<digest>", text)


def seen(result: Result) -> tuple[int, str, str]:
    return result.exit_code, undigested(result.stdout), result.stderr


def said(text: str) -> str:
    return dedent(text).lstrip("\n")


def suture_command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("suture")), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
