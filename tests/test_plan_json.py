"""Plans as JSON: what is written is read back, and all else is refused with its places."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans import partitions, plans, runs_of, shapes
from suture._errors import PlanError
from suture._partition import partition
from suture._plan import (
    Block,
    Label,
    Own,
    Placement,
    Plan,
    Reduction,
    Run,
    Sum,
    Tensor,
    TensorPlan,
    Term,
    Value,
)


@given(plans())
def test_any_plan_written_and_read(plan: Plan) -> None:
    """Reading what was written gives an equal plan, and writing that the same text."""
    text = plan.to_json()
    assert Plan.from_json(text) == plan
    assert Plan.from_json(text).to_json() == text


@given(plans())
def test_any_plan_as_strict_json(plan: Plan) -> None:
    """The text is JSON by the letter: numbers that JSON does not know are words."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(plan.to_json(), parse_constant=refuse)


def widened() -> Plan:
    """Plan a bias that grows from 2 to 3 entries."""
    old = Block((((0, 2),),), Sum((Term("b", (((0, 2),),)),)))
    new = Block((((2, 3),),), Value(0.0))
    tensor = TensorPlan(Tensor("b", (3,), "f32"), Tensor("b", (2,), "f32"), "parameter", (old, new))
    return Plan("a1b2", "c3d4", (tensor,))


WIDENED = """\
{
"format": "suture-plan",
"version": 1,
"source": "a1b2",
"target": "c3d4",
"tensors": [
{"target": {"name": "b", "shape": [3], "dtype": "f32"}, \
"source": {"name": "b", "shape": [2], "dtype": "f32"}, "kind": "parameter", "blocks": [\
{"region": [[[0, 2]]], "fill": {"fill": "sum", "terms": [{"source": "b", "index": [[[0, 2]]]}]}}, \
{"region": [[[2, 3]]], "fill": {"fill": "value", "value": 0.0}}]}
]
}"""


def test_a_plan_as_text() -> None:
    """The format is one tensor a line, defaults left out."""
    assert widened().to_json() == WIDENED


def test_noise_in_a_sum() -> None:
    """A sum says so; one that says nothing, as in plans written before, has none."""
    text = WIDENED.replace("[[[0, 2]]]}]}}", '[[[0, 2]]]}], "own": 0.25}}')
    assert text != WIDENED
    noisy = Plan.from_json(text).tensors[0].blocks[0].fill
    assert noisy == Sum((Term("b", (((0, 2),),)),), 0.25)
    assert Plan.from_json(text).to_json() == text
    assert Plan.from_json(WIDENED).tensors[0].blocks[0].fill == Sum((Term("b", (((0, 2),),)),), 0.0)


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(WIDENED)
    return found


def refusal(text: str) -> str:
    with pytest.raises(PlanError) as caught:
        Plan.from_json(text)
    return str(caught.value)


WRONG_TYPES = """\
The plan has 9 problems.
  exact                              is unknown
  tensors[0].target.shpe             is unknown; did you mean 'shape'?
  tensors[0].target.shape            is missing
  tensors[0].target.name             is 3, not a text
  tensors[0].source.shape[0]         is true, not an integer
  tensors[0].kind                    is "weight", not one of ('parameter', 'buffer')
  tensors[0].blocks[0].region[0]     is an object, not a list
  tensors[0].blocks[1].region[0][0]  has 3 items, not 2
  tensors[0].blocks[1].fill.fill     is "zero", not one of ('own', 'value', 'sum')"""


def test_data_of_other_types() -> None:
    """Every unknown key, missing key and wrong type is listed with its place."""
    data = document()
    data["exact"] = True
    tensor = data["tensors"][0]
    tensor["target"] = {"name": 3, "shpe": [3], "dtype": "f32"}
    tensor["source"]["shape"] = [True]
    tensor["kind"] = "weight"
    tensor["blocks"][0]["region"] = [{}]
    tensor["blocks"][1] = {"region": [[[2, 3, 4]]], "fill": {"fill": "zero"}}
    assert refusal(json.dumps(data)) == WRONG_TYPES


