"""Wrappers: modules that train, shard or compile another one and leave its function as it is.

Knows which modules are wrappers, and so what a model's tensors are called without them. Does not
know names that only a state dict shows (`suture._wrappers`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from suture._subject import Subject
from suture._wrappers import RESERVED


def seen_through(subject: Subject) -> Subject:
    """Take the wrappers off a subject's model; a `call` of the user's gets it as it is."""
    if subject.call is not None:
        return subject
    model = subject.model
    while (child := _wraps(model)) is not None:
        model = getattr(model, child)
    return replace(subject, model=model)


def plain_names(model: nn.Module, names: Iterable[str]) -> dict[str, str]:
    """Give each name of a tensor or module as it is without the wrappers on the way to it."""
    steps = {path: _wraps(module) for path, module in model.named_modules(remove_duplicate=False)}
    dropped = {f"{path}.{child}".lstrip(".") for path, child in steps.items() if child}
    return {name: _without(name, dropped) for name in names}


def counters(model: nn.Module) -> set[str]:
    """Name the buffers that wrappers hold for themselves, as the model calls them."""
    modules = model.named_modules(remove_duplicate=False)
    means = [path for path, module in modules if isinstance(module, AveragedModel)]
    return {f"{path}.n_averaged".lstrip(".") for path in means}


def _wraps(module: nn.Module) -> str | None:
    """Name the child that a module wraps."""
    if isinstance(module, DataParallel | DistributedDataParallel | AveragedModel):
        return "module"
    return next((child for child in module._modules if child in RESERVED), None)


def _without(name: str, dropped: set[str]) -> str:
    steps = name.split(".")
    kept = [s for at, s in enumerate(steps) if ".".join(steps[: at + 1]) not in dropped]
    return ".".join(kept)
