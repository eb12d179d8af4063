"""Layers that were inserted, removed or renamed: by order of use and coupling, or by a rule."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import suture
from suture._errors import MatchError


def chain(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


def graph(model: nn.Module, example: Tensor | None = None) -> suture.Graph:
    example = torch.randn(5, 3) if example is None else example
    return suture.trace(suture.Subject(model, (example,)))


def partners(plan: suture.Plan) -> dict[str, str | None]:
    """Target weight -> source weight; biases go with them."""
    for tensor in plan.tensors:
        if tensor.target.name.endswith(".bias"):
            weight = tensor.target.name.replace(".bias", ".weight")
            [twin] = [t for t in plan.tensors if t.target.name == weight]
            found = [t.source for t in (tensor, twin)]
            names = [each and each.name.rpartition(".")[0] for each in found]
            assert names[0] == names[1]
    weights = [t for t in plan.tensors if t.target.name.endswith("weight")]
    sources = [None if t.source is None else t.source.name for t in weights]
    return {
        t.target.name.removesuffix(".weight"): name and name.removesuffix(".weight")
        for t, name in zip(weights, sources, strict=True)
    }


def moves(plan: suture.Plan) -> list[tuple[str, str]]:
    """The notes on tensors that have another name than before."""
    why = " in the source; paired by order of use and coupling"
    notes = [n for n in plan.notes if n.kind == "pairing" and n.reason.endswith(why)]
    return [(note.subject, note.reason.removesuffix(why)) for note in notes]


L, T = nn.Linear, nn.Tanh

Case = tuple[
    Callable[[], tuple[nn.Module, nn.Module]], dict[str, str | None], list[tuple[str, str]]
]

SHIFTED: dict[str, Case] = {
    "hidden layer inserted": (
        lambda: (chain(L(3, 16), T(), L(16, 2)), chain(L(3, 16), T(), L(16, 16), T(), L(16, 2))),
        {"0": "0", "2": None, "4": "2"},
        [("4", "was 2")],
    ),
    "norm inserted": (
        lambda: (chain(L(3, 16), T(), L(16, 2)), chain(L(3, 16), nn.LayerNorm(16), T(), L(16, 2))),
        {"0": "0", "1": None, "3": "2"},
        [("3", "was 2")],
    ),
    "norm before all": (
        lambda: (chain(L(3, 16), T(), L(16, 2)), chain(nn.LayerNorm(3), L(3, 16), T(), L(16, 2))),
        {"0": None, "1": "0", "3": "2"},
        [("1", "was 0"), ("3", "was 2")],
    ),
    "one of equal layers more": (
        lambda: (
            chain(L(3, 16), T(), L(16, 16), T(), L(16, 2)),
            chain(L(3, 16), T(), L(16, 16), T(), L(16, 16), T(), L(16, 2)),
        ),
        {"0": "0", "2": "2", "4": None, "6": "4"},
        [("6", "was 4")],
    ),
    "hidden layer removed": (
        lambda: (chain(L(3, 16), T(), L(16, 16), T(), L(16, 2)), chain(L(3, 16), T(), L(16, 2))),
        {"0": "0", "2": "4"},
        [("2", "was 4")],
    ),
    "under a prefix": (
        lambda: (chain(L(3, 16), T(), L(16, 2)), Under("body", chain(L(3, 16), T(), L(16, 2)))),
        {"body.0": "0", "body.2": "2"},
        [("body", "was the model")],
    ),
    "under another prefix and inserted": (
        lambda: (
            Under("net", chain(L(3, 16), T(), L(16, 2))),
            Under("body", chain(L(3, 16), nn.LayerNorm(16), T(), L(16, 2))),
        ),
        {"body.0": "net.0", "body.1": None, "body.3": "net.2"},
        [("body", "was net"), ("body.3", "was net.2")],
    ),
    "names that pair as they are": (
        lambda: (chain(L(3, 16), T(), L(16, 2)), chain(L(3, 9), T(), L(9, 2))),
        {"0": "0", "2": "2"},
        [],
    ),
}


class Under(nn.Module):
    """A module under a name."""

    def __init__(self, name: str, module: nn.Module) -> None:
        super().__init__()
        self.name = name
        self.add_module(name, module)

    def forward(self, input: Tensor) -> Tensor:
        out: Tensor = self.get_submodule(self.name)(input)
        return out


@pytest.mark.parametrize("name", SHIFTED)
def test_layers_that_moved(name: str) -> None:
    """Each layer has the partner that does the same in the same place, and the plan says so."""
    models, wanted, said = SHIFTED[name]
    old, new = models()
    plan = suture.plan(graph(old), graph(new))
    assert partners(plan) == wanted
    assert moves(plan) == said


class Blocks(nn.Module):
    """A small language model of residual blocks, its parts under names of choice."""

    def __init__(self, count: int, body: str, blocks: str) -> None:
        super().__init__()
        inner = nn.Module()
        inner.table = nn.Embedding(11, 6)
        inner.token = nn.Parameter(torch.randn(1, 1, 6))
        inner.add_module(blocks, nn.ModuleList(Block() for _ in range(count)))
        inner.norm = nn.LayerNorm(6)
        self.add_module(body, inner)
        self.head = nn.Linear(6, 11, bias=False)
        self.inside, self.listed = body, blocks

    def forward(self, input: Tensor) -> Tensor:
        inner = self.get_submodule(self.inside)
        x = inner.get_submodule("table")(input) + inner.get_parameter("token")
        for block in inner.get_submodule(self.listed).children():
            x = block(x)
        out: Tensor = self.head(inner.get_submodule("norm")(x))
        return out


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(6), nn.Linear(6, 13), nn.Linear(13, 6)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.down(torch.relu(self.up(self.norm(x))))
        return out


@pytest.mark.parametrize(("before", "after"), [(5, 7), (7, 5), (4, 4)])
def test_every_prefix_renamed_and_blocks_inserted(before: int, after: int) -> None:
    """All that both have pairs: blocks by their numbers, a bare parameter with its neighbours."""
    ids = torch.zeros(2, 5, dtype=torch.long)
    old, new = (
        graph(model, ids)
        for model in (Blocks(before, "body", "h"), Blocks(after, "model", "layers"))
    )
    plan = suture.plan(old, new)
    paired = {t.target.name: t.source.name for t in plan.tensors if t.source is not None}
    shared = min(before, after)
    assert len(paired) == 5 + 6 * shared
    for name, other in paired.items():
        assert name.replace("model.", "body.").replace("layers.", "h.") == other
    assert set(moves(plan)) == {("model", "was body"), ("model.layers", "was body.h")}


def test_blocks_appended_keep_their_names() -> None:
    """Where names pair and nothing speaks against it, nothing is paired anew."""
    ids = torch.zeros(2, 5, dtype=torch.long)
    old, new = (graph(Blocks(count, "body", "h"), ids) for count in (3, 5))
    plan = suture.plan(old, new)
    assert all(t.source is None or t.source.name == t.target.name for t in plan.tensors)
    assert moves(plan) == []


def test_which_of_two_layers_is_new() -> None:
    """Two layers fit equally well: an error with both, and the rule that would say which."""
    old = graph(chain(L(3, 16), T(), L(16, 16), T(), L(16, 2)))
    new = graph(chain(nn.LayerNorm(3), L(3, 16), T(), L(16, 16), T(), L(16, 16), T(), L(16, 2)))
    with pytest.raises(MatchError) as caught:
        suture.plan(old, new)
    assert str(caught.value) == (
        "Layers were inserted or removed, and several alignments fit equally well.\n"
        "  2.weight 3.weight or 5.weight\n"
        "  2.bias   3.bias or 5.bias\n\n"
        'hint: say which is which: rename={r"^2\\.": "3."}'
    )
    plan = suture.plan(old, new, rename={r"^2\.": "5."})
    assert partners(plan) == {"0": None, "1": "0", "3": None, "5": "2", "7": "4"}


def test_a_shape_never_chooses() -> None:
    """The name says one layer and the shapes say another: neither is taken unasked."""
    old = graph(chain(L(3, 16), T(), L(16, 32), T(), L(32, 2)))
    new = graph(chain(L(3, 16), T(), L(16, 16), T(), L(16, 32), T(), L(32, 2)))
    with pytest.raises(MatchError, match=r"2\.weight 2\.weight or 4\.weight"):
        suture.plan(old, new)
    plan = suture.plan(old, new, rename={r"^4\.": "6.", r"^2\.": "4."})
    assert partners(plan) == {"0": "0", "2": None, "4": "2", "6": "4"}


class Two(nn.Module):
    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names
        for name in names:
            self.add_module(name, chain(L(3, 8), T(), L(8, 4)))
        self.both = L(4 * len(names), 2)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        parts = [self.get_submodule(n)(x) for n, x in zip(self.names, (one, other), strict=False)]
        out: Tensor = self.both(torch.cat(parts, -1))
        return out


def test_two_encoders_renamed() -> None:
    """Each pairs with the one that reads its input."""
    example = torch.randn(5, 3), torch.randn(5, 3)
    old, new = (
        suture.trace(suture.Subject(Two(*names), example)) for names in (("a", "b"), ("c", "d"))
    )
    found = partners(suture.plan(old, new))
    assert found == {"c.0": "a.0", "c.2": "a.2", "d.0": "b.0", "d.2": "b.2", "both": "both"}


class Named(nn.Module):
    def __init__(self, first: str, last: str) -> None:
        super().__init__()
        self.begin, self.end = first, last
        self.add_module(first, L(3, 16))
        self.add_module(last, L(16, 2))

    def forward(self, input: Tensor) -> Tensor:
        hidden = torch.tanh(self.get_submodule(self.begin)(input))
        out: Tensor = self.get_submodule(self.end)(hidden)
        return out


def test_a_renamed_layer_needs_a_rule() -> None:
    """A layer that is called otherwise may be another: without a rule it is fresh."""
    old, new = graph(Named("fc1", "out")), graph(Named("first", "out"))
    assert partners(suture.plan(old, new)) == {"first": None, "out": "out"}
    plan = suture.plan(old, new, rename={"^fc1": "first"})
    assert plan.exact
    assert partners(plan) == {"first": "fc1", "out": "out"}


def test_transfer_with_a_rule() -> None:
    """`transfer` takes rules too, and keeps the function."""
    old, new = Named("fc1", "out"), Named("first", "out")
    x = torch.randn(7, 3)
    one, other = (suture.Subject(model, (torch.randn(5, 3),)) for model in (old, new))
    assert suture.transfer(one, other, rename={"^fc1": "first"}).exact
    torch.testing.assert_close(new(x), old(x))


def test_rules_that_do_not_fit() -> None:
    """All of them in one error."""
    old, new = graph(Named("fc1", "out")), graph(Named("first", "out"))
    with pytest.raises(MatchError) as caught:
        suture.plan(old, new, rename={"^(": "x", "^fc2": "first", r"^fc1|^out": "both"})
    assert str(caught.value) == (
        "A rule of `rename` does not fit.\n"
        "  ^(       is no rule: missing ), unterminated subpattern at position 1\n"
        "  ^fc2     changes no name of the source\n"
        "  both.weight comes from fc1.weight and out.weight\n"
        "  both.bias comes from fc1.bias and out.bias"
    )


def test_a_rule_that_leads_nowhere() -> None:
    """The target has no such tensor, but one of nearly that name."""
    old, new = graph(Named("fc1", "out")), graph(Named("first", "out"))
    with pytest.raises(MatchError) as caught:
        suture.plan(old, new, rename={"^fc1": "fist"})
    assert str(caught.value) == (
        "A rule of `rename` does not fit.\n"
        "  ^fc1     fc1.weight becomes fist.weight, not in the target\n\n"
        "hint: did you mean 'first.weight'?"
    )
