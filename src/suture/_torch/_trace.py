"""Trace for torch: run a model once on shapes alone and hand over what was seen as a `Graph`.

Knows modules, state dicts and call signatures. Does not know ops (`_record`), nor how a model is
put back as it was (`_undisturbed`).
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)

from suture._bind import Shape
from suture._errors import TraceError, near_miss
from suture._graph import Graph
from suture._plan import Tensor
from suture._schema import Schema, check
from suture._subject import Subject
from suture._torch import _arguments as arguments
from suture._torch._concrete import concrete
from suture._torch._record import Recorder
from suture._torch._recording import Made, Recording
from suture._torch._state import StateDict
from suture._torch._undisturbed import undisturbed
from suture._torch._whole import Whole
from suture._torch._wrapped import plain_names, seen_through


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """A graph that can be run again.

    Attributes:
        graph: what the model does to shapes.
        made: per node of the graph its op and arguments.
        real: value -> its entries, where they follow from constants and integer inputs alone.
    """

    graph: Graph
    made: tuple[Made, ...]
    real: Mapping[int, torch.Tensor]


def trace(subject: Subject) -> Graph:
    """Run a torch model once on meta tensors and record what it does; see `suture.trace`."""
    return tape(subject).graph


def tape(subject: Subject) -> Tape:
    """Trace a model, and keep what it takes to run the graph again."""
    subject = seen_through(subject)
    state = StateDict.of(subject.model)
    with undisturbed(subject.model), torch.no_grad():
        tracing = _Tracing(subject, state)
        graph = tracing.run()
    return Tape(graph, tuple(tracing.recording.made), tracing.recording.real)


class Called(nn.Module):
    """The model with the way it is called, so that one functional call reaches everything."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self.model = subject.model
        self.call = subject.call

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if self.call is None:
            return self.model(*args, **kwargs)
        return self.call(self.model, *args, **kwargs)


@dataclass(slots=True, eq=False)
class _Tracing:
    """One run of one subject."""

    subject: Subject
    state: StateDict
    recording: Recording = field(default_factory=Recording)
    modules: list[nn.Module] = field(default_factory=list)

    def run(self) -> Graph:
        stand_ins, known = self._stand_ins()
        inputs, args, kwargs = self._inputs()
        recorder = Recorder(self.recording, self._where())
        with self._watched(), recorder, Whole(recorder.run_whole, recorder.numbers):
            result = self._call(stand_ins, args, kwargs)
            outputs = self._outputs(result, recorder)
        return self._graph(known, inputs, outputs)

    def _where(self) -> Any:
        model = self.subject.model
        paths = {name: id(module) for name, module in model.named_modules()}
        names = {paths[name]: plain for name, plain in plain_names(model, paths).items()}

        def where() -> tuple[str, str]:
            inner = self.modules[-1] if self.modules else self.subject.model
            return names.get(id(inner), ""), type(inner).__name__

        return where

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Know at any time which module is running."""
        before = register_module_forward_pre_hook(lambda module, _: self.modules.append(module))
        after = register_module_forward_hook(lambda *_: _discard(self.modules), always_call=True)
        try:
            with warnings.catch_warnings():
                # Said of a compiled module within the model, which runs as it is here.
                warnings.filterwarnings("ignore", "Using `torch.compile")
                yield
        finally:
            before.remove()
            after.remove()

    def _stand_ins(self) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
        """Make a meta tensor for every parameter and buffer, tied ones sharing theirs."""
        stand_ins: dict[str, torch.Tensor] = {}
        known: dict[str, int] = {}
        for name, tensor in self.state.tensors.items():
            stand_in = _on_meta(tensor)
            constant = self.state.is_constant(name)
            real = tensor.detach().cpu().clone() if constant and not tensor.is_meta else None
            known[name] = self.recording.add(stand_in, real, constant=constant)
            kind = "weights" if name in self.state.parameters else "buffer"
            self.recording.named[known[name]] = (kind, name)
            for each in (name, *self.state.tied.get(name, ())):
                stand_ins[f"model.{self.state.given[each]}"] = stand_in
        return stand_ins, known

    def _inputs(self) -> tuple[dict[str, int], Any, Any]:
        """Put meta tensors in the place of the example arguments; integers keep their values."""
        subject = arguments.distinct(self.subject)
        new: dict[str, torch.Tensor] = {}
        found: dict[str, int] = {}
        given = arguments.inputs(subject)
        kept = concrete(subject, given)
        for name, tensor in given.items():
            new[name] = _on_meta(tensor)
            keeps = name in kept or not (tensor.is_floating_point() or tensor.is_meta)
            found[name] = self.recording.add(new[name], tensor.detach().cpu() if keeps else None)
            self.recording.named[found[name]] = ("input", name)
        return found, *arguments.replaced(subject, new)

    def _call(self, stand_ins: dict[str, torch.Tensor], args: Any, kwargs: Any) -> Any:
        try:
            return torch.func.functional_call(Called(self.subject), stand_ins, args, kwargs)
        except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
            raise TraceError(
                f"{type(self.subject.model).__name__} cannot be run on shapes alone.",
                [("at", _origin(error)), (type(error).__name__, str(error).strip().split("\n")[0])],
                "check that the model runs on these arguments; if it does, keep what needs real "
                "data out of the traced call (see Subject's `call`)",
            ) from error

    def _outputs(self, result: Any, recorder: Recorder) -> dict[str, int]:
        named = arguments.outputs(result).items()
        outputs = {name: recorder.value_of(tensor) for name, tensor in named}
        if not outputs:
            raise TraceError(
                f"{type(self.subject.model).__name__} returns no tensor.",
                [("returned", type(result).__name__)],
                "return tensors, in tuples, lists or dicts, from a `call` given to Subject",
            )
        return outputs

    def _graph(
        self, known: dict[str, int], inputs: dict[str, int], outputs: dict[str, int]
    ) -> Graph:
        recording, schema = self.recording, self.subject.schema or Schema()
        check(schema, self._shapes(inputs), self._shapes(outputs))
        used = {value for node in recording.nodes for value in node.inputs} | set(outputs.values())
        carried = {name: value for name, value in known.items() if self.state.is_carried(name)}
        reached = {name: value for name, value in carried.items() if value in used}
        _demand_reached(carried, reached, self.state.parameters)
        unreached = {name: self._tensor(name, v) for name, v in carried.items() if v not in used}
        tensors = {name: self._tensor(name, value) for name, value in reached.items()}
        parameters = self.state.parameters
        return Graph(
            values=tuple(recording.values),
            nodes=tuple(recording.nodes),
            parameters={n: v for n, v in reached.items() if n in parameters},
            buffers={n: v for n, v in reached.items() if n not in parameters},
            inputs=inputs,
            outputs=outputs,
            constants={v: _entries(recording.real.get(v)) for v in sorted(recording.constant)},
            tied=self.state.tied,
            unreached=unreached,
            unreached_parameters=frozenset(unreached) & parameters,
            mirrors=_mirrors(self.subject.mirror, unreached, tensors),
            schema=schema,
        )

    def _shapes(self, named: Mapping[str, int]) -> dict[str, Shape]:
        return {name: self.recording.values[value].shape for name, value in named.items()}

    def _tensor(self, name: str, value: int) -> Tensor:
        seen = self.recording.values[value]
        return Tensor(name, seen.shape, seen.dtype)


def _discard(modules: list[nn.Module]) -> None:
    modules.pop()


def _demand_reached(
    carried: Mapping[str, int], reached: Mapping[str, int], parameters: frozenset[str]
) -> None:
    """Refuse a call that uses none of the model's parameters: it runs something else."""
    if parameters.intersection(carried) and not parameters.intersection(reached):
        shown = [("model", f"{len(parameters)} parameters, none of them reached")]
        hint = "does `call` use the model that it is given?"
        raise TraceError("The call reaches no parameter of the model.", shown, hint)


