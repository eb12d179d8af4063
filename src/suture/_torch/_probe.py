"""The probe: feeds one feature at a time, many at once, and sees which weights have a gradient.

Knows how features are parted into batches. Does not know how a batch goes through a network
(`_pass`), nor any op: what hides a gradient has a stand-in (`stand_ins`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from suture._features import Features
from suture._graph import Graph
from suture._masks import Masks
from suture._repairs import Repairs
from suture._subject import Subject
from suture._torch._fed import fed, told_apart
from suture._torch._network import Network, network
from suture._torch._pass import Pass
from suture._torch._trace import Tape, tape

AT_ONCE = 1 << 30
"""Bytes of values that are held at once, about; gradients take as much again."""

MOST = 64
"""Features at once, at most: more make no product of matrices quicker."""


@dataclass(frozen=True, slots=True, eq=False)
class Prober:
    """A traced model, to be probed as often as one likes."""

    tape: Tape

    @property
    def graph(self) -> Graph:
        """What the model does to shapes."""
        return self.tape.graph

    def probe(self, seen: Features, numbers: Sequence[int], repairs: Repairs) -> dict[int, Masks]:
        """Find which entries of each value without data some features reach.

        Args:
            seen: all features.
            numbers: those to probe.
            repairs: what is changed in the network before.

        Returns:
            Value -> what was reached of it, features by their place in `numbers`.
        """
        with torch.inference_mode(mode=False), torch.device("cpu"):
            with torch.no_grad():
                ready = network(self.tape, repairs)
            return _probed(ready, seen, numbers)


def prober(subject: Subject) -> Prober:
    """Trace a torch model; its weights are never read."""
    return Prober(tape(subject))


def _probed(ready: Network, seen: Features, numbers: Sequence[int]) -> dict[int, Masks]:
    found: dict[int, Masks] = defaultdict(Masks)
    told = told_apart(ready.graph, seen)
    # Neighbours mostly share an input: the others are zero for all of them.
    order = np.argsort(np.asarray(numbers, np.int64), kind="stable")
    at_once = min(MOST, max(1, AT_ONCE // (ready.size + 1)))
    for start in range(0, len(order), at_once):
        places = order[start : start + at_once].tolist()
        inputs = fed(ready.graph, seen, [numbers[place] for place in places], ready.dtype)
        Pass(ready, inputs, told, places, found).run()
        for masks in found.values():
            masks.settle()
    return found
