"""Samples of Fourier transforms and complex numbers."""

import torch
from torch import Tensor

from samples._sample import f, sample


def c(*shape: int) -> Tensor:
    """Draw complex numbers."""
    return torch.complex(f(*shape), f(*shape))


SAMPLES = [
    sample("aten._fft_r2c.default", f(2, 5, 3), [1], 0, True),
    sample("aten._fft_r2c.default", f(2, 3), [0, 1], 0, True),
    sample("aten._fft_c2c.default", c(2, 5, 3), [1], 0, True),
    sample("aten._fft_c2c.default", c(2, 3), [0, 1], 0, False),
    sample("aten._fft_c2r.default", c(2, 3), [1], 0, 5),
    sample("aten.view_as_real.default", c(3, 5)),
    sample("aten.view_as_complex.default", f(3, 5, 2)),
    sample("aten._conj.default", c(3, 5)),
    sample("aten.complex.default", f(3, 5), f(3, 5)),
    sample("aten.polar.default", f(3, 5).abs(), f(3, 5)),
]
