"""Control flow that data decides: what a trace says of it, and concrete inputs that decide it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import suture
from coupled import spelled, units_of
from refusals import error, refused
from small import Does, ops, x
from suture import Schema, Subject


def given(forward: Any, *args: Any, concrete: Any = (), **settings: Any) -> Subject:
    return Subject(Does(forward, **settings), args, concrete=concrete)


# What is said


def test_a_number_that_data_has() -> None:
    """The line that reads it, and the input to keep."""

    def reading(model: Does, x: Tensor, scale: Tensor) -> Any:
        return model.layer(x) * scale.item()

    assert refused(lambda: suture.trace(given(reading, x(), torch.tensor(0.5)))) == error(
        """
        TraceError: The model's control flow or shapes depend on values that only real data has.
          at       HERE, Does.forward
          code     return model.layer(x) * scale.item()
          op       aten._local_scalar_dense.default(f32[])
          input    args.1

        hint: to go the way that the example goes, Subject(..., concrete=("args.1",))
        """
    )


def test_places_that_data_decides() -> None:
    """Every input that has a say is named."""

    def choosing(model: Does, x: Tensor, y: Tensor) -> Any:
        return model.layer(x)[(x > y).any(-1).nonzero()[:, 0]]

    assert refused(lambda: suture.trace(given(choosing, x(), x()))) == error(
        """
        TraceError: The model's control flow or shapes depend on values that only real data has.
          at       HERE, Does.forward
          code     return model.layer(x)[(x > y).any(-1).nonzero()[:, 0]]
          op       aten.nonzero.default(bool[7])
          input    args.0, args.1

        hint: to go the way that the example goes, Subject(..., concrete=("args.0", "args.1"))
        """
    )


def test_weights_that_decide() -> None:
    """No example helps: weights are not read."""

    def deciding(model: Does, x: Tensor) -> Any:
        y = model.layer(x)
        return y if y.mean() > 0 else -y

    assert refused(lambda: suture.trace(given(deciding, x(), concrete=("args.0",)))) == error(
        """
        TraceError: The model's control flow or shapes depend on values that only real data has.
          at       HERE, Does.forward
          code     return y if y.mean() > 0 else -y
          op       aten._local_scalar_dense.default(bool[])
          weights  layer.weight, layer.bias

        hint: no trace reads weights: let an argument or the config decide it, or trace a `call` that goes one way
        """  # noqa: E501
    )


def test_chance_that_decides() -> None:
    """A number that is drawn is nobody's."""

    def deciding(model: Does, x: Tensor) -> Any:
        return model.layer(x) if torch.rand(()) > 0.5 else -x

    assert refused(lambda: suture.trace(given(deciding, x()))) == error(
        """
        TraceError: The model's control flow or shapes depend on values that only real data has.
          at       HERE, Does.forward
          code     return model.layer(x) if torch.rand(()) > 0.5 else -x
          op       aten._local_scalar_dense.default(bool[])
          unknown  numbers that are drawn, or made where there is no memory

        hint: decide it by an argument, or trace a `call` that goes one way
        """
    )


def test_names_that_are_no_inputs() -> None:
    """All of them, what there is, and the nearest."""

    def forward(model: Does, obs: Any, mask: Tensor) -> Any:
        return model.layer(obs["sensors"]) * mask

    class Model(Does):
        def forward(self, obs: Any, mask: Tensor) -> Any:
            return forward(self, obs, mask)

    def subject(*concrete: str) -> Subject:
        mask = torch.ones(7, 4, device="meta")
        return Subject(Model(forward), ({"sensors": x()}, mask), concrete=concrete)

    assert refused(lambda: suture.trace(subject("ob", "mask", "wind"))) == error(
        """
        TraceError: Concrete inputs are inputs with example values.
          unknown  ob
          unknown  wind
          meta     mask has no values
          inputs   obs.sensors, mask

        hint: did you mean 'obs'?
        """
    )
    assert [*suture.trace(subject("obs")).inputs] == ["obs.sensors", "mask"]


def test_names_that_are_one_text() -> None:
    """Its letters are no names."""
    subject = given(lambda model, x: model.layer(x), x(), concrete="args.0")
    assert refused(lambda: suture.trace(subject)) == error(
        """
        TraceError: The concrete inputs are one text, not a tuple of names.
          concrete args.0

        hint: write concrete=("args.0",)
        """
    )


