"""Commands that answer questions: `suture interactions` and `suture explain`.

Knows what is asked. Does not know how anything is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

import suture
from suture._asked import Answer, FromFeature, ask
from suture._cli._given import AsJson
from suture._cli._program import Running, next_command
from suture._cli._screen import OUT
from suture._phi import Interactions
from suture._phi_json import answers_to_json, to_json
from suture._phi_render import render_answer
from suture._reference import load


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
    with Running():
        phi = suture.interactions(suture.trace(load(model)))
        answers = ask(phi, feature or [], parameter or [])
    if as_json:
        typer.echo(answers_to_json(phi, answers) if answers else to_json(phi))
    else:
        OUT.print("\n\n".join(render_answer(phi, each) for each in answers) or str(phi))
    if question := _next_question(phi, answers):
        next_command("interactions", model, *question)


def explain(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Any model.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="A parameter, input or output.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say what each dim of a tensor is, and which others share it, without reading a weight."""
    with Running():
        explained = suture.explain(suture.trace(load(model)), name)
    if as_json:
        typer.echo(explained.to_json())
    else:
        OUT.print(str(explained))
    others = (told.name for axis in explained.axes for told in axis.told if not told.op)
    if other := next(others, None):
        next_command("explain", model, other)


def _next_question(phi: Interactions, answers: Sequence[Answer]) -> list[str]:
    """Ask for a feature, then for a parameter that it reaches."""
    match answers:
        case []:
            return ["--feature", phi.features[0]] if phi.features else []
        case [FromFeature(reached=[first, *_])]:
            return ["--parameter", first.tensor.name]
        case _:
            return []
