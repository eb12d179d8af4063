"""Verification: both models on the same world states, and how far apart they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import suture
from nets import Net, generic, given, listed, mlp, subject
from small import planned
from suture import Categorical, Plan, Subject
from suture._report import Difference, Report

ROUNDING = 1e-6


def applied(source: Subject, target: Subject) -> Plan:
    plan = planned(source, target)
    new = suture.apply(plan, source.model.state_dict(), target.model.state_dict())
    target.model.load_state_dict(new)
    return plan


def named(features: str, width: int) -> Subject:
    count = len(features)
    return subject(mlp(width, count), given(count), inputs={"x": listed(features)})


def test_random_states() -> None:
    """Eight states are drawn; new features take any value, and nothing is held."""
    source, target = named("abc", 4), named("xcaby", 6)
    report = suture.verify(applied(source, target), source, target)
    assert (report.states, report.held) == (8, ())
    assert report.equal
    assert 0 <= report.max_rel_diff < ROUNDING


def test_as_many_states_as_asked_for() -> None:
    """The number is the caller's; the states are the same every time."""
    source, target = named("abc", 4), named("abc", 6)
    plan = planned(source, target)  # not applied: the models differ
    reports = [suture.verify(plan, source, target, 3) for _ in range(2)]
    assert reports[0] == reports[1]
    assert reports[0].states == 3
    assert not reports[0].equal


def test_how_much_may_be_rounding_in_half_precision() -> None:
    """What a coarse dtype hides is said beside what was measured."""
    source, target = (subject(mlp(width).bfloat16(), given().bfloat16()) for width in (4, 6))
    said = str(suture.verify(applied(source, target), source, target)).splitlines()
    assert [line.endswith("  (rounding may be 0.1)") for line in said] == [False, True, False, True]


def test_features_that_are_gone() -> None:
    """They are held at zero, and named."""
    source, target = named("abc", 4), named("ca", 4)
    report = suture.verify(applied(source, target), source, target)
    assert report.held == ("x.b",)
    assert report.equal
    assert str(report).splitlines()[0] == "8 world states, x.b held at 0"


def test_real_batches() -> None:
    """Batches are the target's inputs; the source sees its own features of them."""
    source, target = named("abc", 4), named("xcaby", 6)
    plan = applied(source, target)
    batches = [{"x": np.random.default_rng(n).normal(size=(7, 5)).astype("f4")} for n in range(3)]
    report = suture.verify(plan, source, target, batches)
    assert report.states == 3
    assert report.equal
    with torch.no_grad():
        shown = target.model(torch.from_numpy(batches[0]["x"]))
        known = source.model(torch.from_numpy(batches[0]["x"][:, [2, 3, 1]]))
    assert torch.allclose(shown, known, atol=1e-5)


def test_batches_of_tensors() -> None:
    """Tensors serve as arrays do."""
    source, target = named("abc", 4), named("abc", 6)
    batch: Any = {"x": given(3)}
    assert suture.verify(applied(source, target), source, target, [batch]).equal


def test_one_weight_that_is_wrong() -> None:
    """The difference is that of the outputs, absolute and over the largest old entry."""
    source, target = named("abc", 4), named("abc", 6)
    plan = applied(source, target)
    with torch.no_grad():
        target.model.get_parameter("out.bias")[1] += 3.0
    report = suture.verify(plan, source, target)
    assert report.max_abs_diff == pytest.approx(3.0, abs=1e-5)
    assert report.max_rel_diff == pytest.approx(3.0 / _largest(source, plan, target), rel=1e-4)
    assert not report.equal


def _largest(source: Subject, plan: Plan, target: Subject) -> float:
    from suture._adapter import adapter
    from suture._world import as_source, draw

    ours, theirs = adapter(target.model), adapter(source.model)
    rng, old, new = np.random.default_rng(0), theirs.examples(source), ours.examples(target)
    worlds = [as_source(plan, draw(plan, old, new, rng), old) for _ in range(8)]
    return max(float(np.abs(theirs.run(source, world)["output"]).max()) for world in worlds)


def test_outputs_that_only_one_model_has() -> None:
    """Entries and outputs that both have are compared, by name."""

    def heads(actions: str, *more: str) -> Subject:
        model = Net(
            lambda m, x: {name: getattr(m, name)(x) for name in ("policy", *more)},
            policy=nn.Linear(3, len(actions)),
            **{name: nn.Linear(3, 2) for name in more},
        )
        return subject(generic(model), given(), outputs={"policy": listed(actions)})

    source, target = heads("lr"), heads("jrul", "value")
    report = suture.verify(applied(source, target), source, target)
    assert [output.name for output in report.outputs] == ["policy"]
    assert report.outputs[0].compared == 8 * 7 * 2
    assert report.equal


