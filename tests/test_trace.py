"""Traces: what is recorded of a model, by which names, and that nothing is left behind."""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import suture
from coupled import spelled, units_of
from small import Does, ops, traced, x
from suture import Subject, TraceError

# What is left behind


def attributes(model: nn.Module) -> dict[str, dict[str, Any]]:
    return {name: dict(module.__dict__) for name, module in model.named_modules()}


def test_a_model_half_in_training() -> None:
    """Every module is in the mode that it was in, and its attributes are the same objects."""
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    model.train()
    model[1].eval()
    before = attributes(model)
    traced(model, x())
    assert [module.training for module in model] == [True, False, True]
    assert attributes(model) == before


def test_a_forward_that_leaves_a_cache_behind() -> None:
    """What a forward assigns is gone: attributes, registered buffers, new modules."""

    def caching(model: Does, x: Tensor) -> Any:
        model.cache = model.layer(x)
        model.register_buffer("seen", x.mean(0))
        model.late = nn.Tanh()
        return model.late(model.cache)

    model = Does(caching)
    traced(model, x())
    assert sorted(model.__dict__.keys() & {"cache", "seen", "late"}) == []
    assert [*model._buffers, *model._modules] == ["layer"]


def test_a_forward_that_fails() -> None:
    """The mode returns, and so does what the forward assigned, when a trace is refused."""

    def failing(model: Does, x: Tensor) -> Any:
        model.cache = x
        return model.layer(x).numpy()

    model = Does(failing).train()
    with pytest.raises(TraceError):
        traced(model, x())
    assert model.training
    assert "cache" not in model.__dict__


def test_statistics_that_a_forward_updates() -> None:
    """Buffers keep their values and stay the same tensors."""
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).train()
    tensors = dict(model.named_buffers())
    values = {name: tensor.clone() for name, tensor in tensors.items()}
    traced(model, x())
    assert all(tensors[name] is tensor for name, tensor in model.named_buffers())
    assert all(torch.equal(values[name], tensor) for name, tensor in model.named_buffers())


def test_a_forward_that_draws() -> None:
    """The random states of torch, numpy and `random` are as before."""

    def drawing(model: Does, x: Tensor) -> Any:
        noise = float(np.random.random()) + random.random()  # noqa: NPY002
        return model.layer(x) + torch.rand(4) + torch.randn_like(x).sum() + noise

    def states() -> list[Any]:
        numpy = str(np.random.get_state())  # noqa: NPY002
        return [torch.get_rng_state().tolist(), numpy, random.getstate()]

    model, inputs = Does(drawing), x()
    before = states()
    traced(model, inputs)
    assert states() == before


def test_switches_of_torch() -> None:
    """Argument validation, fast paths and gradients are switched as before."""
    from torch.distributions import Distribution

    def switches() -> list[Any]:
        fast = torch.backends.mha.get_fastpath_enabled()
        return [Distribution._validate_args, fast, torch.is_grad_enabled()]

    before = switches()
    traced(nn.Linear(3, 4), x())
    assert switches() == before


def test_hooks() -> None:
    """The model's own hooks run, and no other is left on modules."""
    model = nn.Linear(3, 4)
    ran: list[str] = []
    model.register_forward_hook(lambda *_: ran.append("hook"))
    traced(model, x())
    assert ran == ["hook"]
    model(x())
    assert ran == ["hook", "hook"]


def test_gradients() -> None:
    """No gradient is touched and no graph of torch's is built."""
    model = nn.Linear(3, 4)
    model(x()).sum().backward()
    before = model.weight.grad
    traced(model, x())
    assert model.weight.grad is before
    assert model.weight.is_leaf


# Weights


def test_weights_that_are_not_numbers() -> None:
    """No weight is read: the fingerprint is that of the same model with other weights."""
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    before = traced(model, x()).fingerprint
    for parameter in model.parameters():
        nn.init.constant_(parameter, float("nan"))
    assert traced(model, x()).fingerprint == before


def test_a_model_on_meta() -> None:
    """A model that has no memory is traced as one that has."""
    with torch.device("meta"):
        empty = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.GRU(4, 5))
    real = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.GRU(4, 5))
    inputs = torch.empty(7, 3, device="meta")

    def call(model: nn.Sequential, x: Tensor) -> Any:
        return model[2](model[1](model[0](x))[None])

    assert spelled(units_of(empty, inputs, call=call)) == spelled(units_of(real, x(), call=call))
    assert all(parameter.is_meta for parameter in empty.parameters())


def test_another_dtype() -> None:
    """Values have the dtype of the model."""
    graph = traced(nn.Linear(3, 4).double(), x().double())
    assert {graph.tensor(name).type for name in ("weight", "input", "output")} == {
        "f64[4,3]",
        "f64[7,3]",
        "f64[7,4]",
    }


