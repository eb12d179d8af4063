"""Matching: which unit of the old network each unit of the new one is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import suture
from nets import Net, given, listed, mlp, subject
from refusals import error, refused
from suture import Categorical, Match, Subject

APART = "other units than those beside it lie there: several axes became one"


def matched(source: Subject, target: Subject) -> Match:
    one, other = (suture.couple(suture.trace(side)) for side in (source, target))
    return suture.match(one, other)


def partners(found: Match, tensor: str, dim: int) -> list[int]:
    """Per entry of a target dim, the position of its partner in the source's, -1 if fresh."""
    (ours,), (theirs,) = found.target.tensors[tensor][dim], found.source.tensors[tensor][dim]
    place = {int(unit): position for position, unit in enumerate(theirs[0])}
    return [place.get(int(unit), -1) for unit in found.partner[ours[0]]]


# Names


def test_features_in_another_order() -> None:
    """A named unit has the partner of its name, wherever it sits."""
    source = subject(mlp(4), given(3), inputs={"x": listed("abc")})
    target = subject(mlp(4, 5), given(5), inputs={"x": listed("cxayb")})
    assert partners(matched(source, target), "into.weight", 1) == [2, -1, 0, -1, 1]


def test_actions_in_another_order() -> None:
    """So has a named output."""
    source = subject(mlp(4), given(), outputs={"output": listed("lr")})
    target = subject(mlp(4, 3, 4), given(), outputs={"output": listed("jrul")})
    assert partners(matched(source, target), "out.bias", 0) == [-1, 1, -1, 0]


def test_categories_in_another_order() -> None:
    """So has a row of a table whose values are named."""

    def table(rows: str) -> Subject:
        model = Net(lambda m, x: m.table(x), table=nn.Embedding(len(rows), 4))
        ids = torch.zeros(2, 7, dtype=torch.int64)
        return subject(model, ids, inputs={"x": Categorical(rows)})

    found = matched(table("abc"), table("xcab"))
    assert partners(found, "table.weight", 0) == [-1, 2, 0, 1]


def test_inputs_without_names() -> None:
    """They pair by position, and the plan says so."""
    source, target = subject(mlp(4), given()), subject(mlp(4, 5), given(5))
    assert partners(matched(source, target), "into.weight", 1) == [0, 1, 2, -1, -1]
    plan = suture.plan(suture.trace(source), suture.trace(target))
    assert [(note.kind, note.subject, note.reason) for note in plan.notes] == [
        ("pairing", "x", "has no names: entries pair by position"),
    ]


def test_outputs_without_names() -> None:
    """Of another size they pair by position, and the plan says so."""
    source = subject(mlp(4), given(), inputs={"x": listed("abc")})
    for width, said in ((5, ["output"]), (2, [])):
        target = subject(mlp(6, 3, width), given(), inputs={"x": listed("abc")})
        plan = suture.plan(suture.trace(source), suture.trace(target))
        reasons = {note.reason for note in plan.notes if note.kind == "pairing"}
        assert [note.subject for note in plan.notes if note.kind == "pairing"] == said
        assert reasons <= {"has no names: entries pair by position"}
        assert plan.exact


def test_one_unit_by_two_names() -> None:
    """An encoder of two inputs knows a feature by both names; they must lead to one partner."""

    def shared(x: str, y: str) -> Subject:
        model = Net(lambda m, x, y: m.layer(x) + m.layer(y), layer=nn.Linear(3, 4))
        return subject(model, given(), given(), inputs={"x": listed(x), "y": listed(y)})

    assert partners(matched(shared("abc", "abc"), shared("cab", "cab")), "layer.weight", 1) == [
        *(2, 0, 1),
    ]
    assert refused(lambda: matched(shared("abc", "abc"), shared("abc", "bac"))) == error(
        """
        MatchError: The names of one unit lead to different partners.
          y.b      is one unit with x.a in the target, not in the source
          y.a      is one unit with x.b in the target, not in the source
        """
    )


# Signatures


