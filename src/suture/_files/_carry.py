"""Carrying: a plan applied from file to file, nothing half done.

Knows the order of the steps: check everything, write beside, rename. Does not know formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from suture._files._checkpoint import Checkpoint, Format
from suture._files._digest import digesting
from suture._files._foresee import Foreseen, OptimizerPolicy, State, foresee
from suture._files._optimizers import Continued
from suture._files._record import Sign
from suture._files._sink import Progress, Sink
from suture._files._writers import WRITERS, Writing, weights_alone
from suture._plan import Plan


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
        optimizers: what became of the states of optimizers that were carried.
        stays: what went along as it is, although it may say the old sizes.
    """

    path: Path
    format: Format
    tensors: int
    size: int
    plan: str
    source: str
    left_out: tuple[str, ...] = ()
    optimizers: tuple[Continued, ...] = ()
    stays: tuple[str, ...] = ()


def carry_file(
    plan: Plan,
    old: Checkpoint,
    new_path: str | PathLike[str],
    *,
    fresh: Checkpoint | State | None = None,
    format: Format | None = None,
    config: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    optimizer: OptimizerPolicy = "carry",
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
            `{"config.json": ...}`. Where sizes change, that of the old model cannot stay.
        settings: what takes the place of an agent's settings, by name: its `observation_space` and
            `action_space`, and its `policy_kwargs` where the policy is made otherwise now.
        optimizer: what becomes of the states of optimizers in the file: `"carry"` them as
            `transfer_optimizer` does, where it is certain which parameters each holds; `"refuse"`
            them; `"reset"` them, so that the new file has none; or a function from the keypath and
            the state dict of an old one to a new one.
        force: overwrite what is there.
        allow_nan: write entries that are not numbers, too.
        progress: is called with the bytes of tensors that are written, and will be.

    Returns:
        What was written.

    Raises:
        PlanError: the plan is not whole, was not made for these weights, or made `old` already.
        FileError: `new_path` must not or cannot be written, a folder's config would say other
            sizes than the new weights have, or there are entries that are no numbers. Nothing is
            left of the new file then.
        OptimizerError: states of optimizers are to be carried, and how is not certain.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from safetensors.numpy import load_file, save_file
        >>> from suture._files import open_checkpoint
        >>> from suture._plan import Block, Sum, Tensor, TensorPlan, Term, Value
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
    given = old if format is None else weights_alone(old, format)
    told: dict[str, Any] = {"config": config, "settings": settings, "optimizer": optimizer}
    ready = foresee(plan, given, Path(new_path), fresh=fresh, **told, force=force)
    return carry_foreseen(ready, allow_nan=allow_nan, progress=progress)


def carry_foreseen(
    ready: Foreseen, *, allow_nan: bool = False, progress: Progress | None = None
) -> Written:
    """Write what was foreseen; see `carry_file`.

    Raises:
        FileError: as `carry_file`.
    """
    old, out = ready.old, ready.out
    sink = Sink(ready.size + ready.beside, progress)
    with digesting(old.files, old.stored) as source:
        how = Writing(Sign(old.metadata, ready.plan, source), sink, allow_nan)
        gone = WRITERS[old.format].write(old, out, how)
        done = ready.plan, source.result(), (*ready.left_out, *gone), ready.optimizers, ready.stays
        return Written(out.path, old.format, len(out.made), ready.size, *done)
