"""Subjects: a model with what is needed to run it. Knows no framework: adapters run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from suture._schema import Schema


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A model, example arguments, and the names of their entries.

    Args:
        model: the model; it is never changed by a trace.
        args: example positional arguments of `model` (or of `call`, after the model). Batch and
            sequence of at least 2 keep sizes apart from the broadcasting 1.
        kwargs: example keyword arguments.
        schema: names of input and output entries.
        call: `call(model, *args, **kwargs)` in place of `model(*args, **kwargs)`, where one
            forward does not reach everything (a policy that samples, a critic, a target network).
        mirror: prefix of a twin that no call reaches -> prefix of the module whose plan it takes,
            e.g. `{"q_net_target": "q_net"}`.
        concrete: inputs that keep their example values while the model is traced, by keypath or by
            the argument that holds them, e.g. `("obs",)`: control flow that they decide goes the
            example's way. They stay inputs. Integers and booleans keep their values anyway;
            weights never have any.

    Example:
        >>> Subject(lambda x: x, (1,)).args
        (1,)
    """

    model: Any
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] | None = None
    schema: Schema | None = None
    call: Callable[..., Any] | None = None
    mirror: Mapping[str, str] = field(default_factory=dict)
    concrete: Sequence[str] = ()

    def keeps(self, keypath: str) -> bool:
        """Say whether an input keeps its example values.

        Example:
            >>> Subject(None, concrete=("obs",)).keeps("obs.sensors")
            True
        """
        return any(f"{keypath}.".startswith(f"{name}.") for name in self.concrete)
