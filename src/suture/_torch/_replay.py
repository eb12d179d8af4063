"""Replay: run the ops that a trace recorded, one by one, on real values.

Knows a tape. Does not know what its values are compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from suture._graph import Graph
from suture._subject import Subject
from suture._torch._arguments import distinct, inputs
from suture._torch._drawn import computed, ones
from suture._torch._run import as_array, held
from suture._torch._trace import Tape, tape
from suture._torch._wrapped import seen_through


def replay(
    subject: Subject, arrays: Mapping[str, NDArray[Any]], weights: Mapping[str, torch.Tensor] | None
) -> tuple[Graph, dict[int, NDArray[Any]]]:
    """Trace a model, and compute every value of its graph.

    Args:
        subject: the model.
        arrays: inputs by keypath.
        weights: tensors by name in the place of the model's own, or None.

    Returns:
        The graph, and value -> its entries.
    """
    recorded = tape(subject)
    with torch.no_grad():
        found = _leaves(recorded, subject, arrays, weights)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for node, made in zip(recorded.graph.nodes, recorded.made, strict=True):
                results = computed(made, [found[value] for value in node.inputs])
                found.update(zip(node.outputs, results, strict=True))
    return recorded.graph, {value: as_array(tensor) for value, tensor in found.items()}


def _leaves(
    recorded: Tape,
    subject: Subject,
    arrays: Mapping[str, NDArray[Any]],
    weights: Mapping[str, torch.Tensor] | None,
) -> dict[int, torch.Tensor]:
    """Give the values that no op makes: constants, weights and inputs."""
    graph = recorded.graph
    made = {value for node in graph.nodes for value in node.outputs}
    unknown = {value for value in graph.constants if value not in made}
    found = {v: ones(graph.values[v], torch.float32) for v in unknown}
    found |= {v: real for v, real in recorded.real.items() if v not in made}
    state = held(subject, weights)
    named = {**graph.parameters, **graph.buffers}
    found |= {value: state[name].detach().cpu() for name, value in named.items()}
    examples = inputs(distinct(seen_through(subject)))
    for name, value in graph.inputs.items():
        like = examples[name]
        given = like if name not in arrays else torch.as_tensor(arrays[name])
        found[value] = given.detach().to("cpu", like.dtype)
    return found