UNFIT = """\
The plan has 23 problems.
  unpaired[0].dtype                                         'float' is no dtype such as 'f32'
  unpaired[0].shape[0]                                      -1 is no size
  tensors                                                   'w' is planned 2 times
  tensors[0].blocks                                         leave out 1 of 8 entries
  tensors[0].blocks[0].fill.terms[0].index[1][0]            3..5 leaves a dim of 4
  tensors[0].blocks[0].fill.terms[1].source                 'gone' is no known source
  tensors[0].blocks[1].fill.own                             inf is not finite
  tensors[0].blocks[1].fill.terms[0]                        leaves [1, 3] to fill [1, 2]
  tensors[0].blocks[2].fill.scale                           inf is not finite
  tensors[0].labels[0].target                               4 leaves a dim of 4
  tensors[1].blocks[0].region[0]                            holds 1..2 twice
  tensors[1].blocks[1].region[0][0]                         0..0 is empty
  tensors[1].blocks[2].region                               has 0 dims where the tensor has 1
  tensors[1].blocks[0].fill.value                           0.5 does not fit i64[3]
  tensors[1].blocks[1].fill.own                             is 0.5, but n is i64[3]
  tensors[1].blocks[1].fill.terms[0].scale                  is 2, but n is i64[3]
  tensors[1].blocks[1].fill.terms[0].source                 w is f32[2,4], which i64 does not take
  tensors[1].blocks[1].fill.terms[0].reductions[0].weights  are 1 for 2 positions
  tensors[1].blocks[1].fill.terms[0].reductions[1].dim      1 is reduced twice
  tensors[1].blocks[1].fill.terms[0].reductions[2].dim      2 is none of 2 dims
  tensors[1].blocks[2].fill.diagonal                        (1, 1) are not two of 0 dims
  tensors[1].labels[0].dim                                  0 is no dim of the source
  inputs[0].dims                                            are 1 for f32[2,4] -> i64[3]"""


def test_words_that_do_not_fit() -> None:
    """Runs out of range, terms that do not fill their block and such are listed with places."""
    weight, bias = Tensor("w", (2, 4), "f32"), Tensor("n", (3,), "i64")
    left, right = ((0, 2),), ((2, 4),)
    blocks = (
        Block((left, left), Sum((Term("w", (((0, 2),), ((3, 5),))), Term("gone", ())))),
        Block((((0, 1),), right), Sum((Term("w", (((0, 1),), ((0, 3),))),), float("inf"))),
        Block((((1, 2),), ((2, 3),)), Own(float("inf"))),
    )
    reduced = Term("w", (left, left), 2.0, (Reduction(1, (1.0,)), Reduction(1), Reduction(2)))
    counts = (
        Block((((0, 2), (1, 3)),), Value(0.5)),
        Block((((0, 0),),), Sum((reduced,), 0.5)),
        Block((), Value(0.0, (1, 1))),
    )
    plan = Plan(
        "a1",
        "b2",
        (
            TensorPlan(weight, weight, "parameter", blocks, (Label(1, "x", 0, 4),)),
            TensorPlan(bias, None, "buffer", counts, (Label(0, "x", 0, None),), tied=("w",)),
        ),
        inputs=(Placement("obs", weight, bias, ((Run(0, 3, 2), Run(1, 0, 0)),)),),
        unpaired=(Tensor("old", (-1,), "float"),),
    )
    assert refusal(plan.to_json()) == UNFIT


TOO_LARGE = """\
The plan has 7 problems.
  unpaired[0].dtype            'u9999999999' is no dtype such as 'f32'
  tensors[0].target.shape[1]   1000000000000000000000000000000 is no size
  tensors[0].source.shape      f32[0,4611686018427387904] is larger than any array
  inputs[0].dims[0][0].source  0..9223372036854775808 leaves a dim of 9223372036854775807
  inputs[0].dims[0][0].target  0..9223372036854775808 leaves a dim of 3
  inputs[0].values[0].source   -1..2 leaves a dim of 9223372036854775807
  outputs[0].labels[0].target  1000000000000000000000000000000 is no position"""


def test_sizes_that_no_array_has() -> None:
    """They are refused beside a 0 too, where they would make no entries; so are positions."""
    odd = TensorPlan(Tensor("w", (0, 10**30), "f32"), Tensor("w", (0, 2**62), "f32"), "buffer", ())
    ids = Tensor("ids", (3,), "i64")
    dims, values = (Run(0, 0, 2**63),), (Run(0, -1, 3),)
    plan = Plan(
        "a1",
        "b2",
        (odd,),
        inputs=(Placement("ids", None, ids, (dims,), values),),
        outputs=(Placement("x", None, ids, ((),), (), (Label(-1, "a", None, 10**30),)),),
        unpaired=(Tensor("old", (), "u9999999999"),),
    )
    assert refusal(plan.to_json()) == TOO_LARGE


