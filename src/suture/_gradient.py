"""Interactions by gradients: the paper's first mapping, with its three repairs as options.

Knows features and what a probe answers. Does not know how a model is run: adapters probe it.

Source: Raiman, Zhang and Dennison, *Neural Network Surgery with Sets*, section 2.3.1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from suture._adapter import adapter_of
from suture._errors import SchemaError, near_miss
from suture._features import features as features_of
from suture._interactions import given_back
from suture._phi import Interactions
from suture._repairs import Repairs
from suture._sets import Sets
from suture._subject import Subject


def gradient_interactions(
    source: Subject,
    init: Literal["positive", "random"] = "positive",
    pooling: Literal["average", "max"] = "average",
    saturation: Literal["normalised", "raw"] = "normalised",
    features: Sequence[str] | None = None,
    seed: int = 0,
) -> Interactions:
    """Find which features interact with which entries of which parameters, by gradients.

    The network is fed zeros with a one where a feature stands, once for every feature; what has a
    gradient of the sum of all outputs interacts with it. With all three repairs the result is that
    of `suture.interactions`, except for products of data with disjoint features (gates,
    attention, a division by a root mean square): of those, only what carries the feature in every
    factor is found. Nor is what reaches no output, or is multiplied by a constant zero. Without the
    repairs less is found.

    It is done on weights drawn anew, in the precision of the model but no less than single, on the
    CPU; the model's own weights are never read, and it is left as it was. Whatever would make zeros
    carry a feature counts as zero: biases and constants that are added, f(0) of any op, rows of a
    table that no integer chooses, and weights laid beside data, so that nothing is found of
    attention that starts from a learned token. An integer without named values may choose any row,
    so the average of all rows stands for it; a named value chooses its own. Comparisons, and
    integers made from floats, have no gradient; of a mask that is data, both sides are seen. Square
    roots, logarithms and divisors count as factors: their slope at zero tells nothing.

    Time grows with features times the ops of the network; memory with a batch of features and the
    distinct answers, never with features times parameter entries. Buffers that a state dict holds
    are treated as parameters are.

    Args:
        source: the model with its example arguments and names.
        init: `"positive"` draws weights from 0.5 to 1.5 over the root of the fan-in, and lets
            nothing cancel: what is subtracted is added, cosines and other falling ops pass on what
            they read, factors count by their size, and an average stands for softmax and for layer
            and group norms. `"random"` draws weights from a normal distribution of that
            size, and leaves ops as they are.
        pooling: `"average"` lets an average stand for whatever picks entries by their size:
            maximum, minimum, median, sorting, max-pooling. `"max"` leaves it as it is.
        saturation: `"normalised"` divides the inputs of tanh, sigmoid and the like by twice their
            largest entry, and leaves out what clips. `"raw"` leaves them as they are.
        features: full names of the features to probe; all if None.
        seed: of the weights.

    Returns:
        The interactions of every parameter and buffer with the features that were probed.

    Raises:
        SutureError: an option that there is not.
        SchemaError: a feature that there is not, or two of one name.
        TraceError: something that is not a subject, or cannot be traced.
        UnknownOpError: an op has no rule and does not decompose.

    Example:
        >>> import torch
        >>> from suture import Schema
        >>> schema = Schema(inputs={"input": ["x", "v"]})
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 4))
        >>> subject = Subject(model, (torch.zeros(5, 2),), schema=schema)
        >>> phi = gradient_interactions(subject)
        >>> phi.mask("0.weight", "input.v")
        array([[False,  True]])
        >>> phi.total
        44

    Source: Raiman, Zhang and Dennison, *Neural Network Surgery with Sets*, section 2.3.1.
    """
    repairs = Repairs(init, pooling, saturation, seed)
    prober = adapter_of(source).prober(source)
    seen = features_of(prober.graph)
    names = seen.names if features is None else tuple(features)
    found = prober.probe(seen, _numbers(seen.names, names), repairs)
    sets = Sets(len(names))
    shapes = {value: prober.graph.values[value].shape for value in found}
    met = {value: masks.sets(sets, len(shapes[value])) for value, masks in found.items()}
    return given_back(prober.graph, names, sets, met)


def _numbers(known: Sequence[str], names: Sequence[str]) -> list[int]:
    """Find features by their full names, each once."""
    number = {name: at for at, name in enumerate(known)}
    strange = [name for name in names if name not in number]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if strange or twice:
        facts = [(name, f"is none of the {len(known)} features") for name in strange]
        facts += [(name, "stands twice") for name in twice]
        hints = [near_miss(name, known) for name in strange]
        sentence = "Features to probe are full names, each once."
        raise SchemaError(sentence, facts, next(filter(None, hints), None))
    return [number[name] for name in names]
