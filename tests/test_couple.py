"""Units of small networks, spelled out by hand in the notation of specs.

Units are numbered as they occur: parameters first, in the model's order, then inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coupled import only, spelled, units_of
from suture import Schema


class Net(nn.Module):
    """Modules and parameters by name, and a forward."""

    def __init__(self, forward: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.does = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *args: Tensor) -> Any:
        return self.does(self, *args)


def test_layers_in_series() -> None:
    """A hidden unit is a row of one weight, an entry of its bias, a column of the next weight."""
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    assert spelled(units_of(model, torch.randn(7, 3))) == {
        "0.weight": "0..5 5..8",
        "0.bias": "0..5",
        "2.weight": "8..10 0..5",
        "2.bias": "8..10",
        "input": "10..17 5..8",
        "output": "10..17 8..10",
    }


def recurrent(kind: Callable[..., nn.RNNBase], **settings: Any) -> dict[str, str]:
    """Spell out a recurrent layer of 4 units on 3 features that an output layer of 2 reads."""
    width = 8 if settings.get("bidirectional") else 4
    model = Net(
        lambda m, x: m.out(m.rnn(x)[0]), rnn=kind(3, 4, **settings), out=nn.Linear(width, 2)
    )
    return spelled(units_of(model, torch.randn(6, 5, 3)))


@pytest.mark.parametrize(("kind", "gates"), [(nn.RNN, 1), (nn.GRU, 3), (nn.LSTM, 4)])
def test_gates(kind: Callable[..., nn.RNNBase], gates: int) -> None:
    """A unit of a recurrent layer occurs once per gate, and once where it is read."""
    texts = recurrent(kind)
    rows = "+".join(["0..4"] * gates)
    assert only(texts, "rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0") == [
        *(f"{rows} 4..7", f"{rows} 0..4", rows),
    ]
    assert only(texts, "rnn.bias_hh_l0", "out.weight") == [rows, "7..9 0..4"]


def test_both_directions() -> None:
    """Both directions share the one axis of hidden units; the reader has it twice."""
    texts = recurrent(nn.GRU, bidirectional=True)
    assert texts["rnn.weight_hh_l0"] == texts["rnn.weight_hh_l0_reverse"] == "0..4+0..4+0..4 0..4"
    assert texts["out.weight"] == "7..9 0..4+0..4"


def test_projected_states() -> None:
    """A projection separates the cells of an LSTM from its states."""
    model = Net(lambda m, x: m.rnn(x)[0], rnn=nn.LSTM(3, 4, proj_size=2))
    texts = spelled(units_of(model, torch.randn(6, 5, 3)))
    assert only(texts, "rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.weight_hr_l0") == [
        "0..4+0..4+0..4+0..4 4..7",
        "0..4+0..4+0..4+0..4 7..9",
        "7..9 0..4",
    ]


def heads(x: Any, count: int) -> Any:
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def test_queries_keys_and_values_in_one_projection() -> None:
    """Queries and keys share the units of head_dim, values have their own; heads are shared."""

    def attend(m: Any, x: Tensor) -> Any:
        q, k, v = (heads(part, 2) for part in m.qkv(x).chunk(3, -1))
        return m.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    model = Net(attend, qkv=nn.Linear(7, 18), out=nn.Linear(6, 8))
    texts = spelled(units_of(model, torch.randn(4, 5, 7)))
    assert only(texts, "qkv.weight", "qkv.bias", "out.weight") == [
        "(0..2 2..5)+(0..2 2..5)+(0..2 5..8) 8..15",
        "(0..2 2..5)+(0..2 2..5)+(0..2 5..8)",
        "15..23 (0..2 5..8)",
    ]


def test_values_of_another_size() -> None:
    """Values may have another head_dim than queries."""

    def attend(m: Any, x: Tensor) -> Any:
        q, k, v = (heads(part(x), 2) for part in (m.q, m.k, m.v))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    model = Net(attend, q=nn.Linear(7, 6), k=nn.Linear(7, 6), v=nn.Linear(7, 10))
    texts = spelled(units_of(model, torch.randn(4, 3, 7)))
    assert only(texts, "q.bias", "k.bias", "v.bias") == [
        *("(0..2 2..5)", "(0..2 2..5)", "(0..2 12..17)"),
    ]


@pytest.mark.parametrize("form", ["enable_gqa", "repeat_interleave"])
def test_queries_in_groups(form: str) -> None:
    """Query heads are key heads by queries per key head, whichever way that is written."""

    def attend(m: Any, x: Tensor) -> Any:
        q, k, v = heads(m.q(x), 4), heads(m.k(x), 2), heads(m.v(x), 2)
        if form == "enable_gqa":
            y = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        else:
            k, v = k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)
            y = F.scaled_dot_product_attention(q, k, v)
        return m.out(y.transpose(1, 2).flatten(2))

    parts = {name: nn.Linear(7, size) for name, size in (("q", 12), ("k", 6), ("v", 6))}
    model = Net(attend, **parts, out=nn.Linear(12, 8))
    texts = spelled(units_of(model, torch.randn(5, 3, 7)))
    assert only(texts, "q.bias", "k.bias", "v.bias", "out.weight") == [
        *("(0..2 2..4 4..7)", "(0..2 4..7)", "(0..2 14..17)"),
        "17..25 (0..2 2..4 14..17)",
    ]


def test_a_picture_flattened() -> None:
    """A flattened picture is read by channel, row and column; the taps of a kernel are its own."""
    model = nn.Sequential(nn.Conv2d(2, 3, (3, 2)), nn.Flatten(), nn.Linear(60, 6))
    texts = spelled(units_of(model, torch.randn(9, 2, 7, 5)))
    assert only(texts, "0.weight", "0.bias", "2.weight") == [
        *("0..3 3..5 5..8 8..10", "0..3", "10..16 (0..3 16..21 21..25)"),
    ]


def test_channels_in_groups() -> None:
    """Output channels of a grouped convolution belong to their group of input channels."""
    model = nn.Sequential(nn.Conv1d(4, 6, 3, groups=2))
    texts = spelled(units_of(model, torch.randn(5, 4, 8)))
    assert only(texts, "0.weight", "input") == [
        *("(0..2 2..5) 5..7 7..10", "10..15 (0..2 5..7) 15..23"),
    ]


def test_channels_each_by_itself() -> None:
    """A depthwise convolution keeps its channels; how many it makes of each is its own axis."""
    model = nn.Sequential(nn.Conv1d(2, 4, 1), nn.Conv1d(4, 4, 3, groups=4))
    texts = spelled(units_of(model, torch.randn(5, 2, 8)))
    assert only(texts, "0.bias", "1.bias") == ["(0..4 4)", "(0..4 8)"]


def test_two_layers_concatenated() -> None:
    """The reader's columns are the units of one, then those of the other."""
    model = Net(
        lambda m, x, y: m.out(torch.cat([m.a(x), m.b(y)], -1)),
        a=nn.Linear(3, 4),
        b=nn.Linear(5, 2),
        out=nn.Linear(6, 7),
    )
    texts = spelled(units_of(model, torch.randn(8, 3), torch.randn(8, 5)))
    assert only(texts, "a.bias", "b.bias", "out.weight") == ["0..4", "7..9", "14..21 0..4+7..9"]


