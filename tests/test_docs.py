"""Every page of the documentation runs, prints what it shows, and leads where it says."""

import re
from pathlib import Path

import pytest

from pages import ROOT, run, session, settled

PAGES = sorted((ROOT / "docs").glob("*.md"))
WRITTEN = sorted([*ROOT.glob("*.md"), *PAGES])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_prints_what_it_shows(page: Path) -> None:
    """The code of a page runs from top to bottom, and its output is the one below it."""
    for shown in run(page):
        assert settled(shown.printed) == settled(shown.said), f"{page.name}:{shown.line}"


@pytest.mark.parametrize("name", ["command_line", "agents", "language_models"])
def test_the_command_line_prints_what_it_shows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's session runs on the page's own code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for shown in session(ROOT / "docs" / f"{name}.md", tmp_path):
        assert settled(shown.printed) == settled(shown.said), f"{name}.md:{shown.line}"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.stem)
def test_a_page_leads_somewhere(page: Path) -> None:
    """Links and pictures inside the repository are there."""
    text = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
