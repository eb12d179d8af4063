"""The README runs: its Python and its commands, in order, with the output that it shows."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pages import ROOT, blocks, run, settled

README = ROOT / "README.md"


def test_the_python_prints_what_it_shows() -> None:
    """Every Python block runs, and what it prints stands below it."""
    for shown in run(README):
        assert settled(shown.printed) == settled(shown.said), f"README.md:{shown.line}"


def console() -> list[tuple[str, str]]:
    """List the `suture` commands of the README with what a terminal shows below each."""
    sessions = [block.text for block in blocks(README) if block.language == "console"]
    parts = [part for text in sessions for part in re.split(r"^\$ ", text, flags=re.MULTILINE)]
    commands = [part.partition("\n") for part in parts if part.startswith("suture ")]
    return [(command, shown) for command, _, shown in commands]


def definitions() -> str:
    """The imports and functions of the README's Python, without what runs there."""
    code = "".join(block.text for block in blocks(README) if block.language == "python")
    kept = (ast.Import, ast.FunctionDef)
    return "\n".join(ast.unparse(node) for node in ast.parse(code).body if isinstance(node, kept))


def test_the_commands_print_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command works on the README's own code, and shows what stands below it."""
    (tmp_path / "drivers.py").write_text(definitions(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert len(console()) == 3
    for command, shown in console():
        seen = command.replace("suture ", "suture 2>&1 ", 1)
        screen = subprocess.run(seen, shell=True, capture_output=True, text=True, check=True)
        assert settled(screen.stdout) == settled(shown)


def test_both_commands_of_the_set_up_stand_first() -> None:
    """The first fenced block holds `make demo` and `make test`, and the Makefile knows both."""
    first = blocks(README)[0]
    named = [line.split("#")[0].strip() for line in first.text.splitlines()]
    assert named == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{command.removeprefix('make ')}:" in makefile for command in named)