# What is decided


WAYS = {
    "condition": lambda m, x, y: m.layer(x) if y.sum() > 0 else x,
    "item": lambda m, x, y: m.layer(x)[: int(y[0, 0].item()) + 2],
    "list": lambda m, x, y: m.layer(x) * y.tolist()[0][0],
    "nonzero": lambda m, x, y: m.layer(x)[(y[:, 0] > 0).nonzero()[:, 0]],
    "where": lambda m, x, y: m.layer(x)[torch.where(y[:, 0] > 0)[0]],
    "mask": lambda m, x, y: m.layer(x)[y[:, 0] > 0],
    "masked_select": lambda m, x, y: torch.masked_select(m.layer(x), y[:, :1] > 0),
    "unique": lambda m, x, y: m.layer(x)[: len(y.round().unique())],
    "allclose": lambda m, x, y: m.layer(x) if not torch.allclose(y, -y) else x,
    "range": lambda m, x, y: [m.layer(x) for _ in range(int((y > 0).sum()))][-1],
}


@pytest.mark.parametrize("way", WAYS)
def test_an_example_that_decides(way: str) -> None:
    """The trace goes the way of the example, in the shapes that the real model gives."""
    torch.manual_seed(5)
    subject = given(WAYS[way], x(), x() + 0.2, concrete=("args.1",))
    graph = suture.trace(subject)
    with torch.no_grad():
        wanted = subject.model(*subject.args)
    assert graph.tensor("output").shape == tuple(wanted.shape)
    assert "addmm" in ops(graph)
    assert refused(lambda: suture.trace(given(WAYS[way], x(), x()))).startswith("TraceError")


def test_an_example_that_leaves_torch() -> None:
    """As an array it would come back a constant: only constants are given."""

    def leaving(model: Does, x: Tensor, y: Tensor) -> Any:
        return model.layer(x) * torch.from_numpy(np.asarray(y))[:, :1]

    def counting(model: Does, x: Tensor, y: Tensor) -> Any:
        return model.layer(x) * float(torch.arange(3).numpy().sum())

    subject = given(leaving, x(), x(), concrete=("args.1",))
    assert "cannot be run on shapes alone" in refused(lambda: suture.trace(subject))
    assert "addmm" in ops(suture.trace(given(counting, x(), x())))


def test_an_example_stays_an_input() -> None:
    """What it computes is no constant: its features have names and reach the weights."""

    def forward(model: Does, x: Tensor) -> Any:
        return model.layer(x) if x[0, 0] > 0 else -model.layer(x)

    schema = Schema(inputs={"args.0": ["a", "b", "c"]})
    model = Does(forward)
    graph = suture.trace(Subject(model, (x(),), schema=schema, concrete=("args.0",)))
    assert not graph.constants.keys() & {*graph.inputs.values(), *graph.outputs.values()}
    assert suture.interactions(graph).total == 12 + 12
    assert spelled(units_of(model.layer, x()))["weight"] == "0..4 4..7"


def test_an_example_that_is_verified() -> None:
    """World states keep it: drawn numbers would go another way."""

    class Gate(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(3, width), nn.Linear(width, 2)

        def forward(self, x: Tensor, gate: Tensor) -> Tensor:
            if gate.item() != 0.25:
                raise AssertionError(gate)
            y: Tensor = self.head(self.body(x).tanh())
            return y

    def subject(width: int) -> Subject:
        return Subject(Gate(width), (x(), torch.tensor(0.25)), concrete=("gate",))

    assert suture.transfer(subject(4), subject(6)).exact


def test_gradients_of_a_concrete_example() -> None:
    """The gradient map of a concrete input is that of any other."""

    def subject(concrete: tuple[str, ...]) -> Subject:
        schema = Schema(inputs={"args.0": ["a", "b", "c"]})
        return Subject(Does(lambda m, x: m.layer(x)), (x(),), schema=schema, concrete=concrete)

    maps = [suture.gradient_interactions(subject(names)) for names in ((), ("args.0",))]
    assert maps[0].total == maps[1].total == 24
