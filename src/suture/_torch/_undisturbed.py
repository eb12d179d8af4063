"""Running a model without a trace of it: attributes, mode, random states, switches return.

Knows what a forward may leave behind. Does not know what is run meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.distributions import Distribution
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Run a model in evaluation mode with plain kernels, then put everything back as it was."""
    with ExitStack() as stack:
        stack.enter_context(_attributes_kept(model))
        stack.enter_context(_buffers_kept(model))
        stack.enter_context(_random_states_kept())
        stack.enter_context(_plain_kernels())
        stack.enter_context(torch.compiler.set_stance("force_eager"))
        model.eval()
        yield


@contextmanager
def _attributes_kept(model: nn.Module) -> Iterator[None]:
    """Undo what a forward assigns to its modules: modes, caches, registered tensors."""
    kept = [(module, _copied(module.__dict__)) for module in model.modules()]
    try:
        yield
    finally:
        for module, attributes in kept:
            module.__dict__.clear()
            module.__dict__.update(attributes)


@contextmanager
def _buffers_kept(model: nn.Module) -> Iterator[None]:
    """Undo what a forward writes into buffers in place: counters, caches."""
    writable = [buffer for buffer in model.buffers() if not buffer.is_inference()]
    buffers = [(buffer, buffer._version, buffer.clone()) for buffer in writable]
    try:
        yield
    finally:
        for buffer, version, before in buffers:
            if buffer._version != version:
                buffer.copy_(before)


def _copied(attributes: dict[str, Any]) -> dict[str, Any]:
    """Copy a module's attributes, and the registries among them one level down."""
    registries = ("_parameters", "_buffers", "_modules")
    return {k: dict(v) if k in registries else v for k, v in attributes.items()}


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """Keep the states of torch on every device in use, of numpy and of `random`."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (the legacy state is kept too)
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def _plain_kernels() -> Iterator[None]:
    """Switch off fused fast paths and checks of values: shapes must go the way real data goes."""
    fast, validates = torch.backends.mha.get_fastpath_enabled(), Distribution._validate_args
    torch.backends.mha.set_fastpath_enabled(False)
    Distribution.set_default_validate_args(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        Distribution.set_default_validate_args(validates)
