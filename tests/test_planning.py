"""Plans of small changes: what fills what has no source."""

from __future__ import annotations

import torch
from torch import nn

from measured import ROUNDING, carried, fates, fills, notes
from nets import Net, generic, given, listed, mlp, subject
from small import planned
from suture import Categorical, Subject


def test_a_wider_layer() -> None:
    """New rows are the target's own, new columns that preserved units read are zero."""
    plan, apart = carried(subject(mlp(4), given()), subject(mlp(6), given()))
    assert fills(plan, "into.weight") == [
        ("[0..4, 0..3]", "copy"),
        ("[4..6, 0..3]", "own"),
    ]
    assert fills(plan, "out.weight") == [
        ("[0..2, 0..4]", "copy"),
        ("[0..2, 4..6]", 0.0),
    ]
    assert plan.exact
    assert apart < ROUNDING


def test_a_new_output() -> None:
    """A row for a new output is own, also where it reads new units."""
    plan, apart = carried(subject(mlp(4), given()), subject(mlp(6, outputs=3), given()))
    assert fills(plan, "out.weight") == [
        ("[0..2, 0..4]", "copy"),
        ("[0..2, 4..6]", 0.0),
        ("[2, 0..6]", "own"),
    ]
    assert plan.exact
    assert apart < ROUNDING


def test_a_new_head() -> None:
    """A head that the source lacks is own; old outputs do not see it."""

    def heads(*names: str) -> Subject:
        model = Net(
            lambda m, x: {name: getattr(m, name)(m.into(x).tanh()) for name in names},
            into=nn.Linear(3, 4),
            **{name: nn.Linear(4, size) for size, name in enumerate(names, 1)},
        )
        return subject(generic(model), given())

    plan, apart = carried(heads("value"), heads("value", "policy"))
    assert fates(plan)["policy.weight"] == "new: own init"
    assert plan.exact
    assert apart < ROUNDING


def test_a_parameter_that_is_added() -> None:
    """Added into preserved units it is zero, into new ones own."""

    def net(width: int, *, shifted: bool) -> Subject:
        shift = {"shift": nn.Parameter(torch.randn(width))} if shifted else {}
        model = Net(
            lambda m, x: m.out((m.into(x) + m.shift if shifted else m.into(x)).relu()),
            into=nn.Linear(3, width),
            out=nn.Linear(width, 2),
            **shift,
        )
        return subject(generic(model), given())

    plan, apart = carried(net(4, shifted=False), net(6, shifted=True))
    assert fills(plan, "shift") == [("[0..4]", 0.0), ("[4..6]", "own")]
    assert plan.exact
    assert apart < ROUNDING


def test_a_parameter_that_multiplies() -> None:
    """Multiplying preserved units it is one."""

    def net(*, gained: bool) -> Subject:
        gain = {"gain": nn.Parameter(torch.randn(4))} if gained else {}
        model = Net(
            lambda m, x: m.out((m.into(x) * m.gain if gained else m.into(x)).relu()),
            into=nn.Linear(3, 4),
            out=nn.Linear(4, 2),
            **gain,
        )
        return subject(generic(model), given())

    plan, apart = carried(net(gained=False), net(gained=True))
    assert fills(plan, "gain") == [("[0..4]", 1.0)]
    assert plan.exact
    assert apart < ROUNDING


def test_a_norm_that_becomes_affine() -> None:
    """Its new gain is one and its new bias zero."""

    def net(*, affine: bool) -> Subject:
        norm = nn.LayerNorm(4, elementwise_affine=affine)
        return subject(mlp(4, norm=norm), given())

    plan, apart = carried(net(affine=False), net(affine=True))
    assert (fills(plan, "norm.weight"), fills(plan, "norm.bias")) == (
        [("[0..4]", 1.0)],
        [("[0..4]", 0.0)],
    )
    assert plan.exact
    assert apart < ROUNDING


