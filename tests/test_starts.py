"""How new outputs and categories begin: own, as a constant, as a copy, as the mean of the old."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume
from torch import Tensor, nn

import suture
from carried import Carried, difference
from laws import law
from modules import build
from nets import Net, generic, given, listed, mlp, subject
from networks import REPLACING, chains
from recipes import Recipe, TiedHead, outputs
from suture import Bias, Categorical, CopyOf, MeanOfOld, OwnInit, PlanError, Subject
from worlds import choices
from worlds import subject as subject_of

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")

OLD, NEW = ["left", "right", "up"], ["jump", "left", "wait", "up", "right"]


def policy(actions: list[str], width: int) -> Subject:
    model = mlp(width, outputs=len(actions))
    return subject(model, given(), outputs={"output": actions})


def carried(
    fill: dict[str, Any], old: Subject | None = None, new: Subject | None = None
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Give the weights of the source, of the target before, and after; old logits are kept."""
    source, target = old or policy(OLD, 4), new or policy(NEW, 6)
    before = {name: value.clone() for name, value in target.model.state_dict().items()}
    plan = suture.transfer(source, target, fill=fill)
    assert plan.exact, plan.notes
    assert suture.verify(plan, source, target).equal
    assert suture.Plan.from_json(plan.to_json()) == plan
    return source.model.state_dict(), before, target.model.state_dict()


def test_a_rare_action() -> None:
    """Its weights are 0 and its logit is the bias that is given, whatever is seen."""
    _, _, new = carried({"output.wait": Bias(-5.0)})
    assert torch.equal(new["out.weight"][2], torch.zeros(6))
    assert new["out.bias"][2] == -5


def test_an_action_like_another() -> None:
    """It is that action's twin: a copy where the old is copied, 0 where new units are read."""
    old, _, new = carried({"output.jump": CopyOf("output.right")})
    assert torch.equal(new["out.weight"][0], new["out.weight"][4])
    assert torch.equal(new["out.weight"][0, :4], old["out.weight"][1])
    assert new["out.bias"][0] == old["out.bias"][1]


def test_an_action_like_all_others() -> None:
    """Its logit is the mean of all old ones."""
    old, _, new = carried({"output.jump": MeanOfOld(), "output.wait": MeanOfOld()})
    for row in (0, 2):
        assert torch.allclose(new["out.weight"][row, :4], old["out.weight"].mean(0), atol=1e-6)
        assert torch.equal(new["out.weight"][row, 4:], torch.zeros(2))
        assert torch.allclose(new["out.bias"][row], old["out.bias"].mean(), atol=1e-6)


def test_an_action_of_its_own() -> None:
    """It keeps what the target was initialised with, as it does without a word."""
    _, before, new = carried({"output.wait": OwnInit()})
    assert torch.equal(new["out.weight"][2], before["out.weight"][2])
    assert torch.equal(carried({})[2]["out.weight"][2], before["out.weight"][2])


def test_a_head_that_gives_more_than_actions() -> None:
    """The mean is that of the entries of the same output, not of all that a layer writes."""

    def net(actions: list[str]) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            return dict(zip(("logits", "value"), m.out(x).split([count, 2], -1), strict=True))

        count = len(actions)
        model = generic(Net(forward, out=nn.Linear(3, count + 2)))
        return subject(model, given(), outputs={"logits": actions, "value": listed("vw")})

    old, _, new = carried({"logits.wait": MeanOfOld()}, net(OLD), net(NEW))
    assert torch.allclose(new["out.weight"][2], old["out.weight"][:3].mean(0), atol=1e-6)


def test_a_constant_that_was_folded() -> None:
    """What is copied is what the old row became, biases included."""

    def net(features: str, actions: list[str]) -> Subject:
        model = generic(Net(lambda m, x: m.out(x), out=nn.Linear(len(features), len(actions))))
        shown: Any = {"inputs": {"x": listed(features)}, "outputs": {"output": actions}}
        return subject(model, given(len(features)), **shown)

    source, target = net("abc", OLD), net("ac", NEW)
    said: Any = {"constants": {"x.b": 0.5}, "fill": {"output.jump": CopyOf("output.up")}}
    plan = suture.transfer(source, target, **said)
    assert plan.exact
    new = target.model.state_dict()
    assert torch.equal(new["out.bias"][0], new["out.bias"][3])
    assert torch.equal(new["out.weight"][0], new["out.weight"][3])


def words(names: list[str], width: int = 4, tied: bool = True) -> Subject:
    def forward(m: Any, x: Tensor) -> Any:
        return m.head(m.out(m.into(m.table(x)).relu()))

    model = Net(
        forward,
        table=nn.Embedding(len(names), width),
        into=nn.Linear(width, 5),
        out=nn.Linear(5, width),
        head=nn.Linear(width, len(names)),
    )
    if tied:
        model.get_submodule("head").weight = model.get_parameter("table.weight")
    ids = torch.zeros(2, 7, dtype=torch.int64)
    named: Any = {"inputs": {"x": Categorical(names)}, "outputs": {"output": {2: names}}}
    return subject(generic(model), ids, **named)


