"""Samples of pointwise ops whose algebra the table states."""

import torch

from samples._sample import b, f, sample

ANYWHERE = (
    "neg positive deg2rad rad2deg relu abs sign sgn floor ceil round trunc frac hardshrink relu6 "
    "tanh gelu silu mish elu selu celu leaky_relu hardswish softshrink sin tan atan sinh asinh erf "
    "expm1 square nan_to_num exp exp2 reciprocal sigmoid hardsigmoid softplus cos cosh erfc lgamma "
    "digamma log_sigmoid_forward tril triu clone detach alias lift_fresh lift_fresh_copy "
    "alias_copy detach_copy"
)
POSITIVE = "sqrt log log2 log10 rsqrt log1p"
WITHIN_ONE = "asin acos atanh erfinv"
SUMS = "add.Tensor sub.Tensor rsub.Tensor maximum.default minimum.default fmax.default fmin.default"

SAMPLES = [
    *(sample(f"aten.{op}.default", 2 * f(2, 3)) for op in ANYWHERE.split()),
    *(sample(f"aten.{op}.default", f(2, 3).abs()) for op in POSITIVE.split()),
    *(sample(f"aten.{op}.default", torch.tanh(f(2, 3))) for op in WITHIN_ONE.split()),
    sample("aten.acosh.default", 1 + f(2, 3).abs()),
    sample("aten.logit.default", torch.sigmoid(f(2, 3))),
    sample("aten.hardtanh.default", 2 * f(2, 3), -1.0, 2.0),
    sample("aten.hardtanh.default", 2 * f(2, 3), 0.5, 2.0),
    sample("aten.clamp.default", 2 * f(2, 3), -0.5),
    sample("aten.clamp.default", 2 * f(2, 3), None, -0.5),
    sample("aten.clamp_min.default", 2 * f(2, 3), -0.5),
    sample("aten.clamp_max.default", 2 * f(4, 5), -0.5),
    sample("aten.threshold.default", 2 * f(2, 3), -0.5, 0.7),
    sample("aten.threshold.default", 2 * f(2, 3), 0.5, 0.7),
    sample("aten.threshold.default", 2 * f(2, 3), 0.5, 0.0),
    *(sample("aten.pow.Tensor_Scalar", f(2, 3), power) for power in (3, 1, -1)),
    *(
        sample(f"aten.{op}", *operands)
        for op in SUMS.split()
        for operands in ((f(4, 5), f(4, 5)), (f(2, 3), f(3)))
    ),
    sample("aten.add.Tensor", f(2, 1), f(2, 3), alpha=2),
    sample("aten.add.Tensor", f(2, 3), 1.5),
    sample("aten.add.Scalar", f(2, 3), 1.5),
    sample("aten.sub.Scalar", f(2, 3), 1.5),
    sample("aten.rsub.Scalar", f(2, 3), 1.5),
    sample("aten.mul.Tensor", f(2, 3), f(2, 1)),
    sample("aten.mul.Tensor", f(2, 3), 1.5),
    sample("aten.mul.Scalar", f(2, 3), 1.5),
    sample("aten.div.Tensor", f(2, 3), f(3)),
    sample("aten.div.Scalar", f(2, 3), 1.5),
    sample("aten.true_divide.Tensor", f(2, 3), f(3)),
    sample("aten.addcmul.default", f(2, 3), f(3), f(2, 1)),
    sample("aten.addcdiv.default", f(2, 3), f(3), f(2, 1)),
    sample("aten.lerp.Tensor", f(2, 3), f(2, 3), f(2, 3)),
    sample("aten.lerp.Scalar", f(2, 3), f(3), 0.3),
    sample("aten.clamp.Tensor", 2 * f(4, 5), f(4, 5) - 1, f(4, 5) + 1),
    sample("aten.clamp.Tensor", 2 * f(4, 5), None, f(5)),
    sample("aten.clamp_min.Tensor", 2 * f(4, 5), f(4, 5)),
    sample("aten.clamp_max.Tensor", 2 * f(4, 5), f(4, 5)),
    sample("aten.where.self", b(4, 5), f(4, 5), f(4, 5)),
    sample("aten.where.self", b(4, 5), f(4, 5), f(5)),
    sample("aten.masked_fill.Scalar", f(4, 5), b(4, 5), 1.5),
    sample("aten.masked_fill.Scalar", f(4, 5), b(4, 5), 0),
    sample("aten.masked_fill.Tensor", f(4, 5), b(4, 5), f()),
    sample("aten._prelu_kernel.default", f(2, 3, 4), f(1, 3, 1)),
    sample("aten.copy.default", f(2, 3), f(3)),
    sample("aten.native_dropout.default", f(4, 5), 0.4, True),
    sample("aten._to_copy.default", f(2, 3), dtype=torch.float64),
    sample("aten._to_copy.default", 3 * f(2, 3), dtype=torch.int64),
]
