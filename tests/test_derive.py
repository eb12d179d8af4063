"""An old model of which only a checkpoint is left: its graph, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import suture
from built import build as build_net
from families import FAMILIES
from grammar import GROWING, Net, nets
from grammar import chains as net_chains
from laws import law
from modules import build
from nets import BATCH, mlp, subject
from networks import WIDENING, chains
from plain_families import PLAIN
from recipes import Recipe
from refusals import refused
from suture import Graph, MatchError, Plan, Schema, Subject
from suture._derive import Derived, derive
from suture._plan import Tensor as Described
from worlds import subject as subject_of

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")


def held(graph: Graph) -> list[Described]:
    """Describe the tensors of a state dict, as a checkpoint does."""
    names = [*graph.parameters, *graph.buffers, *graph.unreached]
    return [graph.tensor(name) for name in names]


def without_digests(plan: Plan) -> Plan:
    return replace(plan, source="", target="")


def same_plan(old: Subject, new: Subject, **said: Any) -> Derived:
    """Derive the old graph from its shapes alone, and plan as if it had been traced."""
    source, target = suture.trace(old), suture.trace(new)
    derived = derive(target, held(source), schema=old.schema, **said)
    found, wanted = suture.plan(derived.graph, target), suture.plan(source, target)
    assert without_digests(found) == without_digests(wanted)
    return derived


def same_or_refused(old: Subject, new: Subject) -> None:
    """A plan as good as the one from the real model, or an error; never another plan."""
    with suppress(MatchError):
        same_plan(old, new)


# --- laws ----------------------------------------------------------------------


@law(chains(WIDENING), few=4)
def test_networks_that_got_wider(chain: tuple[Recipe, ...]) -> None:
    """What is planned from shapes alone is what is planned from the model."""
    old, new = (subject_of(recipe, build(recipe, 1, torch.float64)) for recipe in chain[:2])
    same_or_refused(old, new)


@law(net_chains(GROWING), few=4)
def test_networks_that_fold_their_axes(chain: tuple[Net, ...]) -> None:
    """So it is where axes are laid end to end, split and multiplied, wherever it is not refused."""
    old, new = (subject_of(net.face, build_net(net, 1)) for net in chain[:2])
    same_or_refused(old, new)


@law(nets(), few=2)
def test_a_checkpoint_of_the_same_model(net: Net) -> None:
    """Its graph is the model's own, or what does not follow from shapes is asked for."""
    made = subject_of(net.face, build_net(net, 1))
    same_or_refused(made, made)


