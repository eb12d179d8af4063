"""Where values part: a fault that was planted is named at its op, and what was told of it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import suture
from nets import Net, generic, given, mlp, subject, weights
from suture import Categorical, Subject, VerifyError
from suture._correspond import matched, pairs
from suture._parting import EQUAL, State, compared
from suture._report import Difference, Report


def faulty(source: Subject, target: Subject, name: str, entry: Any, **settings: Any) -> Report:
    """Carry a model over, change one weight by hand, and verify."""
    plan = suture.transfer(source, target, **settings)
    assert suture.verify(plan, source, target).equal
    with torch.no_grad():
        target.model.get_parameter(name)[entry] += 0.7
    return suture.verify(plan, source, target)


def said(report: Report) -> str:
    """Give a parting without its figure."""
    return re.sub(r": relative difference [\d.e+-]+$", "", report.parted)


def deep(width: int) -> Subject:
    first, second = nn.Linear(width, width), nn.Linear(width, width)
    return subject(mlp(width, first=first, second=second), given())


@pytest.mark.parametrize("name", ["into", "first", "second", "out"])
def test_a_plain_network(name: str) -> None:
    """The layer of the weight is named, whichever it is."""
    report = faulty(deep(4), deep(6), f"{name}.bias", 1)
    assert said(report) == f"at {name} (addmm)"
    assert report.apart == ("output",)


def test_a_network_in_another_place() -> None:
    """The target's names count, and rules that renamed tensors are not needed again."""

    def named(*names: str) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            return getattr(m, names[1])(getattr(m, names[0])(x).relu())

        return subject(
            generic(Net(forward, **{names[0]: nn.Linear(3, 4), names[1]: nn.Linear(4, 2)})), given()
        )

    rename = {"^one": "x", "^two": "one", "^x": "two"}
    report = faulty(named("one", "two"), named("two", "one"), "two.bias", 1, rename=rename)
    assert said(report) == "at two (addmm)"


def convolutional(channels: int, inner: int) -> Subject:
    def forward(m: Any, x: Tensor) -> Any:
        return m.out(m.second(m.norm(m.first(x)).relu()).relu().mean((2, 3)))

    model = Net(
        forward,
        first=nn.Conv2d(3, channels, 3, padding=1),
        norm=nn.BatchNorm2d(channels),
        second=nn.Conv2d(channels, inner, (1, 5), padding=(0, 2)),
        out=nn.Linear(inner, 2),
    )
    return subject(generic(model), torch.randn(5, 3, 8, 7))


@pytest.mark.parametrize(
    ("name", "entry", "place"),
    [
        ("first.weight", (1, 2, 0, 1), "first (convolution)"),
        ("norm.bias", 2, "norm (native_batch_norm)"),
        ("second.weight", (1, 2, 0, 3), "second (convolution)"),
        ("out.weight", (1, 2), "out (addmm)"),
    ],
)
def test_a_convolutional_network(name: str, entry: Any, place: str) -> None:
    """Channels that grew are left out: the preserved ones part where the fault is."""
    assert said(faulty(convolutional(4, 6), convolutional(7, 9), name, entry)) == f"at {place}"


def gpt2(inner: int) -> Subject:
    from transformers import GPT2Config, GPT2LMHeadModel

    small: dict[str, Any] = {
        "n_embd": 12,
        "n_head": 3,
        "n_layer": 2,
        "vocab_size": 31,
        "n_positions": 16,
    }
    config = GPT2Config(**small, n_inner=inner, bos_token_id=0, eos_token_id=0)
    model = GPT2LMHeadModel(config)
    kwargs = {"use_cache": False, "return_dict": True}
    ids = torch.arange(10).reshape(2, 5)
    return Subject(model, (ids,), kwargs=kwargs)


@pytest.mark.parametrize(
    ("name", "entry", "place"),
    [
        ("transformer.h.1.ln_2.weight", 3, "transformer.h.1.ln_2 (native_layer_norm)"),
        ("transformer.h.0.mlp.c_fc.weight", (3, 4), "transformer.h.0.mlp.c_fc (addmm)"),
        ("transformer.h.1.attn.c_attn.bias", 25, "transformer.h.1.attn.c_attn (addmm)"),
        ("transformer.ln_f.bias", 3, "transformer.ln_f (native_layer_norm)"),
    ],
)
def test_a_block_of_gpt2(name: str, entry: Any, place: str) -> None:
    """Behind residual sums the op of the fault is named, not the sum."""
    assert said(faulty(gpt2(20), gpt2(27), name, entry)) == f"at {place}"


def test_a_multiple_that_a_later_op_undoes() -> None:
    """What is scaled and divided again is no fault; the op that is wrong behind it is."""

    def scaled(factor: float, wrong: float = 0.0) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            h = m.into(x) * factor
            return m.out((h / factor).relu()) + wrong

        model = Net(forward, into=nn.Linear(3, 4), out=nn.Linear(4, 2))
        return subject(generic(model), given())

    source, target = scaled(2), scaled(3)
    plan = suture.transfer(source, target)
    assert suture.verify(plan, source, target).equal
    other = scaled(3, wrong=0.5)
    report = suture.verify(suture.transfer(source, other), source, other)
    assert re.fullmatch(r"at \S*test_parting.py:\d+ \(add\)", said(report))


