"""The program: its name, its version, how its commands end and which comes next.

Knows the exit codes (0 done, 1 checked and found something, 2 could not run) and what becomes of
errors. Does not know what any command does.
"""

from __future__ import annotations

import shlex
import sys
import traceback
from contextlib import redirect_stdout
from io import TextIOWrapper
from types import TracebackType
from typing import Annotated

import typer
from rich.text import Text

import suture
from suture._cli._screen import ERR
from suture._errors import SutureError

FOUND, COULD_NOT_RUN = 1, 2

app = typer.Typer(
    name="suture",
    help="Carry trained weights into a changed network without changing what it computes.",
    epilog="SOURCE, TARGET and MODEL are path/to/file.py:function or package.module:function, a "
    "function that returns a suture.Subject.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Running:
    """Run code that is not ours: its prints go to stderr, its errors end the command with 2.

    Whatever a model raises is shown in full: only its author can read it.
    """

    def __enter__(self) -> None:
        self.redirected = redirect_stdout(sys.stderr)
        self.redirected.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.redirected.__exit__(kind, error, trace)
        if isinstance(error, SutureError):
            ERR.print(Text(type(error).__name__, "bold red") + Text(f": {error}"))
        elif isinstance(error, Exception):
            traceback.print_exception(error)
            ERR.print("\nCould not run: see the traceback.")
        if isinstance(error, Exception):
            raise typer.Exit(COULD_NOT_RUN)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"suture {suture.__version__}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Carry trained weights into a changed network without changing what it computes."""
    # A name that a terminal has no letters for, or a path that is no text, ends no command.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def next_command(*words: str) -> None:
    """Say which command comes next."""
    ERR.print(f"\nnext: {shlex.join(['suture', *words])}")
