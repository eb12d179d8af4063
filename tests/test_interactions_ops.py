"""Interactions of every op of the rule table, as a network of its own."""

from __future__ import annotations

import pytest

import suture
from interacting import missed
from op_networks import LEFT_OUT, networks
from perturbed import named, shown
from samples import SAMPLES

REPRESENTATIVE = [
    "aten.addmm.default",
    "aten.cat.default",
    "aten.diagonal.default",
    "aten.embedding.default",
    "aten.index_copy.default",
    "aten.index_put.default",
    "aten.linear.default",
    "aten.native_group_norm.default",
    "aten.slice_scatter.default",
    "aten.sum.dim_IntList",
    "aten.where.self",
]
OTHERS = sorted({str(s.op) for s in SAMPLES} - {*REPRESENTATIVE, *LEFT_OUT})


@pytest.mark.filterwarnings("ignore:.*non-contiguous")
@pytest.mark.parametrize(
    "op", [*REPRESENTATIVE, *(pytest.param(op, marks=pytest.mark.slow) for op in OTHERS)]
)
def test_an_op_as_a_network(op: str) -> None:
    """Whichever operand is data, the map holds all that perturbation shows."""
    for sample in [sample for sample in SAMPLES if str(sample.op) == op]:
        for subject, high in networks(sample):
            phi = suture.interactions(suture.trace(subject))
            assert missed(phi, shown(subject, named(subject), high)) == []
