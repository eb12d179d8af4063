"""The command line: data on stdout, all else on stderr.

Knows the commands, their exit codes (0 done, 1 checked and found something, 2 could not run) and
which command comes next. Does not know how anything is planned, measured or answered.
"""

from __future__ import annotations

import shlex
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.highlighter import RegexHighlighter
from rich.text import Text
from rich.theme import Theme

import suture
from suture import _options as options
from suture._adapter import adapter
from suture._asked import Answer, FromFeature, ask
from suture._errors import PlanError, SutureError, VerifyError, near_miss
from suture._phi import Interactions
from suture._phi_json import answers_to_json, to_json
from suture._phi_render import render_answer
from suture._plan import Plan
from suture._reference import load
from suture._report import Report
from suture._subject import Subject

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


class _Signs(RegexHighlighter):
    """What stands out on a screen where there are colours."""

    base_style = "screen."
    highlights = (
        r"(?m)^(?P<new>  \+ \S+)",
        r"(?m)^(?P<changed>  ~ \S+)",
        r"(?m)^(?P<removed>  - \S+)",
        r"(?m)^(?P<title>(inputs|outputs|parameters|buffers|removed|notes|features|groups)\b.*)$",
        r"(?m)^(?P<title>(dim \d+|values|[a-z]\d*)   .*)$",
        r"(?m)^(?P<good>(Exact|Equal)\b.*)",
        r"(?m)^(?P<bad>(Not exact|Apart)\b.*|  inexact)",
    )


_THEME = Theme(
    {
        "screen.new": "green",
        "screen.changed": "yellow",
        "screen.removed": "red",
        "screen.title": "bold",
        "screen.good": "bold green",
        "screen.bad": "bold red",
    }
)
_OUT = Console(theme=_THEME, highlighter=_Signs(), soft_wrap=True, markup=False, emoji=False)
_ERR = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


class FileError(SutureError):
    """A file that cannot be read or written."""


class _Running:
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
            _ERR.print(Text(type(error).__name__, "bold red") + Text(f": {error}"))
        elif isinstance(error, Exception):
            traceback.print_exception(error)
            _ERR.print("\nCould not run: see the traceback.")
        if isinstance(error, Exception):
            raise typer.Exit(COULD_NOT_RUN)


Source = Annotated[str, typer.Argument(metavar="SOURCE", help="The trained model.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="The changed model.")]
PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="What `suture plan -o` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


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


@app.command()
def plan(
    source: Source,
    target: Target,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="PLAN", help="Write the plan here.")
    ] = None,
    *,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            "--rename",
            metavar="REGEX=NAME",
            help="Replace this in the names of the source's tensors; may be repeated.",
        ),
    ] = None,
    constant: Annotated[
        list[str] | None,
        typer.Option(
            "--constant",
            metavar="NAME=VALUE",
            help="Fold a feature that is gone and always was this; may be repeated.",
        ),
    ] = None,
    mean: Annotated[
        list[str] | None,
        typer.Option(
            "--mean",
            metavar="NAME=VALUE",
            help="Fold a feature that is gone at its mean, an approximation; may be repeated.",
        ),
    ] = None,
    rescaled: Annotated[
        list[str] | None,
        typer.Option(
            "--rescaled",
            metavar="NAME=SCALE[,SHIFT]",
            help="Undo that a feature is scale x the old one + shift; may be repeated.",
        ),
    ] = None,
    fill: Annotated[
        str,
        typer.Option(
            "--fill",
            metavar="POLICY[,NOISE]",
            help="How what is fresh begins: exact, own, zeros or replicate; copies with noise.",
        ),
    ] = "exact",
    as_json: AsJson = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
) -> None:
    """Say what becomes of every weight, without reading one."""
    with _Running():
        if output is not None:
            _refuse_to_write(output, force)
        said: dict[str, Any] = {
            "rename": options.rules(rename or []),
            "rescaled": options.affines(rescaled or []),
        }
        said |= {"constants": options.numbers("constant", constant or [])}
        said |= {"means": options.numbers("mean", mean or []), "fill": options.policy(fill)}
        made = suture.plan(suture.trace(load(source)), suture.trace(load(target)), **said)
        if output is not None:
            _write(output, made)
    _show(made, as_json)
    if output is None:
        given = {"rename": rename, "constant": constant, "mean": mean, "rescaled": rescaled}
        given |= {"fill": [fill] if fill != "exact" else None}
        words = [
            word
            for name, each in given.items()
            for one in each or ()
            for word in (f"--{name}", one)
        ]
        _next("plan", source, target, *words, "-o", "plan.json")
    else:
        _ERR.print(f"wrote {output}")
        _next("verify", str(output), source, target)


@app.command()
def show(file: PlanFile, *, as_json: AsJson = False) -> None:
    """Print a plan that was written to a file."""
    with _Running():
        read = _read(file)
    _show(read, as_json)
    _next("verify", str(file), "SOURCE", "TARGET")


