"""Calls that a trace has met before: taken over where they are alike, and only there."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

import suture
from suture import Subject
from suture._graph import Graph
from suture._torch._again import Results, alike

aten = torch.ops.aten


class Turned(nn.Module):
    """Turns one of two results of the same call in place."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give the turned one, and two that were made before and after."""
        first = torch.relu(x)
        second = torch.relu(x)
        second.transpose_(0, 1)
        return first, second, torch.relu(x)


class Raised(nn.Module):
    """Adds a number and its twins of other types, and the same number to another dtype."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Give sums of an integer tensor with 1, 1.0 and True, and of a float one with 1."""
        return x + 1, x + 1.0, x + True, x.float() + 1


class Picked(nn.Module):
    """Picks with two constant indices of one shape."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give the same number of columns, other ones."""
        return x[:, torch.tensor([0, 2])], x[:, torch.tensor([2, 1])]


def shapes(graph: Graph) -> list[str]:
    """Write the types of all outputs."""
    return [graph.tensor(name).type for name in graph.outputs]


def test_a_result_turned_in_place_turns_no_like_one() -> None:
    """What one call gave and the model changed is not what the next like call gives."""
    graph = suture.trace(Subject(Turned(), (torch.zeros(2, 3),)))
    assert shapes(graph) == ["f32[2,3]", "f32[3,2]", "f32[2,3]"]


def test_numbers_that_are_equal_but_of_other_types() -> None:
    """1, 1.0 and True make results of other dtypes; so does another tensor's dtype."""
    graph = suture.trace(Subject(Raised(), (torch.zeros(2, 3, dtype=torch.int32),)))
    assert shapes(graph) == ["i32[2,3]", "f32[2,3]", "i32[2,3]", "f32[2,3]"]


def test_like_calls_with_other_constant_entries() -> None:
    """A rule that reads entries is asked at each call."""
    graph = suture.trace(Subject(Picked(), (torch.zeros(5, 3),)))
    picks = [list(pick.index) for node in graph.nodes for pick in node.bound.picks]
    assert picks == [[0, 2], [2, 1]]


def test_layers_that_are_alike_share_one_spec() -> None:
    """Ten equal layers are described once."""
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(10)))
    graph = suture.trace(Subject(model, (torch.zeros(5, 4),)))
    assert len({id(node.bound) for node in graph.nodes if node.op.startswith("aten.addmm")}) == 1


def test_what_shares_storage_is_run_again() -> None:
    """A view is of the tensor that it is taken of, whatever was viewed before."""
    results, one, other = Results(), torch.zeros(2, 3, device="meta"), torch.ones(2, 3)
    view = aten.view.default
    for tensor in (one, other):
        named = {"self": tensor, "size": [3, 2]}
        result = results.of(view, alike(view, named), partial(tensor.view, 3, 2))
        assert result._is_view()
        assert result._base is tensor


def test_a_sparse_tensor_is_like_no_other() -> None:
    """Only what is known to say everything about a result is compared."""
    assert alike(aten.relu.default, {"self": torch.eye(3).to_sparse()}) is None
