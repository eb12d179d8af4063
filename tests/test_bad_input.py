"""Bad input: each is one clear error, and nothing is half done. The text is the interface."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import suture
from refusals import error, refused
from small import Does, planned, traced, x
from suture import Categorical, Schema, Subject


def layer(inputs: Any = None, outputs: Any = None, **settings: Any) -> Subject:
    """A layer of 4 units on 3 features, with names."""
    schema = Schema(inputs=inputs or {}, outputs=outputs or {})
    return Subject(nn.Linear(3, 4), (x(),), schema=schema, **settings)


# Models that cannot be traced


def test_a_forward_that_leaves_torch() -> None:
    """The line and Python's own words."""
    model = Does(lambda model, x: model.layer(torch.from_numpy(x.numpy())))
    assert refused(lambda: traced(model, x())) == error(
        """
        TraceError: Does cannot be run on shapes alone.
          at       HERE
          TypeError can't convert meta device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.

        hint: check that the model runs on these arguments; if it does, keep what needs real data out of the traced call (see Subject's `call`)
        """  # noqa: E501
    )


def test_arguments_of_another_width() -> None:
    """The line, the op with its shapes, and torch's own words."""
    assert refused(lambda: traced(nn.Linear(3, 4), torch.randn(7, 2), call=run)) == error(
        """
        TraceError: An op cannot be run on shapes alone.
          at       HERE, Linear.forward
          op       aten.addmm.default(f32[4], f32[7,2], f32[3,4])
          torch    a and b must have same reduction dim, but got [7, 2] X [3, 4].

        hint: check that the model runs on these arguments; if it does, keep the op out of the traced call (see Subject's `call`)
        """  # noqa: E501
    )


def run(model: nn.Module, x: Tensor) -> Any:
    return model(x)


def test_arguments_that_are_missing() -> None:
    """What the model takes, and what is missing."""
    assert refused(lambda: traced(nn.Bilinear(3, 2, 4), x())) == error(
        """
        TraceError: The example arguments do not fit the call.
          call     Bilinear.forward(input1: torch.Tensor, input2: torch.Tensor) -> torch.Tensor
          python   missing a required argument: 'input2'
        """
    )


def test_control_flow_that_data_decides() -> None:
    """The line that asks, and what it asks."""

    def deciding(model: Does, x: Tensor) -> Any:
        return model.layer(x) if x.sum() > 0 else -model.layer(x)

    assert refused(lambda: traced(Does(deciding), x())) == error(
        """
        TraceError: The model's control flow or shapes depend on values that only real data has.
          at       HERE, Does.forward
          code     return model.layer(x) if x.sum() > 0 else -model.layer(x)
          op       aten._local_scalar_dense.default(bool[])
          input    args.0

        hint: to go the way that the example goes, Subject(..., concrete=("args.0",))
        """
    )


def test_a_mask_that_data_decides() -> None:
    """The line that picks, and the mask."""

    def picking(model: Does, x: Tensor) -> Any:
        return model.layer(x)[x.sum(-1) > 0]

    assert refused(lambda: traced(Does(picking), x())) == error(
        """
        TraceError: The model's control flow or shapes depend on values that only real data has.
          at       HERE, Does.forward
          code     return model.layer(x)[x.sum(-1) > 0]
          op       aten.nonzero_numpy.default(bool[7])
          input    args.0

        hint: to go the way that the example goes, Subject(..., concrete=("args.0",))
        """
    )


def test_a_lazy_module() -> None:
    """Every parameter without a shape."""
    model = nn.Sequential(nn.LazyLinear(4), nn.LazyLinear(2, bias=False))
    assert refused(lambda: traced(model, x())) == error(
        """
        TraceError: Parameters have no shape yet.
          lazy     0.weight
          lazy     0.bias
          lazy     1.weight

        hint: run the model once on real data before tracing it
        """
    )


def test_a_model_that_returns_no_tensor() -> None:
    """What it returns, and what helps."""
    assert refused(lambda: traced(Does(lambda model, x: 3.0), x())) == error(
        """
        TraceError: Does returns no tensor.
          returned float

        hint: return tensors, in tuples, lists or dicts, from a `call` given to Subject
        """
    )


def test_something_that_is_no_model() -> None:
    """Its type, and what is known."""
    assert refused(lambda: suture.trace(Subject("model.pt", (x(),)))) == error(
        """
        TraceError: No adapter knows models of type str.
          known    torch.nn.Module

        hint: give Subject the model itself
        """
    )


@pytest.fixture(scope="module")
def strange() -> Any:
    """An op that no rule knows and that does not decompose."""
    library = torch.library.Library("midnight", "DEF")
    library.define("strange(Tensor x) -> Tensor")
    library.impl("strange", torch.empty_like, "Meta")
    yield lambda model, x: model.layer(torch.ops.midnight.strange(x))
    library._destroy()


