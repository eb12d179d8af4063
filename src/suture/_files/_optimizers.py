"""Optimizers in files: whose state is whose, and in which order the new model looks for it.

Knows which parameters each optimizer of an agent holds, and where groups go. Does not know in which
order weights lie (`_orders`), how state follows its parameter (`transfer_optimizer`), nor formats.

Torch loads an optimizer's state by position, names or not: an order that is not the model's is
never written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suture._errors import OptimizerError
from suture._files._checkpoint import Checkpoint
from suture._files._made import made_of
from suture._files._orders import Kept, Scope, Sides, is_of_the_model, kept_tensors, within
from suture._followed import OptimizerReport
from suture._optimizer import followed
from suture._plan import Plan, Sum, TensorPlan
from suture._planned import Planned
from suture._wrappers import plain_names, wrapper

State = Mapping[str, Any]
Groups = Sequence[Mapping[str, Any]]
Fact = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Continued:
    """What became of an optimizer's state in a file.

    Attributes:
        keypath: where it lies.
        carried: how many entries of parameters continue some of the source.
        size: how many the parameters have that it holds.
    """

    keypath: str
    carried: int
    size: int

    def __str__(self) -> str:
        return f"{self.keypath}: {self.carried} of {self.size} entries carried"


def continued(keypath: str, report: OptimizerReport) -> Continued:
    """Sum up what was carried."""
    counts = [(one.carried, one.size) for one in report.parameters]
    carried, size = (sum(each) for each in zip(*counts, strict=True)) if counts else (0, 0)
    return Continued(keypath, carried, size)


def carried_optimizers(
    plan: Plan, old: Checkpoint, new: Mapping[str, TensorPlan] | None
) -> dict[str, OptimizerReport]:
    """Carry the states of all optimizers in a file.

    Args:
        plan: a whole plan.
        old: the old file.
        new: the target's tensors in its order; None where that is not known.

    Returns:
        Keypath -> what was carried, in a state dict with `Made` for arrays.

    Raises:
        OptimizerError: with everything that is not certain, of all of them.
    """
    if not old.optimizers:
        return {}
    if new is None:
        hint = "give the changed model, --target TARGET, or begin them anew: --reset-optimizer"
        facts = [
            (at, "the order of the new model's parameters is not known") for at in old.optimizers
        ]
        raise _refusal(old, facts, hint)
    sides = Sides(plan, kept_tensors(plan, old.arrays), new)
    done: dict[str, OptimizerReport] = {}
    faults: list[Fact] = []
    for at, state in old.optimizers.items():
        found = _carried(sides, old, at, state)
        if isinstance(found, OptimizerReport):
            done[at] = found
        else:
            faults += [(at, text) for text in found]
    if faults:
        raise _refusal(old, faults, "begin them anew: --reset-optimizer")
    return done


def _refusal(old: Checkpoint, facts: Sequence[Fact], hint: str) -> OptimizerError:
    sentence = f"{old.path} holds the state of optimizers that cannot be carried."
    return OptimizerError(sentence, facts, hint)


def _carried(sides: Sides, old: Checkpoint, at: str, state: State) -> OptimizerReport | list[str]:
    """Carry one optimizer's state, or say what keeps it from being carried."""
    if not _is_whole(state):
        return ["is not as optimizers of torch write it"]
    groups: Groups = state["param_groups"]
    matched = (
        _by_name(sides, groups)
        if all("param_names" in group for group in groups)
        else _by_position(sides, old, at, groups)
    )
    if isinstance(matched, list):
        return matched
    template = {**state, "state": {}, "param_groups": matched.groups}
    try:
        following = followed(sides.plan, state, template, matched.source, matched.target)
    except OptimizerError as error:
        return [f"{side}: {text}" for side, text in error.facts]
    return following.report(_made(following.planned()))


def _made(state: State) -> dict[str, Any]:
    """Make of what is planned in a state dict what is written a stretch at a time."""
    slots = {
        key: {
            slot: made_of(slot, value) if isinstance(value, Planned) else value
            for slot, value in each.items()
        }
        for key, each in state["state"].items()
    }
    return {**state, "state": slots}


def _is_whole(state: object) -> bool:
    match state:
        case {"state": dict() as slots, "param_groups": [_, *_] as groups}:
            return all(isinstance(each, dict) for each in slots.values()) and _are_groups(groups)
        case _:
            return False


def _are_groups(groups: Sequence[object]) -> bool:
    return all(map(_is_group, groups))


def _is_group(group: object) -> bool:
    match group:
        case {"params": list() as params, "param_names": names}:
            named = isinstance(names, list) and len(names) == len(params)
            return named and _are_positions(params)
        case {"params": list() as params}:
            return _are_positions(params)
        case _:
            return False


def _are_positions(params: Sequence[object]) -> bool:
    return all(isinstance(each, int) for each in params)


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Whose state an optimizer's is: names in its order, and the new one's with its groups."""

    source: Sequence[str]
    target: Sequence[str]
    groups: Groups


# --- by position ---------------------------------------------------------------


def _everything(_: str) -> bool:
    return True


def _below(before: str) -> Scope:
    return lambda name: name.startswith(before)


def _own_critic(name: str) -> bool:
    return name.startswith("critic.") and "features_extractor" not in name


AGENT: Mapping[str, tuple[Scope, ...]] = {
    "policy.optimizer": (_everything, _below("q_net.")),
    "actor.optimizer": (_below("actor."),),
    "critic.optimizer": (_below("critic."), _own_critic),
}
"""An agent's optimizer -> which of the policy's parameters it may hold: their count tells which.

