"""Models that do not belong together, and transfers that fail: nothing is half done."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import suture
from refusals import error, refused
from small import Does, planned, x
from suture import Schema, Subject


def layer(inputs: Any = None, outputs: Any = None, **settings: Any) -> Subject:
    """A layer of 4 units on 3 features, with names."""
    schema = Schema(inputs=inputs or {}, outputs=outputs or {})
    return Subject(nn.Linear(3, 4), (x(),), schema=schema, **settings)


# Models that do not belong together


def test_models_with_no_parameter_in_common() -> None:
    """What each side has, and what pairs parameters."""
    target = Subject(Does(lambda model, x: model.layer(x)), (x(),))
    assert refused(lambda: planned(layer(), target)) == error(
        """
        MatchError: The two models have no parameter in common.
          source   weight, bias
          target   layer.weight, layer.bias

        hint: parameters pair by keypath: call the modules alike in both models
        """
    )


def mlp(width: int, features: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(features, width), nn.Tanh(), nn.Linear(width, 2))


def test_a_plan_applied_to_other_models() -> None:
    """Every array that does not fit, on both sides; nothing is computed."""
    plan = planned(Subject(mlp(4), (x(),)), Subject(mlp(6), (x(),)))
    source, target = mlp(5).state_dict(), mlp(6, 7).state_dict()
    assert refused(lambda: suture.apply(plan, source, target)) == error(
        """
        PlanError: The plan was not made for 4 of the arrays.
          source   0.weight is f32[5,3]; the plan was made for f32[4,3]
          source   0.bias is f32[5]; the plan was made for f32[4]
          source   2.weight is f32[2,5]; the plan was made for f32[2,4]
          target   0.weight is f32[6,7]; the plan was made for f32[6,3]

        hint: make a plan for these two models
        """
    )


def test_a_plan_verified_on_other_models() -> None:
    """Every input that does not fit."""
    plan = planned(layer(), layer())
    other = Subject(nn.Linear(5, 4), (torch.randn(7, 5),))
    renamed = Subject(Does(lambda model, x: model.layer(x)), (x(),))
    assert refused(lambda: suture.verify(plan, other, renamed)) == error(
        """
        PlanError: The plan was made for other inputs.
          source   input is [7,5]; the plan was made for [7,3]
          target   input is missing; the plan was made for [7,3]
          target   args.0 is [7,3]; the plan was made for none

        hint: make a plan for these two models
        """
    )


def test_batches_that_do_not_fit() -> None:
    """Each batch that lacks an input, or gives it in another shape."""
    plan, subject = planned(layer(), layer()), layer()
    batches = [{"x": x().numpy()}, {"input": torch.randn(9, 3).numpy()}]
    assert refused(lambda: suture.verify(plan, subject, subject, batches)) == error(
        """
        PlanError: A batch gives every input of the target, in the shape of its example.
          batch 0  has no 'input'
          batch 1  'input' is [9,3], the example [7,3]
        """
    )


# Nothing half done


def transferred_in_vain(source: nn.Module, target: nn.Module, inputs: Tensor) -> str:
    """The error of a transfer, after which the target's weights are bit by bit as before."""
    before = {name: value.clone() for name, value in target.state_dict().items()}
    tensors = dict(target.named_parameters())
    text = refused(lambda: suture.transfer(Subject(source, (inputs,)), Subject(target, (inputs,))))
    if not any(value.is_meta for value in before.values()):
        assert all(torch.equal(before[name], value) for name, value in target.state_dict().items())
    assert all(tensors[name] is parameter for name, parameter in target.named_parameters())
    return text


def doubling(factor: int) -> nn.Module:
    model = Does(lambda model, x: model.layer(x) * factor)
    nn.init.ones_(model.layer.weight)
    nn.init.zeros_(model.layer.bias)
    return model


def test_a_factor_in_the_code() -> None:
    """A number in the code that differs is taken up by the weights before it."""
    given = x()
    source, target = Subject(doubling(2), (given,)), Subject(doubling(3), (given,))
    assert suture.transfer(source, target).exact
    torch.testing.assert_close(target.model(given), source.model(given))


def test_operands_that_change_places() -> None:
    """A difference taken the other way round is found by verification."""
    source = Does(lambda model, x: model.layer(x) - x[:, :1])
    target = Does(lambda model, x: x[:, :1] - model.layer(x))
    text = transferred_in_vain(source, target, x())
    assert text.startswith("VerifyError: The new model does not compute the old function")


def test_outputs_that_are_no_numbers() -> None:
    """A source that gives NaN shows nothing: the transfer is refused."""
    source, target = nn.Linear(3, 4), nn.Linear(3, 4)
    nn.init.constant_(source.weight, float("nan"))
    assert transferred_in_vain(source, target, x()) == error(
        """
        VerifyError: Nothing shows whether the new model computes the old function.
          output   no entry of the old model's output is a number

        hint: check the old model's weights and example arguments; the target is as it was before
        """
    )


def test_a_target_that_gives_no_numbers() -> None:
    """NaN where the source has numbers is a difference."""
    target = Does(lambda model, x: torch.fmod(model.layer(x), 0))
    source = Does(lambda model, x: torch.fmod(model.layer(x), 1000))
    text = transferred_in_vain(source, target, x())
    assert "output   relative difference inf, rounding allows 6e-05" in text


def test_a_target_without_memory() -> None:
    """Shapes have no weights to overwrite."""
    with torch.device("meta"):
        target = nn.Linear(3, 4)
    assert transferred_in_vain(nn.Linear(3, 4), target, x()) == error(
        """
        TraceError: Linear has shapes and no weights.
          weight   is on the meta device
          bias     is on the meta device

        hint: load its weights first
        """
    )


def test_inputs_without_values() -> None:
    """A transfer runs both models, so inputs need values."""
    text = transferred_in_vain(nn.Linear(3, 4), nn.Linear(3, 4), x().to("meta"))
    assert text == error(
        """
        TraceError: Running a model needs inputs with values.
          input    is on the meta device

        hint: give Subject example arguments on a device that has memory
        """
    )
