"""In-place writes and views: a trace sees them as the same network written without them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from coupled import spelled, units_of

Forward = Callable[["Layers", Tensor], Any]

OUTER = torch.tensor([True, False, False, True])


class Layers(nn.Module):
    """Two layers of four units, one of a single unit, and one that reads four."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(3, 4)
        self.one, self.out = nn.Linear(3, 1), nn.Linear(4, 5)
        self.written = forward

    def forward(self, x: Tensor) -> Any:
        return self.written(self, x)


def assigned_column(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    h[:, 1] = m.one(x)[:, 0]
    return m.out(h)


def assigned_through_t(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    h.t()[1:2] = m.one(x).t()
    return m.out(h)


def assigned_after_transpose_in_place(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    h.transpose_(0, 1)
    h[1:2] = m.one(x).t()
    return m.out(h.t())


def copied_into_an_unbound_piece(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    h.unbind(1)[1].copy_(m.one(x)[:, 0])
    return m.out(h)


def assigned_slice(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    h[:, 1:2] = m.one(x)
    return m.out(h)


def column_stood_in(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    return m.out(torch.cat([h[:, :1], m.one(x)[:, 0].unsqueeze(1), h[:, 2:]], 1))


def column_replaced(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    return m.out(torch.cat([h[:, :1], m.one(x), h[:, 2:]], 1))


def added_in_place(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    h += m.b(x)
    return m.out(h)


def added_with_out(m: Layers, x: Tensor) -> Any:
    h = torch.empty(x.shape[0], 4)
    torch.add(m.a(x), m.b(x), out=h)
    return m.out(h)


def added_through_a_flat_view(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    h.view(-1).add_(m.b(x).view(-1))
    return m.out(h)


def added(m: Layers, x: Tensor) -> Any:
    return m.out(m.a(x) + m.b(x))


def slice_of_slice_added_to(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    h[:, 1:][:, 1:].add_(m.b(x)[:, 2:])
    return m.out(h)


def end_added_to(m: Layers, x: Tensor) -> Any:
    h, g = m.a(x), m.b(x)
    return m.out(torch.cat([h[:, :2], h[:, 2:] + g[:, 2:]], 1))


def chunk_multiplied_in_place(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    first, second = h.chunk(2, 1)
    first.mul_(second)
    return m.out(h)


def chunk_multiplied(m: Layers, x: Tensor) -> Any:
    first, second = m.a(x).chunk(2, 1)
    return m.out(torch.cat([first * second, second], 1))


def masked_fill_in_place(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    h.masked_fill_(OUTER, 0.0)
    return m.out(h)


def assigned_a_number_under_a_mask(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    h[:, OUTER] = 0.0
    return m.out(h)


def masked(m: Layers, x: Tensor) -> Any:
    return m.out(m.a(x) * (~OUTER).float())


def empty_filled_by_parts(m: Layers, x: Tensor) -> Any:
    h = torch.empty(x.shape[0], 4)
    h[:, :2] = m.a(x)[:, :2]
    h[:, 2:] = m.b(x)[:, 2:]
    return m.out(h)


def joined(m: Layers, x: Tensor) -> Any:
    return m.out(torch.cat([m.a(x)[:, :2], m.b(x)[:, 2:]], 1))


def zeros_filled_column_by_column(m: Layers, x: Tensor) -> Any:
    h = torch.zeros(x.shape[0], 4)
    for column in range(4):
        h[:, column] = m.a(x)[:, column]
    return m.out(h)


def columns_stacked(m: Layers, x: Tensor) -> Any:
    return m.out(torch.stack([m.a(x)[:, column] for column in range(4)], 1))


def rectified_in_place(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    h.relu_()
    return m.out(h)


def view_taken_before_a_write(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    late = h[:, :]
    h.relu_()
    return m.out(late)


def plain(m: Layers, x: Tensor) -> Any:
    return m.out(m.a(x))


def rows_added_through_a_view(m: Layers, x: Tensor) -> Any:
    h = m.a(x)
    h.view(-1, 2, 2)[:, 0] += h.view(-1, 2, 2)[:, 1]
    return m.out(h)


def rows_added(m: Layers, x: Tensor) -> Any:
    h = m.a(x).view(-1, 2, 2)
    return m.out(torch.cat([(h[:, 0] + h[:, 1]).unsqueeze(1), h[:, 1:]], 1).view(-1, 4))


SAME = [
    (assigned_column, column_stood_in),
    (assigned_through_t, column_replaced),
    (assigned_after_transpose_in_place, column_replaced),
    (copied_into_an_unbound_piece, column_stood_in),
    (assigned_slice, column_replaced),
    (added_in_place, added),
    (added_with_out, added),
    (added_through_a_flat_view, added),
    (slice_of_slice_added_to, end_added_to),
    (chunk_multiplied_in_place, chunk_multiplied),
    (masked_fill_in_place, masked),
    (assigned_a_number_under_a_mask, masked),
    (empty_filled_by_parts, joined),
    (zeros_filled_column_by_column, columns_stacked),
    (rectified_in_place, plain),
    (view_taken_before_a_write, plain),
    (rows_added_through_a_view, rows_added),
]


@pytest.mark.parametrize(("written", "functional"), SAME)
def test_a_write_in_place(written: Forward, functional: Forward) -> None:
    """Parameters, inputs and outputs are coupled as in the same network without the write."""
    x = torch.randn(7, 3)
    assert spelled(units_of(Layers(written), x)) == spelled(units_of(Layers(functional), x))


def test_every_other_column_added_to() -> None:
    """A write through a stride reaches the columns it skips nothing of, and no others."""

    def strided(m: Layers, x: Tensor) -> Any:
        h = m.a(x)
        h[:, ::2] += m.b(x)[:, ::2]
        return m.out(h)

    units = units_of(Layers(strided), torch.randn(7, 3))
    (a,), (b,), (read,) = (
        units.tensors[name][-1][0] for name in ("a.bias", "b.bias", "out.weight")
    )
    assert [*read] == [*a]
    assert [*(a == b)] == [True, False, True, False]


def test_an_input_written_over() -> None:
    """Only the copy that the trace works on is written; the example argument keeps its values."""

    def zeroed(m: Layers, x: Tensor) -> Any:
        x[:, 0] = 0
        return m.out(m.a(x))

    x = torch.ones(7, 3)
    units_of(Layers(zeroed), x)
    assert torch.equal(x, torch.ones(7, 3))


def test_a_buffer_counted_up() -> None:
    """A buffer that a forward writes keeps its value."""
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    units_of(model, torch.randn(7, 3))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
