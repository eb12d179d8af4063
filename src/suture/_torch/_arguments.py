"""Arguments and results: which tensors they hold, by keypath.

Knows call signatures and nested containers. Does not know what is done with the tensors.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch.utils._pytree import tree_flatten_with_path, tree_map, tree_unflatten

from suture._errors import TraceError
from suture._subject import Subject
from suture._torch._dtype import show


def distinct(subject: Subject) -> Subject:
    """Give every place among the example arguments a tensor of its own: one may stand twice."""
    seen: set[int] = set()

    def own(leaf: Any) -> Any:
        again = isinstance(leaf, torch.Tensor) and id(leaf) in seen
        seen.add(id(leaf))
        return leaf.detach() if again else leaf

    args, kwargs = tree_map(own, (tuple(subject.args), dict(subject.kwargs or {})))
    return replace(subject, args=args, kwargs=kwargs)


def inputs(subject: Subject) -> dict[str, torch.Tensor]:
    """List the tensors among the example arguments by keypath.

    Raises:
        TraceError: the arguments do not fit the call.
    """
    return {
        name + path: leaf
        for name, value in _named(subject).items()
        for path, leaf in _tensors(value)
    }


def outputs(result: Any) -> dict[str, torch.Tensor]:
    """List the tensors in a result by keypath; a bare tensor is `output`."""
    return {path.removeprefix(".") or "output": leaf for path, leaf in _tensors(result)}


def replaced(subject: Subject, new: Mapping[str, torch.Tensor]) -> tuple[Any, Any]:
    """Give the example arguments with other tensors at their keypaths, as `args, kwargs`."""
    by_id = {id(leaf): new[name] for name, leaf in inputs(subject).items()}
    pairs, structure = tree_flatten_with_path((tuple(subject.args), dict(subject.kwargs or {})))
    return tuple(tree_unflatten([by_id.get(id(leaf), leaf) for _, leaf in pairs], structure))


def _tensors(tree: Any) -> Iterator[tuple[str, torch.Tensor]]:
    for path, leaf in tree_flatten_with_path(tree)[0]:
        if isinstance(leaf, torch.Tensor):
            yield "".join(f".{_step(entry)}" for entry in path), leaf


def _step(entry: Any) -> str:
    """Text of one step into a nested container: a key, an index or an attribute."""
    for attribute in ("key", "idx", "name"):
        step = getattr(entry, attribute, None)
        if step is not None:
            return str(step)
    return str(entry)


def _named(subject: Subject) -> dict[str, Any]:
    """Bind the example arguments to the names that the model, or `call`, gives them."""
    args: object = subject.args
    if isinstance(args, torch.Tensor):
        sentence = "The example arguments are one tensor, not a tuple of them."
        raise TraceError(sentence, [("args", show(args))], "write Subject(model, (x,))")
    function = subject.model.forward if subject.call is None else subject.call
    signature = inspect.signature(function)
    first = () if subject.call is None else (subject.model,)
    try:
        bound = signature.bind(*first, *subject.args, **(subject.kwargs or {}))
    except TypeError as error:
        shown = f"{getattr(function, '__qualname__', function)}{signature}"
        facts = [("call", shown), ("python", str(error))]
        raise TraceError("The example arguments do not fit the call.", facts) from error
    named = dict(list(bound.arguments.items())[len(first) :])
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and name in named:
            named.update(named.pop(name))
    return named