def _on_meta(tensor: torch.Tensor) -> torch.Tensor:
    shape = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
    return nn.Parameter(shape, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else shape


def _origin(error: BaseException) -> str:
    """Find the line of the user's code where an error came from."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "/torch/" not in frame.filename and "/suture/" not in frame.filename
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "torch"


def _entries(tensor: torch.Tensor | None) -> Any:
    """Write a constant's entries as a numpy array; None where they are not known."""
    if tensor is None:
        return None
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()


def _mirrors(
    given: Mapping[str, str], unreached: Mapping[str, Tensor], reached: Mapping[str, Tensor]
) -> dict[str, str]:
    """Pair every unreached tensor under a mirrored prefix with its twin."""
    mirrors: dict[str, str] = {}
    facts: list[tuple[str, str]] = []
    hints: list[str | None] = []
    for prefix, twin in given.items():
        names = _under(prefix, unreached)
        if not names:
            calls = (
                "the call reaches it" if _under(prefix, reached) else "the model has no such module"
            )
            facts.append((prefix, f"is no unreached module: {calls}"))
            hints.append(near_miss(prefix, _modules(unreached)))
        for name in names:
            mirrors[name] = twin + name.removeprefix(prefix)
            facts += _misfit(unreached[name], mirrors[name], reached)
    if facts:
        sentence = "A mirror needs an unreached module and a reached twin of the same shapes."
        raise TraceError(sentence, facts, next(filter(None, hints), None))
    return mirrors


def _under(prefix: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name == prefix or name.startswith(prefix + ".")]


def _modules(names: Iterable[str]) -> list[str]:
    """Every module that holds some of these tensors, however deep, and the tensors themselves."""
    parts = [name.split(".") for name in names]
    return [*dict.fromkeys(".".join(p[:end]) for p in parts for end in range(1, len(p) + 1))]


def _misfit(tensor: Tensor, twin: str, reached: Mapping[str, Tensor]) -> list[tuple[str, str]]:
    if twin not in reached:
        return [(tensor.name, f"no call reaches its twin {twin!r}")]
    if tensor.shape != reached[twin].shape:
        return [(tensor.name, f"is {tensor.type}; its twin {twin!r} is {reached[twin].type}")]
    return []
