"""One number of a config after the other is changed, and every old entry is looked for.

`by_hand` says from the two configs alone where each entry of the new model comes from; the plan
must put just those there, and nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from torch import nn

import dota
import suture
from by_hand import BY_HAND, Axis, Hand, asking, entries, llama_of
from changes import CHANGES, SIZES, Change, back, config, told
from families import FAMILIES
from laws import law
from measuring.placed import Placed, placed
from suture import Graph, Subject

WIDTH = {"gpt2": ("n_embd", "n_head")}
"""What a family calls its hidden size and its heads, where that is not as in the others."""


HARMLESS = (
    *("n_inner", "intermediate_size", "vocab_size", "n_positions", "max_position_embeddings"),
    *("type_vocab_size", "num_labels", "num_channels"),
)
"""Numbers that may grow without a change of the function."""


def harmless(change: Change) -> bool:
    """Whether only such numbers change, and none shrinks."""
    return all(name in HARMLESS and old <= new for name, (old, new) in change.items())


def unsettled(change: Change) -> bool:
    """Whether heads of Llama become grouped, or groups one, together with more.

    One group, or one head to a group, is no factor of its own. So as there are more groups and
    other heads, those of q may go on as heads of one group, as by hand, or as groups that each read
    a copy of what they read: nothing in a network says which.
    """
    heads = change["num_attention_heads"]
    keys, bases = change["num_key_value_heads"], change["rope_theta"]
    grouped = (heads[0] == keys[0]) != (heads[1] == keys[1])
    return grouped or (keys[0] != keys[1] and (1 in keys or bases[0] != bases[1]))


def cases(*slow: pytest.MarkDecorator) -> Iterator[Any]:
    """Every change of every family, both ways; marks are for the way back."""
    for family, changes in CHANGES.items():
        for change in changes:
            yield pytest.param(family, change, id=f"{family} {told(change)}")
            way = back(change)
            yield pytest.param(family, way, id=f"{family} {told(way)}", marks=slow)


Made = tuple[Subject, Graph]


@cache
def made(family: str, *numbers: tuple[str, Any]) -> Made:
    """Build a model with random weights and trace it; a second one is the first."""
    subject = FAMILIES[family](**dict(numbers))
    dota.generic(subject.model, seed=len(str(numbers)))
    return subject, suture.trace(subject)


def sides(family: str, change: Change) -> tuple[Made, Made]:
    """Build the old model and the new one."""
    old, new = (made(family, *config(change, side).items()) for side in (0, 1))
    return old, new


def firsts(model: nn.Module) -> dict[str, str]:
    """Name every parameter by the first of its names."""
    first: dict[int, str] = {}
    named = model.named_parameters(remove_duplicate=False)
    return {name: first.setdefault(id(weight), name) for name, weight in named}


def astray(found: Placed, hand: Hand, old: nn.Module, new: nn.Module) -> dict[str, int]:
    """Count, for every parameter, the entries that do not come from where they should.

    What has no place by hand may be a copy of what has one.
    """
    before, counts = firsts(old), {}
    for name in dict.fromkeys(firsts(new).values()):
        right = np.full(found.found[name].shape, -1)
        if name in hand:
            at = entries(hand[name])
            right = np.where(at < 0, -1, found.numbers[before[name]].ravel()[at])
        wrong = found.found[name] != right
        copies = (right < 0) & np.isin(found.found[name], right[right >= 0])
        counts[name] = int((wrong & ~copies).sum())
    return {name: count for name, count in counts.items() if count}


def misplaced(family: str, change: Change) -> dict[str, int]:
    """Plan a change, and count what is not where it should be."""
    (old, one), (new, other) = sides(family, change)
    hand = BY_HAND[family](old.model.config, new.model.config)
    return astray(placed(suture.plan(one, other)), hand, old.model, new.model)


@pytest.mark.parametrize(("family", "change"), [*cases()])
def test_every_old_entry_sits_where_its_unit_sits(family: str, change: Change) -> None:
    """The plan puts every entry where two configs say, and draws only what neither says anew."""
    assert misplaced(family, change) == {}


@pytest.mark.parametrize(("family", "change"), [*cases(pytest.mark.slow)])
def test_a_promise_is_kept(family: str, change: Change) -> None:
    """Where the plan is exact, the new model computes the old function on weights of order one."""
    (old, one), (new, other) = sides(family, change)
    plan = suture.plan(one, other)
    assert plan.exact or not harmless(change)
    if plan.exact:
        new = replace(new, model=copy.deepcopy(new.model))
        state = suture.apply(plan, old.model.state_dict(), new.model.state_dict())
        new.model.load_state_dict(state)
        assert suture.verify(plan, old, new, states=3).equal


def possible(family: str, change: Change) -> bool:
    """Whether both configs are ones that the family takes, and a hand would know what to do.

    More heads of k and v for as many of q say nothing of which goes where unless they divide.
    """
    numbers = [config(change, side) for side in (0, 1)]
    width, heads = (
        ("n_embd", "n_head") if family == "gpt2" else ("hidden_size", "num_attention_heads")
    )
    divided = all(each[width] % each[heads] == 0 for each in numbers)
    if family != "llama":
        return divided
    queries, keys = change["num_attention_heads"], change["num_key_value_heads"]
    grouped = all(query % key == 0 for query, key in zip(queries, keys, strict=True))
    return divided and grouped and (queries[0] != queries[1] or max(keys) % min(keys) == 0)


@st.composite
def several(draw: st.DrawFn, *families: str) -> tuple[str, Change]:
    """Draw a family, one of some or of all, and two values for each number of its config."""
    family = draw(st.sampled_from(families or [*SIZES]))
    pairs = {
        name: st.tuples(st.sampled_from(values), st.sampled_from(values))
        for name, values in SIZES[family].items()
    }
    change = draw(st.fixed_dictionaries(pairs))
    assume(possible(family, change))
    return family, change


def is_unsettled(drawn: tuple[str, Change]) -> bool:
    """Whether several ways to pair heads are right."""
    family, change = drawn
    return family == "llama" and unsettled(change)


@law(several().filter(lambda drawn: not is_unsettled(drawn)), few=8)
def test_many_numbers_change_at_once(drawn: tuple[str, Change]) -> None:
    """Whatever changes together with what, every old entry sits where its unit sits."""
    family, change = drawn
    assert misplaced(family, change) == {}


def came(found: Placed, name: str, old: int, new: int) -> Axis:
    """Read off a plan which head each head along the rows of a weight is; of `old`, and `new`."""
    numbers, places = found.numbers[name], found.found[name]
    rows = np.where(places < 0, -1, (places - numbers.min()) // numbers.shape[1])
    heads = np.where(rows < 0, -1, rows * old // len(numbers)).reshape(new, -1).max(axis=1)
    return Axis(old, heads)


def at_odds(query: Axis, key: Axis) -> list[int]:
    """List the heads of k and v that are not the first of those that their heads of q read."""
    each, many = query.source // key.source, len(query.came) // len(key.came)
    readers = [[head // each for head in row if head >= 0] for row in query.came.reshape(-1, many)]
    pairs = zip(key.came.tolist(), readers, strict=True)
    return [at for at, (head, read) in enumerate(pairs) if read and head != min(read)]


@law(several("llama").filter(is_unsettled), few=6)
def test_heads_become_grouped_in_one_of_several_ways(drawn: tuple[str, Change]) -> None:
    """As many heads of q stay as by hand at least, each with what it reads; the rest is by hand."""
    _, change = drawn
    (old, one), (new, other) = sides("llama", change)
    a, b = old.model.config, new.model.config
    found, first = placed(suture.plan(one, other)), "model.layers.0.self_attn"
    query, key = (
        came(found, f"{first}.{name}.weight", getattr(a, count), getattr(b, count))
        for name, count in (("q_proj", "num_attention_heads"), ("v_proj", "num_key_value_heads"))
    )
    assert astray(found, llama_of(a, b, query, key), old.model, new.model) == {}
    assert at_odds(query, key) == []
    assert (query.came >= 0).sum() >= (asking(a, b).came >= 0).sum()