# --- models --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("sb3 ppo", {"features": 6, "net_arch": [10, 12]}, {"features": 8, "net_arch": [16, 14]}),
        ("sb3 dqn", {"features": 6, "actions": 3}, {"features": 8, "actions": 4}),
        ("sb3 sac", {"net_arch": [10, 12]}, {"net_arch": [16, 14]}),
        ("u-net", {"channels": 3, "deep": 12}, {"channels": 4, "deep": 14}),
        ("u-net", {"width": 8}, {"width": 11}),
        ("dlrm", {"dense": 6, "rows": (11, 9, 10)}, {"dense": 7, "rows": (11, 12, 10)}),
        ("lstm", {"hidden": 8, "words": 30}, {"hidden": 11, "words": 33}),
    ],
)
def test_models_of_which_shapes_tell_all(
    kind: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Agents, pictures, tables and texts: the same graph, so that fingerprints agree too."""
    old = PLAIN[kind](**before)
    derived = same_plan(old, PLAIN[kind](**after))
    assert derived.graph.fingerprint == suture.trace(old).fingerprint


@pytest.mark.parametrize(
    ("kind", "before", "after", "sizes"),
    [
        (
            "gpt2",
            {"n_embd": 24, "n_head": 3},
            {"n_embd": 32, "n_head": 4, "vocab_size": 101},
            {
                "*.attn.c_attn.weight dim 1": "3x8+3x8+3x8",
                "*.attn.c_proj.weight dim 0": "3x8",
            },
        ),
        (
            "llama",
            {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 4},
            {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 4, "hidden_size": 36},
            {
                "*.self_attn.q_proj.weight dim 0": "6x4",
                "*.self_attn.[kv]_proj.weight dim 0": "2x4",
                "*.self_attn.o_proj.weight dim 1": "6x4",
            },
        ),
    ],
)
def test_heads_are_asked_for_and_then_known(
    kind: str, before: dict[str, Any], after: dict[str, Any], sizes: dict[str, str]
) -> None:
    """Nothing tells heads from their size; once said, the plan is the real model's."""
    old, new = FAMILIES[kind](**before), FAMILIES[kind](**after)
    graph = suture.trace(new)
    with pytest.raises(MatchError) as raised:
        derive(graph, held(suture.trace(old)))
    assert raised.value.sentence == "The checkpoint does not tell all sizes of the old model."
    same_plan(old, new, sizes=sizes)


# --- what is asked, literally --------------------------------------------------


class Heads(nn.Module):
    """One layer that is read in heads, each squared."""

    def __init__(self, heads: int, size: int, more: int = 1) -> None:
        super().__init__()
        self.into, self.heads = nn.Linear(3, heads * size), heads
        self.each = nn.Parameter(torch.ones(heads)) if more == 0 else None
        self.out = nn.Linear(heads * size, 2)

    def forward(self, x: Tensor) -> Any:
        h = self.into(x).unflatten(-1, (self.heads, -1))
        h = h.softmax(-1)
        return self.out((h if self.each is None else h * self.each[:, None]).flatten(1))


def heads(*sizes: int) -> Subject:
    return Subject(Heads(*sizes), (torch.zeros(BATCH, 3),))


def asked(old: Subject, new: Subject, **said: Any) -> str:
    """Say what is raised instead of a graph."""
    target, tensors = suture.trace(new), held(suture.trace(old))
    return refused(lambda: derive(target, tensors, **said)).removeprefix("MatchError: ")


def test_a_product_has_several_answers() -> None:
    """Each is shown as it can be said, the target's own factor first."""
    assert asked(heads(2, 4), heads(3, 4)) == (
        "The checkpoint does not tell all sizes of the old model.\n"
        "  either   into.weight dim 0=2x4, out.weight dim 1=2x4\n"
        "  or       into.weight dim 0=1x8, out.weight dim 1=1x8\n"
        "  or       into.weight dim 0=4x2, out.weight dim 1=4x2\n"
        "  or       into.weight dim 0=8x1, out.weight dim 1=8x1\n\n"
        "hint: say the sizes: --size 'into.weight dim 0=2x4'; "
        "or give the old model instead of its checkpoint"
    )
    same_plan(heads(2, 4), heads(3, 4), sizes={"into.weight dim 0": "2x4"})


def test_a_product_of_which_another_tensor_tells_a_factor() -> None:
    """A weight per head says how many heads there were."""
    same_plan(heads(2, 4, 0), heads(3, 5, 0))


def test_the_same_product_is_asked_for_too() -> None:
    """As many entries as before may be other heads."""
    assert "either   into.weight dim 0=3x4, " in asked(heads(4, 3), heads(3, 4))


def test_sizes_that_are_said_wrong() -> None:
    """Names, forms and contradictions are refused, all at once."""
    said = {"into.wight dim 0": "2x4", "into.weight dim 0": "8", "out.weight dim 0": "2x1"}
    assert asked(heads(2, 4), heads(3, 4), sizes=said) == (
        "Sizes that were said do not fit the target.\n"
        "  into.wight dim 0 is no dim of a tensor of the target\n"
        "  into.weight dim 0 is 3x4 in the target; 8 is not written like that\n"
        "  out.weight dim 0 is 2 in the target; 2x1 is not written like that\n\n"
        "hint: did you mean 'into.weight dim 0'?"
    )


def test_sizes_that_the_checkpoint_contradicts() -> None:
    """What is said must be what is there."""
    text = asked(heads(2, 4, 0), heads(3, 5, 0), sizes={"each dim 0": "3"})
    assert text.startswith("An axis of the target has two sizes in the checkpoint.")
    assert "3 in what is said of sizes" in text
    assert "No sizes of the target's graph fit" in asked(
        heads(2, 4), heads(3, 4), sizes={"into.weight dim 0": "3x4"}
    )


class Joined(nn.Module):
    """Two inputs laid end to end."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(one + other, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor, y: Tensor) -> Any:
        return self.out(self.into(torch.cat([x, y], 1)).relu())


def joined(one: int, other: int) -> Subject:
    return subject(Joined(one, other), torch.zeros(BATCH, one), torch.zeros(BATCH, other))


def test_a_sum_has_several_answers() -> None:
    """Nothing tells which of two inputs was the shorter one."""
    text = asked(joined(3, 5), joined(4, 5))
    assert "  either   into.weight dim 1=4+4\n  or       into.weight dim 1=3+5\n" in text
    same_plan(joined(3, 5), joined(4, 5), sizes={"into.weight dim 1": "3+5"})


def test_layers_that_only_one_side_has() -> None:
    """A model of other layers is not the target at other sizes."""
    target = suture.trace(subject(mlp(4, norm=nn.LayerNorm(4)), torch.zeros(BATCH, 3)))
    tensors = held(suture.trace(subject(mlp(3, extra=nn.Linear(3, 3)), torch.zeros(BATCH, 3))))
    assert refused(lambda: derive(target, tensors)) == (
        "MatchError: The checkpoint is not of a model that differs in sizes alone.\n"
        "  target   norm.weight is not in the checkpoint\n"
        "  target   norm.bias is not in the checkpoint\n"
        "  old      extra.weight f32[3,3] is not in the target, or not with as many dims\n"
        "  old      extra.bias f32[3] is not in the target, or not with as many dims\n\n"
        "hint: give the old model instead of its checkpoint"
    )


def test_shapes_that_contradict_each_other() -> None:
    """A layer that does not fit the next one is no checkpoint of such a model."""
    target = suture.trace(subject(mlp(4), torch.zeros(BATCH, 3)))
    odd = [Described(t.name, (5,), t.dtype) if t.name == "into.bias" else t for t in held(target)]
    assert refused(lambda: derive(target, odd)) == (
        "MatchError: An axis of the target has two sizes in the checkpoint.\n"
        "  axis     4 in into.weight dim 0, 5 in into.bias dim 0\n\n"
        "hint: give the old model instead of its checkpoint"
    )


# --- what is not known at other sizes ------------------------------------------


class Bent(nn.Module):
    """Two layers with something between them that is not known at other widths."""

    def __init__(self, width: int, does: Any) -> None:
        super().__init__()
        self.into, self.out, self.does = nn.Linear(3, width), nn.Linear(width, 2), does

    def forward(self, x: Tensor) -> Any:
        return self.out(self.does(self.into(x)))


@pytest.mark.parametrize(
    ("does", "why"),
    [
        (lambda h: h * torch.arange(h.shape[1]), "a constant of aten.mul.Tensor varies along"),
        (lambda h: h.flip(1), "aten.flip.default chooses by position along an axis"),
        (
            lambda h: nn.functional.avg_pool1d(h, 3, 1, 1),
            "a window of aten.avg_pool2d.default moves along an axis of another size",
        ),
        (lambda h: h / h.shape[1] ** 0.5, "which may follow from 9"),
        (lambda h: h * torch.tensor(1 / h.shape[1]), "which may follow from 9"),
    ],
)
def test_what_would_be_a_guess(does: Any, why: str) -> None:
    """Constants, indices, windows and numbers that may follow from a size are not made up."""
    new, old = (Subject(Bent(width, does), (torch.zeros(BATCH, 3),)) for width in (9, 7))
    text = asked(old, new)
    assert text.startswith("The target's graph does not tell what it is at the checkpoint's sizes")
    assert why in text
    assert "at       HERE, Bent.forward: " in text


def test_constants_that_are_alike_everywhere() -> None:
    """A first state of zeros is one at any width, and a number that follows from nothing stays."""

    def does(h: Tensor) -> Tensor:
        return torch.cat([h, torch.zeros(h.shape[0], 2)], 1)[:, :-2] * 0.7

    old, new = (Subject(Bent(width, does), (torch.zeros(BATCH, 3),)) for width in (7, 9))
    graph = same_plan(old, new).graph
    assert all(np.asarray(c).size == 0 or c.any() is not None for c in graph.constants.values())


# --- names ---------------------------------------------------------------------


def named(features: Iterable[str], width: int = 4) -> Subject:
    names = [*features]
    return subject(mlp(width, len(names)), torch.zeros(BATCH, len(names)), inputs={"x": names})


def test_features_that_came_need_the_old_names() -> None:
    """A checkpoint does not say which of the target's features it knew."""
    target, tensors = suture.trace(named("abc")), held(suture.trace(named("ca")))
    assert refused(lambda: derive(target, tensors)) == (
        "SchemaError: A checkpoint does not hold the names of the old model's features.\n"
        "  x        was f32[7,2], is f32[7,3] in the target\n\n"
        "hint: give the old names: --source-schema path/to/file.py:function, or schema=Schema(...)"
    )
    same_plan(named("ca"), named("abc"))


def test_as_many_features_as_before() -> None:
    """They are taken to be the same in the same order, and the plan is told so."""
    derived = derive(suture.trace(named("abc", 6)), held(suture.trace(named("abc"))))
    assert [(note.kind, note.subject) for note in derived.notes] == [
        ("condition", "source"),
        ("pairing", "x"),
    ]


def test_features_without_names() -> None:
    """They pair by position, as those of two models do."""
    old, new = (subject(mlp(4, count), torch.zeros(BATCH, count)) for count in (3, 5))
    derived = same_plan(replace(old, schema=Schema()), new)
    assert len(derived.notes) == 1


def test_tensors_with_other_names() -> None:
    """Rules lead from the checkpoint's names to the target's, and the graph has the former."""
    old, new = (subject(mlp(width), torch.zeros(BATCH, 3)) for width in (4, 6))
    tensors = [replace(t, name=f"net.{t.name}", dtype="bf16") for t in held(suture.trace(old))]
    target = suture.trace(new)
    derived = derive(target, tensors, {"^net.": ""})
    assert [*derived.graph.parameters] == [tensor.name for tensor in tensors]
    plan = suture.plan(derived.graph, target, rename={"^net.": ""})
    assert [tensor.source for tensor in plan.tensors] == tensors
