"""The recorder: sees every op that a model runs on meta tensors and writes it down as a graph.

Knows how an op is run on shapes, how constants are computed for real beside them, and how an op
without a rule is decomposed. Does not know any op's axes (`rules`), nor the model (`_trace`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any

import torch
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from suture._algebra import Algebra
from suture._bind import Bound
from suture._errors import SpecError, TraceError
from suture._graph import Node, Place
from suture._rule import Rule, TensorArgument
from suture._torch._again import Results, alike
from suture._torch._alias import ViewStep
from suture._torch._call import arguments, find_rule, functional, make_call, tensor_places
from suture._torch._made_of import MADE_OF, decomposition
from suture._torch._nested import replaced, tensors_in
from suture._torch._recording import Made, Operand, Recording
from suture._torch._refused import call, line, meta_failed, undecided, unknown

Description = tuple[Bound, tuple[Algebra, ...]]

aten = torch.ops.aten
_RANDOM = torch.Tag.nondeterministic_seeded


class Recorder(TorchDispatchMode):
    """Runs ops on meta tensors and records them; the model sees nothing but meta tensors."""

    def __init__(self, recording: Recording, where: Callable[[], tuple[str, str]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recording = recording
        self.where = where
        self.results = Results()
        self.descriptions: dict[Hashable, Description] = {}

    def __torch_dispatch__(
        self, op: OpOverload, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        args, kwargs = replaced((tuple(args), kwargs or {}), self._meta)
        named = arguments(op, args, kwargs)
        if not op._schema.returns:
            return None
        if not _gives_tensors(op):
            return self._answer(op, named)
        if not op._schema.is_mutable:
            return self._run(op, named)
        return self._run_mutable(op, named, kwargs)

    def run_whole(self, op: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run an op that has a rule but would be taken apart on its way here."""
        args, kwargs = replaced((tuple(args), kwargs), self._meta)
        return self._run(op, arguments(op, args, kwargs))

    def _meta(self, tensor: torch.Tensor) -> torch.Tensor:
        """Stand in for a tensor that is neither parameter nor input: a constant of the model."""
        if id(tensor) in self.recording.index:
            return tensor
        stand_in = torch.empty_strided(
            tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta"
        )
        self.recording.add(stand_in, None if tensor.is_meta else tensor.cpu(), constant=True)
        self.recording.index[id(tensor)] = self.recording.index[id(stand_in)]
        self.recording.aliases.rebind(tensor, stand_in)
        self.recording.kept.append(tensor)
        return stand_in

    def value_of(self, tensor: torch.Tensor) -> int:
        """Index of the value that a tensor holds at present."""
        return self._value(self._meta(tensor))

    def _value(self, tensor: torch.Tensor) -> int:
        return self.recording.index[id(self.recording.aliases.read(tensor, self._run))]

    def _see(self, tensor: torch.Tensor) -> TensorArgument:
        return self.recording.see(tensor, self._value(tensor))

    def _answer(self, op: OpOverload, named: Mapping[str, Any]) -> Any:
        """Answer what Python asks of values (`.item()`, `bool()`), where they are known."""
        real = self._real(named)
        if real is None:
            raise self._undecided(call(op, named), _tensors(dict(named)))
        return op(**real)

    def _undecided(self, asked: str, tensors: Iterable[torch.Tensor]) -> TraceError:
        seen = self.recording
        values = [self._value(tensor) for tensor in tensors]
        return undecided(asked, self._place(), values, seen.real, seen.nodes, seen.named)

    def numbers(self, tensor: torch.Tensor, asking: Callable[..., Any]) -> torch.Tensor:
        """Give the entries that Python asks for; as an array only those of constants.

        What leaves torch as an array comes back as one, and nobody sees from which input.
        """
        constant = self.value_of(tensor) in self.recording.constant
        if asking is torch.Tensor.tolist or constant:
            return self._known(tensor, f"Tensor.{asking.__name__}").clone()
        return tensor

    def _known(self, tensor: torch.Tensor, asked: str) -> torch.Tensor:
        value = self.value_of(tensor)
        if value not in self.recording.real:
            raise self._undecided(asked, [self._meta(tensor)])
        return self.recording.real[value]

    def _run_mutable(self, op: OpOverload, named: dict[str, Any], kwargs: Mapping[str, Any]) -> Any:
        """Run an in-place or `out=` op as its functional twin, then write the result."""
        plain = functional(op)
        made = self._apart(op, named)
        if made is not NotImplemented:
            return made
        if plain._schema.is_mutable:
            raise unknown(op, named, self._place())
        if torch.Tag.inplace_view in op.tags:
            return self._view_in_place(op, plain, named)
        result = self._run(plain, named)
        everything = {**named, **kwargs}
        written = [a.name for a in op._schema.arguments if a.alias_info and a.alias_info.is_write]
        results = result if isinstance(result, (tuple, list)) else (result,)
        for name, value in zip(written, results, strict=False):
            target = everything[name]
            if target.dtype != value.dtype:
                value = self._run(aten._to_copy.default, {"self": value, "dtype": target.dtype})
            self.recording.aliases.write(target, value, self._run)
        targets = [everything[name] for name in written]
        return targets[0] if len(targets) == 1 else tuple(targets)

    def _view_in_place(self, op: OpOverload, plain: OpOverload, named: dict[str, Any]) -> Any:
        """Turn a tensor into a view of what it was (`transpose_`); what it was keeps its shape."""
        changed = named[op._schema.arguments[0].name]
        before = torch.empty_strided(
            changed.shape, changed.stride(), dtype=changed.dtype, device="meta"
        )
        self.recording.index[id(before)] = self.recording.index[id(changed)]
        self.recording.kept.append(before)
        self.recording.aliases.replace(changed, before)
        result = self._run(plain, named)
        op(**named)
        self.recording.aliases.rebind(changed, result)
        return changed

    def _run(self, op: OpOverload, given: Mapping[str, Any]) -> Any:
        """Run a functional op on shapes and record it, or what it decomposes into.

        The op runs on the tensors as the model holds them, whose strides decide what torch does
        next; what is recorded are the values that they hold at present.
        """
        named = self._positions(op, dict(given))
        real = None if _RANDOM in op.tags else self._real(named)
        made = self._apart(op, named)
        if made is not NotImplemented:
            return made
        rule, follows = find_rule(op), _sizes_follow_values(op, named)
        if real is None and follows:
            raise self._undecided(call(op, named), _tensors(named))
        if rule is None:
            return self._given(op, named, real) if follows else self._decompose(op, named)
        like = alike(op, named)
        result = self._on_meta(op, named, real, like)
        outputs = _tensors(result)
        inputs = [t for t in tensor_places(op, named) if t is not None]
        values = [self._value(tensor) for tensor in inputs]
        constant = self.recording.constant.issuperset(values)
        known = [None] * len(outputs) if real is None else _tensors(self._compute(op, real))
        for output, entries in zip(outputs, known, strict=True):
            self.recording.add(output, entries, constant=constant)
        self._note_views(op, given, result)
        self._record(op, named, values, outputs, self._described(rule, op, named, outputs, like))
        return result

    def _positions(self, op: OpOverload, named: dict[str, Any]) -> dict[str, Any]:
        """Replace known masks among indices by the positions they pick: shapes need them."""
        indices = named.get("indices")
        if not isinstance(indices, (list, tuple)):
            return named
        spread: list[Any] = []
        for index in indices:
            masks = index is not None and index.dtype in (torch.bool, torch.uint8)
            spread += self._picked(index) if masks else [index]
        return {**named, "indices": spread}

    def _picked(self, mask: torch.Tensor) -> list[torch.Tensor]:
        """Find the positions that a known mask picks, one tensor per dim of the mask."""
        known = self._known(mask, call(aten.nonzero_numpy.default, {"self": mask}))
        return self._leaves(known.nonzero(as_tuple=True), [mask])

    def _given(self, op: OpOverload, named: Mapping[str, Any], real: Any) -> Any:
        """Take the results of an op whose sizes only values tell as given, as they are here."""
        results = self._compute(op, real)
        places = self._leaves(_tensors(results), _tensors(named))
        return places[0] if isinstance(results, torch.Tensor) else tuple(places)

    def _leaves(
        self, entries: Iterable[torch.Tensor], sources: Iterable[torch.Tensor]
    ) -> list[torch.Tensor]:
        """Make tensors of known entries, which no op gives."""
        constant = self.recording.constant.issuperset(map(self._value, sources))
        found: list[torch.Tensor] = []
        for real in entries:
            found.append(real.to("meta"))
            self.recording.add(found[-1], real, constant=constant)
        return found

    def _on_meta(
        self, op: OpOverload, named: Mapping[str, Any], real: Any, like: Hashable | None
    ) -> Any:
        if _sizes_follow_values(op, named):
            return replaced(self._compute(op, real), lambda t: t.to("meta"))
        try:
            return self.results.of(op, like, lambda: op(**on_device(op, named, "meta")))
        except (NotImplementedError, RuntimeError) as error:
            raise meta_failed(op, named, self._place(), error) from error

    def _real(self, named: Mapping[str, Any]) -> dict[str, Any] | None:
        """Real arguments of a call whose operands are all known; None where one is not."""
        known = self.recording.real
        if any(self._value(tensor) not in known for tensor in tensors_in(named)):
            return None
        return {
            name: replaced(value, lambda tensor: known[self._value(tensor)])
            for name, value in named.items()
        }

    def _compute(self, op: OpOverload, real: Mapping[str, Any]) -> Any:
        """Compute the entries of a constant; memory that is not initialised counts as zeros."""
        result = op(**on_device(op, real, "cpu"))
        return torch.zeros_like(result) if "empty" in str(op._overloadpacket) else result

    def _note_views(self, op: OpOverload, given: Mapping[str, Any], result: Any) -> None:
        if not any(r.alias_info is not None for r in op._schema.returns):
            return
        source = given[op._schema.arguments[0].name]
        several = not isinstance(result, torch.Tensor)
        for which, tensor in enumerate(_tensors(result)):
            step = ViewStep(op, dict(given), which if several else None)
            self.recording.aliases.add_view(tensor, source, step)

    def _described(
        self, rule: Rule, op: OpOverload, named: Mapping[str, Any], outputs: list[torch.Tensor],
        like: Hashable | None,
    ) -> Description:  # fmt: skip
        """Bind a rule at a call, once for calls that are alike.

        A rule may read the entries of constants, which make each call its own.
        """
        if like is None or self._shows_entries(named):
            return self._bound(rule, op, named, outputs)
        if like not in self.descriptions:
            self.descriptions[like] = self._bound(rule, op, named, outputs)
        return self.descriptions[like]

    def _shows_entries(self, named: Mapping[str, Any]) -> bool:
        return any(self._see(tensor).values is not None for tensor in tensors_in(dict(named)))

    def _bound(
        self, rule: Rule, op: OpOverload, named: Mapping[str, Any], outputs: list[torch.Tensor]
    ) -> Description:
        described = make_call(op, named, self._see, [tuple(o.shape) for o in outputs])
        try:
            return rule.describe(described)
        except SpecError as error:
            error.facts = (("at", str(self._place())), ("op", call(op, named)), *error.facts)
            raise

    def _record(
        self, op: OpOverload, named: Mapping[str, Any], inputs: list[int],
        outputs: list[torch.Tensor], described: Description,
    ) -> None:  # fmt: skip
        bound, algebra = described
        index = self.recording.index
        places = count()
        operands = replaced(dict(named), lambda _: Operand(next(places)))
        self.recording.made.append(Made(op, operands))
        self.recording.nodes.append(
            Node(
                str(op),
                tuple(inputs),
                tuple(index[id(t)] for t in outputs),
                bound,
                algebra,
                self._place(),
                tuple(f"{n}={v}" for n, v in named.items() if isinstance(v, (bool, float, str))),
            )
        )

    def _apart(self, op: OpOverload, named: Mapping[str, Any]) -> Any:
        """Run what we say that an op is made of; `NotImplemented` if it is to be run as it is."""
        return self._made(MADE_OF[op], op, named) if op in MADE_OF else NotImplemented

    def _decompose(self, op: OpOverload, named: Mapping[str, Any]) -> Any:
        """Run what torch says that an op is made of."""
        made = decomposition(op)
        if made is None:
            raise unknown(op, named, self._place())
        return self._made(made, op, named)

    def _made(self, made: Callable[..., Any], op: OpOverload, named: Mapping[str, Any]) -> Any:
        only_named = {a.name for a in op._schema.arguments if a.kwarg_only}
        args = [value for name, value in named.items() if name not in only_named]
        kwargs = {name: value for name, value in named.items() if name in only_named}
        with self:
            return made(*args, **kwargs)

    def _place(self) -> Place:
        module, kind = self.where()
        return Place(module, kind, line())


@cache
def _gives_tensors(op: OpOverload) -> bool:
    return any("Tensor" in str(result.type) for result in op._schema.returns)


def _sizes_follow_values(op: OpOverload, named: Mapping[str, Any]) -> bool:
    """Whether only values tell the sizes of an op's results.

    Masks in indices are known by then, and so is how many classes a code has if the call says it.
    """
    said = "indices" in named or named.get("num_classes", -1) != -1
    return torch.Tag.dynamic_output_shape in op.tags and not said


def _tensors(result: Any) -> list[Any]:
    return list(tensors_in(result))


def on_device(op: OpOverload, named: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Arguments of a call with everything it makes on one device."""
    placed = dict(named)
    if any(argument.name == "device" for argument in op._schema.arguments):
        placed["device"] = torch.device(device)
    if "pin_memory" in placed:
        placed["pin_memory"] = None
    return placed
