"""Running means and variances: the network sees of every feature what it saw before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

import suture
from laws import law
from named import between, pictures, selections
from refusals import error, refused
from suture import Affine, Schema, Subject, TransferError

EPSILON = 1e-8


def moments(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(count)
    return rng.normal(size=count), rng.uniform(0.5, 4.0, count)


def normalised(values: Any, mean: Any, var: Any) -> Any:
    return (values - mean) / np.sqrt(var + EPSILON)


scales = st.tuples(st.floats(0.1, 9.0), st.floats(-5.0, 5.0))


@law(st.tuples(selections(), scales))
def test_a_network_sees_what_it_saw(
    drawn: tuple[tuple[list[str], list[str]], tuple[float, float]],
) -> None:
    """Whatever comes, goes, moves and comes in other units: what is normalised stays.

    On another scale it is the same up to epsilon's share of the variance.
    """
    (old, new), scale = drawn
    shared = [name for name in new if name in old]
    affine = Affine(*scale)
    plan, (mean, var) = between(old, new), moments(len(old))
    said = {f"obs.{shared[0]}": affine}
    carried = suture.carry_statistics(plan, "obs", mean, var, rescaled=said)
    seen = np.random.default_rng(1).normal(size=(5, len(old)))
    shown = suture.carry(plan, "obs", seen, fresh=0.0, rescaled=said)
    before, after = normalised(seen, mean, var), normalised(shown, *carried)
    for name in shared:
        theirs, ours = before[:, old.index(name)], after[:, new.index(name)]
        bound = 1e-6 if name == shared[0] else 0.0
        assert np.allclose(ours, theirs, rtol=bound, atol=0)


def test_new_features() -> None:
    """They begin with mean 0 and variance 1, or with what is known of them."""
    plan, (mean, var) = between("ab", "axby"), moments(2)
    told = suture.carry_statistics(plan, "obs", mean, var, fresh={"obs.y": (5.0, 16.0)})
    assert told[0].tolist() == [mean[0], 0, mean[1], 5]
    assert told[1].tolist() == [var[0], 1, var[1], 16]


def test_other_units() -> None:
    """A mean is scaled and shifted, a variance scaled twice and not shifted: no rounding more."""
    plan, (mean, var) = between("ab", "ba"), moments(2)
    told = suture.carry_statistics(plan, "obs", mean, var, rescaled={"obs.a": Affine(4.0, -1.0)})
    assert told[0].tolist() == [mean[1], 4.0 * mean[0] - 1.0]
    assert told[1].tolist() == [var[1], 16.0 * var[0]]


def test_statistics_of_pictures() -> None:
    """One mean for each pixel of each channel."""
    rng = np.random.default_rng(2)
    mean, var = rng.normal(size=(2, 4, 5)), rng.uniform(1, 2, (2, 4, 5))
    told = suture.carry_statistics(pictures("rg", "gdr"), "obs", mean, var)
    assert np.array_equal(told[0][[2, 0]], mean)
    assert np.array_equal(told[1][[2, 0]], var)
    assert (told[0][1] == 0).all()
    assert (told[1][1] == 1).all()


def test_the_arrays_are_not_changed() -> None:
    """Both come back as new ones of their dtype."""
    mean, var = (each.astype(np.float32) for each in moments(2))
    before = mean.copy(), var.copy()
    told = suture.carry_statistics(between("ab", "xba"), "obs", mean, var)
    assert {each.dtype for each in told} == {np.dtype(np.float32)}
    assert np.array_equal(mean, before[0])
    assert np.array_equal(var, before[1])


def test_without_names() -> None:
    """Statistics pair by position as the weights do, and that is said again."""
    with pytest.warns(UserWarning, match="obs has no names: entries pair by position"):
        told = suture.carry_statistics(between(2, 3), "obs", *moments(2))
    assert told[0][:2].tolist() == moments(2)[0].tolist()


def test_statistics_within_the_network() -> None:
    """Buffers of the model's own are tensors of the plan: new features begin as it began them."""

    class Normalises(nn.Module):
        mean: Tensor
        var: Tensor

        def __init__(self, width: int) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(width, dtype=torch.float64))
            self.register_buffer("var", torch.ones(width, dtype=torch.float64))
            self.head = nn.Linear(width, 2, dtype=torch.float64)

        def forward(self, obs: Tensor) -> Any:
            return self.head((obs - self.mean) / torch.sqrt(self.var + EPSILON))

    def side(features: list[str]) -> Subject:
        example = torch.randn(7, len(features), dtype=torch.float64)
        return Subject(Normalises(len(features)), (example,), schema=Schema({"obs": features}))

    source, target = side(["x", "v"]), side(["wind", "v", "x"])
    mean, var = moments(2)
    source.model.load_state_dict(
        {**source.model.state_dict(), "mean": torch.tensor(mean), "var": torch.tensor(var)}
    )
    assert suture.transfer(source, target).exact
    assert target.model.mean.tolist() == [0, mean[1], mean[0]]
    assert target.model.var.tolist() == [1, var[1], var[0]]


def test_all_that_is_wrong_at_once() -> None:
    """Names, variances below 0, scales that turn a sign."""
    plan = between("abc", "axbc")
    assert refused(
        lambda: suture.carry_statistics(
            plan,
            "obs",
            *moments(3),
            fresh={"obs.x": (0.0, -1.0), "obs.q": (0.0, 1.0)},
            rescaled={"obs.a": Affine(-2.0), "obs.x": Affine(2.0)},
        )
    ) == error(
        """
        TransferError: What is given does not fit 'obs'.
          obs.q    is no new entry: did you mean 'obs.x'?
          obs.x    is no named entry of both models
          obs.x    has a variance below 0
          obs.a    a scale below 0 turns the sign of what is normalised
        """
    )


def test_a_plan_that_undoes_the_scale_too() -> None:
    """Normalised, a feature has no units: weights that undo them would do it a second time."""
    plan = between("ab", "ba", rescaled={"obs.a": Affine(3.6)})
    with pytest.raises(TransferError) as raised:
        suture.carry_statistics(plan, "obs", *moments(2))
    text = "the plan's weights undo the scale already: plan without"
    assert raised.value.facts == (("obs.a", text),)


def test_statistics_of_another_width() -> None:
    """They are along the source's features."""
    with pytest.raises(TransferError) as raised:
        suture.carry_statistics(between("abc", "ba"), "obs", *moments(2))
    assert raised.value.facts == (("obs", "the array is [2]; the source's are [..,3]"),)