# Names


def test_tied_parameters() -> None:
    """A tied tensor is one value under its first name, the others are listed."""
    model = nn.Sequential(OrderedDict(table=nn.Embedding(7, 4), head=nn.Linear(4, 7, bias=False)))
    assert isinstance(model.head, nn.Linear)
    assert isinstance(model.table, nn.Embedding)
    model.head.weight = model.table.weight
    graph = traced(model, torch.randint(7, (2, 5)))
    assert [*graph.parameters] == ["table.weight"]
    assert graph.tied == {"table.weight": ("head.weight",)}


def test_a_module_held_under_two_names() -> None:
    """All its tensors are tied."""
    layer = nn.Linear(3, 5, bias=False)
    graph = traced(nn.ModuleDict({"one": layer, "two": layer}), x(), call=lambda m, x: m["one"](x))
    assert graph.tied == {"one.weight": ("two.weight",)}
    assert not graph.unreached


class Batch(NamedTuple):
    """Two tensors by name."""

    image: Tensor
    vector: Tensor


def test_nested_arguments_and_results() -> None:
    """Tensors are named by keypath, in dicts, lists, tuples and named tuples."""

    def nested(model: Does, obs: Any, *rest: Any, scale: Any = None, **others: Any) -> Any:
        total = obs["a"]["b"] + obs["c"][1] + rest[1].vector + scale + others["more"]
        return {"logits": model.layer(total), "state": (total, [rest[0]])}

    model = Does(nested)

    def call(model: Does, obs: Any, *rest: Any, scale: Any = None, **others: Any) -> Any:
        return model(obs, *rest, scale=scale, **others)

    graph = suture.trace(
        Subject(
            model,
            ({"a": {"b": x()}, "c": [x(), x()]}, x(), Batch(x(), x())),
            {"scale": x(), "more": x()},
            call=call,
        )
    )
    assert [*graph.inputs] == [
        *("obs.a.b", "obs.c.0", "obs.c.1", "rest.0", "rest.1.image", "rest.1.vector"),
        *("scale", "more"),
    ]
    assert [*graph.outputs] == ["logits", "state.0", "state.1.0"]


def test_arguments_given_by_name() -> None:
    """The names are those of the forward, in whichever way an argument is given."""
    model = nn.Bilinear(3, 2, 4)
    by_place = suture.trace(Subject(model, (x(), torch.randn(7, 2))))
    by_name = suture.trace(Subject(model, (x(),), {"input2": torch.randn(7, 2)}))
    assert [*by_place.inputs] == [*by_name.inputs] == ["input1", "input2"]


def test_arguments_that_are_no_tensors() -> None:
    """Numbers, texts and None go to the model as they are, and are no inputs."""

    def choosing(model: Does, x: Tensor, twice: bool, how: str, mask: Tensor | None) -> Any:
        y = model.layer(x) if how == "layer" else x
        return y * 2 if twice else y

    assert "mul" in ops(traced(Does(choosing), x(), True, "layer", None))


def test_one_tensor_given_twice() -> None:
    """Both names are inputs, and both are read."""
    tensor = x()
    graph = traced(Does(lambda model, a, b: model.layer(a) + model.layer(b)), tensor, tensor)
    assert [*graph.inputs] == ["args.0", "args.1"]
    read = {value for node in graph.nodes for value in node.inputs}
    assert read.issuperset(graph.inputs.values())


def test_lists_of_parameters() -> None:
    """Parameters that a module holds in lists and dicts of its own have their keypaths."""
    parts = nn.ParameterList([nn.Parameter(torch.randn(4)) for _ in range(2)])
    gains = nn.ParameterDict({"gain": nn.Parameter(torch.randn(4))})

    def forward(model: Any, x: Tensor) -> Any:
        return (model.layer(x) + model.parts[0] - model.parts[1]) * model.gains["gain"]

    graph = traced(Does(forward, parts=parts, gains=gains), x())
    assert [*graph.parameters] == [
        *("layer.weight", "layer.bias", "parts.0", "parts.1", "gains.gain"),
    ]
    assert len(graph.constants) == 0


def test_a_module_called_twice() -> None:
    """Each call is seen, and is seen as the same parameters."""
    model = Does(lambda model, a, b: model.layer(a) + model.layer(b))
    graph = traced(model, x(), x())
    assert ops(graph).count("addmm") == 2
    assert [*graph.parameters] == ["layer.weight", "layer.bias"]


def test_where_an_op_was_called() -> None:
    """A node knows its module and the line of the user's code."""
    graph = traced(Does(lambda model, x: model.layer(x).tanh()), x())
    assert [node.place.module for node in graph.nodes][-1] == ""
    assert {node.place.module for node in graph.nodes} == {"", "layer"}
    assert all("test_trace.py:" in node.place.line for node in graph.nodes)
