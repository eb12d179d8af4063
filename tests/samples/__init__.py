"""Samples: for every rule of the torch table at least one real call, one module per op family.

Knows all samples. Does not know what the rules say of them: `audit` compares the two. Sizes in a
sample differ pairwise (1 besides), so that no axis passes for another by its size.
"""

from samples import (
    contraction,
    convolution,
    creation,
    joining,
    lookup,
    mixing,
    norms,
    padding,
    pointwise,
    pooling,
    reduction,
    resample,
    selection,
    spectral,
    views,
    writing,
)
from samples._sample import Sample, b, f, i, known, sample

__all__ = ["SAMPLES", "Sample", "b", "f", "i", "known", "sample"]

SAMPLES: list[Sample] = [
    *contraction.SAMPLES,
    *convolution.SAMPLES,
    *creation.SAMPLES,
    *joining.SAMPLES,
    *lookup.SAMPLES,
    *mixing.SAMPLES,
    *norms.SAMPLES,
    *padding.SAMPLES,
    *pointwise.SAMPLES,
    *pooling.SAMPLES,
    *reduction.SAMPLES,
    *resample.SAMPLES,
    *selection.SAMPLES,
    *spectral.SAMPLES,
    *views.SAMPLES,
    *writing.SAMPLES,
]
