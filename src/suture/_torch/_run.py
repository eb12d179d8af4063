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
from suture._torch._state import StateDict
from suture._torch._trace import Called
from suture._torch._undisturbed import undisturbed
from suture._torch._wrapped import seen_through
from suture._wrappers import plain_names


def run(
    subject: Subject,
    arrays: Mapping[str, NDArray[Any]],
    weights: Mapping[str, torch.Tensor] | None = None,
) -> dict[str, NDArray[Any]]:
    """Run a model in evaluation mode from a fixed random seed, leaving no trace of the run.

    Raises:
        TraceError: the model does not run on weights that are not its own.
    """
    subject = distinct(seen_through(subject))
    examples = inputs(subject)
    new = {
        name: torch.as_tensor(array).to(examples[name].device, examples[name].dtype)
        for name, array in arrays.items()
    }
    args, kwargs = replaced(subject, {**examples, **new})
    with undisturbed(subject.model), torch.no_grad():
        torch.manual_seed(0)
        if weights is None:
            result = Called(subject)(*args, **kwargs)
        else:
            result = _on_weights(subject, weights, args, kwargs)
    return {name: as_array(tensor) for name, tensor in outputs(result).items()}


def _on_weights(
    subject: Subject, weights: Mapping[str, torch.Tensor], args: Any, kwargs: Any
) -> Any:
    state = StateDict.of(subject.model)
    named = {f"model.{state.given[name]}": w for name, w in held(subject, weights).items()}
    try:
        return torch.func.functional_call(Called(subject), named, args, kwargs)
    except (
        RuntimeError,
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        AssertionError,
    ) as error:
        kind, because = type(subject.model).__name__, str(error).strip().split("\n")[0]
        sentence = f"{kind} does not run on generic weights."
        facts = [(type(error).__name__, because)]
        raise TraceError(sentence, facts, "verify with generic=0") from error


def held(
    subject: Subject, weights: Mapping[str, torch.Tensor] | None = None
) -> dict[str, torch.Tensor]:
    """Give a model's tensors by every name, wrappers seen through; others' in place of its own."""
    state = StateDict.of(seen_through(subject).model)
    names = {first: (first, *state.tied.get(first, ())) for first in state.tensors}
    known = [name for each in names.values() for name in each]
    given = weights or {}
    new = {plain: given[name] for name, plain in plain_names(given, known).items()}
    found = {
        first: next((new[name] for name in each if name in new), state.tensors[first])
        for first, each in names.items()
    }
    return {name: found[first] for first, each in names.items() for name in each}


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
    return {name: as_array(tensor) for name, tensor in found.items()}


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


def size(model: nn.Module) -> int:
    """Count the bytes of parameters and buffers, tied ones once."""
    return sum(tensor.nbytes for tensor in StateDict.of(model).tensors.values())


def load(model: nn.Module, new: Mapping[str, torch.Tensor]) -> None:
    """Write tensors into a model in place: tied ones stay tied, optimizers keep theirs."""
    model.load_state_dict({**model.state_dict(), **new})


def as_array(tensor: torch.Tensor) -> NDArray[Any]:
    """Copy a tensor to numpy; dtypes that numpy lacks are widened."""
    plain = tensor.detach().cpu()
    array: NDArray[Any] = (plain.float() if plain.dtype is torch.bfloat16 else plain).numpy()
    return array


def seed(number: int) -> None:
    """Let what is drawn from now on, initial weights too, follow from a number."""
    torch.manual_seed(number)
