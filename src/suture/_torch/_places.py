"""Places: where on an optimizer's parameters lies what came from a source, and what did not.

Knows the blocks of a plan and the groups of an optimizer. Does not know what is done there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from suture._errors import RecoveryError, demand
from suture._plan import Block, Own, Plan, Runs, Sum, TensorPlan, Value
from suture._plan_check import check
from suture._subject import Subject
from suture._torch._arrays import TORCH
from suture._torch._state import StateDict

Fact = tuple[str, str]
Region = tuple[Runs, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The preserved or the fresh entries of one parameter.

    Attributes:
        name: what the plan calls the parameter.
        parameter: the tensor that the optimizer steps.
        group: the position of its group; `load_state_dict` makes groups anew, in the same order.
        regions: products of runs that have no entry twice.
    """

    name: str
    parameter: Tensor
    group: int
    regions: tuple[Region, ...]

    def rate(self, optimizer: Optimizer) -> float:
        """Read the learning rate of its group, as it is now."""
        return float(optimizer.param_groups[self.group]["lr"])

    def take(self) -> list[Tensor]:
        """Copy the entries, one tensor a region."""
        return [self.of(region).clone() for region in self.regions]

    def of(self, region: Region) -> Tensor:
        """Read the entries of one region, as a view where they are one slice."""
        found: Tensor = TORCH.take(self.parameter, region)
        return found

    def put(self, region: Region, values: Tensor) -> None:
        """Write the entries of one region, apart from any graph of gradients."""
        TORCH.put(self.parameter.detach(), region, values)


def preserved(plan: Plan, optimizer: Optimizer, model: Any, within: str) -> list[Places]:
    """Find what came from the source, on the parameters that an optimizer steps.

    Args:
        plan: which entries came from the source.
        optimizer: of the target.
        model: the target, or its Subject. Parameters that need no gradient are left out.
        within: what the names of the parameters begin with that the optimizer is for.

    Raises:
        PlanError: the plan is not whole.
        RecoveryError: listing parameters that the model or the optimizer does not have.
    """
    return _places(plan, optimizer, model, within, PRESERVED)


def fresh(plan: Plan, optimizer: Optimizer, model: Any, within: str) -> list[Places]:
    """Find what did not come from the source, as `preserved` finds what did."""
    return _places(plan, optimizer, model, within, FRESH)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Entries that are filled in some ways, and what they are called."""

    word: str
    fills: tuple[type, ...]

    def of(self, tensor: TensorPlan) -> list[Block]:
        return [block for block in tensor.blocks if isinstance(block.fill, self.fills)]


PRESERVED, FRESH = _Kind("preserved", (Sum,)), _Kind("fresh", (Own, Value))


def _places(plan: Plan, optimizer: Optimizer, model: Any, within: str, kind: _Kind) -> list[Places]:
    demand_optimizer(optimizer)
    check(plan)
    tensors = StateDict.of(_network(model)).tensors
    chosen = [each for each in plan.tensors if _is_meant(each, within, kind)]
    missing = [*_missing(chosen, tensors)]
    if missing:
        hint = "give the new model that this plan was made for"
        raise RecoveryError("The plan was not made for this model.", missing, hint)
    learning = [each for each in chosen if tensors[each.target.name].requires_grad]
    groups = _groups(optimizer)
    names = [each.target.name for each in learning]
    strange = [("missing", name) for name in names if id(tensors[name]) not in groups]
    if strange:
        hint = 'add them, or say which parameters it is for: within="actor."'
        sentence = f"The optimizer does not step all that is {kind.word}."
        raise RecoveryError(sentence, strange, hint)
    if not learning:
        where = f" within {within!r}" if within else ""
        raise RecoveryError(f"Nothing{where} is {kind.word} and learns.")
    return [_of(each, tensors[each.target.name], groups, kind) for each in learning]


def demand_optimizer(optimizer: object) -> None:
    """Refuse what is no optimizer of torch.

    Raises:
        RecoveryError: naming its type.
    """
    sentence = f"Recovery follows an optimizer of torch, not {type(optimizer).__name__}."
    demand(optimizer, Optimizer, RecoveryError(sentence))


def _network(model: Any) -> nn.Module:
    network = model.model if isinstance(model, Subject) else model
    sentence = f"Parameters are a torch.nn.Module's, not {type(network).__name__}'s."
    demand(network, nn.Module, RecoveryError(sentence, hint="give the model or its Subject"))
    found: nn.Module = network
    return found


def _is_meant(tensor: TensorPlan, within: str, kind: _Kind) -> bool:
    is_named = tensor.kind == "parameter" and tensor.target.name.startswith(within)
    return is_named and bool(kind.of(tensor))


def _missing(chosen: Sequence[TensorPlan], tensors: dict[str, Tensor]) -> Iterator[Fact]:
    for target in (each.target for each in chosen):
        if target.name not in tensors:
            yield "missing", f"{target.name} {target.type}"
        elif tuple(tensors[target.name].shape) != target.shape:
            shape = list(tensors[target.name].shape)
            yield "other", f"{target.name} is of shape {shape}, not {list(target.shape)}"


def _groups(optimizer: Optimizer) -> dict[int, int]:
    groups = enumerate(optimizer.param_groups)
    return {id(parameter): at for at, group in groups for parameter in group["params"]}


def _of(tensor: TensorPlan, parameter: Tensor, groups: dict[int, int], kind: _Kind) -> Places:
    regions = _regions(tensor, kind.of(tensor))
    return Places(tensor.target.name, parameter, groups[id(parameter)], regions)


def _regions(tensor: TensorPlan, blocks: Sequence[Block]) -> tuple[Region, ...]:
    """List the regions of some blocks; one if they are the whole tensor."""
    if sum(block.size for block in blocks) == tensor.target.size:
        return (tuple(((0, size),) for size in tensor.target.shape),)
    return tuple(block.region for block in blocks)


def demand_rates(optimizer: Optimizer, places: Sequence[Places]) -> None:
    """Refuse groups without a learning rate.

    Raises:
        RecoveryError: listing them.
    """
    groups = {each.group: optimizer.param_groups[each.group].get("lr") for each in places}
    wrong = [
        (f"group {at}", f"lr is {rate!r}")
        for at, rate in groups.items()
        if not isinstance(rate, int | float | Tensor)
    ]
    if wrong:
        raise RecoveryError("This goes by learning rates, and there is none.", wrong)
