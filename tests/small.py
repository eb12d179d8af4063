"""Small models written where they are needed, and their traces.

Knows one layer from 3 to 4 features. Does not know what a test does with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import suture
from suture import Graph, Plan, Subject


class Does(nn.Module):
    """A layer of 4 units on 3 features, whatever else it is given, and a forward."""

    def __init__(self, forward: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)
        self.does = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.does(self, *args, **kwargs)


def x() -> Tensor:
    """Draw a batch of 7 for the layer."""
    return torch.randn(7, 3)


def traced(model: nn.Module, *args: Any, **settings: Any) -> Graph:
    """Trace a model on example arguments."""
    return suture.trace(Subject(model, args, **settings))


def planned(source: Subject, target: Subject) -> Plan:
    """Plan from one subject to another."""
    return suture.plan(suture.trace(source), suture.trace(target))


def ops(graph: Graph) -> list[str]:
    """Name the ops of a graph in order."""
    return [node.op.removeprefix("aten.").partition(".")[0] for node in graph.nodes]
