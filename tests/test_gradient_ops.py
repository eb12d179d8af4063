"""Interactions by gradients of every op of the rule table, as a network of its own."""

from __future__ import annotations

import pytest

import suture
from maps import whole
from op_networks import LEFT_OUT, networks
from samples import SAMPLES

LESS = {
    op: reason
    for reason, ops in {
        "a spec says more than is read: of a scan, a triangle, a grid, a product in space": (
            "cumsum.default cummax.default cummin.default logcumsumexp.default tril.default "
            "triu.default grid_sampler_2d.default grid_sampler_3d.default linalg_cross.default "
            "convolution.default index.Tensor"
        ),
        "a constant says what is read or written over": (
            "where.self masked_fill.Scalar masked_fill.Tensor index_put.default "
            "_unsafe_index_put.default index_copy.default index_fill.int_Scalar "
            "index_fill.int_Tensor scatter.src scatter.value scatter_reduce.two"
        ),
        "data is multiplied with data": (
            "cumprod.default prod.default prod.dim_int glu.default _fused_rms_norm.default "
            "renorm.default embedding_renorm.default"
        ),
        "places have no gradient, nor have steps": (
            "bucketize.Tensor searchsorted.Tensor frac.default max_unpool2d.default "
            "max_unpool3d.default fractional_max_pool2d.default fractional_max_pool3d.default"
        ),
        "results beside the first are not found": (
            "native_layer_norm.default native_group_norm.default log_sigmoid_forward.default "
            "_native_batch_norm_legit.no_stats"
        ),
        "nothing is read but a shape": (
            "full_like.default rand_like.default randn_like.default randint_like.default "
            "bernoulli.p uniform.default exponential.default normal_functional.default "
            "normal.Tensor_float random.default geometric.default cauchy.default log_normal.default"
        ),
    }.items()
    for op in (f"aten.{name}" for name in ops.split())
}
"""Ops of which gradients show less than the boolean map holds, with the reason."""

MORE = {
    "aten.index_put.default": "one index of two is a constant",
    "aten._unsafe_index_put.default": "one index of two is a constant",
    "aten.scatter_add.default": "an index that leaves out the end of a dim",
}
"""Ops that write where data says, of which gradients show more, with the reason."""

OPS = sorted({str(sample.op) for sample in SAMPLES} - LEFT_OUT.keys())
REPRESENTATIVE = (
    "addmm.default",
    "_softmax.default",
    "cat.default",
    "cumsum.default",
    "embedding.default",
    "full_like.default",
    "gather.default",
    "glu.default",
    "linear.default",
    "max_pool2d_with_indices.default",
    "native_group_norm.default",
    "slice_scatter.default",
    "sub.Tensor",
    "where.self",
)


def asked(op: str) -> object:
    """Ask for most ops where there is time."""
    often = op.removeprefix("aten.") in REPRESENTATIVE
    return op if often else pytest.param(op, marks=pytest.mark.slow)


@pytest.mark.filterwarnings("ignore:.*non-contiguous")
@pytest.mark.parametrize("op", [asked(op) for op in OPS])
def test_an_op_as_a_network(op: str) -> None:
    """Whichever operand is data, with all repairs both maps are one, but for what is known."""
    less, more = 0, 0
    for sample in [sample for sample in SAMPLES if str(sample.op) == op]:
        for subject, _ in networks(sample):
            found = suture.gradient_interactions(subject)
            known = suture.interactions(suture.trace(subject))
            for pair in ((name, feature) for name in known.touched for feature in known.features):
                less += int((whole(known, pair) & ~whole(found, pair)).sum())
                more += int((whole(found, pair) & ~whole(known, pair)).sum())
    assert (less > 0, more > 0) == (op in LESS, op in MORE)
