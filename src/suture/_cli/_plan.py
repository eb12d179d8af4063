"""Commands that make a plan and show it: `suture plan` and `suture show`.

Knows their options. Does not know how anything is planned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

import suture
from suture import _options as options
from suture._cli._given import (
    AsJson,
    Constant,
    Fill,
    Force,
    Mean,
    Models,
    Output,
    PlanFile,
    Rename,
    Rescaled,
    Size,
    SourceCheckpoint,
    SourceSchema,
    Weights,
)
from suture._cli._plan_file import read_plan, write_plan
from suture._cli._program import Running, next_command
from suture._cli._screen import ERR, OUT
from suture._cli._weights import chosen_weights, tensors_for
from suture._derive import derive
from suture._files import refuse_file
from suture._plan import Plan
from suture._plan_check import check
from suture._reference import files_of, load, load_schema


@dataclass(frozen=True, slots=True)
class _Old:
    """What is known of the trained model: a function that builds it, or a checkpoint."""

    reference: str | None
    checkpoint: Path | None
    schema: str | None
    sizes: Mapping[str, str]
    weights: str | None

    def plan(self, target_reference: str, said: Mapping[str, Any]) -> Plan:
        if self.reference is not None:
            source = suture.trace(load(self.reference))
            return suture.plan(source, suture.trace(load(target_reference)), **said)
        assert self.checkpoint is not None, "one of the two is there"
        target = suture.trace(load(target_reference))
        tensors = tensors_for(target, self.checkpoint, self.weights)
        schema = None if self.schema is None else load_schema(self.schema)
        found = derive(target, tensors, said["rename"], schema=schema, sizes=self.sizes)
        made = suture.plan(found.graph, target, **said)
        return replace(made, notes=(*made.notes, *found.notes))


def plan(
    models: Models,
    output: Output = None,
    *,
    rename: Rename = None,
    constant: Constant = None,
    mean: Mean = None,
    rescaled: Rescaled = None,
    fill: Fill = None,
    source_checkpoint: SourceCheckpoint = None,
    source_schema: SourceSchema = None,
    size: Size = None,
    weights: Weights = None,
    as_json: AsJson = False,
    force: Force = False,
) -> None:
    """Say what becomes of every weight, without reading one."""
    source, target = _sides(models, source_checkpoint)
    with Running():
        if output is not None:
            read = [*files_of(*models, source_schema), *filter(None, [source_checkpoint])]
            refuse_file(output, read, force)
        told = options.sizes(size or [])
        old = _Old(source, source_checkpoint, source_schema, told, weights)
        said: dict[str, Any] = {
            "rename": options.rules(rename or []),
            "rescaled": options.affines(rescaled or []),
            "constants": options.numbers("constant", constant or []),
            "means": options.numbers("mean", mean or []),
            "fill": options.fill(fill or []),
        }
        made = old.plan(target, said)
        check(made)
        if output is not None:
            write_plan(output, made)
    _show(made, as_json)
    if output is not None:
        ERR.print(f"wrote {output}")
        _next(str(output), old, target)
        return
    given = {"rename": rename, "constant": constant, "mean": mean, "rescaled": rescaled}
    given |= {"fill": fill, "size": size}
    once = {"source-schema": source_schema, "source-checkpoint": source_checkpoint}
    once |= {"weights": weights}
    given |= {name: [str(one)] for name, one in once.items() if one is not None}
    words = [
        word for name, each in given.items() for one in each or () for word in (f"--{name}", one)
    ]
    next_command("plan", *models, *words, "-o", "plan.json")


def _sides(models: Sequence[str], checkpoint: Path | None) -> tuple[str | None, str]:
    """Tell the trained model from the changed one."""
    match [*models], checkpoint:
        case [source, target], None:
            return source, target
        case [target], Path():
            return None, target
        case _, None:
            raise typer.BadParameter("give both models, SOURCE and TARGET")
        case _:
            raise typer.BadParameter("with --source-checkpoint give one model, TARGET")


def _next(file: str, old: _Old, target: str) -> None:
    if old.reference is not None:
        next_command("verify", file, old.reference, target)
    else:
        which = chosen_weights(old.weights)
        next_command("apply", file, str(old.checkpoint), *which, "--target", target, "-o", "NEW")


def show(file: PlanFile, *, as_json: AsJson = False) -> None:
    """Print a plan that was written to a file."""
    with Running():
        read = read_plan(file)
    _show(read, as_json)
    next_command("verify", str(file), "SOURCE", "TARGET")


def _show(plan: Plan, as_json: bool) -> None:
    if as_json:
        typer.echo(plan.to_json())
    else:
        OUT.print(str(plan))
