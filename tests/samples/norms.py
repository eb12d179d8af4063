"""Samples of norms: with and without gain and shift, in training and not."""

from typing import Any

from torch import Tensor

from samples._sample import Sample, f, sample


def batch_norm(x: Tensor, gain: Tensor | None, shift: Tensor | None, **mode: Any) -> Sample:
    """Write a batch norm, `training` or not, with running statistics or not."""
    channels, op = x.shape[1], mode.get("op", "native_batch_norm.default")
    running = (f(channels), f(channels).abs()) if mode.get("running", True) else (None, None)
    return sample(f"aten.{op}", x, gain, shift, *running, mode["training"], 0.1, 1e-5)


SAMPLES = [
    sample("aten._weight_norm_interface.default", f(2, 3, 4), f(2, 1, 1)),
    sample("aten._weight_norm_interface.default", f(2, 3, 4), f(1, 1, 4), 2),
    sample("aten.native_layer_norm.default", f(2, 3, 4), [4], f(4), f(4), 1e-5),
    sample("aten.native_layer_norm.default", f(1, 2, 3), [2, 3], f(2, 3), f(2, 3), 1e-5),
    sample("aten.native_layer_norm.default", f(2, 3, 4), [4], f(4), None, 1e-5),
    sample("aten.native_layer_norm.default", f(2, 3, 4), [4], None, None, 1e-5),
    sample("aten._fused_rms_norm.default", f(2, 3, 4), [4], f(4), 1e-5),
    sample("aten._fused_rms_norm.default", f(2, 3, 4), [3, 4], None, 1e-5),
    sample("aten.native_group_norm.default", f(1, 6, 1, 4), f(6), f(6), 1, 6, 4, 2, 1e-5),
    sample("aten.native_group_norm.default", f(1, 6, 5), None, None, 1, 6, 5, 3, 1e-5),
    sample("aten.native_group_norm.default", f(2, 3, 5), f(3), None, 2, 3, 5, 3, 1e-5),
    batch_norm(f(4, 3, 2), f(3), f(3), training=True, running=False),
    batch_norm(f(4, 3), f(3), f(3), training=True, running=False),
    batch_norm(f(1, 3, 2, 4), None, None, training=True, running=False),
    batch_norm(f(4, 3, 2), f(3), f(3), training=False),
    batch_norm(f(4, 3), None, None, training=False),
    batch_norm(
        f(4, 3, 2), f(3), f(3), training=True, op="_native_batch_norm_legit_functional.default"
    ),
    batch_norm(
        f(4, 3, 2), f(3), f(3), training=False, op="_native_batch_norm_legit_functional.default"
    ),
    sample("aten._native_batch_norm_legit.no_stats", f(4, 3, 2), f(3), f(3), True, 0.1, 1e-5),
    sample(
        "aten._native_batch_norm_legit_no_training.default",
        *(f(4, 3, 2), f(3), f(3), f(3), f(3).abs()),
        *(0.1, 1e-5),
    ),
]
