"""What ops are made of computes what the ops compute, and keeps track of entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from coupled import only, spelled, units_of
from small import Does, ops, traced
from suture._torch._made_of import MADE_OF

aten = torch.ops.aten
AT = torch.Generator().manual_seed(7)


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=AT)


def ends(*places: int) -> Tensor:
    return torch.tensor(places, dtype=torch.int32)


@pytest.mark.parametrize(
    ("left", "right", "offs"),
    [
        ((7, 4), (3, 4, 8), ends(2, 2, 7)),  # rows in groups, one of them empty
        ((3, 7, 4), (4, 8), ends(4, 4, 8)),  # columns in groups
        ((12, 8), (8, 16), ends(4, 8)),  # what is summed in groups
        ((3, 5, 4), (3, 4, 8), None),
    ],
)
def test_a_grouped_product(left: Any, right: Any, offs: Tensor | None) -> None:
    """Every group is multiplied with its own matrix, at the widths that the kernel runs on."""
    x, y = drawn(*left), drawn(*right)
    wanted = aten._grouped_mm.default(x, y, offs)
    got = MADE_OF[aten._grouped_mm.default](x, y, offs)
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize(
    ("tensor", "size", "stride"),
    [
        (drawn(2, 3, 5), (2, 3, 5), (15, 5, 1)),
        (drawn(2, 3, 5), (6, 5), (5, 1)),
        (drawn(2, 3, 5), (5, 2, 3), (1, 15, 5)),
        (drawn(2, 3, 5).permute(2, 0, 1), (3, 2, 5), (5, 15, 1)),
        (drawn(2, 7, 1, 1), (2, 7, 1, 1), (7, 1, 7, 7)),
        (drawn(12), (3, 1, 4), (4, 9, 1)),
        (drawn(10), (4, 4), (2, 1)),
        (drawn(2, 4, 3, 5).transpose(1, 2), (2, 3, 2, 3, 5), (60, 15, 15, 5, 1)),
        (drawn(6, 2, 4, 8), (6, 3, 4, 8), (64, 16, 8, 1)),
    ],
)
def test_memory_in_another_order(
    tensor: Tensor, size: Sequence[int], stride: Sequence[int]
) -> None:
    """Dense memory is read as views of the tensor."""
    wanted = tensor.as_strided(size, stride)
    assert torch.equal(MADE_OF[aten.as_strided.default](tensor, size, stride), wanted)


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((3, 4), (2, 1), 0), ((2, 3), (3, 1), 0), ((2, 4), (4, 1), 2), ((3, 4), (0, 1), 0)],
)
def test_memory_with_gaps_and_windows(size: Any, stride: Any, offset: int) -> None:
    """What leaves entries out, repeats them or begins elsewhere is not guessed."""
    made = MADE_OF[aten.as_strided.default](drawn(12), size, stride, offset)
    assert made is NotImplemented


@pytest.mark.parametrize("wide", [False, True])
def test_rows_written_where_a_mask_says(wide: bool) -> None:
    """Images among words: a row is written whole, and stays the units that it was."""

    def writing(model: Does, x: Tensor, ids: Tensor, image: Tensor) -> Any:
        y = model.layer(x)
        mask = (ids == 9)[..., None]
        return y.masked_scatter(mask.expand_as(y) if wide else mask, image @ model.layer.weight.T)

    ids = torch.tensor([[9, 9, 1, 2, 3], [5, 9, 9, 9, 4]])
    model, args = Does(writing), (drawn(2, 5, 3), ids, drawn(5, 3))
    with torch.no_grad():
        wanted, y = model(*args), model.layer(args[0])
        mask = (ids == 9)[..., None].expand_as(y)
        made = MADE_OF[aten.masked_scatter.default]
        assert torch.equal(made(y, mask, args[2] @ model.layer.weight.T), wanted)
    texts = spelled(units_of(model, *args))
    assert texts["output"].split()[-1] == texts["layer.weight"].split()[0]


def test_a_count_of_integers() -> None:
    """Integers are counted, and the bins are what they choose from."""
    numbers = torch.tensor([3, 0, 3, 1])
    wanted = torch.histc(numbers.float(), 5, 0, 4)
    assert torch.equal(MADE_OF[aten.histc.default](numbers, 5, 0, 4), wanted.long())


def test_a_count_of_real_numbers() -> None:
    """Bins of real numbers stand for nothing that could be named."""
    assert MADE_OF[aten.histc.default](drawn(4), 5, 0, 4) is NotImplemented


@pytest.mark.parametrize("stable", [None, True])
@pytest.mark.parametrize("descending", [True, False])
def test_integers_in_order(stable: bool | None, descending: bool) -> None:
    """Values and places are those of the op."""
    numbers = torch.tensor([[3, 0, 2], [5, 9, 4]])
    wanted = torch.sort(numbers, stable=bool(stable), dim=1, descending=descending)
    got = MADE_OF[aten.sort.stable](numbers, stable=stable, dim=1, descending=descending)
    assert all(torch.equal(one, other) for one, other in zip(got, wanted, strict=True))


def test_a_view_without_common_factors() -> None:
    """It goes through merged dims; the other dims keep their axes."""

    def shifted(model: Does, x: Tensor) -> Any:
        y = model.layer(x)  # [2, 5, 11, 4]
        return y.transpose(1, 3).contiguous().view(2, 4, 5, 11).transpose(1, 3)

    graph = traced(Does(shifted), drawn(2, 5, 11, 3))
    assert [
        (graph.values[node.inputs[0]].shape, graph.values[node.outputs[0]].shape)
        for node in graph.nodes
        if "view" in node.op
    ][-2:] == [((2, 4, 11, 5), (2, 4, 55)), ((2, 4, 55), (2, 4, 5, 11))]
    texts = spelled(units_of(Does(shifted), drawn(2, 5, 11, 3)))
    weight, output = only(texts, "layer.weight", "output")
    assert weight.split()[0] == output.split()[-1]


class Experts(nn.Module):
    """Tokens go to the expert that a router prefers, in the way of today's libraries."""

    def __init__(self, width: int, experts: int, hidden: int) -> None:
        super().__init__()
        self.router = nn.Linear(width, experts, bias=False)
        self.up = nn.Parameter(torch.randn(experts, width, hidden))
        self.down = nn.Parameter(torch.randn(experts, hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.router(x).softmax(-1).max(-1)
        ranked, order = chosen.sort()
        counts = torch.histc(ranked.int(), len(self.up), 0, len(self.up) - 1)
        offs = counts.cumsum(0, dtype=torch.int32)
        hidden = nn.functional.grouped_mm(x[order], self.up, offs=offs).relu()
        y: Tensor = nn.functional.grouped_mm(hidden, self.down, offs=offs)
        result: Tensor = y[order.argsort()] * weights[:, None]
        return result


def test_experts_behind_a_router() -> None:
    """An expert is one unit of the router and of both matrices, at widths that no kernel takes."""
    texts = spelled(units_of(Experts(3, 5, 7), drawn(11, 3)))
    assert only(texts, "router.weight", "up", "down") == [
        "0..5 5..8",
        "0..5 5..8 8..15",
        "0..5 8..15 15..18",
    ]


# Values that Python hands over


@pytest.mark.parametrize(
    "choose",
    [
        lambda y: y[:, [3, 0, 0]],
        lambda y: y[:, torch.tensor([3, 0, 0], device=y.device)],
        lambda y: y[:, torch.as_tensor([3, 0, 0], device=y.device)],
        lambda y: y.index_select(1, y.new_tensor([3, 0, 0], dtype=torch.int64)),
        lambda y: y.index_select(1, torch.arange(4, device=y.device)[[3, 0, 0]]),
    ],
    ids=["list", "tensor", "as_tensor", "new_tensor", "arange"],
)
def test_numbers_of_python_in_an_index(choose: Any) -> None:
    """They are known, on whichever device they are made, and pick entries."""
    texts = spelled(units_of(Does(lambda model, x: choose(model.layer(x))), drawn(7, 3)))
    weight, output = only(texts, "layer.weight", "output")
    units = weight.split()[0]
    start = int(units.partition("..")[0])
    assert output.split()[1] == f"{start + 3}+{start}+{start}", (units, output)


def test_numbers_of_python_that_decide() -> None:
    """`in` and `==` on integers that are given, picked by a list, are decided."""

    def choosing(model: Does, x: Tensor, ids: Tensor) -> Any:
        return model.layer(x) if 3 in ids[:, [-1, 0]] else x

    ids = torch.tensor([[5, 4, 3], [0, 1, 2]])
    assert "addmm" in ops(traced(Does(choosing), drawn(7, 3), ids))


def test_a_code_of_what_data_chooses() -> None:
    """A one-hot code of an unknown choice has as many columns as it says."""

    def coding(model: Does, x: Tensor) -> Any:
        return nn.functional.one_hot(model.layer(x).argmax(-1), 4).float() @ model.layer.weight

    texts = spelled(units_of(Does(coding), drawn(7, 3)))
    assert "one_hot" in ops(traced(Does(coding), drawn(7, 3)))
    assert texts["layer.weight"].split()[0] == texts["layer.bias"]
