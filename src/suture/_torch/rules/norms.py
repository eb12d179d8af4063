"""Normalisation: layer, group, batch and RMS norms with their statistics.

Statistics are results like any other. With running statistics instead of the batch's own (in eval
mode) nothing is mixed.
"""

from __future__ import annotations

from typing import Any

from suture._bind import Shape
from suture._rule import Described, TensorArgument, rule
from suture._torch.rules._text import axes, mixed, spec

# Zero stays zero (the mean of zeros), nothing is linear in what is divided by its own spread. The
# spread over m entries of which m - n are at the mean is sqrt(n / m) times that over n.
NORMALISED, GAIN, SHIFT = "zero repeats", "linear mul", "linear add"
CENTRED, SCALED = f"{NORMALISED} normed=mean", f"{NORMALISED} normed=0"


def _words(first: str, *present: tuple[object, str]) -> str:
    """Words of the first operand, then of those that are there."""
    return ", ".join([first, *(words for operand, words in present if operand is not None)])


def _normalised(gain: object, words: str = NORMALISED) -> str:
    return words if gain is None else f"{words} mul"


@rule("aten.native_layer_norm")
def layer_norm(
    input: TensorArgument,
    normalized_shape: list[int],
    weight: TensorArgument | None,
    bias: TensorArgument | None,
    eps: float,
    *,
    out: list[Shape],
) -> Described:
    """Normalise the last dims: `... d!, d, d -> ... d, ... 1, ... 1`."""
    lead = axes(input.ndim - len(normalized_shape), "n")
    last = axes(len(normalized_shape), "d")
    affine = [last for operand in (weight, bias) if operand is not None]
    statistics = [*lead, *["1"] * len(last)]
    text = spec(
        [[*lead, *mixed(last, range(len(last)))], *affine],
        [[*lead, *last], statistics, statistics],
    )
    # Along one of several dims, the mean of the others still varies with the rest.
    centred = CENTRED if len(normalized_shape) == 1 else NORMALISED
    return Described(text, _words(_normalised(weight, centred), (weight, GAIN), (bias, SHIFT)))


@rule("aten._fused_rms_norm")
def rms_norm(
    input: TensorArgument,
    normalized_shape: list[int],
    weight: TensorArgument | None,
    eps: float | None,
    *,
    out: list[Shape],
) -> Described:
    """Divide the last dims by their root mean square."""
    lead = axes(input.ndim - len(normalized_shape), "n")
    last = axes(len(normalized_shape), "d")
    operands = [[*lead, *mixed(last, range(len(last)))], *([last] if weight else [])]
    text = spec(operands, [[*lead, *last], [*lead, *["1"] * len(last)]])
    return Described(text, _words(_normalised(weight, SCALED), (weight, GAIN)))


@rule("aten.native_group_norm")
def group_norm(
    input: TensorArgument,
    weight: TensorArgument | None,
    bias: TensorArgument | None,
    group: int,
    *,
    out: list[Shape],
    **sizes: Any,
) -> Described:
    """Normalise channels within their group, and all of space."""
    space = axes(input.ndim - 2, "h")
    affine = [["(g c)"] for operand in (weight, bias) if operand is not None]
    text = spec(
        [["n", "(g c!)", *(f"{h}!" for h in space)], *affine],
        [["n", "(g c)", *space], ["n", "g"], ["n", "g"]],
    )
    words = _words(_normalised(weight), (weight, GAIN), (bias, SHIFT))
    return Described(text, words, {"g": group})


@rule("aten.native_batch_norm aten._native_batch_norm_legit_functional")
def batch_norm(
    input: TensorArgument,
    weight: TensorArgument | None,
    bias: TensorArgument | None,
    running_mean: TensorArgument | None = None,
    running_var: TensorArgument | None = None,
    training: bool = True,  # noqa: FBT002 (torch's own)
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    out: list[Shape],
    **settings: Any,
) -> Described:
    """Normalise each channel: over batch and space in training, else by the running statistics."""
    space = axes(input.ndim - 2, "h")
    lead = ["n!", "c", *(f"{h}!" for h in space)] if training else ["n", "c", *space]
    running = [tensor for tensor in (running_mean, running_var) if tensor is not None]
    affine = [tensor for tensor in (weight, bias) if tensor is not None]
    operands = [lead, *[["c"]] * (len(affine) + len(running))]
    statistics = [["c"] if size else [f"e{place}"] for place, (size,) in enumerate(out[1:])]
    text = spec(operands, [["n", "c", *space], *statistics])
    if training:
        words = _words(_normalised(weight), (weight, GAIN), (bias, SHIFT))
        return Described(text, ", ".join([words, *[""] * len(running)]))
    centred = "linear" if weight is None else "linear mul"
    gain, variance = f"{GAIN} unit={(1 + eps) ** 0.5!r}", 1.0 if weight is not None else 1 - eps
    words = _words(centred, (weight, gain), (bias, f"{SHIFT} unit=0"))
    return Described(text, f"{words}, {centred} unit=0, unit={variance!r}")


@rule("aten._native_batch_norm_legit_no_training")
def batch_norm_eval(
    input: TensorArgument,
    weight: TensorArgument | None,
    bias: TensorArgument | None,
    running_mean: TensorArgument | None,
    running_var: TensorArgument | None,
    momentum: float,
    eps: float,
    *,
    out: list[Shape],
) -> Described:
    """Normalise by the running statistics."""
    running = running_mean, running_var
    return batch_norm(input, weight, bias, *running, training=False, eps=eps, out=out)


@rule("aten._native_batch_norm_legit.no_stats")
def batch_norm_own(
    input: TensorArgument,
    weight: TensorArgument | None,
    bias: TensorArgument | None,
    *,
    out: list[Shape],
    **settings: Any,
) -> Described:
    """Normalise by the batch's own statistics, no running ones kept."""
    return batch_norm(input, weight, bias, out=out)


@rule("aten._weight_norm_interface", algebra="neutral=0, linear")
def weight_norm(v: TensorArgument, g: TensorArgument, dim: int = 0, *, out: list[Shape]) -> str:
    """Give each entry of a dim a length; an entry of length zero has no direction."""
    own = axes(v.ndim)
    kept = dim % v.ndim
    lengths = ["1" if place != kept else name for place, name in enumerate(own)]
    others = [place for place in range(v.ndim) if place != kept]
    return spec([mixed(own, others), lengths], [own, lengths])
