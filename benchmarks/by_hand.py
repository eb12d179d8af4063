"""Where every entry of GPT-2, Llama, BERT and ViT comes from: by hand, from two configs alone.

Knows how these families lay their weights out. Knows nothing of Suture: what a plan does is judged
by this, so nothing here is found by tracing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Axis:
    """One dim: how many positions the source has, and the one each target position comes from.

    A position without a source has −1.
    """

    source: int
    came: Positions


Axes = tuple[Axis, ...]
Hand = dict[str, Axes]
"""The dims of every parameter that both sides have."""


def axis(source: int, came: list[int]) -> Axis:
    return Axis(source, np.array(came, np.intp))


def ordered(source: int, target: int) -> Axis:
    """Pair the first with the first: what grows, grows at the end."""
    return axis(source, [at if at < source else -1 for at in range(target)])


def product(*factors: Axis) -> Axis:
    """Lay a dim out of several factors, each of which goes its own way."""
    result = axis(1, [0])
    for factor in factors:
        outer, inner = result.came[:, None], factor.came[None, :]
        came = np.where((outer < 0) | (inner < 0), -1, outer * factor.source + inner)
        result = Axis(result.source * factor.source, came.ravel())
    return result


def beside(*parts: Axis) -> Axis:
    """Lay parts end to end."""
    starts = np.cumsum([0, *(part.source for part in parts)])
    came = [np.where(p.came < 0, -1, p.came + at) for p, at in zip(parts, starts[:-1], strict=True)]
    return Axis(int(starts[-1]), np.concatenate(came))


def between(a: Any, b: Any, name: str) -> Axis:
    """Make the axis whose size is one number of the config."""
    return ordered(getattr(a, name), getattr(b, name))


def layers(a: Any, b: Any, prefix: str, layer: Hand) -> Iterator[tuple[str, Axes]]:
    """List the layers that both have, each by its number."""
    for index in range(min(a.num_hidden_layers, b.num_hidden_layers)):
        yield from ((f"{prefix}.{index}.{name}", dims) for name, dims in layer.items())


def linear(name: str, out: Axis, into: Axis) -> Hand:
    """Describe a layer with a bias, its weight written as `out in`."""
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def transposed(name: str, into: Axis, out: Axis) -> Hand:
    """Describe a layer with a bias, its weight written as `in out`."""
    return {f"{name}.weight": (into, out), f"{name}.bias": (out,)}


def norm(name: str, over: Axis) -> Hand:
    return {f"{name}.weight": (over,), f"{name}.bias": (over,)}


def heads(a: Any, b: Any) -> Axis:
    """Lay out the heads of plain attention, times what each of them holds."""
    count = between(a, b, "num_attention_heads")
    width = (each.hidden_size // each.num_attention_heads for each in (a, b))
    return product(count, ordered(*width))


def gpt2(a: Any, b: Any) -> Hand:
    """Map GPT-2: one projection to q, k and v; layers are written as `in out`."""
    stream, part = between(a, b, "n_embd"), heads(a, b)
    inner = ordered(*(each.n_inner or 4 * each.n_embd for each in (a, b)))
    layer = {
        **norm("ln_1", stream),
        **transposed("attn.c_attn", stream, beside(part, part, part)),
        **transposed("attn.c_proj", part, stream),
        **norm("ln_2", stream),
        **transposed("mlp.c_fc", stream, inner),
        **transposed("mlp.c_proj", inner, stream),
    }
    tokens = (between(a, b, "vocab_size"), stream)
    return {
        "transformer.wte.weight": tokens,
        "transformer.wpe.weight": (between(a, b, "n_positions"), stream),
        **dict(layers(a, b, "transformer.h", layer)),
        **norm("transformer.ln_f", stream),
        "lm_head.weight": tokens,
    }


def width(config: Any) -> int:
    """Say how large a Llama's head is."""
    return int(config.head_dim or config.hidden_size // config.num_attention_heads)


def frequencies(config: Any) -> list[tuple[float, Fraction]]:
    """List the rotary frequencies of a head, each as its base and its exponent."""
    base, size = config.rope_parameters["rope_theta"], width(config)
    powers = [Fraction(2 * each, size) for each in range(size // 2)]
    return [(base if power else 1.0, power) for power in powers]


def rotated(a: Any, b: Any) -> Axis:
    """Lay out a head of q and k: two halves, each turned by the same frequencies.

    Another base alone turns the same features otherwise; they stay what they are.
    """
    if width(a) == width(b):
        return ordered(width(a), width(b))
    old, new = frequencies(a), frequencies(b)
    pairs = axis(len(old), [old.index(each) if each in old else -1 for each in new])
    return product(ordered(2, 2), pairs)


def keyed(a: Any, b: Any) -> Axis:
    """Pair the heads of k and v: if only they grow, each is what its query heads read before.

    Where only they shrink, each is the first of those that its query heads read, so that growing
    and shrinking back loses nothing.
    """
    old, new = a.num_key_value_heads, b.num_key_value_heads
    if a.num_attention_heads == b.num_attention_heads and not (new % old and old % new):
        return axis(old, [each * old // new for each in range(new)])
    return ordered(old, new)


def asking(a: Any, b: Any) -> Axis:
    """Lay out the heads of q: groups that read one head of k and v, times the heads of a group."""
    if a.num_attention_heads == b.num_attention_heads:
        return between(a, b, "num_attention_heads")
    groups = between(a, b, "num_key_value_heads")
    of_each = (each.num_attention_heads // each.num_key_value_heads for each in (a, b))
    return product(groups, ordered(*of_each))


def llama(a: Any, b: Any) -> Hand:
    """Map Llama: fewer heads of k and v than of q, rotary positions, a gated layer, no biases."""
    return llama_of(a, b, asking(a, b), keyed(a, b))


def llama_of(a: Any, b: Any, query: Axis, key: Axis) -> Hand:
    """Map Llama, given which head is which among those of q, and among those of k and v."""
    stream, inner = between(a, b, "hidden_size"), between(a, b, "intermediate_size")
    turned, carried = rotated(a, b), ordered(width(a), width(b))
    layer = {
        "self_attn.q_proj.weight": (product(query, turned), stream),
        "self_attn.k_proj.weight": (product(key, turned), stream),
        "self_attn.v_proj.weight": (product(key, carried), stream),
        "self_attn.o_proj.weight": (stream, product(query, carried)),
        "mlp.gate_proj.weight": (inner, stream),
        "mlp.up_proj.weight": (inner, stream),
        "mlp.down_proj.weight": (stream, inner),
        "input_layernorm.weight": (stream,),
        "post_attention_layernorm.weight": (stream,),
    }
    tokens = (between(a, b, "vocab_size"), stream)
    return {
        "model.embed_tokens.weight": tokens,
        **dict(layers(a, b, "model.layers", layer)),
        "model.norm.weight": (stream,),
        "lm_head.weight": tokens,
    }


def bert(a: Any, b: Any) -> Hand:
    """Map BERT with a classifier: three tables of embeddings, norms behind the layers, a pooler."""
    stream, part = between(a, b, "hidden_size"), heads(a, b)
    inner = between(a, b, "intermediate_size")
    layer = {
        **linear("attention.self.query", part, stream),
        **linear("attention.self.key", part, stream),
        **linear("attention.self.value", part, stream),
        **linear("attention.output.dense", stream, part),
        **norm("attention.output.LayerNorm", stream),
        **linear("intermediate.dense", inner, stream),
        **linear("output.dense", stream, inner),
        **norm("output.LayerNorm", stream),
    }
    table = "bert.embeddings"
    return {
        f"{table}.word_embeddings.weight": (between(a, b, "vocab_size"), stream),
        f"{table}.position_embeddings.weight": (between(a, b, "max_position_embeddings"), stream),
        f"{table}.token_type_embeddings.weight": (between(a, b, "type_vocab_size"), stream),
        **norm(f"{table}.LayerNorm", stream),
        **dict(layers(a, b, "bert.encoder.layer", layer)),
        **linear("bert.pooler.dense", stream, stream),
        **linear("classifier", between(a, b, "num_labels"), stream),
    }


def patches(a: Any, b: Any) -> Axis:
    """Lay out the positions of a ViT: the class token, then rows times columns of patches."""
    side = ordered(*(each.image_size // each.patch_size for each in (a, b)))
    return beside(ordered(1, 1), product(side, side))


def vit(a: Any, b: Any) -> Hand:
    """Map ViT with a classifier: taps of the kernel that cuts patches count from its first."""
    stream, part = between(a, b, "hidden_size"), heads(a, b)
    inner, tap = between(a, b, "intermediate_size"), between(a, b, "patch_size")
    one, channels = ordered(1, 1), between(a, b, "num_channels")
    layer = {
        **linear("attention.q_proj", part, stream),
        **linear("attention.k_proj", part, stream),
        **linear("attention.v_proj", part, stream),
        **linear("attention.o_proj", stream, part),
        **norm("layernorm_before", stream),
        **norm("layernorm_after", stream),
        **linear("mlp.fc1", inner, stream),
        **linear("mlp.fc2", stream, inner),
    }
    cut = "vit.embeddings.patch_embeddings.projection"
    return {
        "vit.embeddings.cls_token": (one, one, stream),
        "vit.embeddings.position_embeddings": (one, patches(a, b), stream),
        f"{cut}.weight": (stream, channels, tap, tap),
        f"{cut}.bias": (stream,),
        **dict(layers(a, b, "vit.layers", layer)),
        **norm("vit.layernorm", stream),
        **linear("classifier", between(a, b, "num_labels"), stream),
    }


BY_HAND: dict[str, Callable[[Any, Any], Hand]] = {
    "gpt2": gpt2,
    "llama": llama,
    "bert": bert,
    "vit": vit,
}
"""The families, by name."""


def entries(dims: Axes) -> Positions:
    """Find the source entry (its place in the flat array) of every target entry, −1 without one."""
    return product(*dims).came.reshape([dim.came.size for dim in dims])