Source: stable_baselines3, `_get_torch_save_params` of each algorithm and `_build` of each policy:
DQN's holds the network without its target, SAC's critic leaves a shared extractor to the actor.
"""


def _by_position(sides: Sides, old: Checkpoint, at: str, groups: Groups) -> Matched | list[str]:
    """Match positions with the parameters in the order of the weights, where one order fits."""
    if len(groups) > 1:
        return [f"has {len(groups)} groups without names: which parameters each holds is not known"]
    is_agent = old.format == "stable-baselines3"
    if is_agent and at not in AGENT:
        return ["which of the policy's parameters it holds is not known"]
    if not is_agent and len(old.optimizers) > 1:
        several = len(old.optimizers)
        return [f"is one of {several}, without names: which parameters it holds is not known"]
    count = len(groups[0]["params"])
    scopes = AGENT[at] if is_agent else (_everything,)
    for scope in scopes:
        found = _as_many(count, within(sides.old, scope))
        if found is not None and not is_of_the_model(sides.plan, found):
            return ["the weights stand in another order than in the model, and its states say none"]
        if found is not None:
            after = [t for t in within(sides.new, scope) if t.kind == "parameter"]
            target = [tensor.target.name for tensor in after]
            new = {**groups[0], "params": [*range(len(target))]}
            return Matched([kept.name for kept in found], target, [new])
    sizes = dict.fromkeys(_counted(within(sides.old, scope)) for scope in scopes)
    return [f"holds {count} parameters; {' or '.join(sizes)} are in the weights"]


def _counted(tensors: Sequence[Kept]) -> str:
    """Count the parameters, and say how many more may be some."""
    sure = sum(kept.is_parameter is True for kept in tensors)
    likely = sum(kept.is_parameter is None for kept in tensors)
    return f"{sure} to {sure + likely}" if likely else str(sure)


def _as_many(count: int, tensors: Sequence[Kept]) -> Sequence[Kept] | None:
    """Choose the parameters, if there are as many: with those that may be some, all or none."""
    sure = [kept for kept in tensors if kept.is_parameter]
    likely = [kept for kept in tensors if kept.is_parameter is not False]
    return next((found for found in (sure, likely) if len(found) == count), None)


# --- by name -------------------------------------------------------------------


def _by_name(sides: Sides, groups: Groups) -> Matched | list[str]:
    """Put each of the target's parameters into the group of its source."""
    written = [str(name) for group in groups for name in group["param_names"]]
    plain = plain_names(written, sides.old)
    strange = [
        f"holds {name}, which is not in the weights"
        for name in written
        if plain[name] not in sides.old
    ]
    if strange:
        return strange
    held = [[sides.old[plain[name]] for name in group["param_names"]] for group in groups]
    faults = [*_out_of_order(sides, held)]
    group_of = {kept: number for number, each in enumerate(held) for kept in each}
    placed: list[list[str]] = [[] for _ in groups]
    for tensor in within(sides.new, _everything):
        found = _group(sides, tensor, group_of, len(groups)) if tensor.kind == "parameter" else None
        if isinstance(found, str):
            faults.append(found)
        elif found is not None:
            placed[found].append(tensor.target.name)
    if faults:
        return faults
    before = wrapper(plain)
    return Matched(
        [kept.name for each in held for kept in each],
        [name for names in placed for name in names],
        [*_numbered(groups, placed, before)],
    )


def _out_of_order(sides: Sides, held: Sequence[Sequence[Kept]]) -> Iterable[str]:
    """List groups whose order would not be that of the new model's loader."""
    rank = {kept: at for at, kept in enumerate(within(sides.old, _everything))}
    for number, each in enumerate(held):
        if [rank[kept] for kept in each] != sorted(rank[kept] for kept in each):
            yield f"group {number} has another order than the weights"


def _group(
    sides: Sides, tensor: TensorPlan, group_of: Mapping[Kept, int], groups: int
) -> int | str | None:
    """Find the group of what a tensor is made of, None where that is held by none."""
    name, sources = tensor.target.name, _sources(tensor)
    found = {group_of.get(sides.old[source]) for source in sources if source in sides.old}
    if len(found) > 1:
        return f"{name} is made of parameters of several groups"
    if found:
        return found.pop()
    is_all = all(kept in group_of for kept in sides.old.values() if kept.is_parameter)
    if groups == 1 and is_all:
        return 0
    return f"{name} is new: which group it belongs to is not known"


def _sources(tensor: TensorPlan) -> Iterable[str]:
    """Name the source tensor, or those that one without is made of."""
    if tensor.source is not None:
        return (tensor.source.name,)
    fills = (block.fill for block in tensor.blocks)
    return [term.source for fill in fills if isinstance(fill, Sum) for term in fill.terms]


def _numbered(
    groups: Groups, placed: Sequence[Sequence[str]], before: str
) -> Iterable[dict[str, Any]]:
    """Give groups their parameters, counted through as torch does."""
    first = 0
    for group, names in zip(groups, placed, strict=True):
        params, first = [*range(first, first + len(names))], first + len(names)
        yield {**group, "params": params, "param_names": [before + name for name in names]}
