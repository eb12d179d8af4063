"""Adapters: the part of Suture that knows a framework, found by the model's class.

Knows that there is torch. Imports no framework until a model of it is there.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from suture._errors import TraceError, demand
from suture._features import Features
from suture._graph import Graph
from suture._held import Parameter
from suture._masks import Masks
from suture._repairs import Repairs
from suture._subject import Subject
from suture._uninterrupted import uninterrupted

Arrays = Mapping[str, NDArray[Any]]
State = Mapping[str, Any]


class Prober(Protocol):
    """A model that can be run with one feature at a time, on weights of its own."""

    @property
    def graph(self) -> Graph:
        """What the model does to shapes."""

    def probe(
        self, seen: Features, numbers: Sequence[int], repairs: Repairs
    ) -> Mapping[int, Masks]:
        """Find which entries of values without data some features reach, by their place."""


class Adapter(Protocol):
    """What a framework must offer."""

    def trace(self, subject: Subject) -> Graph:
        """Record what a model does, on shapes alone."""

    def prober(self, subject: Subject) -> Prober:
        """Record what a model does, to be run again on gradients."""

    def run(
        self, subject: Subject, inputs: Arrays, weights: State | None = None
    ) -> dict[str, NDArray[Any]]:
        """Run a model on inputs given by keypath, for its outputs by keypath."""

    def replay(
        self, subject: Subject, inputs: Arrays, weights: State | None
    ) -> tuple[Graph, dict[int, NDArray[Any]]]:
        """Run what a trace records op by op, for every value of the graph."""

    def generic(self, subject: Subject, seed: int) -> dict[str, Any]:
        """Draw a state of order one, on arrays of its own."""

    def examples(self, subject: Subject) -> dict[str, NDArray[Any]]:
        """Give the example inputs by keypath."""

    def state(self, model: Any) -> dict[str, Any]:
        """Give the model's arrays by name."""

    def size(self, model: Any) -> int:
        """Count the bytes of the model's arrays."""

    def load(self, model: Any, state: Mapping[str, Any]) -> None:
        """Write arrays into a model in place."""

    def parameters(self, model: Any) -> tuple[Parameter, ...]:
        """List a model's parameters in its order."""

    def held(self, optimizer: Any, model: Any) -> tuple[str | None, ...]:
        """Name what an optimizer holds, in its order; None for what is not the model's."""

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        """Give an optimizer's state dict; its arrays are the optimizer's own."""

    def optimizer_load(self, optimizer: Any, state: dict[str, Any]) -> None:
        """Load a state dict into an optimizer."""

    def seed(self, number: int) -> None:
        """Let what is drawn from now on follow from a number."""

    def texts(self, model: Any) -> dict[str, str]:
        """Give the files that libraries keep beside the model's weights, by name."""

    def settings(self, model: Any) -> dict[str, Any]:
        """Give the settings that libraries keep beside the model's weights, by name."""


_MODULES = {"torch": "suture._torch.adapter"}


def adapter(model: Any) -> Adapter:
    """Find the adapter of a model by the package that its class comes from.

    Raises:
        TraceError: no adapter knows such models.
    """
    for parent in type(model).__mro__:
        module = _MODULES.get(parent.__module__.partition(".")[0])
        if module is not None:
            return cast(Adapter, import_module(module))
    raise TraceError(
        f"No adapter knows models of type {type(model).__name__}.",
        [("known", "torch.nn.Module")],
        "give Subject the model itself",
    )


def seed(number: int) -> None:
    """Let what models are initialised with follow from a number, in all frameworks there are."""
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002  (what models draw from is the old generator)
    for package, module in _MODULES.items():
        if find_spec(package) is not None:
            cast(Adapter, import_module(module)).seed(number)


@uninterrupted()
def trace(subject: Subject) -> Graph:
    """Run a model once on shapes alone and record what it does.

    Args:
        subject: the model with example arguments.

    Returns:
        Its graph. No weight is read; the model, its mode, its buffers, its device and all random
        states are as before. The model runs in evaluation mode.

    Raises:
        TraceError: the model cannot be run on shapes alone.
        UnknownOpError: an op has no rule and does not decompose.
        SchemaError: the schema does not fit what the model takes and gives.

    Example:
        >>> import torch
        >>> graph = trace(Subject(torch.nn.Linear(3, 2), (torch.zeros(5, 3),)))
        >>> list(graph.parameters), list(graph.inputs), list(graph.outputs)
        (['weight', 'bias'], ['input'], ['output'])
    """
    return adapter_of(subject).trace(subject)


def adapter_of(subject: Subject) -> Adapter:
    """Find the adapter of a subject's model, if it is a subject at all.

    Raises:
        TraceError: it is none, or no adapter knows its model.
    """
    hint = "wrap the model: Subject(model, (example,))"
    sentence = f"Only a Subject can be traced, not {type(subject).__name__}."
    demand(subject, Subject, TraceError(sentence, hint=hint))
    return adapter(subject.model)
