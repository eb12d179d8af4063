"""Networks that people grow, written in plain torch, each with sizes that may all change at once.

Knows streams that norms read, attention with scaling by hand, skips and recurrent policies. Does
not know what changes, nor what is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from suture import Schema, Subject

TOKENS = 7
EPS = 1e-3
"""Large enough to be seen where it should not move."""


class MeanSquare(nn.Module):
    """An RMS norm by hand: mean and power."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * self.gain


class Centred(nn.Module):
    """A LayerNorm by hand: mean, difference and power."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain, self.shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        apart = x - x.mean(-1, keepdim=True)
        return apart / (apart.pow(2).mean(-1, keepdim=True) + EPS).sqrt() * self.gain + self.shift


class Spread(Centred):
    """A LayerNorm by hand: mean and variance."""

    def forward(self, x: Tensor) -> Tensor:
        spread = x.var(-1, keepdim=True, unbiased=False)
        return (x - x.mean(-1, keepdim=True)) / (spread + EPS).sqrt() * self.gain + self.shift


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "layer": nn.LayerNorm,
    "rms": nn.RMSNorm,
    "mean and power": MeanSquare,
    "centred": Centred,
    "variance": Spread,
}


class Attention(nn.Module):
    """Grouped attention; scores scaled by hand or by torch, positions rotary or none."""

    def __init__(self, width: int, heads: int, groups: int, size: int, form: str) -> None:
        super().__init__()
        self.q = nn.Linear(width, heads * size)
        self.k, self.v = (nn.Linear(width, groups * size) for _ in "kv")
        self.o = nn.Linear(heads * size, width, bias=False)
        self.heads, self.groups, self.size, self.form = heads, groups, size, form

    def forward(self, x: Tensor) -> Tensor:
        q = self.q(x).unflatten(-1, (self.heads, self.size)).transpose(1, 2)
        k, v = (
            read(x)
            .unflatten(-1, (self.groups, self.size))
            .transpose(1, 2)
            .repeat_interleave(self.heads // self.groups, 1)
            for read in (self.k, self.v)
        )
        if self.form == "rotary":
            q, k = turned(q), turned(k)
        if self.form == "by hand":
            y = torch.softmax(q @ k.mT / math.sqrt(self.size), -1) @ v
        else:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        kept: Tensor = self.o(y.transpose(1, 2).flatten(2))
        return kept


def turned(x: Tensor) -> Tensor:
    """Turn pairs of entries by the position, as rotary embeddings do."""
    half = x.shape[-1] // 2
    speeds = 100.0 ** (-torch.arange(half, dtype=x.dtype) / half)
    angles = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * speeds
    cos, sin = torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin()] * 2, -1)
    a, b = x[..., :half], x[..., half:]
    return x * cos + torch.cat([-b, a], -1) * sin


class Gated(nn.Module):
    """A feed-forward part with a gate."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate, self.up = (nn.Linear(width, inner, bias=False) for _ in "gu")
        self.down = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.down(F.silu(self.gate(x)) * self.up(x))
        return y


class Block(nn.Module):
    """Attention and a feed-forward part, each behind a norm, beside the stream."""

    def __init__(self, sizes: dict[str, Any]) -> None:
        super().__init__()
        width, norm = sizes["width"], NORMS[sizes["norm"]]
        self.first, self.second = norm(width), norm(width)
        parts = [sizes[name] for name in ("heads", "groups", "size", "form")]
        self.look, self.think = Attention(width, *parts), Gated(width, sizes["inner"])

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.look(self.first(x))
        y: Tensor = x + self.think(self.second(x))
        return y


class Decoder(nn.Module):
    """Tokens, pre-norm blocks, a final norm, and scores of tokens."""

    def __init__(self, sizes: dict[str, Any]) -> None:
        super().__init__()
        self.words = nn.Embedding(sizes["words"], sizes["width"])
        self.blocks = nn.ModuleDict({name: Block(sizes) for name in sizes["layers"]})
        self.norm = NORMS[sizes["norm"]](sizes["width"])
        self.scores = nn.Linear(sizes["width"], sizes["words"], bias=False)
        if sizes["tied"]:
            self.scores.weight = self.words.weight

    def forward(self, text: Tensor) -> Any:
        x = self.words(text)
        for block in self.blocks.values():
            x = block(x)
        return self.scores(self.norm(x))


class PreNorm(nn.Module):
    """Features of tokens, torch's own encoder layers with the norm first, and classes."""

    def __init__(self, sizes: dict[str, Any]) -> None:
        super().__init__()
        width = sizes["width"]
        self.read = nn.Linear(sizes["features"], width)
        self.places = nn.Parameter(torch.zeros(TOKENS, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                *(width, sizes["heads"], sizes["inner"], 0.0, sizes["activation"]),
                batch_first=True,
                norm_first=True,
            )
            for _ in range(sizes["layers"])
        )
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, sizes["classes"])

    def forward(self, x: Tensor) -> Any:
        x = self.read(x) + self.places
        for layer in self.layers:
            x = layer(x)
        return self.out(self.norm(x).mean(1))


def normed(incoming: int, out: int, bend: str) -> nn.Sequential:
    """Build a convolution behind which channels are normed."""
    conv = nn.Conv2d(incoming, out, 3, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(out), getattr(nn, bend)())