def test_a_layer_split() -> None:
    """Each part is read by its reader."""

    def forward(m: Any, x: Tensor) -> Any:
        first, second = m.a(x).split([2, 4], -1)
        return m.b(first), m.c(second)

    model = Net(forward, a=nn.Linear(3, 6), b=nn.Linear(2, 7), c=nn.Linear(4, 5))
    texts = spelled(units_of(model, torch.randn(8, 3)))
    assert only(texts, "a.bias", "b.weight", "c.weight") == ["0..6", "9..16 0..2", "16..21 2..6"]


def test_a_layer_flipped_and_cut() -> None:
    """A flip turns the order round, a stride picks every other unit, a slice those within it."""

    def forward(m: Any, x: Tensor) -> Any:
        h = m.a(x)
        return m.flipped(h.flip(-1)), m.strided(h[:, ::2]), m.cut(h[:, 1:4])

    readers = {"flipped": nn.Linear(5, 6), "strided": nn.Linear(3, 7), "cut": nn.Linear(3, 4)}
    model = Net(forward, a=nn.Linear(2, 5), **readers)
    texts = spelled(units_of(model, torch.randn(8, 2)))
    assert texts["a.bias"] == "0..5"
    assert [texts[f"{name}.weight"].split()[1] for name in readers] == [
        *("4+3+2+1+0", "0+2+4", "1..4"),
    ]


