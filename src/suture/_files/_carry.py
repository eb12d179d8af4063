"""Carrying: a plan applied from file to file, nothing half done.

Knows the order of the steps: check everything, write beside, rename. Does not know formats.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from suture._apply import demand_fit, source_misfits, target_misfits
from suture._errors import PlanError
from suture._files._atomic import refuse_output, refuse_too_large
from suture._files._checkpoint import Arrays, Checkpoint, Format
from suture._files._headers import byte_size
from suture._files._made import Made
from suture._files._record import Sign, plan_digest, record_in
from suture._files._sink import Progress, Sink, digesting
from suture._files._writers import WRITERS, OptimizerPolicy, Output, weights_alone
from suture._plan import Plan, TensorPlan
from suture._plan_check import check, source_tensors
from suture._wrappers import counters, plain_names

State = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        path: the new file or folder.
        format: what it is.
        tensors: how many tensors it holds.
        size: bytes of weights in it.
        plan: the digest of the plan, SHA-256 of its JSON.
        source: SHA-256 of the source's file; of several files, that of their digests in hex, one a
            line, in order of their names.
        left_out: what lay in the source and is not in the new one.
    """

    path: Path
    format: Format
    tensors: int
    size: int
    plan: str
    source: str
    left_out: tuple[str, ...] = ()


def carry_file(
    plan: Plan,
    old: Checkpoint,
    new_path: str | PathLike[str],
    *,
    fresh: Checkpoint | State | None = None,
    format: Format | None = None,
    config: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    optimizer: OptimizerPolicy = "refuse",
    force: bool = False,
    allow_nan: bool = False,
    progress: Progress | None = None,
) -> Written:
    """Carry a checkpoint's weights into a new one, a stretch at a time.

    The new file has the old one's texts and wrappers of names, and says which plan made it of which
    source. It is written beside and takes its name when it is whole and on the disk.

    Args:
        plan: a whole plan, made for the models that both checkpoints are of.
        old: the trained weights.
        new_path: the file or folder to write.
        fresh: the target's weights as they were initialised, where the plan keeps some of them.
        format: the new file's format, where it is to be another: `"safetensors"`, `"torch"` or
            `"npz"`, which then hold the weights alone.
        config: the texts of files that take the place of those in the old folder, by name:
            `{"config.json": ...}`.
        settings: what takes the place of an agent's settings, by name: its `observation_space` and
            `action_space`, and its `policy_kwargs` where the policy is made otherwise now.
        optimizer: what becomes of the state of optimizers in the file: `"refuse"` it, `"reset"` it,
            so that the new file has none, or a function from the keypath and the state dict of
            an old one to a new one.
        force: overwrite what is there.
        allow_nan: write entries that are not numbers, too.
        progress: is called with the bytes of weights that are written, and will be.

    Returns:
        What was written.

    Raises:
        PlanError: the plan is not whole, was not made for these weights, or made `old` already.
        FileError: `new_path` must not or cannot be written, or there are entries that are no
            numbers. Nothing is left of the new file then.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from safetensors.numpy import load_file, save_file
        >>> from suture._files import open_checkpoint
        >>> from suture._plan import Block, Sum, Tensor, Term, Value
        >>> rows = Block((((0, 2),),), Sum((Term("bias", (((0, 2),),)),)))
        >>> more = Block((((2, 3),),), Value(0.0))
        >>> paired = Tensor("bias", (3,), "f32"), Tensor("bias", (2,), "f32")
        >>> wider = Plan("a1", "b2", (TensorPlan(*paired, "parameter", (rows, more)),))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     old, new = Path(folder, "old.safetensors"), Path(folder, "new.safetensors")
        ...     save_file({"bias": np.ones(2, "f4")}, old)
        ...     written = carry_file(wider, open_checkpoint(old), new)
        ...     load_file(new)
        {'bias': array([1., 1., 0.], dtype=float32)}
    """
    path, kind = Path(new_path), format or old.format
    given = old if kind == old.format else weights_alone(old, kind)
    ready = foresee(plan, given, path, fresh=fresh, force=force)
    sink = Sink(ready.size, progress)
    made, copies, digest = ready.made, ready.copies, ready.plan
    with digesting(old.files) as source:
        sign = Sign(given.metadata, digest, source)
        told = config or {}, settings or {}, optimizer, allow_nan
        out = Output(path, made, copies, sign, sink, *told)
        gone = WRITERS[kind](given, out)
        if given is not old:
            gone += (*old.copies, *(name for name, _ in old.others))
        return Written(path, kind, len(made), sink.total, digest, source.result(), gone)


