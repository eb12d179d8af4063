"""The rule table for torch, one module per op family; importing this package fills it."""

from suture._torch.rules import (
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

__all__ = [
    "contraction",
    "convolution",
    "creation",
    "joining",
    "lookup",
    "mixing",
    "norms",
    "padding",
    "pointwise",
    "pooling",
    "reduction",
    "resample",
    "selection",
    "spectral",
    "views",
    "writing",
]