NOT_JSON = "The text is not a plan: it is not JSON.\n  because  "
NOT_A_PLAN = """\
The JSON is not a plan: it does not say "format": "suture-plan".

hint: give what plan.to_json() wrote"""
ANOTHER_VERSION = """\
The plan has version 2; this program reads version 1.

hint: make the plan again with this version of suture"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plan", NOT_JSON + "Expecting value: line 1 column 1 (char 0)"),
        ('{"format": "a", "format": "a"}', NOT_JSON + "the key 'format' stands twice"),
        ('{"format": NaN}', NOT_JSON + "NaN is not JSON"),
        (r'"\ud800"', NOT_JSON + r"'\ud800' stands in it, which is half a character"),
        ('"\ud800"', NOT_JSON + r"'\ud800' stands in it, which is half a character"),
        ('["suture-plan"]', NOT_A_PLAN),
        ('{"format": "suture-plan", "version": 2}', ANOTHER_VERSION),
    ],
    ids=[
        "no JSON",
        "a key twice",
        "a number JSON has not",
        *["half"] * 2,
        "other JSON",
        "another version",
    ],
)
def test_text_that_is_no_plan(text: str, message: str) -> None:
    """The refusal says what the text is not."""
    assert refusal(text) == message


texts = st.text(st.characters(exclude_categories=()), max_size=5)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
words = st.sampled_from(["sum", "inf", "f32", "f128", "u9999999999", "\ud800"])
garbage = st.recursive(
    scalars | words | st.sampled_from([10**400, -1, 2**63, 10**30, [[0, 1]], [0, 10**30]]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner),
    max_leaves=5,
)


def spots(data: Any) -> list[tuple[Any, Any]]:
    """List the places of a document as (container, key) pairs."""
    items = list(data.items()) if isinstance(data, dict) else []
    items += list(enumerate(data)) if isinstance(data, list) else []
    return [(data, key) for key, _ in items] + [spot for _, item in items for spot in spots(item)]


def read(text: str) -> Plan | None:
    """Read a plan, None where it is refused as the library refuses."""
    try:
        return Plan.from_json(text)
    except PlanError:
        return None


@given(plans(), st.data())
def test_plans_with_a_piece_of_garbage(plan: Plan, data: st.DataObject) -> None:
    """Whatever stands in the place of a piece of a plan, reading refuses it or gives a plan."""
    document = json.loads(plan.to_json())
    for _ in range(data.draw(st.integers(1, 3))):
        places = spots(document)
        container, key = data.draw(st.sampled_from(places))
        pieces = st.sampled_from([deepcopy(owner[item]) for owner, item in places])
        container[key] = data.draw(pieces | garbage)
    found = read(json.dumps(document))
    if found is not None:
        assert Plan.from_json(found.to_json()) == found
        assert str(found)


@given(garbage.map(json.dumps) | st.text())
def test_garbage(text: str) -> None:
    """Text that is no plan is refused, and in no other way."""
    with pytest.raises(PlanError):
        Plan.from_json(text)


@pytest.mark.parametrize("text", ["[" * 10**5, "9" * 5000, '{"format": "suture-plan"}'])
def test_text_that_parsers_stumble_over(text: str) -> None:
    """Depth and length are refused like all else."""
    with pytest.raises(PlanError):
        Plan.from_json(text)


@given(st.data())
def test_blocks_against_counting(data: st.DataObject) -> None:
    """Blocks are found to partition a shape exactly if each entry is counted once."""
    shape = data.draw(shapes)
    regions = data.draw(partitions(shape))
    for _ in range(data.draw(st.integers(0, 2))):
        more = data.draw(partitions(shape))
        regions = data.draw(st.permutations(regions))[1:] + more[:1]
    counts = np.zeros(shape, int)
    for region in regions:
        counts[np.ix_(*region)] += 1
    blocks = [Block(tuple(map(runs_of, region)), Own()) for region in regions]
    assert (partition(blocks, shape) == []) == bool((counts == 1).all())


def test_regions_too_large_to_expand() -> None:
    """The partition of a huge tensor is checked from its runs alone."""
    size = 10**12
    evens = tuple((i, i + 1) for i in range(0, 1000, 2))
    odds = (*((i, i + 1) for i in range(1, 1000, 2)), (1000, size))
    whole = ((0, size),)
    blocks = [Block((runs, whole), Own()) for runs in (evens, odds)]
    assert partition(blocks, (size, size)) == []
    assert partition(blocks[1:], (size, size)) == [
        ("blocks", f"leave out {500 * size} of {size**2} entries")
    ]
