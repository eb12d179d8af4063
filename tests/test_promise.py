"""Promises: an exact plan keeps the outputs to rounding, another says where it does not and why."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from measured import ROUNDING, carried, fates, notes
from nets import Net, generic, given, listed, mlp, subject
from small import planned
from suture import Categorical, Schema, Subject, transfer


def test_a_feature_that_is_gone() -> None:
    """The old function is kept where the feature is zero: a condition with its name."""
    source = subject(mlp(4), given(3), inputs={"x": listed("abc")})
    target = subject(mlp(4, 2), given(2), inputs={"x": listed("ca")})
    plan, apart = carried(source, target)
    assert notes(plan, "condition") == ["x.b: is gone: the old function as if it were 0"]
    assert notes(plan, "inexact") == []
    assert apart < ROUNDING


def test_a_category_that_is_gone() -> None:
    """The old function is kept wherever it does not occur."""

    def table(names: str) -> Subject:
        model = Net(lambda m, x: m.table(x), table=nn.Embedding(len(names), 4))
        ids = torch.zeros(2, 7, dtype=torch.int64)
        return subject(model, ids, inputs={"x": Categorical(names)})

    plan, apart = carried(table("abc"), table("ca"))
    assert notes(plan, "condition") == ["x.b: is gone: the old function where it does not occur"]
    assert apart < ROUNDING


def test_a_wider_norm() -> None:
    """New units begin as the mean of the others, which the norm does not hear."""

    def net(width: int) -> Subject:
        return subject(mlp(width, norm=nn.LayerNorm(width)), given())

    plan, apart = carried(net(4), net(6))
    assert plan.exact
    assert apart < ROUNDING


def test_a_larger_head_dim() -> None:
    """New entries of keys begin as 0, and queries make up for the scale."""

    def net(size: int) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            q, k, v = (p(x).unflatten(-1, (2, -1)).transpose(1, 2) for p in (m.q, m.k, m.v))
            return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

        parts = {"q": nn.Linear(5, 2 * size), "k": nn.Linear(5, 2 * size), "v": nn.Linear(5, 6)}
        return subject(generic(Net(forward, **parts)), torch.randn(4, 7, 5))

    plan, apart = carried(net(4), net(6))
    assert plan.exact
    assert apart < ROUNDING


def test_a_narrower_layer() -> None:
    """Lost units were read: named, and measured."""
    plan, apart = carried(subject(mlp(6), given()), subject(mlp(4), given()))
    units = "into.weight dim 0, into.bias dim 0, out.weight dim 1"
    assert notes(plan, "inexact") == [f"{units}: lost units were read by addmm in out"]
    assert apart > ROUNDING


def test_another_activation() -> None:
    """What is computed otherwise is counted op by op."""

    def net(activation: nn.Module) -> Subject:
        return subject(mlp(4, between=activation), given())

    plan, apart = carried(net(nn.Tanh()), net(nn.Sigmoid()))
    assert notes(plan, "inexact") == [
        "ops: the target computes otherwise: + aten.sigmoid x1, - aten.tanh x1",
    ]
    assert apart > ROUNDING


def test_a_layer_inserted() -> None:
    """A layer put before one that reads carries every unit on to it, though it is wider."""

    def net(*, deeper: bool) -> Subject:
        model = Net(
            lambda m, x: m.out(m.mid(m.into(x).relu()).relu() if deeper else m.into(x).relu()),
            into=nn.Linear(3, 4),
            mid=nn.Linear(4, 5),
            out=nn.Linear(5 if deeper else 4, 2),
        )
        if not deeper:
            del model.mid
        return subject(generic(model), given())

    plan, apart = carried(net(deeper=False), net(deeper=True))
    assert plan.exact
    assert apart < ROUNDING


def test_models_with_no_output_in_common() -> None:
    """Nothing can be kept or compared, and the plan says so."""
    source = subject(mlp(4), given())
    target = subject(mlp(4), given(), call=lambda model, x: {"logits": model(x)})
    assert notes(planned(source, target), "inexact") == [
        "outputs: the source gives output, the target logits: nothing can be kept or compared",
    ]


def test_another_dtype() -> None:
    """Casts are listed."""
    plan = planned(subject(mlp(4), given()), subject(mlp(4).double(), given().double()))
    tensors = ("into.weight", "into.bias", "out.weight", "out.bias")
    assert notes(plan, "cast") == [f"{name}: f32 becomes f64" for name in tensors]


@pytest.mark.parametrize("width", [1, 4])
def test_a_network_into_itself(width: int) -> None:
    """Everything is copied, and the plan is exact."""
    plan, apart = carried(subject(mlp(width), given()), subject(mlp(width), given()))
    assert {*fates(plan).values()} == {"copied"}
    assert plan.exact
    assert apart == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            lambda x: F.leaky_relu(x, 0.1),
            lambda x: F.leaky_relu(x, 0.3),
        ),
        (lambda x: x.sin().exp(), lambda x: x.exp().sin()),
        (lambda x: x * torch.tensor([1.0, 0, 0, 1]), lambda x: x * torch.tensor([0.0, 1, 1, 0])),
    ],
    ids=["slope", "order", "constant"],
)
def test_numbers_that_no_weight_shows(before: Any, after: Any) -> None:
    """A slope, an order of ops or constant that differs is told before it is measured."""

    def net(does: Any) -> Subject:
        return subject(
            generic(Net(lambda m, x: does(m.layer(x)), layer=nn.Linear(3, 4))), torch.randn(7, 3)
        )

    plan, apart = carried(net(before), net(after))
    assert len(notes(plan, "inexact")) == 1
    assert apart > 1e-3


def test_a_lone_channel_with_a_name_that_becomes_two() -> None:
    """The name says which of the two it is, also where a depthwise convolution hides the axis."""

    def net(*names: str) -> Subject:
        count = len(names)

        def forward(m: Any, x: Tensor) -> Any:
            return m.out(m.deep(x.transpose(1, 2)).transpose(1, 2))

        deep = nn.Conv1d(count, count, 3, padding=1, groups=count)
        model = generic(Net(forward, deep=deep, out=nn.Linear(count, 2)))
        schema = Schema(inputs={"x": list(names)})
        return Subject(model, (torch.randn(5, 7, count),), schema=schema)

    old, new = net("a"), net("n", "a")
    plan = transfer(old, new)
    x = torch.randn(5, 7, 2)
    assert plan.exact
    assert torch.allclose(old.model(x[..., 1:]), new.model(x), atol=1e-5)


def test_categories_that_are_read_as_one_hot() -> None:
    """The names of an integer input's values reach the columns that its one-hot code chooses."""

    def net(names: str) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            return m.out(F.one_hot(x, num_classes=len(names)).float())

        model = generic(Net(forward, out=nn.Linear(len(names), 4)))
        schema = Schema(inputs={"x": Categorical(names)})
        return Subject(model, (torch.zeros(7, dtype=torch.int64),), schema=schema)

    old, new = net("abc"), net("cxayb")
    assert transfer(old, new).exact
    before, after = old.model(torch.tensor([0, 1, 2])), new.model(torch.tensor([2, 4, 0]))
    assert torch.allclose(before, after, atol=1e-6)


class Windowed(nn.Module):
    """The largest of each window of what a convolution gives, on average."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv1d(3, 4, 2, stride=2), nn.Linear(4, 5)
        self.window = window

    def forward(self, input: Tensor) -> Tensor:
        windows = self.conv(input).unflatten(2, (-1, self.window))
        out: Tensor = self.out(windows.amax(3).mean(2))
        return out


@pytest.mark.parametrize(("before", "after"), [(2, 4), (4, 2), (1, 2), (2, 1)])
def test_a_window_that_no_tensor_has(before: int, after: int) -> None:
    """Other entries are taken together than before, along axes of the network's own: it is said."""
    x = torch.randn(2, 3, 16)
    plan = planned(Subject(Windowed(before), (x,)), Subject(Windowed(after), (x,)))
    assert [note.reason for note in plan.notes if note.kind == "inexact"] == [
        f"amax takes {after} entries together, {before} before",
        f"mean takes {8 // after} entries together, {8 // before} before",
    ]