def test_an_op_without_a_rule(strange: Any) -> None:
    """The line, the op at its shapes, and how a rule is registered."""
    assert refused(lambda: traced(Does(strange), x())) == error(
        """
        UnknownOpError: No axis rule for midnight.strange.default.
          at       HERE, Does.forward
          op       midnight.strange.default(f32[7,3])

        hint: if it computes every entry by itself, suture.rule("midnight.strange.default", "... -> ..."); if not, write the spec that holds: see docs/adding_an_op.md
        """  # noqa: E501
    )


# Mirrors


def test_mirrors_that_fit_nothing() -> None:
    """Every mirror that cannot be, and why; the module that was probably meant."""
    parts = {"target": nn.Linear(3, 4), "wide": nn.Linear(3, 5), "other": nn.Linear(3, 4)}
    model = Does(lambda model, x: model.layer(x), **parts)
    mirror = {"targt": "layer", "layer": "other", "wide": "layer", "other": "lair"}
    assert refused(lambda: traced(model, x(), mirror=mirror)) == error(
        """
        TraceError: A mirror needs an unreached module and a reached twin of the same shapes.
          targt    is no unreached module: the model has no such module
          layer    is no unreached module: the call reaches it
          wide.weight is f32[5,3]; its twin 'layer.weight' is f32[4,3]
          wide.bias is f32[5]; its twin 'layer.bias' is f32[4]
          other.weight no call reaches its twin 'lair.weight'
          other.bias no call reaches its twin 'lair.bias'

        hint: did you mean 'target'?
        """
    )


# Schemas


def test_a_schema_that_cannot_be() -> None:
    """Every name that stands twice or is no text, before a model is looked at."""
    inputs: Any = {"obs": ["x", "v", "x"], "ids": Categorical(["a", "a"]), "image": {1: ["r", 3]}}
    assert refused(lambda: Schema(inputs=inputs, outputs={"logits": "left"})) == error(
        """
        SchemaError: A schema names every entry once, as text.
          obs      dim -1: 'x' stands twice
          ids      values: 'a' stands twice
          image    dim 1: 3 is not a text
          logits   'left' is one text, not a list of names
        """
    )


def test_a_schema_that_does_not_fit() -> None:
    """Every misfit at once: counts, dims and keypaths, with what there is."""
    subject = layer({"input": {0: ["a"], 2: ["b"]}, "inptu": ["c"]}, {"output": [*"lrudx"]})
    assert refused(lambda: suture.trace(subject)) == error(
        """
        SchemaError: The schema does not fit the model.
          input    1 names for dim 0 of [7,3], which has 7 entries
          input    names dim 2, but the tensor [7,3] has 2 dims
          inptu    the model has no such input; it has 'input'
          output   5 names for dim -1 of [7,4], which has 4 entries

        hint: did you mean 'input'?
        """
    )


def test_a_state_that_does_not_fit() -> None:
    """What there is, or both shapes."""
    model = Does(lambda model, x, h: (model.layer(x), h))
    given = (x(), torch.randn(7, 5))
    schema = Schema(state={"1": "args.0", "2": "args.3"})
    assert refused(lambda: suture.trace(Subject(model, given, schema=schema))) == error(
        """
        SchemaError: The schema does not fit the model.
          1        state: the output is [7,5], the input 'args.0' is [7,3]
          2        state: the model has no such output; it has '0', '1'
          args.3   state: the model has no such input; it has 'args.0', 'args.1'
        """
    )


def test_values_named_that_choose_nothing() -> None:
    """Names of the values of an input that no table is looked up by."""
    subject = layer({"input": Categorical(["a", "b"])})
    assert refused(lambda: planned(subject, subject)) == error(
        """
        SchemaError: The values of 'input' are named, but no op uses them to choose from an axis.
          names    a, b
        """
    )


def test_too_few_values_named() -> None:
    """How many names there are, and how many rows."""
    schema = Schema(inputs={"input": Categorical(["a", "b"])})
    subject = Subject(nn.Embedding(5, 4), (torch.randint(5, (2, 7)),), schema=schema)
    assert refused(lambda: planned(subject, subject)) == error(
        """
        SchemaError: A Categorical names every value of its input.
          input    2 names; its values choose from 5 rows
        """
    )


def test_names_on_one_side_only() -> None:
    """Each input and output that only one schema names, and which."""
    source = layer({"input": ["a", "b", "c"]}, {})
    target = layer({}, {"output": ["l", "r", "u", "d"]})
    assert refused(lambda: planned(source, target)) == error(
        """
        SchemaError: Both schemas must name an input or output, or neither.
          input    named in the source only
          output   named in the target only

        hint: name it on both sides
        """
    )
