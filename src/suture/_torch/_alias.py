"""Views and in-place writes turned into values: who shares memory, and who is out of date.

Knows how a write through a view reaches its storage's owner and every other view. Does not know
what an op means: it replays ops through the recorder that owns it.

A storage is known by its owner, the tensor that was there first. A view remembers the view ops that
lead from the owner to it. A write through a view is undone op by op up to the owner (`select` by
`select_scatter`, `view` by the `view` back); another view notices that the owner has a newer
version and replays its ops on it. This is the functionalisation of torch, kept small because it
has to serve shapes only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch

from suture._errors import TraceError

Arguments = Mapping[str, Any]
Run = Callable[[Any, Arguments], Any]
"""Runs a functional op on tensors and records it."""

aten = torch.ops.aten


@dataclass(frozen=True, slots=True, eq=False)
class ViewStep:
    """One view op on the way from the owner: op, arguments, and which result was taken."""

    op: Any
    arguments: Arguments
    which: int | None

    def source(self) -> str:
        """Name of the argument that is viewed: the first of the schema."""
        return str(self.op._schema.arguments[0].name)

    def replay(self, tensor: torch.Tensor, run: Run) -> torch.Tensor:
        """Take the same view of another tensor."""
        result = run(self.op, {**self.arguments, self.source(): tensor})
        taken: torch.Tensor = result if self.which is None else result[self.which]
        return taken


@dataclass(slots=True, eq=False)
class Storage:
    """The current contents of the owner, and how often they have changed."""

    current: torch.Tensor
    version: int = 0


@dataclass(slots=True, eq=False)
class Alias:
    """A tensor's place in its storage, and the tensor that holds its contents as of `version`."""

    storage: Storage
    steps: tuple[ViewStep, ...]
    contents: torch.Tensor
    version: int = 0


@dataclass(slots=True)
class Aliases:
    """All tensors of one trace that are, or may come to be, written in place."""

    _by_id: dict[int, Alias] = field(default_factory=dict)

    def add(self, tensor: torch.Tensor) -> None:
        """Begin a storage of its own."""
        self._by_id[id(tensor)] = Alias(Storage(tensor), (), tensor)

    def add_view(self, tensor: torch.Tensor, source: torch.Tensor, step: ViewStep) -> None:
        """Note that a tensor is a view of another."""
        alias = self._by_id[id(source)]
        version = alias.storage.version
        self._by_id[id(tensor)] = Alias(alias.storage, (*alias.steps, step), tensor, version)

    def rebind(self, tensor: torch.Tensor, other: torch.Tensor) -> None:
        """Let a tensor take another's place: `transpose_` makes one a view."""
        self._by_id[id(tensor)] = self._by_id[id(other)]

    def replace(self, tensor: torch.Tensor, stand_in: torch.Tensor) -> None:
        """Let a stand-in hold what a tensor holds that is about to change its shape."""
        self.rebind(stand_in, tensor)
        for alias in self._by_id.values():
            if alias.contents is tensor:
                alias.contents = stand_in
            if alias.storage.current is tensor:
                alias.storage.current = stand_in

    def read(self, tensor: torch.Tensor, run: Run) -> torch.Tensor:
        """Give the tensor that holds the present contents of `tensor`."""
        alias = self._by_id[id(tensor)]
        if alias.version != alias.storage.version:
            contents = alias.storage.current
            for step in alias.steps:
                contents = step.replay(contents, run)
            alias.contents, alias.version = contents, alias.storage.version
        return alias.contents

    def write(self, tensor: torch.Tensor, value: torch.Tensor, run: Run) -> None:
        """Make `value` the contents of `tensor`, and so of a part of its storage."""
        alias = self._by_id[id(tensor)]
        stages = [alias.storage.current]
        for step in alias.steps[:-1]:
            stages.append(step.replay(stages[-1], run))
        written = value
        for step, stage in zip(reversed(alias.steps), reversed(stages), strict=False):
            written = _undo(step, stage, written, run)
        alias.storage.current = written
        alias.storage.version += 1
        alias.contents, alias.version = value, alias.storage.version


def _undo(step: ViewStep, stage: torch.Tensor, written: torch.Tensor, run: Run) -> torch.Tensor:
    """Put what was written into a view back into the tensor that it views."""
    arguments, packet = step.arguments, str(step.op._overloadpacket)
    into = {"self": stage, "src": written}
    match packet:
        case "aten.select":
            op, named = aten.select_scatter.default, {**into, **_pick(arguments, "dim", "index")}
        case "aten.slice":
            op = aten.slice_scatter.default
            named = {**into, **_pick(arguments, "dim", "start", "end", "step")}
        case "aten.diagonal":
            op = aten.diagonal_scatter.default
            named = {**into, **_pick(arguments, "offset", "dim1", "dim2")}
        case "aten.transpose" | "aten.t":
            dims = _pick(arguments, "dim0", "dim1") if packet == "aten.transpose" else {}
            op, named = step.op, {"self": written, **dims}
        case "aten.permute":
            order = [dim % stage.ndim for dim in arguments["dims"]]
            back = sorted(range(len(order)), key=order.__getitem__)
            op, named = aten.permute.default, {"self": written, "dims": back}
        case "aten.unsqueeze":
            op, named = aten.squeeze.dim, {"self": written, "dim": arguments["dim"]}
        case "aten.squeeze":
            return _undo_squeeze(stage, written, arguments.get("dim"), run)
        case "aten.split" | "aten.split_with_sizes" | "aten.unbind" | "aten.chunk":
            return _undo_piece(step, stage, written, run)
        case _ if prod(stage.shape) == prod(written.shape):
            op, named = aten.reshape.default, {"self": written, "shape": list(stage.shape)}
        case _:
            raise TraceError(
                f"A write through {step.op} cannot be followed back to its storage.",
                [("view", f"{list(stage.shape)} -> {list(written.shape)}")],
                "write into the tensor itself, or build the result with cat or stack",
            )
    return _tensor(run(op, named))


def _undo_piece(
    step: ViewStep, stage: torch.Tensor, written: torch.Tensor, run: Run
) -> torch.Tensor:
    """Put a written piece of a split or unbind back."""
    dim, which = int(step.arguments.get("dim", 0)), step.which or 0
    if str(step.op._overloadpacket) == "aten.unbind":
        named = {"self": stage, "src": written, "dim": dim, "index": which}
        return _tensor(run(aten.select_scatter.default, named))
    start = sum(
        piece.shape[dim] for piece in run(step.op, {**step.arguments, step.source(): stage})[:which]
    )
    end = start + written.shape[dim]
    named = {"self": stage, "src": written, "dim": dim, "start": start, "end": end, "step": 1}
    return _tensor(run(aten.slice_scatter.default, named))


def _undo_squeeze(stage: torch.Tensor, written: torch.Tensor, dim: Any, run: Run) -> torch.Tensor:
    """Put the dims of size one back that a squeeze took out: those asked for, or all."""
    asked = range(stage.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    for place in sorted({place % stage.ndim for place in asked}):
        if stage.shape[place] == 1:
            named = {"self": written, "dim": place}
            written = _tensor(run(aten.unsqueeze.default, named))
    return written


def _pick(arguments: Arguments, *names: str) -> dict[str, Any]:
    return {name: arguments[name] for name in names}


def _tensor(result: Any) -> torch.Tensor:
    assert isinstance(result, torch.Tensor)
    return result
