"""Fourier transforms, and complex numbers as pairs of real ones.

A frequency reads every place, and is none of them; a pair is an axis of two.
"""

from __future__ import annotations

from typing import Any

from suture._bind import Shape
from suture._rule import TensorArgument, rule
from suture._torch.rules._text import axes, mixed, replaced, spec


@rule("aten._fft_c2c aten._fft_r2c aten._fft_c2r", algebra="linear neutral=0")
def transform(self: TensorArgument, dim: list[int], *, out: list[Shape], **settings: Any) -> str:
    """Read some dims as frequencies, or back."""
    own = axes(self.ndim)
    result: list[str] = own
    for place in dim:
        result = replaced(result, place % self.ndim, f"f{place % self.ndim}")
    return spec([mixed(own, dim)], [result])


rule("aten.view_as_real", "... -> ... c", "linear")
rule("aten.view_as_complex", "... c -> ...", "linear")
rule("aten._conj", "... -> ...", "linear")
rule("aten.complex", "..., ... -> ...", "linear, linear")
rule("aten.polar", "..., ... -> ...", "linear, ")
