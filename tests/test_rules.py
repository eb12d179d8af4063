"""Every rule of the torch table is audited by running its op, and has samples to be audited on."""

from collections import defaultdict
from collections.abc import Iterator

import pytest
import torch
from torch._ops import OpOverload

from audit import audit, describe
from pointwise_samples import samples_of, tagged
from samples import SAMPLES, Sample
from suture._rule import TABLE
from suture._torch._call import functional

BY_OP: dict[str, list[Sample]] = defaultdict(list)
for _sample in SAMPLES:
    BY_OP[str(_sample.op)].append(_sample)

NOT_SAMPLED = {
    "aten.cudnn_batch_norm": "runs on CUDA alone",
    "aten.miopen_batch_norm": "runs on ROCm alone",
}
"""Rules that cannot be audited here, with the reason."""

TAGGED = {str(op): op for op in tagged()}


def names(op: OpOverload) -> Iterator[str]:
    """Name an op as a rule may: overload or packet, with or without the mark of a variant."""
    for found in (op, functional(op)):
        packet, _, overload = str(found).rpartition(".")
        yield from (packet, f"{packet}.{overload}")
        yield from (packet.rstrip("_"), f"{packet.rstrip('_')}.{overload}")


@pytest.mark.parametrize("op", sorted(BY_OP))
def test_a_rule_says_what_its_op_does(op: str) -> None:
    """The spec is sound and complete on every sample, and so is the algebra."""
    report = audit(BY_OP[op])
    assert not report, report


@pytest.mark.parametrize(
    "op", ["aten.native_batch_norm", "aten._native_batch_norm_legit_no_training"]
)
def test_an_op_with_every_operand_at_its_unit(op: str) -> None:
    """What `unit` is said of leaves the other operand as it is."""
    told = [describe(sample) for name in BY_OP if name.startswith(op) for sample in BY_OP[name]]
    told = [each for each in told if any(algebra.unit is not None for algebra in each.algebra)]
    assert told
    for each in told:
        operands = [
            operand if algebra.unit is None else torch.full_like(operand, algebra.unit)
            for operand, algebra in zip(each.run.operands, each.algebra, strict=True)
        ]
        torch.testing.assert_close(each.run.outputs(operands)[0], operands[0])


def test_every_rule_has_a_sample() -> None:
    """A rule without a row of samples is not believed."""
    sampled = {name for sample in SAMPLES for name in names(sample.op)}
    ours = {name for name in TABLE if name.startswith("aten.")}
    assert sorted(ours - sampled - NOT_SAMPLED.keys()) == []


@pytest.mark.parametrize("op", sorted(TAGGED))
def test_an_op_that_torch_tags_pointwise_is_so(op: str) -> None:
    """Entry i meets entry i in every draw, and in some draw everything that may move does."""
    reports = [audit([sample]) for sample in samples_of(TAGGED[op])]
    assert not any("forbids" in report for report in reports), reports
    assert "" in reports, reports
