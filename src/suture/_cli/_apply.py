"""The command that carries a checkpoint over: `suture apply`.

Knows where fresh weights come from, and what is said before and after. Does not know formats.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import typer
from rich.progress import Progress

import suture
from suture._adapter import adapter, seed
from suture._cli._given import (
    AllowNan,
    AsJson,
    DryRun,
    Fitting,
    Force,
    Fresh,
    NewFile,
    NewFormat,
    Normalized,
    OldFile,
    PlanFile,
    ResetOptimizer,
    Seed,
    Weights,
)
from suture._cli._plan_file import read_plan
from suture._cli._program import Running, next_command
from suture._cli._screen import ERR, OUT
from suture._cli._weights import chosen_weights
from suture._errors import FileError, PlanError, unusable
from suture._files import (
    ALONE,
    CONFIG,
    Checkpoint,
    Foreseen,
    Format,
    OptimizerPolicy,
    Written,
    carry_foreseen,
    foresee,
    open_checkpoint,
    weights_alone,
)
from suture._json_text import parsed
from suture._plan import Plan
from suture._reference import files_of, load
from suture._render import counts
from suture._words import listed

Beside = tuple[Path, Path] | None
"""The file of an agent's statistics, the old one and the new one."""

LONG = 1.0
"""Seconds that work may take before it is shown how far it is."""


@dataclass(frozen=True, slots=True, eq=False)
class _Begun:
    """The target as it was initialised: its weights, and what its library keeps beside them."""

    weights: Checkpoint | Mapping[str, Any] | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def apply(
    file: PlanFile,
    old: OldFile,
    output: NewFile,
    *,
    fresh: Fresh = None,
    target: Fitting = None,
    number: Seed = None,
    weights: Weights = None,
    kind: NewFormat = None,
    dry_run: DryRun = False,
    reset_optimizer: ResetOptimizer = False,
    vec_normalize: Normalized = None,
    allow_nan: AllowNan = False,
    as_json: AsJson = False,
    force: Force = False,
) -> None:
    """Carry a trained checkpoint into a new one, in the same format.

    What the plan leaves as initialised comes from --fresh, or from TARGET itself. All is checked
    before the first byte is written, but for entries, which are looked at on their way; the output
    is there whole, or not at all.
    """
    if fresh is not None and target is not None:
        raise typer.BadParameter("give --fresh or --target: both say how the rest begins.")
    if number is not None and target is None:
        raise typer.BadParameter("--seed is what --target is initialised from: give that too")
    with Running():
        plan, held = read_plan(file), open_checkpoint(old, weights)
        form = _format(kind, held)
        begun = _begun(plan, fresh, target, number or 0)
        _refuse_to_invent(plan, begun)
        given = held if kind is None else weights_alone(held, form)
        beside: OptimizerPolicy = "reset" if reset_optimizer else "carry"
        reads = _reads(file, old, fresh, target, vec_normalize)
        ready = foresee(
            plan,
            given,
            output,
            fresh=begun.weights,
            config=begun.texts,
            settings=begun.settings,
            optimizer=beside,
            read=reads,
            force=force,
        )
        size = f"{len(ready.out.made)} tensors, {ready.size:,} bytes"
        lines = "\n".join(f"  {line}" for line in (*counts(plan), *_beside(ready, vec_normalize)))
        said = f"{output}: {form}, {size}, from {old}\n{lines}"
        written = None
        beside_agent = {"agent": output, "read": reads, "force": force, "dry_run": dry_run}
        with _statistics(plan, vec_normalize, begun, **beside_agent):
            if not dry_run:
                ERR.print(f"writing {said}")
                with _shown() as progress:
                    written = carry_foreseen(ready, allow_nan=allow_nan, progress=progress)
    if as_json:
        typer.echo(_json(ready, written, vec_normalize))
    else:
        OUT.print(f"Would write {said}" if written is None else _screen(written, vec_normalize))
    if written is None:
        return
    sides = "SOURCE", target or "TARGET"
    files = "--source-weights", str(old), "--target-weights", str(output)
    next_command("verify", str(file), *sides, *files, *chosen_weights(weights))


def _format(kind: str | None, held: Checkpoint) -> Format:
    """Read the name of a format.

    Raises:
        FileError: it is none in which weights stand alone.
    """
    if kind is None:
        return held.format
    found = next((each for each in ALONE if each == kind), None)
    if found is None:
        facts = [("formats", ", ".join(ALONE))]
        raise FileError(f"Weights alone are not written as {kind!r}.", facts)
    return found


