"""The audit audits itself: a rule that is wrong in one place is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from audit import Described, algebra_groups, audit, describe
from audit_algebra import algebra_findings, asked, holds, words
from audit_axes import axis_findings
from audit_case import Case
from audit_mutants import Mutant, algebra_mutants, mutants
from samples import SAMPLES, Sample
from suture._algebra import Algebra
from suture._bind import Pick, Window, bind
from suture._torch._call import POINTWISE, find_rule

REPRESENTATIVE = (
    "aten.mm.default",
    "aten.relu.default",
    "aten.add.Tensor",
    "aten._softmax.default",
    "aten.native_layer_norm.default",
    "aten.cat.default",
    "aten.view.default",
    "aten.embedding.default",
    "aten.convolution.default",
    "aten.flip.default",
    "aten.diagonal.default",
    "aten.max.dim",
    "aten.sum.dim_IntList",
    "aten.index_select.default",
)


KEPT_APART = "kept apart, but entries meet on the diagonal alone."


def survivors(samples: list[Sample]) -> list[str]:
    """List the mutants of an op's rule that the audit believes."""
    described = [describe(sample) for sample in samples]
    return [*_axis_survivors(described), *_algebra_survivors(described)]


def _axis_survivors(described: list[Described]) -> list[str]:
    return [
        f"{each.run}, {each.bound.spec}: {mutant.change}"
        for each in described
        for mutant in _mutants(each)
        if not axis_findings(each.run, mutant.bound)
    ]


def _mutants(each: Described) -> list[Mutant]:
    constants = [k for k, known in enumerate(each.run.known) if known]
    return list(mutants(each.bound, each.run.floats(), constants))


def _algebra_survivors(described: list[Described]) -> list[str]:
    return [
        f"{described[0].run.sample.op}, {argument}: {change}"
        for (argument, stated), group in algebra_groups(described).items()
        for change, mutant in algebra_mutants(stated)
        if not algebra_findings(group, mutant) and not is_as_true(group, stated, mutant)
    ]


def is_as_true(group: list[Case], stated: Algebra, mutant: Algebra) -> bool:
    """Say whether a mutant is no lie: its words hold too, and nobody asks for those it lacks."""
    added, lost = words(mutant) - words(stated), words(stated) - words(mutant)
    return all(holds(group, word) for word in added) and not lost & asked(group, words(mutant))


def samples_of(op: str) -> list[Sample]:
    return [sample for sample in SAMPLES if str(sample.op) == op]


@pytest.mark.parametrize("op", REPRESENTATIVE)
def test_a_mutated_rule_of_a_representative_op_is_caught(op: str) -> None:
    """No mutant of the rule passes the audit."""
    assert survivors(samples_of(op)) == []


UNTOLD = {
    "aten._embedding_bag.default": "in a maximum the rows of a bag meet in pairs",
    "aten._unsafe_index_put.default": "what is written to one place is overwritten",
    "aten.index_put.default": "what is written to one place is overwritten",
    "aten.scatter.src": "what is written to one place is overwritten",
    "aten.bucketize.Scalar": "boundaries are sorted: none can be exchanged",
    "aten.bucketize.Tensor": "boundaries are sorted: none can be exchanged",
    "aten.searchsorted.Tensor": "boundaries are sorted: none can be exchanged",
    "aten.mode.default": "of several equal entries one is the place",
    "aten.multinomial.default": "another order of chances draws others",
    "aten.repeat_interleave.Tensor": "another order of counts repeats others",
}
"""Ops with axes of which the audit cannot tell whether they are one, with the reason."""

OTHERS = sorted(
    {str(s.op) for s in SAMPLES if find_rule(s.op) is not POINTWISE} - {*REPRESENTATIVE}
)


@pytest.mark.slow
@pytest.mark.parametrize("op", OTHERS)
def test_a_mutated_rule_of_any_op_is_caught(op: str) -> None:
    """No mutant of the rule passes the audit, but for names that nothing can tell."""
    alive = survivors(samples_of(op))
    untold = [mutant for mutant in alive if op in UNTOLD and " renamed in " in mutant]
    assert [mutant for mutant in alive if mutant not in untold] == []
    assert (op in UNTOLD) == bool(untold)


def test_the_audit_shows_what_it_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report names op, shapes, spec, the pair of axes and what was seen, for every finding."""
    mm = Sample(torch.ops.aten.mm.default, (torch.ones(2, 3), torch.ones(3, 5)))
    described = describe(mm)
    wrong = bind("m k, l n -> m n", [(2, 3), (3, 5)], [(2, 5)])
    monkeypatch.setattr(
        "audit.describe", lambda _: Described(described.run, wrong, described.algebra)
    )
    assert audit([mm]).splitlines()[:3] == [
        "aten.mm.default(f64[2,3], f64[3,5]) -> f64[2,5]",
        "  spec     m k, l n -> m n",
        f"  audit    operand 0, k (dim 1), and operand 1, l (dim 0): {KEPT_APART}",
    ]


def test_an_entry_that_moves_another_is_shown() -> None:
    """What is unsound is told by one entry and the one that it moves."""
    run = describe(Sample(torch.ops.aten.flip.default, (torch.randn(2, 3), [1]))).run
    unflipped = bind("n v -> n v", [(2, 3)], [(2, 3)])
    assert axis_findings(run, unflipped)[0] == (
        "operand 0 at (n (dim 0) = 0, v (dim 1) = 0) moves "
        "result 0 at (n (dim 0) = 0, v (dim 1) = 2); the spec forbids it."
    )
    pick = Pick("i", "v", np.array([2, 1, 0]))
    assert axis_findings(run, bind("n v -> n i", [(2, 3)], [(2, 3)], picks=[pick])) == []


def test_a_window_that_reads_elsewhere_is_shown() -> None:
    """What a window forbids and what it allows in vain are told by one pair of entries each."""
    pool = Sample(torch.ops.aten.avg_pool1d.default, (torch.randn(2, 7), [2], [3]))
    run = describe(pool).run
    wrong = Window(("x", "k0"), "w", np.array([[0, 1], [2, 3]]))
    bound = bind("... w! -> ... x", [(2, 7)], [(2, 2)], {"k0": 2}, windows=[wrong])
    said = "window (x k0) = w[[[0, 1], [2, 3]]]"
    assert axis_findings(run, bound) == [
        f"operand 0 at (w = 4) and result 0 at (x = 1) meet; {said} forbids it.",
        f"operand 0 at (w = 2) and result 0 at (x = 1): {said} lets them meet, never seen.",
    ]
    right = replace(wrong, index=np.array([[0, 1], [3, 4]]))
    assert axis_findings(run, replace(bound, windows=(right,))) == []