def test_units_without_names() -> None:
    """Units that occur in the same places pair in order; what is over is fresh."""
    found = matched(subject(mlp(4), given()), subject(mlp(6), given()))
    assert partners(found, "into.bias", 0) == [0, 1, 2, 3, -1, -1]
    assert partners(found, "out.weight", 1) == [0, 1, 2, 3, -1, -1]
    assert found.notes == ()


def test_two_hidden_layers() -> None:
    """Units of one layer never pair with those of another, whatever the sizes."""

    def deep(first: int, second: int) -> Subject:
        return subject(
            Net(
                lambda m, x: m.c(m.b(m.a(x).relu()).relu()),
                a=nn.Linear(3, first),
                b=nn.Linear(first, second),
                c=nn.Linear(second, 2),
            ),
            given(),
        )

    found = matched(deep(4, 6), deep(6, 8))
    assert partners(found, "b.weight", 1) == [0, 1, 2, 3, -1, -1]
    assert partners(found, "b.weight", 0) == [0, 1, 2, 3, 4, 5, -1, -1]


def test_a_renamed_module() -> None:
    """Its tensors have no partner: nothing pairs because shapes agree."""
    source = subject(mlp(4), given())
    target = subject(
        Net(lambda m, x: m.out(m.entry(x).relu()), entry=nn.Linear(3, 4), out=nn.Linear(4, 2)),
        given(),
    )
    found = matched(source, target)
    assert found.pairs.tensors == {"out.weight": "out.weight", "out.bias": "out.bias"}


def test_wiring_that_changed() -> None:
    """Where a skip joins two axes, the larger overlap decides, and is noted."""

    def forward(m: Any, x: Tensor) -> Any:
        h = m.a(x)
        branch = m.up(m.down(h))
        return m.c(branch + h if m.skip else branch)

    def net(width: int, *, skip: bool) -> Subject:
        parts = {"a": nn.Linear(3, 5), "down": nn.Linear(5, 7)}
        parts |= {"up": nn.Linear(7, width, bias=False), "c": nn.Linear(width, 2)}
        return subject(Net(forward, skip=skip, **parts), given())

    found = matched(net(6, skip=False), net(5, skip=True))
    assert [(note.kind, note.subject, note.reason) for note in found.notes] == [
        (
            "pairing",
            "a.weight dim 0, a.bias dim 0, down.weight dim 1, up.weight dim 0 and 1 more",
            "wiring changed; paired by 3 of 5 shared places",
        ),
        ("inexact", "up.weight dim 0, c.weight dim 1", APART),
    ]
    assert partners(found, "a.bias", 0) == [0, 1, 2, 3, 4]


def test_several_axes_that_become_one() -> None:
    """Each layer keeps its own units, in order, and the plan says that they are others' too."""

    def forward(m: Any, x: Tensor) -> Any:
        return m.a(x) + m.b(x) if m.joined else torch.cat([m.a(x), m.b(x)], -1)

    def net(joined: bool) -> Subject:
        return subject(Net(forward, joined=joined, a=nn.Linear(3, 5), b=nn.Linear(3, 5)), given())

    found = matched(net(False), net(True))
    assert [(note.kind, note.subject, note.reason) for note in found.notes] == [
        (
            "pairing",
            "a.weight dim 0, a.bias dim 0, b.weight dim 0, b.bias dim 0 and 1 more",
            "wiring changed; paired by 3 of 5 shared places",
        ),
        ("inexact", "b.weight dim 0, b.bias dim 0", APART),
    ]
    assert {name: taken.tolist() for (name, _), taken in found.placed.items()} == {
        "b.weight": [0, 1, 2, 3, 4],
        "b.bias": [0, 1, 2, 3, 4],
    }


# Ties


def tied(rows: int, *, tie: bool) -> Subject:
    model = Net(
        lambda m, x: m.head(m.up(m.down(m.table(x)))),
        table=nn.Embedding(rows, 4),
        down=nn.Linear(4, 6),
        up=nn.Linear(6, 4),
        head=nn.Linear(4, rows, bias=False),
    )
    if tie:
        model.get_submodule("head").weight = model.get_parameter("table.weight")
    return subject(model, torch.zeros(2, 7, dtype=torch.int64))