def test_parts_that_later_ops_undo() -> None:
    """A value of which one part is scaled is no fault either, where that comes to nothing."""

    def scaled(factor: float, wrong: float) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            q, k = torch.cat([m.q(x) * factor, m.k(x)], -1).split(4, -1)
            return m.out((q @ k.T / factor).softmax(-1) @ x).abs() ** wrong

        model = Net(forward, q=nn.Linear(3, 4), k=nn.Linear(3, 4), out=nn.Linear(3, 2))
        return subject(generic(model), given())

    source, target = scaled(2, 1.0), scaled(3, 2.0)
    report = suture.verify(suture.transfer(source, target), source, target)
    assert re.fullmatch(r"at \S*test_parting.py:\d+ \(pow\)", said(report))


def real(x: Tensor, number: float) -> float:
    """A number that no trace sees: on shapes alone it is 1."""
    return 1.0 if x.is_meta else number


def test_a_multiple_that_stays() -> None:
    """An output that is a multiple of the old one is told as such."""

    def scaled(factor: float) -> Subject:
        return subject(
            generic(Net(lambda m, x: m.layer(x) * factor, layer=nn.Linear(3, 4))), given()
        )

    source, target = scaled(2), scaled(3)
    plan = suture.plan(suture.trace(source), suture.trace(target))
    target.model.load_state_dict(source.model.state_dict())
    assert "(mul): 1.5 times the old values" in said(suture.verify(plan, source, target))


def test_categories_in_another_order() -> None:
    """Both sides look up the row of the same category, each by its own number."""

    def table(names: str) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            return m.out(m.table(x).relu())

        model = Net(forward, table=nn.Embedding(len(names), 4), out=nn.Linear(4, 2))
        ids = torch.zeros(2, 7, dtype=torch.int64)
        return subject(generic(model), ids, inputs={"x": Categorical(names)})

    report = faulty(table("abc"), table("xcab"), "table.weight", (1, 2))
    assert said(report) == "at table (embedding)"


def test_a_model_that_does_not_run_on_generic_weights() -> None:
    """It is said, and the model can be verified without."""

    model = generic(Net(lambda m, x: m.layer(x), layer=nn.Linear(3, 4)))
    whole = float(model.get_parameter("layer.weight").detach().sum())

    def call(model: Net, x: Tensor) -> Any:
        weight: Tensor = model.get_submodule("layer").weight  # type: ignore[assignment]
        if not weight.is_meta and abs(float(weight.sum()) - whole) > 1e-3:
            raise ValueError("these are other weights")
        return model(x)

    source = subject(model, given(), call=call)
    plan = suture.transfer(source, source)
    report = suture.verify(plan, source, source)
    assert str(report).splitlines()[-1] == (
        "no generic weights: Net does not run on generic weights"
    )
    assert report.equal
    with pytest.raises(suture.TraceError) as caught:
        suture.verify(plan, source, source, generic=1)
    assert str(caught.value) == (
        "Net does not run on generic weights.\n"
        "  ValueError these are other weights\n\n"
        "hint: verify with generic=0"
    )
    assert suture.verify(plan, source, source, generic=0).equal


def test_a_plan_whose_pairing_is_not_known_any_more() -> None:
    """Tensors pair as the plan says; a plan that pairs nothing has no walk."""
    source, target = deep(4), deep(6)
    graphs = suture.trace(source), suture.trace(target)
    found = matched(suture.plan(*graphs), *graphs)
    assert found is not None
    assert len([*pairs(found)]) == len([n for n in graphs[1].nodes if n.op != "aten.t.default"])


def test_figures_of_one_value() -> None:
    """One entry that is off is measured against the factor of the others."""
    old = np.arange(1.0, 9.0)
    assert compared(old, old, 1e-6) == EQUAL
    assert compared(old, 3 * old, 1e-6) == State(3.0, 0.0)
    off = compared(old, 3 * old + np.eye(8)[2], 1e-6)
    assert off.factor == 3.0
    assert off.rest == pytest.approx(1 / 24)
    assert compared(old, -old, 1e-6) == State(1.0, 2.0)
    assert compared(0 * old, old, 1e-6).rest == float("inf")
    assert compared(np.array([np.inf, np.nan, 1]), np.array([np.inf, np.nan, 1]), 1e-6) == EQUAL
    assert compared(np.array([np.inf, 1]), np.array([2.0, 1]), 1e-6).rest == float("inf")


def test_a_report_with_generic_weights() -> None:
    """Both kinds of weights, then where values part."""
    own, drawn = Difference("y", 0.0, 0.0, 6e-5, 14), Difference("y", 2.5, 0.125, 6e-5, 4)
    report = Report(
        (own,), 8, (), (drawn,), 2, "at a.ln (native_layer_norm): relative difference 0.1"
    )
    assert report.apart == ("y",)
    assert not report.equal
    assert str(report) == (
        "8 world states\n"
        "  y  max |difference| 0.00e+00  relative 0.00e+00\n"
        "2 world states, generic weights\n"
        "  y  max |difference| 2.50e+00  relative 1.25e-01\n"
        "values part at a.ln (native_layer_norm): relative difference 0.1"
    )


def test_weights_of_order_one_show_what_small_ones_hide() -> None:
    """A fault under the tolerance of small weights is found, and the user's weights are kept."""

    def gated(offset: float) -> Subject:
        def forward(m: Any, x: Tensor) -> Any:
            return x @ m.out.T + m.small * real(x, offset)

        model = Net(forward, out=weights(2, 3), small=nn.Parameter(torch.full((2,), 1e-9)))
        return subject(model, given())

    source, target = gated(2), gated(3)
    before = [parameter.clone() for parameter in source.model.parameters()]
    with pytest.raises(VerifyError, match="with generic weights, rounding allows"):
        suture.transfer(source, target)
    assert suture.transfer(source, target, generic=0).exact
    after = source.model.parameters()
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
