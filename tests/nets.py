"""Networks of two layers and what may stand between them, old and new.

Knows how they are built and run. Does not know plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from suture import Schema, Subject
from suture._schema import Labels

BATCH = 7


class Net(nn.Module):
    """Modules and parameters by name, and a forward."""

    def __init__(self, forward: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.does = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Any:
        return self.does(self, x) if y is None else self.does(self, x, y)


def mlp(width: int, features: int = 3, outputs: int = 2, **parts: Any) -> Net:
    """Two layers; what stands between them is called in the order in which it is given."""

    def forward(m: Any, x: Tensor) -> Any:
        h = m.into(x)
        for name in parts:
            h = getattr(m, name)(h)
        return m.out(h.relu())

    return generic(
        Net(forward, into=nn.Linear(features, width), **parts, out=nn.Linear(width, outputs))
    )


def generic(model: Net) -> Net:
    """Give all parameters and statistics weights of order one, from one seed per model."""
    generator = torch.Generator().manual_seed(sum(p.numel() for p in model.parameters()))
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                spread = tensor[0].numel() ** 0.5 if tensor.ndim > 1 else 1.0
                drawn = torch.randn(tensor.shape, generator=generator) / spread
                tensor.copy_(drawn)
    for name, buffer in model.named_buffers():
        if name.endswith("running_var"):
            buffer.abs_().add_(0.5)
    return model


def subject(
    model: nn.Module,
    *args: Tensor,
    inputs: dict[str, Labels] | None = None,
    outputs: dict[str, Labels] | None = None,
    **settings: Any,
) -> Subject:
    """Say how a network is run, and what its entries are called."""
    schema = Schema(inputs=inputs or {}, outputs=outputs or {})
    return Subject(model, args, schema=schema, **settings)


def weights(*shape: int) -> nn.Parameter:
    """Begin a parameter."""
    return nn.Parameter(torch.ones(shape))


def given(features: int = 3) -> Tensor:
    """Draw a batch."""
    return torch.randn(BATCH, features)


def listed(names: Iterable[str]) -> list[str]:
    """Spell names of one letter out."""
    return [*names]