def _begun(plan: Plan, fresh: Path | None, target: str | None, number: int) -> _Begun:
    """Find the target as it was initialised, if it is said where."""
    if fresh is not None:
        return _Begun(open_checkpoint(fresh), _config_in(fresh))
    if target is None:
        return _Begun()
    seed(number)
    subject = load(target)
    found = suture.trace(subject).fingerprint
    if found != plan.target:
        facts = [("target", f"is {found[:12]}; the plan was made for {plan.target[:12]}")]
        hint = "make a plan for this one"
        if found == plan.source:
            hint = "this is the trained model: TARGET is the changed one"
        raise PlanError("The plan was made for another model.", facts, hint)
    ours = adapter(subject.model)
    model = subject.model
    return _Begun(ours.state(model), ours.texts(model), ours.settings(model))


def _config_in(fresh: Path) -> dict[str, str]:
    """Read the config of a folder that holds a model; what lies beside a file may be any model's.

    Raises:
        FileError: it is no JSON object.
    """
    file = fresh / CONFIG
    if not (fresh.is_dir() and file.is_file()):
        return {}
    try:
        text = file.read_text(encoding="utf-8")
        found = parsed(text)
    except OSError as error:
        raise unusable(file, "read", error) from None
    except (ValueError, RecursionError) as error:
        raise FileError(f"{file} is not JSON.", [("because", str(error)[:200])]) from None
    if not isinstance(found, dict):
        raise FileError(f"{file} is not the config of a model: it is no object.")
    return {CONFIG: text}


def _refuse_to_invent(plan: Plan, begun: _Begun) -> None:
    """Refuse to make up what the plan leaves as the target was initialised."""
    kept = [tensor.target.name for tensor in plan.tensors if tensor.keeps_own]
    if kept and begun.weights is None:
        sentence = "The plan keeps entries as the target was initialised, and no file holds them."
        hint = (
            "give the changed model, --target TARGET --seed 0, or a checkpoint of it, --fresh NEW"
        )
        raise PlanError(sentence, [("own init", listed(kept))], hint)


def _reads(
    plan: Path, old: Path, fresh: Path | None, target: str | None, beside: Beside
) -> list[Path]:
    """List all that is read, over which nothing is written."""
    found = [plan, old, *files_of(target)]
    found += [] if fresh is None else [fresh]
    found += [] if beside is None else beside[:1]
    return found


def _statistics(
    plan: Plan, files: Beside, begun: _Begun, **how: Any
) -> AbstractContextManager[None]:
    """Carry what an agent's run saved beside it, if it is said where."""
    if files is None:
        return nullcontext()
    from suture._sb3._normalize_file import normalized

    return normalized(plan, *files, begun.settings, **how)


@contextmanager
def _shown() -> Iterator[Any]:
    """Show how far it is, where somebody looks and the work is long."""
    if not ERR.is_terminal:
        yield None
        return
    bar, began = Progress(console=ERR, transient=True), monotonic()
    task = bar.add_task("writing")

    def progress(done: int, total: int) -> None:
        if monotonic() - began > LONG:
            bar.start()
            bar.update(task, completed=done, total=total)

    try:
        yield progress
    finally:
        bar.stop()


def _beside(one: Foreseen | Written, files: Beside) -> Iterator[str]:
    """Say what becomes of what lies beside the weights."""
    if files is not None:
        yield f"beside it {files[1]}, from {files[0]}"
    yield from (f"optimizer {each}" for each in one.optimizers)
    yield from (f"left out {name}" for name in one.left_out)
    yield from (f"as it was {name}, which may say the old sizes" for name in one.stays)


def _screen(written: Written, files: Beside) -> str:
    size = f"{written.tensors} tensors, {written.size:,} bytes"
    lines = [
        f"Wrote {written.path}: {written.format}, {size}",
        f"  plan     {written.plan[:12]}",
        f"  source   {written.source[:12]}",
        *(f"  {line}" for line in _beside(written, files)),
    ]
    return "\n".join(lines)


def _json(ready: Foreseen, written: Written | None, files: Beside) -> str:
    """Say as JSON what was written, or would be: then the source is not hashed."""
    said = ready if written is None else written
    document = {
        "format": "suture-written",
        "version": 1,
        "written": written is not None,
        "path": str(ready.out.path),
        "kind": ready.old.format,
        "tensors": len(ready.out.made),
        "bytes": ready.size,
        "plan": ready.plan,
        "source": None if written is None else written.source,
        "left_out": list(said.left_out),
        "stays": list(said.stays),
        "beside": None if files is None else str(files[1]),
        "optimizers": [asdict(one) for one in said.optimizers],
    }
    return json.dumps(document)