def test_new_rows_of_a_table() -> None:
    """Rows that old ids never choose are own; new columns of old rows as well."""

    def table(names: str, width: int) -> Subject:
        model = Net(
            lambda m, x: m.out(m.table(x)),
            table=nn.Embedding(len(names), width),
            out=nn.Linear(width, 2),
        )
        ids = torch.arange(10).reshape(2, 5) % len(names)
        return subject(generic(model), ids, inputs={"x": Categorical(names)})

    plan, apart = carried(table("abc", 4), table("xabcy", 6))
    words = {word for _, word in fills(plan, "table.weight")}
    assert words == {"copy", "own"}
    assert fills(plan, "out.weight")[1][1] == 0.0
    assert plan.exact
    assert apart < ROUNDING


def tied(rows: int, width: int, *, tie: bool = True) -> Subject:
    """A table whose rows are the weights of the head as well."""
    model = Net(
        lambda m, x: m.head(m.up(m.down(m.table(x)))),
        table=nn.Embedding(rows, width),
        down=nn.Linear(width, 3),
        up=nn.Linear(3, width),
        head=nn.Linear(width, rows, bias=False),
    )
    if tie:
        model.get_submodule("head").weight = model.get_parameter("table.weight")
    return subject(generic(model), torch.arange(10).reshape(2, 5) % 4)


def test_a_tied_table() -> None:
    """Where one use reads new columns of preserved rows they are zero, whatever the other does."""
    plan, apart = carried(tied(5, 4), tied(8, 6))
    assert fills(plan, "table.weight") == [
        ("[0..5, 0..4]", "copy"),
        ("[0..5, 4..6]", 0.0),
        ("[5..8, 0..6]", "own"),
    ]
    assert plan.exact
    assert apart < ROUNDING


def test_a_table_that_is_untied() -> None:
    """Both targets are copied from the one source."""
    plan, apart = carried(tied(5, 4), tied(8, 6, tie=False))
    sources = {tensor.target.name: tensor.source for tensor in plan.tensors}
    assert sources["table.weight"] == sources["head.weight"] is not None
    assert plan.exact
    assert apart < ROUNDING


# Buffers


def test_statistics_of_a_norm() -> None:
    """Running statistics follow the units that they belong to."""

    def net(width: int) -> Subject:
        return subject(mlp(width, norm=nn.BatchNorm1d(width)), given())

    plan, apart = carried(net(4), net(6))
    for name in ("norm.running_mean", "norm.running_var", "norm.weight"):
        assert fills(plan, name) == [("[0..4]", "copy"), ("[4..6]", "own")]
    assert plan.exact
    assert apart < ROUNDING


def test_integers_in_a_buffer() -> None:
    """An index that a model computes with is the target's structure."""

    def net(order: list[int]) -> Subject:
        model = Net(lambda m, x: m.layer(x[:, m.order]), layer=nn.Linear(3, 4))
        model.register_buffer("order", torch.tensor(order))
        return subject(generic(model), given(), inputs={"x": listed("abc")})

    plan = planned(net([2, 0, 1]), net([1, 2, 0]))
    assert fills(plan, "order") == [("[0..3]", "own")]
    assert notes(plan, "unreached") == [
        "order: integers that the model computes with: the target's structure",
    ]


# Parameters that no call reaches


def test_a_module_that_no_call_reaches() -> None:
    """It is copied at identical shape, else left alone; both are said."""

    def net(width: int, other: int) -> Subject:
        parts = {"same": nn.Linear(2, 5), "other": nn.Linear(2, other)}
        model = mlp(width)
        for name, part in parts.items():
            model.add_module(name, part)
        return subject(model, given())

    plan = planned(net(4, 5), net(6, 7))
    found = fates(plan)
    assert (found["same.weight"], found["other.weight"]) == ("copied", "reinitialised: own init")
    assert notes(plan, "unreached")[0] == "same.weight: no call of the target reaches it"


def test_a_mirrored_module() -> None:
    """A target network is widened as its twin is."""

    def net(width: int) -> Subject:
        model = mlp(width)
        model.add_module("twin", nn.Linear(3, width))
        return subject(generic(model), given(), mirror={"twin": "into"})

    plan = planned(net(4), net(6))
    assert fills(plan, "twin.weight") == fills(plan, "into.weight")