def test_a_table_and_a_tied_head() -> None:
    """A token is a row of the table, a value of the input and an entry of the output."""
    model = Net(
        lambda m, ids: m.head(m.back(m.mid(m.table(ids)))),
        table=nn.Embedding(7, 4),
        mid=nn.Linear(4, 6, bias=False),
        back=nn.Linear(6, 4, bias=False),
        head=nn.Linear(4, 7, bias=False),
    )
    model.get_submodule("head").weight = model.get_parameter("table.weight")
    texts = spelled(units_of(model, torch.randint(7, (3, 5))))
    assert only(texts, "table.weight", "back.weight") == ["0..7 7..11", "7..11 11..17"]
    assert only(texts, ":args.0", "output") == [
        *("0..7", "17..20 20..25 0..7"),
    ]


def test_a_residual_stream() -> None:
    """What is added to the stream writes its units."""
    model = Net(
        lambda m, x: m.out(m.into(x) + m.up(m.down(m.into(x)).relu())),
        into=nn.Linear(3, 4),
        down=nn.Linear(4, 6),
        up=nn.Linear(6, 4),
        out=nn.Linear(4, 2),
    )
    texts = spelled(units_of(model, torch.randn(8, 3)))
    assert only(texts, "into.bias", "down.weight", "up.weight", "out.weight") == [
        *("0..4", "7..13 0..4", "0..4 7..13", "13..15 0..4"),
    ]


def test_an_encoder_used_twice() -> None:
    """Both inputs share their features, and the reader has each unit twice."""
    model = Net(
        lambda m, x, y: m.out(torch.cat([m.enc(x), m.enc(y)], -1)),
        enc=nn.Linear(3, 4),
        out=nn.Linear(8, 2),
    )
    texts = spelled(units_of(model, torch.randn(5, 3), torch.randn(5, 3)))
    assert only(texts, "enc.weight", "out.weight") == ["0..4 4..7", "7..9 0..4+0..4"]
    assert texts["args.0"] == texts["args.1"]


def test_a_diagonal() -> None:
    """On a diagonal, row i is column i."""
    model = Net(
        lambda m, x: m.layer(x) * m.w.diagonal(),
        w=nn.Parameter(torch.randn(4, 6)),
        layer=nn.Linear(3, 4),
    )
    texts = spelled(units_of(model, torch.randn(8, 3)))
    assert only(texts, "w", "layer.bias") == ["0..4 0..6", "0..4"]


def test_a_gated_layer() -> None:
    """A unit of a gated layer is its value and its gate."""
    model = nn.Sequential(nn.Linear(3, 10), nn.GLU(), nn.Linear(5, 2))
    texts = spelled(units_of(model, torch.randn(8, 3)))
    assert only(texts, "0.bias", "2.weight") == ["0..5+0..5", "8..10 0..5"]


@pytest.mark.parametrize("norm", [nn.LayerNorm(5), nn.BatchNorm1d(5), nn.RMSNorm(5)])
def test_a_norm(norm: nn.Module) -> None:
    """Gain, bias and statistics of a norm belong to the units that it norms."""
    units = units_of(nn.Sequential(nn.Linear(3, 5), norm), torch.randn(8, 3))
    texts = spelled(units)
    own = {text for name, text in texts.items() if name.startswith("1.") and text}
    assert own == {texts["0.bias"]} == {"0..5"}


def test_a_single_unit() -> None:
    """An axis of size one is an axis: it is coupled as a larger one is."""
    model = nn.Sequential(nn.Linear(3, 1), nn.Tanh(), nn.Linear(1, 2))
    texts = spelled(units_of(model, torch.randn(7, 3)))
    assert only(texts, "0.weight", "0.bias", "2.weight") == ["0 1..4", "0", "4..6 0"]


def test_state_that_a_schema_ties() -> None:
    """An output that the schema calls a state has the units of the input that carries it on."""
    model = Net(lambda m, x, h: m.cell(x, h), cell=nn.GRUCell(3, 4))
    schema = Schema(state={"output": "args.1"})
    texts = spelled(units_of(model, torch.randn(5, 3), torch.randn(5, 4), schema=schema))
    assert texts["output"] == texts["args.1"]
