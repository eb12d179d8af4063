"""Entities: inputs through one encoder come, go and change places, and weights follow them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import suture
from measured import carried, notes
from modules import generic_
from refusals import error, refused
from suture import Schema, Subject

FEATURES = ("x", "v", "w")
EXACT = 1e-12
SWAPPED = ("me", "ally"), ("ally", "me")
INSERTED = ("me", "ally"), ("me", "foe", "ally")
IN_FRONT = ("me", "ally"), ("foe", "me", "ally")
REMOVED = ("me", "ally", "foe"), ("foe", "me")
REPLACED = ("me", "ally"), ("me", "foe")


class Net(nn.Module):
    """A forward made of a function, and the parts that it uses."""

    def __init__(self, forward: Callable[..., Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, **seen: Tensor) -> Tensor:
        return self.run(self, **seen)


Entities = Sequence[str]
Joined = Callable[[Any, list[Tensor]], Tensor]


def network(entities: Entities, joined: Joined, width: int, **parts: nn.Module) -> Subject:
    """Join what one encoder makes of every entity, and read it by a linear map."""

    def forward(m: Any, **seen: Tensor) -> Tensor:
        result: Tensor = m.out(joined(m, [torch.tanh(m.encoder(seen[name])) for name in entities]))
        return result

    encoder, out = nn.Linear(len(FEATURES), 4), nn.Linear(width, 2)
    return seen_by(Net(forward, encoder=encoder, out=out, **parts), entities)


def seen_by(model: Net, entities: Entities, **outputs: Sequence[str]) -> Subject:
    """Name what a network sees of entities, and give it weights of order one."""
    generic_(model.double(), len(entities))
    seen = {name: torch.randn(5, len(FEATURES), dtype=torch.float64) for name in entities}
    return Subject(model, kwargs=seen, schema=Schema(dict.fromkeys(entities, FEATURES), outputs))


def concatenated(entities: Entities) -> Subject:
    """Encoded one by one, laid end to end."""
    return network(entities, lambda m, each: torch.cat(each, -1), 4 * len(entities))


def stacked(entities: Entities) -> Subject:
    """Encoded one by one, stacked and flattened."""
    return network(entities, lambda m, each: torch.stack(each, 1).flatten(1), 4 * len(entities))


def streamed(entities: Entities) -> Subject:
    """Laid end to end, normed, and added to what a layer makes of it."""
    width = 4 * len(entities)

    def joined(m: Any, each: list[Tensor]) -> Tensor:
        stream = torch.cat(each, -1)
        result: Tensor = stream + m.back(torch.tanh(m.into(m.norm(stream))))
        return result

    parts = {"norm": nn.LayerNorm(width), "into": nn.Linear(width, 6), "back": nn.Linear(6, width)}
    return network(entities, joined, width, **parts)


def pooled(entities: Entities) -> Subject:
    """The largest of all."""
    return network(entities, lambda m, each: torch.stack(each, 1).amax(1), 4)


def added(entities: Entities) -> Subject:
    """The sum of all."""
    return network(entities, lambda m, each: torch.stack(each, 1).sum(1), 4)


def ranked(entities: Entities) -> Subject:
    """The two largest of each, by no parameter at all."""
    model = Net(
        lambda m, **seen: m.out(torch.cat([seen[name].topk(2).values for name in entities], -1)),
        out=nn.Linear(2 * len(entities), 3),
    )
    return seen_by(model, entities)


def answered(entities: Entities) -> Subject:
    """Two answers for each entity, by one decoder, named."""
    model = Net(
        lambda m, **seen: torch.cat([m.decoder(seen[name]).tanh() for name in entities], -1),
        decoder=nn.Linear(len(FEATURES), 2),
    )
    answers = [f"{name}_{answer}" for name in entities for answer in ("go", "stay")]
    return seen_by(model, entities, output=answers)


ALL = [concatenated, stacked, streamed, pooled, added, ranked, answered]


@pytest.mark.parametrize("made", ALL)
def test_entities_that_change_places(made: Callable[[Entities], Subject]) -> None:
    """What belongs to an entity goes with it, and nothing changes."""
    before, after = SWAPPED
    plan, apart = carried(made(before), made(after))
    assert plan.exact
    assert apart < EXACT


@pytest.mark.parametrize("made", [concatenated, stacked, ranked, answered])
@pytest.mark.parametrize(("before", "after"), [INSERTED, IN_FRONT])
def test_one_more_entity_beside_others(
    made: Callable[[Entities], Subject], before: Entities, after: Entities
) -> None:
    """What is read of it starts at zero; it is exact, and so it is promised."""
    plan, apart = carried(made(before), made(after))
    assert plan.exact
    assert apart < EXACT


@pytest.mark.parametrize("made", [streamed, pooled, added])
@pytest.mark.parametrize(("before", "after"), [INSERTED, IN_FRONT, REPLACED])
def test_one_more_entity_among_others(
    made: Callable[[Entities], Subject], before: Entities, after: Entities
) -> None:
    """Where it mixes with the others nothing is promised, and the outputs that it reaches named."""
    plan, apart = carried(made(before), made(after))
    assert not plan.exact
    assert apart > EXACT
    assert any(note.startswith("output: new features reach it") for note in notes(plan, "inexact"))


@pytest.mark.parametrize("made", ALL)
@pytest.mark.parametrize(("before", "after"), [REMOVED, REPLACED])
def test_an_entity_less(
    made: Callable[[Entities], Subject], before: Entities, after: Entities
) -> None:
    """A plan that promises the old function, the lost entity at zero, keeps it."""
    plan, apart = carried(made(before), made(after))
    assert apart < EXACT or not plan.exact


def test_what_a_new_entity_is_read_by_learns() -> None:
    """Its columns are zero and the encoder is the old one: they have a gradient."""
    source, target = concatenated(INSERTED[0]), concatenated(INSERTED[1])
    suture.transfer(source, target)
    weight = target.model.out.weight
    assert (weight[:, 4:8] == 0).all()
    target.model(**(target.kwargs or {})).square().sum().backward()
    assert (weight.grad[:, 4:8] != 0).all()


def test_occurrences_that_nothing_tells_apart() -> None:
    """Without names of their own, one more of them is refused."""

    def cut(count: int) -> Subject:
        model = Net(
            lambda m, x: m.out(torch.cat([m.encoder(part) for part in x.split(3, -1)], -1)),
            encoder=nn.Linear(3, 2),
            out=nn.Linear(2 * count, 5),
        )
        return Subject(model, kwargs={"x": torch.randn(7, 3 * count)})

    source, target = suture.trace(cut(2)), suture.trace(cut(3))
    assert refused(lambda: suture.plan(source, target)) == error(
        """
        MatchError: A unit occurs a different number of times along a dim; nothing tells which is which.
          at       out.weight dim 1
          source   2 times: positions 0, 2
          target   3 times: positions 0, 2, 4

        hint: name in both schemas the features that tell them apart
        """  # noqa: E501
    )


def test_occurrences_that_other_features_reach() -> None:
    """Where each is reached by other known features than before, which is which is not guessed."""

    def crossed(pairs: Sequence[tuple[str, str]]) -> Subject:
        def forward(m: Any, **seen: Tensor) -> Tensor:
            both = [m.encoder(torch.cat([seen[a], seen[b]], -1)) for a, b in pairs]
            result: Tensor = m.out(torch.cat(both, -1))
            return result

        model = Net(forward, encoder=nn.Linear(6, 2), out=nn.Linear(4, 5))
        seen = {name: torch.randn(7, 3) for name in "abc"}
        return Subject(model, kwargs=seen, schema=Schema(dict.fromkeys("abc", FEATURES)))

    source, target = crossed([("a", "b"), ("a", "c")]), crossed([("b", "c"), ("c", "c")])
    graphs = suture.trace(source), suture.trace(target)
    assert refused(lambda: suture.plan(*graphs)).startswith("MatchError: ")
