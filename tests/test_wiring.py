"""Wiring that changed: units that it does not touch keep their partners, and the rest is said."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import suture

Does = Callable[["Net", Tensor], Tensor | dict[str, Tensor]]


class Net(nn.Module):
    """Layers by name, and what is done with them."""

    def __init__(self, does: Does, **layers: nn.Module) -> None:
        super().__init__()
        self.does = does
        for name, layer in layers.items():
            self.add_module(name, layer)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)

    def run(self, name: str, x: Tensor) -> Tensor:
        out: Tensor = self.get_submodule(name)(x)
        return out

    def forward(self, input: Tensor) -> Tensor | dict[str, Tensor]:
        return self.does(self, input)


def subject(net: Net) -> suture.Subject:
    return suture.Subject(net, (torch.randn(7, 3),))


def planned(old: Net, new: Net) -> suture.Plan:
    return suture.plan(suture.trace(subject(old)), suture.trace(subject(new)))


def copied(plan: suture.Plan) -> dict[str, bool]:
    """Whether each weight's old entries all sit at the beginning of each of its dims."""
    found = {}
    for tensor in plan.tensors:
        old = tensor.source
        if old is not None and tensor.target.name.endswith("weight"):
            regions = [
                (block.region, block.fill.terms[0].index)
                for block in tensor.blocks
                if isinstance(block.fill, suture._plan.Sum)
            ]
            whole = tuple(((0, size),) for size in old.shape)
            found[tensor.target.name.removesuffix(".weight")] = regions == [(whole, whole)]
    return found


def hidden(net: Net, x: Tensor) -> Tensor:
    return torch.tanh(net.run("up", x))


def plain(net: Net, x: Tensor) -> Tensor:
    return net.run("down", torch.tanh(net.run("mid", hidden(net, x))))


def layers(up: int, mid: int) -> dict[str, nn.Module]:
    return {"up": nn.Linear(3, up), "mid": nn.Linear(up, mid), "down": nn.Linear(mid, 2)}


def consumed(net: Net, x: Tensor) -> dict[str, Tensor]:
    return {"old": plain(net, x), "new": net.run("extra", hidden(net, x))}


def wrapped(net: Net, x: Tensor) -> dict[str, Tensor]:
    return {"old": plain(net, x)}


def test_a_new_consumer_of_an_old_unit() -> None:
    """A second head reads what the first reads: the old function is kept, wider layers and all."""
    old = Net(wrapped, **layers(5, 11))
    new = Net(consumed, **layers(6, 13), extra=nn.Linear(6, 4))
    plan = suture.transfer(subject(old), subject(new))
    assert plan.exact
    assert copied(plan) == {"up": True, "mid": True, "down": True}
    x = torch.randn(9, 3)
    before, after = old(x), new(x)
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    torch.testing.assert_close(after["old"], before["old"])


def test_a_removed_consumer() -> None:
    """A head goes: what it shared with the other one stays."""
    old = Net(consumed, **layers(5, 11), extra=nn.Linear(5, 4))
    new = Net(wrapped, **layers(6, 13))
    plan = suture.transfer(subject(old), subject(new))
    assert plan.exact
    assert copied(plan) == {"up": True, "mid": True, "down": True}
    assert {n.subject for n in plan.notes if n.kind == "unused"} == {"extra.weight", "extra.bias"}


def skipping(net: Net, x: Tensor) -> Tensor:
    first = hidden(net, x)
    return net.run("down", first + torch.tanh(net.run("mid", first)))


def test_a_new_skip_connection() -> None:
    """Two axes become one: both keep their units in order, and the plan says what changed."""
    old, new = Net(plain, **layers(5, 5)), Net(skipping, **layers(8, 8))
    plan = planned(old, new)
    assert copied(plan) == {"up": True, "mid": True, "down": True}
    assert not plan.exact
    assert "several axes became one" in str(plan)


def branching(net: Net, x: Tensor) -> Tensor:
    first = hidden(net, x)
    return net.run("down", torch.tanh(net.run("mid", first)) + net.run("side", first))


@pytest.mark.parametrize("grows", [True, False])
def test_a_branch_beside_another(grows: bool) -> None:
    """Units of the branches that stay keep their partners; one that comes begins as 0."""
    less = Net(plain, **layers(5, 11))
    more = Net(branching, **layers(5, 11), side=nn.Linear(5, 11))
    plan = planned(less, more) if grows else planned(more, less)
    assert copied(plan) == {"up": True, "mid": True, "down": True}
    assert plan.exact == grows


def joined(*names: str) -> Does:
    def does(net: Net, x: Tensor) -> Tensor:
        return net.run("down", torch.cat([torch.tanh(net.run(name, x)) for name in names], -1))

    return does


@pytest.mark.parametrize("names", [("a", "new", "b"), ("new", "a", "b"), ("a", "b", "new")])
def test_a_new_part_of_a_concatenation(names: tuple[str, ...]) -> None:
    """Each old part keeps its columns, wherever the new one stands, and the function is kept."""
    sizes = {"a": 5, "b": 7, "new": 4}
    old = Net(joined("a", "b"), a=nn.Linear(3, 5), b=nn.Linear(3, 7), down=nn.Linear(12, 2))
    parts = {name: nn.Linear(3, sizes[name]) for name in names}
    new = Net(joined(*names), **parts, down=nn.Linear(16, 2))
    x = torch.randn(9, 3)
    before = old(x)
    plan = suture.transfer(subject(old), subject(new))
    assert plan.exact
    torch.testing.assert_close(new(x), before)


def test_a_part_of_a_concatenation_goes() -> None:
    """The columns of the parts that stay go with them."""
    old = Net(
        joined("a", "mid", "b"),
        a=nn.Linear(3, 5),
        mid=nn.Linear(3, 4),
        b=nn.Linear(3, 7),
        down=nn.Linear(16, 2),
    )
    new = Net(joined("a", "b"), a=nn.Linear(3, 5), b=nn.Linear(3, 7), down=nn.Linear(12, 2))
    plan = planned(old, new)
    state = suture.apply(plan, old.state_dict(), new.state_dict())
    kept = [*range(5), *range(9, 16)]
    torch.testing.assert_close(state["down.weight"], old.get_parameter("down.weight")[:, kept])
    assert not plan.exact


def test_same_shapes_other_meaning() -> None:
    """One feature replaced, two swapped: names say it, and so does the plan."""

    def driver(*features: str) -> suture.Subject:
        schema = suture.Schema(inputs={"input": features})
        return suture.Subject(Net(plain, **layers(5, 11)), (torch.randn(7, 3),), schema=schema)

    old, new = driver("angle", "speed", "wind"), driver("speed", "angle", "rain")
    plan = suture.plan(suture.trace(old), suture.trace(new))
    state = suture.apply(plan, old.model.state_dict(), new.model.state_dict())
    before, after = old.model.up.weight, state["up.weight"]
    torch.testing.assert_close(after[:, :2], before[:, [1, 0]])
    torch.testing.assert_close(after[:, 2], torch.zeros(5))
    assert [(n.kind, n.subject) for n in plan.notes] == [("condition", "input.wind")]
    assert "gone input.wind" in str(plan)
    assert "new input.rain" in str(plan)