def test_a_tied_source_for_an_untied_target() -> None:
    """Both target tensors have the one source."""
    found = matched(tied(5, tie=True), tied(8, tie=False))
    pairs = found.pairs.tensors
    assert (pairs["table.weight"], pairs["head.weight"]) == ("table.weight", "table.weight")
    units = found.target.tensors
    (rows,), (columns,) = units["head.weight"][0], units["head.weight"][1]
    assert [*(found.partner[rows[0]] >= 0)] == [True] * 5 + [False] * 3
    assert (found.partner[columns[0]] >= 0).all()


def test_an_untied_source_for_a_tied_target() -> None:
    """Two tensors cannot fill one."""
    assert refused(lambda: matched(tied(5, tie=False), tied(5, tie=True))) == error(
        """
        MatchError: Two source tensors cannot fill one tied target.
          table.weight tied in the target; in the source table.weight and head.weight differ
        """
    )


# Occurrences


def test_gates_of_a_wider_layer() -> None:
    """An entry that occurs once per gate has its partner once per gate."""

    def recurrent(width: int) -> Subject:
        return subject(Net(lambda m, x: m.rnn(x)[0], rnn=nn.GRU(3, width)), torch.randn(6, 5, 3))

    source, target = recurrent(2), recurrent(3)
    plan = suture.plan(suture.trace(source), suture.trace(target))
    (bias,) = [tensor for tensor in plan.tensors if tensor.target.name == "rnn.bias_ih_l0"]
    copied = bias.blocks[0]
    assert copied.region == (((0, 2), (3, 5), (6, 8)),)


def test_an_encoder_used_once_more() -> None:
    """A unit that occurs more often on one side is refused where nothing tells which is which."""

    def shared(count: int) -> Subject:
        model = Net(
            lambda m, x: m.out(torch.cat([m.enc(part) for part in x.split(3, -1)], -1)),
            enc=nn.Linear(3, 2),
            out=nn.Linear(2 * count, 5),
        )
        return subject(model, given(3 * count))

    source, target = (suture.trace(shared(count)) for count in (2, 3))
    assert refused(lambda: suture.plan(source, target)) == error(
        """
        MatchError: A unit occurs a different number of times along a dim; nothing tells which is which.
          at       out.weight dim 1
          source   2 times: positions 0, 2
          target   3 times: positions 0, 2, 4

        hint: name in both schemas the features that tell them apart
        """  # noqa: E501
    )


def test_one_head_that_becomes_several() -> None:
    """The one head that the source leaves implicit is the target's first."""

    def attention(heads: int) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            parts = (p.unflatten(-1, (-1, 3)).transpose(1, 2) for p in m.qkv(x).chunk(3, -1))
            y = torch.nn.functional.scaled_dot_product_attention(*parts)
            return m.out(y.transpose(1, 2).flatten(2))

        size = 3 * heads
        return subject(
            Net(forward, qkv=nn.Linear(5, 3 * size), out=nn.Linear(size, 4)), torch.randn(2, 7, 5)
        )

    source, target = attention(1), attention(2)
    plan = suture.plan(suture.trace(source), suture.trace(target))
    tensors = {tensor.target.name: tensor for tensor in plan.tensors}
    (copied,) = [b for b in tensors["qkv.bias"].blocks if b.region == (((0, 3), (6, 9), (12, 15)),)]
    assert copied.size == 9
    assert plan.exact


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_match_says_both_sides(side: str) -> None:
    """A match holds the units of both sides."""
    found = matched(subject(mlp(4), given()), subject(mlp(6), given()))
    units = {"source": found.source, "target": found.target}[side]
    assert len(found.partner) == found.target.count
    assert np.max(found.partner) < found.source.count
    assert "into.bias" in units.tensors
