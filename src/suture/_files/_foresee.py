"""Foreseeing: every check of carrying that can be made before the first byte is written.

Knows what would be written. Does not know formats, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from suture._apply import demand_fit, source_misfits, target_misfits
from suture._errors import FileError, PlanError
from suture._files._checkpoint import FOLDERS, Arrays, Checkpoint
from suture._files._copies import LEAVE_OUT, copies_in
from suture._files._folders import CONFIG
from suture._files._headers import byte_size
from suture._files._made import Made
from suture._files._optimizers import Continued, carried_optimizers, continued
from suture._files._orders import target_order
from suture._files._outputs import refuse_file, refuse_folder, refuse_too_large
from suture._files._record import plan_digest, record_in
from suture._files._unheld import refuse_unheld
from suture._files._writers import WRITERS, Decided, Output
from suture._followed import OptimizerReport
from suture._plan import Plan, TensorPlan
from suture._plan_check import check, source_tensors
from suture._wrappers import counters, plain_names, wrapper

State = Mapping[str, Any]
OptimizerPolicy = Literal["carry"] | Decided
"""What becomes of the states of optimizers; see `carry_file`."""


@dataclass(frozen=True, slots=True, eq=False)
class Foreseen:
    """What carrying would write.

    Attributes:
        old: the trained weights.
        out: what is to be written.
        size: bytes of all weights.
        beside: bytes of what optimizers keep beside them.
        plan: the digest of the plan.
        reports: keypath -> what is carried of the state of an optimizer.
        left_out: what lies in the source and will not be in the new one.
        stays: what goes along as it is, although it may say the old sizes.
    """

    old: Checkpoint
    out: Output
    size: int
    beside: int
    plan: str
    reports: Mapping[str, OptimizerReport]
    left_out: tuple[str, ...]
    stays: tuple[str, ...]

    @property
    def optimizers(self) -> tuple[Continued, ...]:
        """What is carried of the states of optimizers, in short."""
        return tuple(continued(at, report) for at, report in self.reports.items())


def foresee(
    plan: Plan,
    old: Checkpoint,
    new_path: Path,
    *,
    fresh: Checkpoint | State | None = None,
    config: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    optimizer: OptimizerPolicy = "carry",
    read: Sequence[Path] = (),
    force: bool = False,
) -> Foreseen:
    """Make every check that can be made before the first byte is written.

    What is in `read` is not written over either, as `old` and `fresh` are not.

    Raises:
        PlanError: as `carry_file`.
        OptimizerError: as `carry_file`.
        FileError: as `carry_file`, but for entries that are no numbers.
    """
    check(plan)
    files = [path for one in (old, fresh) if isinstance(one, Checkpoint) for path in _files(one)]
    refuse = refuse_folder if old.format in FOLDERS else refuse_file
    refuse(new_path, (*files, *read), force)
    digest = plan_digest(plan)
    _refuse_again(old, digest)
    state = fresh.arrays if isinstance(fresh, Checkpoint) else fresh or {}
    order = target_order(plan, fresh)
    whole = plan if order is None else replace(plan, tensors=_sorted(plan, order))
    made = _made(whole, old.arrays, state)
    found = copies_in(whole, old)
    copies = {at: _copy(p, old, at, arrays, state) for at, (p, arrays) in found.items()}
    every = [each for one in (made, *copies.values()) for each in one]
    refuse_unheld(new_path, old.format, every)
    _refuse_old_sizes(plan, old, config or {})
    size = _size(every)
    optimizers = carried_optimizers(plan, old, order) if optimizer == "carry" else {}
    decided = (lambda at, _: optimizers[at].state) if optimizer == "carry" else optimizer
    slots = [slot for report in optimizers.values() for slot in _slots(report)]
    beside = _size(slots)
    refuse_too_large(new_path, size + beside)
    out = Output(new_path, made, copies, config or {}, settings or {}, decided)
    writer = WRITERS[old.format]
    writer.refuse(old, out)
    left = (*writer.leaves(old, out), *old.left)
    return Foreseen(old, out, size, beside, digest, optimizers, left, _stays(plan, old))


def _size(made: Iterable[Made]) -> int:
    return sum(byte_size(each.tensor) for each in made)


def _slots(report: OptimizerReport) -> Iterator[Made]:
    """List what an optimizer keeps that is in the making."""
    slots = (slot for each in report.state["state"].values() for slot in each.values())
    yield from (slot for slot in slots if isinstance(slot, Made))


def _files(held: Checkpoint) -> tuple[Path, ...]:
    return (held.path, *held.files)


def _sorted(plan: Plan, order: Collection[str]) -> tuple[TensorPlan, ...]:
    """Bring tensors into the model's order: a plan has unreached ones last.

    What optimizers hold is found in a file by this order.
    """
    rank = {name: at for at, name in enumerate(order)}
    first = [
        min((rank[n] for n in _names(t) if n in rank), default=len(rank)) for t in plan.tensors
    ]
    return tuple(plan.tensors[at] for at in sorted(range(len(first)), key=first.__getitem__))


def _copy(plan: Plan, old: Checkpoint, at: str, arrays: Arrays, state: State) -> list[Made]:
    """Say what the plan of a copy makes of it."""
    known = {name for tensor in plan.tensors for name in _names(tensor)}
    ours = {
        name: state[name] for name, plain in plain_names(state, known).items() if plain in known
    }
    try:
        return _made(plan, arrays, ours)
    except PlanError as error:
        sentence = f"{old.path} holds a copy of the weights, {at}, that is not of the plan's model."
        raise PlanError(sentence, error.facts, LEAVE_OUT) from None


def _refuse_again(old: Checkpoint, digest: str) -> None:
    record = record_in(old.metadata)
    if record is not None and record.plan == digest:
        facts = [("plan", digest[:12]), ("source", record.source[:12])]
        hint = "give the weights that the plan was made for"
        raise PlanError(f"{old.path} was made by this plan already.", facts, hint)


SAYS_SIZES = "hyper_parameters"
"""What Lightning builds a module from when it loads a checkpoint."""


def _stays(plan: Plan, old: Checkpoint) -> tuple[str, ...]:
    """Name what may say the old sizes of a model whose sizes change."""
    is_there = SAYS_SIZES in [name for name, _ in old.others]
    return (SAYS_SIZES,) if is_there and not all(map(_keeps_shape, plan.tensors)) else ()


def _refuse_old_sizes(plan: Plan, old: Checkpoint, config: Mapping[str, str]) -> None:
    """Refuse to leave a config beside weights of other sizes than it says."""
    if old.format != "hugging face folder" or CONFIG in config:
        return
    facts = [
        *(_change(tensor) for tensor in plan.tensors if not _keeps_shape(tensor)),
        *(("is gone", f"{tensor.name} {tensor.type}") for tensor in plan.unpaired),
    ]
    if facts:
        more = [("", f"{len(facts) - SHOWN} more")] if len(facts) > SHOWN else []
        sentence = f"{old.path / CONFIG} says the old sizes, and nothing takes its place."
        hint = (
            "give the changed model, --target TARGET, a folder of it, --fresh NEW, "
            f'or config={{"{CONFIG}": text}}'
        )
        raise FileError(sentence, [*facts[:SHOWN], *more], hint)


def _keeps_shape(tensor: TensorPlan) -> bool:
    return tensor.source is not None and tensor.source.shape == tensor.target.shape


def _change(tensor: TensorPlan) -> tuple[str, str]:
    name, new = tensor.target.name, tensor.target.type
    if tensor.source is None:
        return "is new", f"{name} {new}"
    return "changes", f"{name} {tensor.source.type} -> {new}"


SHOWN = 5
"""How many tensors an error names that change."""


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
    before = wrapper(given)
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