@pytest.mark.parametrize("name", ["x.wait", "output.wait"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_new_token(name: str, tied: bool) -> None:
    """Its row is the mean of the old ones; a tied one decides its logit too."""
    old, before, new = carried({name: MeanOfOld()}, words(OLD, 4, tied), words(NEW, 4, tied))
    mean = old["table.weight"].mean(0)
    looked_up, written = torch.allclose(new["table.weight"][2], mean), name == "output.wait"
    assert looked_up or (written and not tied)
    if tied or written:
        assert torch.allclose(new["head.weight"][2], old["head.weight"].mean(0))
        assert torch.allclose(new["head.bias"][2], old["head.bias"].mean())
    else:
        assert torch.equal(new["head.weight"][2], before["head.weight"][2])


def test_a_new_token_like_another() -> None:
    """Its row is the other's, and so is its logit."""
    old, _, new = carried({"x.jump": CopyOf("x.up")}, words(OLD), words(NEW))
    assert torch.equal(new["table.weight"][0], old["table.weight"][2])
    assert new["head.bias"][0] == old["head.bias"][2]


def beginnings(chain: tuple[Recipe, ...]) -> dict[str, Any]:
    """Say how every new output and category begins, in turn by each word."""
    before, after = ({**outputs(each), **categories(each)} for each in chain)
    said: dict[str, Any] = {}
    for name, names in after.items():
        kept = [f"{name}.{each}" for each in names if each in before.get(name, ())]
        tied = name.startswith("world.") or any(
            isinstance(head, TiedHead) and head.name == name for head in chain[1].heads
        )
        words = [OwnInit(), *([MeanOfOld(), CopyOf(kept[0])] if kept else [])]
        words += [] if tied else [Bias(-3.0)]
        new = [f"{name}.{each}" for each in names if name in before and each not in before[name]]
        said |= {each: words[(at + len(names)) % len(words)] for at, each in enumerate(new)}
    return said


def categories(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    return {f"world.{name}": names for name, names in choices(recipe).items()}


@law(chains(REPLACING), few=25)
def test_beginnings_in_any_network(chain: tuple[Recipe, ...]) -> None:
    """Law 3: however new outputs and categories begin, old ones stay where the plan is exact."""
    fill = beginnings(chain)
    assume(fill)
    source, target = build(chain[0], 1), build(chain[1], 2)
    old, new = subject_of(chain[0], source), subject_of(chain[1], target)
    plan = suture.plan(suture.trace(old), suture.trace(new), fill=fill)
    target.load_state_dict(suture.apply(plan, source.state_dict(), target.state_dict()))
    assume(plan.exact)
    carried = Carried(chain[0], chain[1], source, target, plan)
    assert difference(carried) < 1e-10


def refused(fill: Any, old: Subject | None = None, new: Subject | None = None) -> str:
    source, target = old or policy(OLD, 4), new or policy(NEW, 6)
    with pytest.raises(PlanError) as caught:
        suture.transfer(source, target, fill=fill)
    return str(caught.value)


def test_entries_that_are_not_new() -> None:
    """Every one is listed, and what was meant is guessed."""
    fill = {
        "output.left": Bias(-5.0),
        "output.jumpp": OwnInit(),
        "output.jump": CopyOf("output.rigth"),
        "output.wait": -5.0,
    }
    assert refused(fill) == (
        "What new entries begin as does not fit.\n"
        "  output.left is in the old model too\n"
        "  output.jumpp is no new output or category\n"
        "  output.jump 'output.rigth' is no old output or category\n"
        "  output.wait -5.0 is no start: write OwnInit(), Bias(-5.0), CopyOf(name) or MeanOfOld()"
        "\n\nhint: did you mean 'output.jump'?"
    )


def test_constants_that_nothing_writes() -> None:
    """A tied row would leave the token's embedding 0, and without a bias nothing is added."""
    text = refused({"x.wait": Bias(-1.0)}, words(OLD), words(NEW))
    assert "its row of table.weight is looked up: a bias would leave it 0" in text

    def bare(actions: list[str]) -> Subject:
        layer = nn.Linear(3, len(actions), bias=False)
        model = generic(Net(lambda m, x: m.out(x), out=layer))
        return subject(model, given(), outputs={"output": actions})

    text = refused({"output.wait": Bias(-1.0)}, bare(OLD), bare(NEW))
    assert "no bias is added to it" in text
    new = carried({"output.wait": Bias(0.0)}, bare(OLD), bare(NEW))[2]
    assert torch.equal(new["out.weight"][2], torch.zeros(3))


def test_a_policy_by_name() -> None:
    """It may be said outright."""
    assert suture.transfer(policy(OLD, 4), policy(NEW, 6), fill="exact").exact
    assert refused("exakt") == (
        "There is no fill 'exakt'.\n  known    exact, own, zeros, replicate\n\n"
        "hint: did you mean 'exact'?"
    )