@app.command()
def verify(file: PlanFile, source: Source, target: Target) -> None:
    """Measure whether the function is the old one.

    Carries the weights over in memory and runs both models on random world states. No file is
    changed. Exits with 1 where the outputs differ.
    """
    with _Running():
        read = _read(file)
        old, new = load(source), load(target)
        _refuse_others(read, old, new)
        ours = adapter(new.model)
        sources = adapter(old.model).state(old.model)
        ours.load(new.model, suture.apply(read, sources, ours.state(new.model)))
        report = suture.verify(read, old, new)
        if not report.apart:
            _refuse_nothing(report)
    _OUT.print(f"{report}\n{_verdict(read, report)}")
    if not report.equal:
        _next("show", str(file))
        raise typer.Exit(FOUND)


@app.command()
def interactions(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Any model.")],
    feature: Annotated[
        list[str] | None,
        typer.Option("--feature", metavar="NAME", help="Say what it reaches; may be repeated."),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", metavar="NAME", help="Say what reaches it; may be repeated."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say which features reach which weights, without reading one.

    What several names of features begin with stands for all of them: hero.3 for hero.3.health and
    hero.3.mana.
    """
    with _Running():
        phi = suture.interactions(suture.trace(load(model)))
        answers = ask(phi, feature or [], parameter or [])
    if as_json:
        typer.echo(answers_to_json(phi, answers) if answers else to_json(phi))
    else:
        _OUT.print("\n\n".join(render_answer(phi, each) for each in answers) or str(phi))
    if question := _next_question(phi, answers):
        _next("interactions", model, *question)


@app.command()
def explain(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Any model.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="A parameter, input or output.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say what each dim of a tensor is, and which others share it, without reading a weight."""
    with _Running():
        explained = suture.explain(suture.trace(load(model)), name)
    if as_json:
        typer.echo(explained.to_json())
    else:
        _OUT.print(str(explained))
    others = (told.name for axis in explained.axes for told in axis.told if not told.op)
    if other := next(others, None):
        _next("explain", model, other)


def _next_question(phi: Interactions, answers: Sequence[Answer]) -> list[str]:
    """Ask for a feature, then for a parameter that it reaches."""
    match answers:
        case []:
            return ["--feature", phi.features[0]] if phi.features else []
        case [FromFeature(reached=[first, *_])]:
            return ["--parameter", first.tensor.name]
        case _:
            return []


def _refuse_nothing(report: Report) -> None:
    """Refuse to call equal what was not compared."""
    blind = [(each.name, "has no number in common") for each in report.outputs if not each.compared]
    if blind or not report.outputs:
        raise VerifyError(
            "Nothing shows whether the new model computes the old function.",
            blind or [("outputs", "none is in both models")],
        )


def _verdict(plan: Plan, report: Report) -> str:
    if report.equal:
        return "Equal: the new model computes the old function, to rounding."
    apart = ", ".join(report.apart)
    said = (
        "although the plan promised the old function" if plan.exact else "as the plan's notes say"
    )
    return f"Apart: {apart}, {said}."


def _refuse_others(plan: Plan, source: Subject, target: Subject) -> None:
    """Refuse models of another structure than the plan was made for."""
    found = (
        ("source", plan.source, suture.trace(source).fingerprint),
        ("target", plan.target, suture.trace(target).fingerprint),
    )
    facts = [
        (side, f"is {now[:12]}; the plan was made for {wanted[:12]}")
        for side, wanted, now in found
        if now != wanted
    ]
    if facts:
        hint = "make a plan for these two: suture plan SOURCE TARGET -o PLAN"
        raise PlanError("The plan was made for other models.", facts, hint)


def _show(plan: Plan, as_json: bool) -> None:
    if as_json:
        typer.echo(plan.to_json())
    else:
        _OUT.print(str(plan))


def _next(*words: str) -> None:
    _ERR.print(f"\nnext: {shlex.join(['suture', *words])}")


def _read(file: Path) -> Plan:
    try:
        return Plan.from_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        beside = sorted(str(other) for other in file.parent.glob("*.json"))
        because = [("because", error.strerror or str(error))]
        raise FileError(f"{file} cannot be read.", because, near_miss(str(file), beside)) from None
    except UnicodeDecodeError:
        raise FileError(f"{file} is not a plan: it is not text.") from None


def _refuse_to_write(file: Path, force: bool) -> None:
    """Refuse an output before the work is done, not after."""
    if file.exists() and not force:
        raise FileError(f"{file} exists already.", hint="give --force to overwrite it")
    if not file.parent.is_dir():
        raise FileError(f"There is no folder {str(file.parent)!r} to write {file.name} into.")


def _write(file: Path, plan: Plan) -> None:
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_text(plan.to_json() + "\n", encoding="utf-8")
        part.replace(file)
    except OSError as error:
        because = [("because", error.strerror or str(error))]
        raise FileError(f"{file} cannot be written.", because) from None