@dataclass(frozen=True, slots=True, eq=False)
class Foreseen:
    """What carrying would write.

    Attributes:
        made: the new weights.
        copies: keypath -> the same of each copy of the weights.
        size: bytes of all of them.
        plan: the digest of the plan.
    """

    made: Sequence[Made]
    copies: Mapping[str, Sequence[Made]]
    size: int
    plan: str


def foresee(
    plan: Plan,
    old: Checkpoint,
    new_path: Path,
    *,
    fresh: Checkpoint | State | None = None,
    force: bool = False,
) -> Foreseen:
    """Make every check that can be made before the first byte is written.

    Raises:
        PlanError: as `carry_file`.
        FileError: as `carry_file`, but for entries that are no numbers.
    """
    check(plan)
    refuse_output(new_path, (old.path, *old.files), force)
    digest = plan_digest(plan)
    _refuse_again(old, digest)
    state = fresh.arrays if isinstance(fresh, Checkpoint) else fresh or {}
    made = _made(plan, old.arrays, state)
    copies = {at: _made(plan, each, state) for at, each in _copies(plan, old).items()}
    every = [each for one in (made, *copies.values()) for each in one]
    size = sum(byte_size(each.tensor) for each in every)
    refuse_too_large(new_path, size)
    return Foreseen(made, copies, size, digest)


def _copies(plan: Plan, old: Checkpoint) -> dict[str, Arrays]:
    """Find the copies of the weights among what else has names: those with names that are read."""
    known = source_tensors(plan)
    return {
        at: arrays
        for at, arrays in old.copies.items()
        if not known.keys().isdisjoint(plain_names(arrays, known).values())
    }


def _refuse_again(old: Checkpoint, digest: str) -> None:
    record = record_in(old.metadata)
    if record is not None and record.plan == digest:
        facts = [("plan", digest[:12]), ("source", record.source[:12])]
        hint = "give the weights that the plan was made for"
        raise PlanError(f"{old.path} was made by this plan already.", facts, hint)


def _made(plan: Plan, arrays: Arrays, state: State) -> list[Made]:
    """Check that a plan fits both sides, and say what it makes of which arrays.

    Raises:
        PlanError: with everything that does not fit.
    """
    known = source_tensors(plan)
    counted = counters(arrays, known)
    given = plain_names([name for name in arrays if name not in counted], known)
    sources = {plain: arrays[name] for name, plain in given.items()}
    initial = _plainly(state, [tensor.target.name for tensor in plan.tensors])
    kept = [tensor.target.name for tensor in plan.tensors if tensor.keeps_own]
    demand_fit(source_misfits(plan, sources), target_misfits(plan, initial, kept))
    before = _wrapper(given)
    return [
        Made(
            replace(tensor.target, name=before + tensor.target.name),
            tuple(before + name for name in _names(tensor)),
            tensor,
            sources,
            next((initial[name] for name in _names(tensor) if name in initial), None),
        )
        for tensor in plan.tensors
    ]


def _plainly(state: State, known: Collection[str]) -> dict[str, Any]:
    return {plain: state[name] for name, plain in plain_names(state, known).items()}


def _names(tensor: TensorPlan) -> tuple[str, ...]:
    return (tensor.target.name, *tensor.tied)


def _wrapper(given: Mapping[str, str]) -> str:
    """Find what stands before all names of a file, to put it before the new ones."""
    name, plain = next(iter(given.items()), ("", ""))
    before = name.removesuffix(plain)
    return before if all(name == before + plain for name, plain in given.items()) else ""