class UNet(nn.Module):
    """Scales of a picture on the way down, laid beside those on the way up."""

    def __init__(self, sizes: dict[str, Any]) -> None:
        super().__init__()
        widths, channels = sizes["widths"], sizes["channels"]
        scales = zip((channels, *widths), widths, strict=False)
        self.down = nn.ModuleList(normed(*pair, sizes["bend"]) for pair in scales)
        pairs = list(zip(widths[1:], widths, strict=False))[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, wide, 2, 2) for deep, wide in pairs)
        self.join = nn.ModuleList(normed(2 * wide, wide, sizes["bend"]) for _, wide in pairs)
        self.out = nn.Conv2d(widths[0], sizes["labels"], 1)

    def forward(self, x: Tensor) -> Any:
        seen: list[Tensor] = []
        for scale in self.down:
            x = scale(F.max_pool2d(x, 2) if seen else x)
            seen.append(x)
        for skip, up, join in zip(seen[-2::-1], self.up, self.join, strict=True):
            x = join(torch.cat([skip, up(x)], 1))
        return self.out(x)


class Squeeze(nn.Module):
    """A residual block of convolutions with batch norms, a stride sometimes."""

    def __init__(self, incoming: int, out: int, stride: int, bend: str) -> None:
        super().__init__()
        self.first = nn.Conv2d(incoming, out, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(out) for _ in "ab")
        short = nn.Conv2d(incoming, out, 1, stride, bias=False), nn.BatchNorm2d(out)
        self.bend = getattr(nn, bend)()
        self.short = nn.Identity() if incoming == out else nn.Sequential(*short)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norms[1](self.second(self.bend(self.norms[0](self.first(x)))))
        bent: Tensor = self.bend(self.short(x) + y)
        return bent


class ResNet(nn.Module):
    """Stages of residual blocks, of which later ones may join a stage."""

    def __init__(self, sizes: dict[str, Any]) -> None:
        super().__init__()
        widths = sizes["widths"]
        bend = sizes["bend"]
        self.stem = normed(sizes["channels"], widths[0], bend)
        self.stages = nn.ModuleList(
            nn.Sequential(
                Squeeze(before, width, 2, bend),
                *(Squeeze(width, width, 1, bend) for _ in range(more)),
            )
            for before, width, more in zip(widths, widths[1:], sizes["depths"], strict=False)
        )
        self.out = nn.Linear(widths[-1], sizes["labels"])

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.out(x.mean((2, 3)))


class Policy(nn.Module):
    """What is seen, layers, a recurrent core, and what to do next and how good it is."""

    def __init__(self, sizes: dict[str, Any]) -> None:
        super().__init__()
        seen, inner, width = sizes["features"], sizes["inner"], sizes["width"]
        bend = getattr(nn, sizes["bend"])
        layers: list[nn.Module] = [nn.Linear(seen, inner), bend()]
        for _ in range(sizes["plain"]):
            layers += [nn.Linear(inner, inner), bend()]
        self.read = nn.Sequential(*layers)
        form = {"bidirectional": sizes["both"], "batch_first": True, **sizes["more"]}
        self.core = getattr(nn, sizes["kind"])(inner, width, sizes["deep"], **form)
        out = sizes["more"].get("proj_size", width) * (1 + sizes["both"])
        self.act, self.worth = nn.Linear(out, sizes["actions"]), nn.Linear(out, 1)

    def forward(self, x: Tensor) -> Any:
        y, _ = self.core(self.read(x))
        return self.act(y), self.worth(y)


TEXT = torch.arange(2 * TOKENS).reshape(2, TOKENS)
Sizes = dict[str, Any]

DECODER: Sizes = {"words": 19, "width": 12, "heads": 4, "groups": 2, "size": 4, "inner": 22}
DECODER |= {"layers": ("a", "b"), "norm": "rms", "form": "rotary", "tied": False}
ENCODER: Sizes = {"features": 5, "width": 12, "heads": 3, "inner": 22, "layers": 2, "classes": 3}
UNET: Sizes = {"channels": 3, "widths": (5, 8, 11), "labels": 4, "bend": "ReLU"}
RESNET: Sizes = UNET | {"depths": (1, 1)}
POLICY: Sizes = {"features": 6, "inner": 9, "width": 8, "plain": 0, "deep": 2, "bend": "ReLU"}
POLICY |= {"kind": "LSTM", "both": False, "actions": 4, "more": {}}


def decoder(**numbers: Any) -> Subject:
    return Subject(Decoder(DECODER | numbers).eval(), (TEXT,))


def encoder(**numbers: Any) -> Subject:
    sizes = ENCODER | {"activation": "gelu"} | numbers
    return Subject(PreNorm(sizes), (torch.randn(2, TOKENS, sizes["features"]),))


def unet(**numbers: Any) -> Subject:
    sizes = UNET | numbers
    return Subject(UNet(sizes).eval(), (torch.randn(2, sizes["channels"], 12, 8),))


def resnet(**numbers: Any) -> Subject:
    sizes = RESNET | numbers
    return Subject(ResNet(sizes).eval(), (torch.randn(2, sizes["channels"], 12, 8),))


def policy(**numbers: Any) -> Subject:
    sizes = POLICY | numbers
    named = Schema({"x": [f"sees{number}" for number in range(sizes["features"])]})
    return Subject(Policy(sizes), (torch.randn(3, 5, sizes["features"]),), schema=named)


GROWING: dict[str, Callable[..., Subject]] = {
    "decoder": decoder,
    "encoder": encoder,
    "u-net": unet,
    "resnet": resnet,
    "policy": policy,
}
"""Every kind by its name; a builder takes those of its sizes that are to be others."""
