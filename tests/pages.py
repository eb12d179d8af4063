"""Pages that run: the code blocks of a Markdown page, in order, with the output shown below them.

Knows fences. A `python` block is run; a `text` or `json` block behind it is what it printed. A
`console` block is a session. Does not know what a page is about.
"""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from suture._cli import app

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OUTPUT = ("text", "json")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its text and the line it begins at."""

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page says that a block prints, and what it printed."""

    line: int
    said: str
    printed: str


def blocks(page: Path) -> list[Block]:
    """List the fenced blocks of a page that name a language."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start()) + 2)
        for found in _FENCE.finditer(text)
    ]


def run(page: Path) -> Iterator[Shown]:
    """Run the Python blocks of a page in one namespace; give those whose output is shown."""
    namespace: dict[str, Any] = {"__name__": page.stem}
    for block, following in pairwise([*blocks(page), Block("", "", 0)]):
        if block.language != "python":
            continue
        printed = StringIO()
        # Lines are padded so that a traceback points into the page.
        padded = "\n" * (block.line - 1) + block.text
        code = compile(padded, str(page), "exec", dont_inherit=True)
        with redirect_stdout(printed):
            exec(code, namespace)
        if following.language in OUTPUT:
            yield Shown(block.line, following.text, printed.getvalue())
        else:
            assert not printed.getvalue(), f"{page.name}:{block.line} prints, and no page shows it"


def session(page: Path, folder: Path) -> Iterator[Shown]:
    """Run the `suture` and `python` commands of a page on the functions of its Python.

    Those are written to `drivers.py`: imports and functions, without what runs there.
    """
    code = "".join(block.text for block in blocks(page) if block.language == "python")
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    lines = [ast.unparse(node) for node in ast.parse(code).body if isinstance(node, kept)]
    (folder / "drivers.py").write_text("\n".join(lines), encoding="utf-8")
    for block in (block for block in blocks(page) if block.language == "console"):
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE):
            command, _, said = part.partition("\n")
            if command.startswith(("suture ", "python ")):
                yield Shown(block.line, said, _screen(command))


def _screen(command: str) -> str:
    """Give what a terminal shows of a command, run where everything is imported already."""
    words, _, into = command.partition(" > ")
    program, *given = shlex.split(words)
    if program == "suture":
        ran = CliRunner().invoke(app, given)
        return ran.stderr if into else ran.output
    taken = sys.modules.pop("drivers", None)
    with redirect_stdout(StringIO()) as printed:
        exec(given[1], {})
    del sys.modules["drivers"]
    if taken is not None:
        sys.modules["drivers"] = taken
    return printed.getvalue()


def settled(text: str) -> str:
    """Take out what differs from one run to the next: digests and rounding errors."""
    text = re.sub(r"\b[0-9a-f]{12,}\b", "<digest>", text)
    return re.sub(r"\b\d\.\d\de[+-]\d\d\b", "<number>", text).rstrip()
