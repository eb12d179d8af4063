"""Reductions: an axis of the operand that is absent from the result.

Knows how dims are chosen and kept. A result that holds places (`argmax`) indexes the reduced axis.
"""

from __future__ import annotations

from typing import Any

from suture._bind import Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, spec


def _dims(dim: Any, ndim: int) -> list[int]:
    """Places that are reduced: none given means all."""
    given = [dim] if isinstance(dim, int) else list(dim or [])
    return [place % ndim for place in given] if given and ndim else list(range(ndim))


def _result(self: TensorArgument, gone: list[int], shape: Shape) -> list[str]:
    """Dims of a result; reduced ones are kept as `1` where it has the operand's rank."""
    kept = len(shape) == self.ndim
    own = axes(self.ndim)
    return [
        "1" if place in gone else own[place]
        for place in range(self.ndim)
        if kept or place not in gone
    ]


def reduced(self: TensorArgument, dim: Any = None, *, out: list[Shape], **settings: Any) -> str:
    """Reduce some dims, or all."""
    gone = _dims(dim, self.ndim)
    return spec([axes(self.ndim)], [_result(self, gone, shape) for shape in out])


def chosen(self: TensorArgument, dim: int, *, out: list[Shape], **settings: Any) -> str:
    """Reduce one dim to the entry that an order chooses, and to its place."""
    value = " ".join(_result(self, _dims(dim, self.ndim), out[0]))
    where = f":a{dim % self.ndim}" if self.ndim else ""
    return f"{' '.join(axes(self.ndim))} -> {value}, {value}{where}"


# Sums: zeros add nothing; in a mean, nothing is added by the mean of the others.
rule("aten.sum aten.nansum", algebra="linear neutral=0")(reduced)
rule("aten.mean", algebra="linear neutral=mean")(reduced)

# The best of an order: what is last in the order changes nothing.
rule("aten.amax aten.max.default", algebra="zero degree=1 neutral=-inf")(reduced)
rule("aten.amin aten.min.default", algebra="zero degree=1 neutral=inf")(reduced)
rule("aten.max.dim", algebra="zero neutral=-inf")(chosen)
rule("aten.min.dim", algebra="zero neutral=inf")(chosen)

# The most frequent (of several, the least); the middle, which every other entry shifts.
rule("aten.mode", algebra="zero neutral=inf")(chosen)
rule("aten.median.dim aten.nanmedian.dim", algebra="zero")(chosen)
rule("aten.median.default aten.nanmedian.default", algebra="zero")(reduced)

# Semirings: log-sum-exp (zero of its sum is -inf), products (1), or (0), and (1).
rule("aten.logsumexp", algebra="neutral=-inf")(reduced)
rule("aten.prod", algebra="zero neutral=1")(reduced)
rule("aten.any", algebra="zero neutral=0")(reduced)
rule("aten.all", algebra="zero neutral=1")(reduced)
rule("aten.count_nonzero", algebra="zero neutral=0")(reduced)


# Spread around a mean: any entry more changes the count.
@rule("aten.var aten.var_mean")
def variance(
    self: TensorArgument, dim: Any = None, *, out: list[Shape], **settings: Any
) -> Described:
    """Reduce to the mean square around the mean."""
    return Described(
        reduced(self, dim, out=out), f"zero degree=2{_thinned(self, dim, 1, settings)}"
    )


@rule("aten.std aten.std_mean")
def deviation(
    self: TensorArgument, dim: Any = None, *, out: list[Shape], **settings: Any
) -> Described:
    """Reduce to the root of the variance."""
    return Described(
        reduced(self, dim, out=out), f"zero degree=1{_thinned(self, dim, 0.5, settings)}"
    )


def _thinned(self: TensorArgument, dim: Any, power: float, settings: dict[str, Any]) -> str:
    """Say what entries at the mean do; along one of several dims the mean varies with the rest."""
    given = settings.get("correction", settings.get("unbiased", True))
    less = 1.0 if given is None else float(given)
    return f" thinned={power} less={less!r}" if len(_dims(dim, self.ndim)) == 1 else ""


@rule("aten.kthvalue", algebra="zero neutral=inf")
def kthvalue(
    self: TensorArgument, k: int, dim: int = -1, *, out: list[Shape], **settings: Any
) -> str:
    """Reduce one dim to its k-th least entry: what is last in the order changes nothing."""
    return chosen(self, dim, out=out)


@rule("aten.linalg_vector_norm")
def vector_norm(
    self: TensorArgument, ord: float = 2, dim: Any = None, *, out: list[Shape], **settings: Any
) -> Described:
    """Reduce to a norm: zeros add nothing, but they are the least by order -inf."""
    return Described(reduced(self, dim, out=out), _norm_words(ord))


@rule("aten.norm")
def norm(
    self: TensorArgument, p: float | None = 2, dim: Any = None, *, out: list[Shape], **settings: Any
) -> Described:
    """Reduce to a norm, by the older name."""
    return Described(reduced(self, dim, out=out), _norm_words(2 if p is None else p))


def _norm_words(order: float) -> str:
    degree = "degree=1 " if order else ""
    return f"zero {degree}neutral={'0' if order >= 0 else 'inf'}"


@rule("aten.argmax aten.argmin")
def argmax(
    self: TensorArgument, dim: int | None = None, *, out: list[Shape], **settings: Any
) -> str:
    """Find the place of the best; of a flattened tensor it is a place in no single axis."""
    text = reduced(self, dim, out=out)
    return text if dim is None or not self.ndim else f"{text}:a{dim % self.ndim}"
