"""The README runs: its Python and its commands, in order, with the output that it shows."""

from pathlib import Path

import pytest

from pages import ROOT, blocks, run, session, settled

README = ROOT / "README.md"


def test_the_python_prints_what_it_shows() -> None:
    """Every Python block runs, and what it prints stands below it."""
    for shown in run(README):
        assert settled(shown.printed) == settled(shown.said), f"README.md:{shown.line}"


def test_the_commands_print_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command works on the README's own code, and shows what stands below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    screens = [*session(README, tmp_path)]
    assert len(screens) == 6
    for shown in screens:
        assert settled(shown.printed) == settled(shown.said), f"README.md:{shown.line}"


def test_both_commands_of_the_set_up_stand_first() -> None:
    """The first fenced block holds `make demo` and `make test`, and the Makefile knows both."""
    first = blocks(README)[0]
    named = [line.split("#")[0].strip() for line in first.text.splitlines()]
    assert named == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{command.removeprefix('make ')}:" in makefile for command in named)
