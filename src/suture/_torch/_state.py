"""State dicts: what a model calls its tensors, which are tied, and which a checkpoint holds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from suture._errors import TraceError
from suture._torch._wrapped import counters, plain_names


@dataclass(frozen=True, slots=True, eq=False)
class StateDict:
    """Parameters and buffers by their first name.

    Attributes:
        tensors: first name -> tensor.
        tied: first name -> the other names of the same tensor.
        parameters: all names of parameters; the rest are buffers.
        carried: the names that the model's state dict holds.
        given: name -> what the model calls it, wrappers included.
    """

    tensors: dict[str, torch.Tensor]
    tied: dict[str, tuple[str, ...]]
    parameters: frozenset[str]
    carried: frozenset[str]
    given: dict[str, str]

    @staticmethod
    def of(model: nn.Module) -> StateDict:
        """List a model's tensors; refuse those that have no shape yet."""
        found: list[tuple[str, torch.Tensor]] = [*model.named_parameters(remove_duplicate=False)]
        count = len(found)
        found += model.named_buffers(remove_duplicate=False)
        own = counters(model)
        found = [(name, tensor) for name, tensor in found if name not in own]
        held = model.state_dict(keep_vars=True)
        plain = plain_names(model, dict.fromkeys([*(name for name, _ in found), *held]))
        named = [(plain[name], tensor) for name, tensor in found]
        lazy = [("lazy", name) for name, tensor in named if nn.parameter.is_lazy(tensor)]
        if lazy:
            hint = "run the model once on real data before tracing it"
            raise TraceError("Parameters have no shape yet.", lazy, hint)
        sharded = [("sharded", name) for name, tensor in named if _is_sharded(tensor)]
        if sharded:
            hint = "trace the model before it is sharded; apply the plan to full state dicts"
            raise TraceError("Parameters lie on several devices.", sharded, hint)
        parameters = frozenset(name for name, _ in named[:count])
        carried = frozenset(plain[name] for name in held)
        given = {plain[name]: name for name, _ in found}
        return StateDict(*_untied(named), parameters, carried, given)

    def is_carried(self, name: str) -> bool:
        """Whether a state dict holds the tensor under any of its names."""
        return not self.carried.isdisjoint((name, *self.tied.get(name, ())))

    def is_constant(self, name: str) -> bool:
        """Whether the tensor is a buffer whose entries belong to the model's structure.

        Those are buffers that no state dict holds, and integers: they may index, or decide.
        """
        counts = not self.tensors[name].is_floating_point()
        return name not in self.parameters and (counts or not self.is_carried(name))


def _is_sharded(tensor: torch.Tensor) -> bool:
    """Whether a tensor is a `DTensor`; to import that class takes longer than to trace a model."""
    return type(tensor).__module__.startswith("torch.distributed.")


def _untied(
    named: list[tuple[str, torch.Tensor]],
) -> tuple[dict[str, torch.Tensor], dict[str, tuple[str, ...]]]:
    first: dict[int, str] = {}
    tied: dict[str, tuple[str, ...]] = {}
    for name, tensor in named:
        owner = first.setdefault(id(tensor), name)
        if owner != name:
            tied[owner] = (*tied.get(owner, ()), name)
    return {name: tensor for name, tensor in named if first[id(tensor)] == name}, tied
