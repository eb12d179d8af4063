"""Samples: for every rule of the torch table at least one real call, in one module per op family.

Knows how a sample is written. Does not know what the rules say of it: `audit` compares the two.
Sizes within a sample differ pairwise (1 besides), so that no axis passes for another by its size.
"""

from samples._sample import Sample, b, f, i, known, sample

__all__ = ["SAMPLES", "Sample", "b", "f", "i", "known", "sample"]

SAMPLES: list[Sample] = []
