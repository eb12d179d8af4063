"""Running torch models for real: inputs come, and outputs go, as numpy arrays by keypath."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from suture._errors import TraceError
from suture._subject import Subject
from suture._torch._arguments import distinct, inputs, outputs, replaced
from suture._torch._undisturbed import undisturbed
from suture._torch._wrapped import seen_through


def run(subject: Subject, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Run a model in evaluation mode from a fixed random seed, leaving no trace of the run."""
    subject = distinct(seen_through(subject))
    examples = inputs(subject)
    new = {
        name: torch.as_tensor(array).to(examples[name].device, examples[name].dtype)
        for name, array in arrays.items()
    }
    args, kwargs = replaced(subject, {**examples, **new})
    call = subject.call or (lambda model, *a, **k: model(*a, **k))
    with undisturbed(subject.model), torch.no_grad():
        torch.manual_seed(0)
        result = call(subject.model, *args, **kwargs)
    return {name: _numpy(tensor) for name, tensor in outputs(result).items()}


def examples(subject: Subject) -> dict[str, NDArray[Any]]:
    """Give the example inputs by keypath.

    Raises:
        TraceError: they are shapes without values.
    """
    found = inputs(seen_through(subject))
    empty = [(name, "is on the meta device") for name, tensor in found.items() if tensor.is_meta]
    if empty:
        hint = "give Subject example arguments on a device that has memory"
        raise TraceError("Running a model needs inputs with values.", empty, hint)
    return {name: _numpy(tensor) for name, tensor in found.items()}


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Give the tensors of the model's state dict; they are the model's own.

    Raises:
        TraceError: they are shapes without values.
    """
    found = {k: v for k, v in model.state_dict().items() if isinstance(v, torch.Tensor)}
    empty = [(name, "is on the meta device") for name, tensor in found.items() if tensor.is_meta]
    if empty:
        kind = type(model).__name__
        raise TraceError(f"{kind} has shapes and no weights.", empty, "load its weights first")
    return found


def load(model: nn.Module, new: Mapping[str, torch.Tensor]) -> None:
    """Write tensors into a model in place: tied ones stay tied, optimizers keep theirs."""
    model.load_state_dict({**model.state_dict(), **new})


def _numpy(tensor: torch.Tensor) -> NDArray[Any]:
    """Copy a tensor to numpy; dtypes that numpy lacks are widened."""
    plain = tensor.detach().cpu()
    array: NDArray[Any] = (plain.float() if plain.dtype is torch.bfloat16 else plain).numpy()
    return array
