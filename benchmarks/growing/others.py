"""What other programs do with the same models: Torch-Pruning's DepGraph, and weightbridge.

Knows how each is called and what it answers. Does not judge the answer (`score`).
"""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Iterator
from time import process_time
from typing import Any

import numpy as np
import torch
import torch_pruning
import weightbridge
from torch import nn

from by_hand import Hand
from growing.models import Growth, example
from growing.score import Removed

Shapes = dict[str, np.ndarray]


def real(growth: Growth, config: Any) -> nn.Module:
    """Make a model with weights that nobody writes: what is not written takes no memory.

    Large ones are of half the precision, as they are used.
    """
    with torch.device("meta"):
        model = growth.kind(config).train(mode=False)
    if sum(parameter.numel() for parameter in model.parameters()) > 1e9:
        model = model.to(torch.bfloat16)
    model = model.to_empty(device="cpu")
    for buffer in model.buffers():
        buffer.zero_()
    model.tie_weights()
    return model


def graph_of(model: nn.Module, config: Any) -> Any:
    """Build DepGraph's graph: it runs the model, and follows the gradients back."""
    return torch_pruning.DependencyGraph().build_dependency(
        model,
        example(config),
        forward_fn=lambda model, inputs: model(**inputs).logits,
        verbose=False,
    )


def depgraph_scan(growth: Growth) -> tuple[float, float, int]:
    """Build the graph and scan all its groups: seconds of each, and how many there are."""
    config, _ = growth.configs()
    model = real(growth, config)
    start = process_time()
    graph = graph_of(model, config)
    built = process_time()
    groups = sum(1 for _ in graph.get_all_groups())
    return built - start, process_time() - built, groups


def depgraph_shrink(growth: Growth) -> Removed:
    """Let DepGraph make the wide model narrow again, and say what it takes out.

    It is told which outputs of each layer go, by hand, layer by layer, as `get_all_groups` visits
    them: what an earlier group has reached is not told again. What else goes with them, it says.
    """
    config, narrow = growth.configs()[::-1]
    hand, model = growth.by_hand(config, narrow), real(growth, config)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    graph = graph_of(model, config)
    removed: dict[tuple[str, int], set[int]] = defaultdict(set)
    for module in list(graph.module2node):
        for name, dim in outputs(module, names):
            rows = np.setdiff1d(np.arange(hand[name][dim].source), hand[name][dim].came)
            if rows.size and (name, dim) not in removed:
                function = graph.get_pruner_of_module(module).prune_out_channels
                group = graph.get_pruning_group(module, function, rows.tolist())
                for place, places in reached(graph, group, names):
                    removed[place] |= places
    return {place: np.array(sorted(places), np.intp) for place, places in removed.items()}


def outputs(module: nn.Module, names: dict[int, str]) -> list[tuple[str, int]]:
    """Give the weight of a layer that a group may begin at, and the dim of its outputs."""
    match module:
        case nn.Linear() | nn.Conv2d():
            return [(names[id(module.weight)], 0)]
        case nn.Embedding():
            return [(names[id(module.weight)], 1)]
        case _:
            return []


def reached(
    graph: Any, group: Any, names: dict[int, str]
) -> Iterator[tuple[tuple[str, int], set[int]]]:
    """List the dims of parameters that a group reaches, and where."""
    for dependency, places in group:
        target = dependency.target
        if isinstance(target.module, nn.Parameter):
            yield (names[id(target.module)], target.pruning_dim), set(places)
        elif graph.is_out_channel_pruning_fn(dependency.handler):
            begin = outputs(target.module, names)
            yield from ((place, set(places)) for place in begin)
            if not isinstance(target.module, nn.Embedding):
                yield from (((name, 0), set(places)) for name in vectors(target.module, names))
        else:
            yield from (((name, 1), set(places)) for name, _ in outputs(target.module, names))


def vectors(module: nn.Module, names: dict[int, str]) -> list[str]:
    """List a layer's own parameters of one dim: biases and gains."""
    own = getattr(module, "parameters", lambda **_: ())(recurse=False)
    return [names[id(parameter)] for parameter in own if parameter.dim() == 1]


def bridge(growth: Growth) -> tuple[float, float]:
    """Let weightbridge pair a model with itself: seconds, and the share of it that it pairs."""
    before = shapes(growth, 0)
    start = process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        paired = weightbridge.adapt(numbered(before), before)
    seconds = process_time() - start
    right = sum(v.size for name, v in paired.items() if v.flat[0] == number(before, name))
    return seconds, right / sum(value.size for value in before.values())


def bridge_wide(growth: Growth) -> str | dict[str, str]:
    """Let weightbridge pair a model with the wider one: target -> source, or why it refuses."""
    before, after = shapes(growth, 0), shapes(growth, 1)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            paired = weightbridge.adapt(
                numbered(before),
                after,
                ignore_unmatched_inputs=True,
                ignore_unmatched_outputs=True,
            )
    except ValueError as error:
        return str(error)
    names = list(before)
    return {n: names[int(v.flat[0]) - 1] for n, v in paired.items() if v.flat[0] > 0}


def shapes(growth: Growth, side: int) -> Shapes:
    """Give arrays of the shapes of a model's parameters; one number stands for each."""
    parameters = growth.subjects()[side].model.named_parameters()
    return {name: np.broadcast_to(np.float32(0), tuple(each.shape)) for name, each in parameters}


def number(values: Shapes, name: str) -> int:
    return list(values).index(name) + 1


def numbered(values: Shapes) -> Shapes:
    """Fill every array with the number of its name, from 1 on."""
    pairs = enumerate(values.items(), 1)
    return {name: np.broadcast_to(np.float32(at), value.shape) for at, (name, value) in pairs}


def whole(paired: dict[str, str], hand: Hand) -> int:
    """Count the entries that are right where whole tensors are paired."""
    return sum(
        int(np.prod([(dim.came == np.arange(dim.came.size)).sum() for dim in hand[name]]))
        for name, source in paired.items()
        if name == source
    )
