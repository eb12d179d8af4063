"""Traces: what is known of constants, and what a call reaches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Normal

import suture
from coupled import only, spelled, units_of
from small import Does, ops, traced, x
from suture import Graph

# Constants


def known(graph: Graph) -> list[list[Any]]:
    """The entries of the constants, in order."""
    return [values.tolist() for values in graph.constants.values() if values is not None]


def test_positions_that_a_forward_counts() -> None:
    """The entries of `arange` are known, and a table looked up by them is coupled row by row."""

    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.at = nn.Embedding(9, 3)

        def forward(self, x: Tensor) -> Any:
            return x + self.at(torch.arange(x.shape[1]))

    graph = traced(Positions(), torch.randn(2, 5, 3))
    assert [0, 1, 2, 3, 4] in known(graph)


def test_a_mask_made_in_a_forward() -> None:
    """A causal mask is a constant whose entries are computed for real."""

    def masked(model: Does, x: Tensor) -> Any:
        scores = x @ x.transpose(-1, -2)
        mask = torch.ones(3, 3, dtype=torch.bool).tril()
        return model.layer(scores.masked_fill(~mask, float("-inf")).softmax(-1))

    graph = traced(Does(masked), torch.randn(2, 3, 5))
    assert [[False, True, True], [False, False, True], [False, False, False]] in known(graph)


def test_a_question_asked_of_a_constant() -> None:
    """Control flow that a constant decides goes the way of real data."""

    def deciding(model: Does, x: Tensor) -> Any:
        steps = torch.tensor([2, 3]).max().item()
        return model.layer(x) * steps if torch.arange(3).sum() > 2 else x

    assert ops(traced(Does(deciding), x()))[-1] == "mul"


@pytest.mark.parametrize(("mask", "last"), [([True, True], "tanh"), ([True, False], "relu")])
def test_a_question_asked_of_an_integer_input(mask: list[bool], last: str) -> None:
    """Integers and booleans given with values decide, and are inputs all the same."""

    def deciding(model: Does, x: Tensor, mask: Tensor) -> Any:
        y = model.layer(x)
        return y.tanh() if mask.all() else y.relu()

    graph = traced(Does(deciding), x(), torch.tensor(mask))
    assert ops(graph)[-1] == last
    assert [*graph.inputs] == ["args.0", "args.1"]
    assert graph.inputs["args.1"] not in graph.constants


def test_a_length_given_as_an_integer_input() -> None:
    """A size that an integer input decides is the one of its value."""
    model = Does(lambda model, x, length: model.layer(x)[: length.max()])
    graph = traced(model, x(), torch.tensor([2, 5]))
    assert graph.tensor("output").shape == (5, 4)


def test_numbers_that_chance_decides() -> None:
    """What is drawn is a constant of which no entry is known."""
    graph = traced(Does(lambda model, x: model.layer(x) + torch.rand(4)), x())
    assert {*graph.constants.values()} == {None}


def test_a_buffer_that_no_checkpoint_holds() -> None:
    """It is a constant with its entries; the buffers that a checkpoint holds are not."""
    model = Does(lambda model, x: model.layer(x) * model.scale + model.shift)
    model.register_buffer("scale", torch.tensor([1.0, 2.0, 4.0, 8.0]), persistent=False)
    model.register_buffer("shift", torch.ones(4))
    graph = traced(model, x())
    assert [*graph.buffers] == ["shift"]
    assert known(graph) == [[1.0, 2.0, 4.0, 8.0]]


def test_an_index_held_in_a_buffer() -> None:
    """Integers that choose entries are known: what they choose is coupled to it."""
    model = Does(lambda model, x: model.layer(x[:, model.order]))
    model.register_buffer("order", torch.tensor([2, 0, 1]))
    weight, given = only(spelled(units_of(model, x())), "layer.weight", "args.0")
    assert weight == "0..4 4..7"
    assert given == "7..14 5..7+4"


def test_a_sampling_policy() -> None:
    """Distributions check no values while a model is traced, and draw nothing."""

    def policy(model: Does, x: Tensor) -> Any:
        action = Categorical(logits=model.layer(x)).sample()
        value = Normal(model.layer(x), 1.0)
        return action, value.log_prob(value.mean), value.entropy()

    graph = traced(Does(policy), x())
    assert [*graph.outputs] == ["0", "1", "2"]


# What a call reaches


def both(**parts: nn.Module) -> Does:
    return Does(lambda model, x: model.layer(x), **parts)


def test_a_module_that_no_call_reaches() -> None:
    """Its parameters and buffers are listed with shape and dtype."""
    model = both(other=nn.Sequential(nn.Linear(2, 5, bias=False), nn.BatchNorm1d(5)))
    graph = traced(model, x())
    assert {name: tensor.type for name, tensor in graph.unreached.items()} == {
        "other.0.weight": "f32[5,2]",
        "other.1.weight": "f32[5]",
        "other.1.bias": "f32[5]",
        "other.1.running_mean": "f32[5]",
        "other.1.running_var": "f32[5]",
        "other.1.num_batches_tracked": "i64[]",
    }
    assert graph.unreached_parameters == {"other.0.weight", "other.1.weight", "other.1.bias"}
    assert [graph.kind(name) for name in ("other.0.weight", "other.1.running_mean")] == [
        *("parameter", "buffer"),
    ]


def test_a_call_that_reaches_more_than_a_forward() -> None:
    """`call` replaces the forward: its arguments and results are named, and all is reached."""
    model = both(critic=nn.Linear(3, 1))

    def call(model: Any, obs: Tensor) -> dict[str, Tensor]:
        return {"logits": model(obs), "value": model.critic(obs)}

    graph = traced(model, x(), call=call)
    assert [*graph.inputs] == ["obs"]
    assert [*graph.outputs] == ["logits", "value"]
    assert not graph.unreached


def test_a_call_that_is_a_method() -> None:
    """A bound method of the class serves as a call."""

    class Policy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pi = nn.Linear(3, 2)

        def act(self, obs: Tensor) -> Any:
            return self.pi(obs)

    graph = traced(Policy(), x(), call=Policy.act)
    assert [*graph.inputs] == ["obs"]
    assert [*graph.parameters] == ["pi.weight", "pi.bias"]


def test_a_target_network() -> None:
    """A mirrored module has the units of the twin that a call reaches."""
    model = both(target=nn.Linear(3, 4))
    units = suture.couple(traced(model, x(), mirror={"target": "layer"}))
    assert units.graph.mirrors == {"target.weight": "layer.weight", "target.bias": "layer.bias"}
    texts = spelled(units)
    assert texts["target.weight"] == texts["layer.weight"] == "0..4 4..7"


def test_an_input_that_nothing_reads() -> None:
    """It is an input, coupled to nothing."""
    model = Does(lambda model, x, unused: model.layer(x))
    texts = spelled(units_of(model, x(), torch.randn(2)))
    assert texts["args.1"] == "14..16"


def test_outputs_that_are_inputs() -> None:
    """An output that is an input handed on is the same value."""
    graph = traced(Does(lambda model, x: (model.layer(x), x)), x())
    assert graph.outputs["1"] == graph.inputs["args.0"]


def test_two_traces_of_one_model() -> None:
    """They have one fingerprint; another batch has another."""
    model, inputs = nn.Linear(3, 4), x()
    assert traced(model, inputs).fingerprint == traced(model, inputs).fingerprint
    assert traced(model, inputs).fingerprint != traced(model, inputs[:5]).fingerprint


def test_constants_of_numpy() -> None:
    """Arrays that a model holds as numpy are constants."""
    gains = np.array([1.0, 2.0, 4.0, 8.0], np.float32)
    model = Does(lambda model, x: model.layer(x) * torch.from_numpy(gains))
    assert known(traced(model, x()))[0] == [1.0, 2.0, 4.0, 8.0]
