"""Samples of what makes tensors of nothing, and of random numbers."""

import torch

from samples._sample import f, sample

SAMPLES = [
    sample("aten.zeros.default", [2, 3]),
    sample("aten.ones.default", [2, 3]),
    sample("aten.full.default", [2, 3], 1.5),
    sample("aten.scalar_tensor.default", 1.5),
    sample("aten.arange.default", 5),
    sample("aten.arange.start_step", 1, 9, 2),
    sample("aten.linspace.default", 0, 1, 5),
    sample("aten.logspace.default", 0, 1, 5),
    sample("aten.eye.default", 3),
    sample("aten.eye.m", 3, 4),
    sample("aten.rand.default", [2, 3]),
    sample("aten.randn.default", [2, 3]),
    sample("aten.randint.default", 7, [2, 3]),
    sample("aten.randperm.default", 5),
    sample("aten.tril_indices.default", 3, 4),
    sample("aten.triu_indices.default", 3, 4),
    sample("aten.empty.memory_format", [2, 3]),
    sample("aten.empty_strided.default", [2, 3], [3, 1]),
    sample("aten.empty_permuted.default", [2, 3], [0, 1]),
    sample("aten.normal.float_float", 0.0, 1.0, [2, 3]),
    sample("aten.full_like.default", f(2, 3), 1.5),
    sample("aten.rand_like.default", f(2, 3)),
    sample("aten.randn_like.default", f(2, 3)),
    sample("aten.randint_like.default", f(2, 3), 7),
    sample("aten.bernoulli.p", f(2, 3), 0.5),
    sample("aten.uniform.default", f(2, 3)),
    sample("aten.exponential.default", f(2, 3)),
    sample("aten.normal_functional.default", f(2, 3)),
    sample("aten.random.default", f(2, 3)),
    sample("aten.geometric.default", f(2, 3), 0.5),
    sample("aten.cauchy.default", f(2, 3)),
    sample("aten.log_normal.default", f(2, 3)),
    sample("aten.bernoulli.default", torch.zeros(2, 3).double()),
    sample("aten.normal.Tensor_float", f(2, 3), 0.5),
    sample("aten.normal.float_Tensor", 0.5, f(2, 3).abs()),
    sample("aten.normal.Tensor_Tensor", f(2, 3), f(2, 3).abs()),
]