def table(names: str) -> Subject:
    model = Net(lambda m, x: m.table(x), table=nn.Embedding(len(names), 4))
    ids = torch.zeros(2, 7, dtype=torch.int64)
    return subject(generic(model), ids, inputs={"x": Categorical(names)})


def test_categories_in_another_order() -> None:
    """Both models see the same category, each by its own number."""
    source, target = table("abc"), table("xcab")
    assert suture.verify(applied(source, target), source, target).max_abs_diff == 0


def test_categories_that_are_all_gone() -> None:
    """There is no state that both know."""
    source, target = table("abc"), table("uvwx")
    report = suture.verify(applied(source, target), source, target)
    assert report.states == 0
    assert report.outputs[0].compared == 0


def test_integers_that_decide() -> None:
    """Integers that choose no row keep their example values."""

    def cut(width: int) -> Subject:
        model = Net(lambda m, x, y: m.layer(x)[: y.max()], layer=nn.Linear(3, width))
        return subject(generic(model), given(), torch.tensor([2, 5]))

    source, target = cut(4), cut(4)
    report = suture.verify(applied(source, target), source, target)
    assert report.outputs[0].compared == 8 * 5 * 4
    assert report.equal


def test_one_tensor_given_twice() -> None:
    """Both inputs are drawn, each for itself, on both sides alike."""

    def both(width: int) -> Subject:
        model = Net(
            lambda m, x, y: m.out((m.a(x) - m.b(y)).relu()),
            a=nn.Linear(3, width),
            b=nn.Linear(3, width),
            out=nn.Linear(width, 2),
        )
        tensor = given()
        return subject(generic(model), tensor, tensor)

    source, target = both(4), both(6)
    assert suture.verify(applied(source, target), source, target).equal


def test_models_that_draw() -> None:
    """Both draw the same, and the random state is as before."""

    def noisy(width: int) -> Subject:
        return subject(
            Net(lambda m, x: m.layer(x) + torch.rand(4), layer=nn.Linear(3, width)), given()
        )

    source, target = noisy(4), noisy(4)
    plan = applied(source, target)
    before = torch.get_rng_state()
    assert suture.verify(plan, source, target).max_abs_diff == 0
    assert torch.equal(torch.get_rng_state(), before)


def test_models_in_training() -> None:
    """They are run in evaluation mode, and are in training afterwards."""

    def dropping(width: int) -> Subject:
        model = mlp(width, norm=nn.BatchNorm1d(width), drop=nn.Dropout(0.5))
        return subject(model.train(), given())

    source, target = dropping(4), dropping(6)
    assert suture.verify(applied(source, target), source, target).equal
    assert source.model.training
    assert target.model.training


def test_outputs_of_infinity() -> None:
    """Masked entries of minus infinity on both sides are equal."""

    def masked(m: Any, x: Tensor) -> Any:
        return m.layer(x).masked_fill(torch.tensor([True, False, False, False]), float("-inf"))

    def net() -> Subject:
        return subject(generic(Net(masked, layer=nn.Linear(3, 4))), given())

    source, target = net(), net()
    report = suture.verify(applied(source, target), source, target)
    assert report.equal
    assert report.max_abs_diff == 0


def test_a_report_in_words() -> None:
    """States first, then a line per output, aligned."""
    differences = (
        Difference("policy.logits", 2.5, 0.125, 6e-5, 14),
        Difference("value", 0.0, 0.0, 6e-5, 7),
    )
    assert str(Report(differences, 1, ("obs.x", "obs.v"))) == (
        "1 world state, obs.x, obs.v held at 0\n"
        "  policy.logits  max |difference| 2.50e+00  relative 1.25e-01\n"
        "  value          max |difference| 0.00e+00  relative 0.00e+00"
    )


def test_a_report_of_nothing() -> None:
    """Without outputs there is no difference."""
    report = Report((), 8)
    assert (report.max_abs_diff, report.max_rel_diff) == (0.0, 0.0)
    assert str(report) == "8 world states"


def test_models_that_count() -> None:
    """What a forward counts in a buffer is as before, and so is what it replaces."""

    def counting(m: Any, x: Tensor) -> Any:
        m.calls += 1
        m.last = x.mean(0)
        return m.layer(x)

    def net(width: int) -> Subject:
        model = Net(counting, layer=nn.Linear(3, width))
        model.register_buffer("calls", torch.tensor([5.0]))
        model.register_buffer("last", torch.zeros(3))
        return subject(model, given())

    source, target = net(4), net(6)
    suture.verify(applied(source, target), source, target)
    for model in (source.model, target.model):
        assert torch.equal(model.get_buffer("calls"), torch.tensor([5.0]))
        assert torch.equal(model.get_buffer("last"), torch.zeros(3))
