"""Torch networks built from recipes, written as people write them, and their generic weights.

Knows torch and how each part computes. Does not know what may grow.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recipes import (
    Attention,
    Beside,
    Conv,
    Dense,
    Encoder,
    Entities,
    Gated,
    Head,
    Image,
    Layer,
    Lookup,
    Looped,
    Norm,
    Recipe,
    Recurrent,
    Residual,
    Shared,
    TiedHead,
    Vector,
    after,
    joined,
    size,
)

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "silu": nn.SiLU, "identity": nn.Identity}


class Slopes(nn.Module):
    """A leaky rectifier with a slope per unit of the last dim."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.full((width,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x) - self.slope * torch.relu(-x)


class Gate(nn.Module):
    """One linear map whose halves meet."""

    def __init__(self, incoming: int, width: int) -> None:
        super().__init__()
        self.halves = nn.Linear(incoming, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        a, b = torch.chunk(self.halves(x), 2, dim=-1)
        return a * torch.sigmoid(b)


class Loop(nn.Module):
    """One square linear map, applied again and again."""

    def __init__(self, width: int, times: int) -> None:
        super().__init__()
        self.step, self.times = nn.Linear(width, width), times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = torch.tanh(self.step(x))
        return x


class Stream(nn.Module):
    """A residual stream around `inside`."""

    def __init__(self, width: int, inside: nn.Module, inner: int) -> None:
        super().__init__()
        self.inside, self.back = inside, nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.back(self.inside(x)))


class Alongside(nn.Module):
    """What comes in, and beside it what `inside` makes of it."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.inside(x)], dim=-1)


def norm(kind: str, width: int) -> nn.Module:
    """Build a norm of the last dim."""
    match kind:
        case "layer":
            return nn.LayerNorm(width)
        case "rms":
            return nn.RMSNorm(width)
        case _:
            return nn.BatchNorm1d(width)


def built_layer(layer: Layer, width: int) -> nn.Module:
    """Build a layer that reads `width` entries."""
    match layer:
        case Dense(out, "prelu", bias):
            return nn.Sequential(nn.Linear(width, out, bias), Slopes(out))
        case Dense(out, activation, bias):
            return nn.Sequential(nn.Linear(width, out, bias), ACTIVATIONS[activation]())
        case Gated(out):
            return Gate(width, out)
        case Norm(kind):
            return norm(kind, width)
        case Looped(times):
            return Loop(width, times)
        case Residual(inside):
            inner = size(after(inside, ((width,),)))
            return Stream(width, built_layers(inside, width), inner)
        case Beside(inside):
            return Alongside(built_layers(inside, width))


def built_layers(layers: tuple[Layer, ...], width: int) -> nn.Sequential:
    """Build layers, the first of which reads `width` entries."""
    widths = [size(after(layers[:done], ((width,),))) for done in range(len(layers))]
    return nn.Sequential(*map(built_layer, layers, widths))


class Many(nn.Module):
    """The same layers on several inputs, laid end to end."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.cat([self.inside(x) for x in inputs], dim=-1)


class Rows(nn.Module):
    """The same layers on every entity, then joined over entities."""

    def __init__(self, inside: nn.Module, join: str) -> None:
        super().__init__()
        self.inside, self.join = inside, join

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inside(x)
        match self.join:
            case "flatten":
                return y.flatten(1)
            case "sum":
                return y.sum(dim=1)
            case _:
                return y.amax(dim=1)


class Convolved(nn.Module):
    """Convolutions, then flattened or averaged over the places."""

    def __init__(self, image: Image) -> None:
        super().__init__()
        channels = [len(image.features), *(conv.width * conv.group for conv in image.convs)]
        blocks = map(convolution, image.convs, channels, channels[1:])
        self.convs, self.join = nn.Sequential(*blocks), image.join

    def forward(self, x: Tensor) -> Tensor:
        x = torch.flatten(self.convs(x), 2)
        return x.flatten(1) if self.join == "flatten" else x.mean(dim=2)


def convolution(conv: Conv, incoming: int, out: int) -> nn.Sequential:
    """Build a block of convolution, norm and activation that keeps the extent."""
    one = len(conv.kernel) == 1
    kind: Any = nn.Conv1d if one else nn.Conv2d
    block: list[nn.Module] = []
    if conv.depthwise:
        block.append(kind(incoming, incoming, conv.kernel, padding="same", groups=incoming))
    block.append(kind(incoming, out, conv.kernel, padding="same"))
    match conv.norm:
        case "batch":
            block.append(nn.BatchNorm1d(out) if one else nn.BatchNorm2d(out))
        case "group":
            block.append(nn.GroupNorm(conv.width, out))
        case "none":
            pass
    return nn.Sequential(*block, ACTIVATIONS[conv.activation]())


class Unrolled(nn.Module):
    """A recurrent net, read at its end, on average, or by its last state."""

    def __init__(self, recipe: Recurrent) -> None:
        super().__init__()
        cells = recipe.width + (recipe.beyond or 0)
        projected = {} if recipe.beyond is None else {"proj_size": recipe.width}
        self.net = getattr(nn, recipe.kind)(
            len(recipe.features),
            cells,
            num_layers=recipe.depth,
            bidirectional=recipe.bidirectional,
            batch_first=True,
            **projected,
        )
        self.join, self.directions = recipe.join, 1 + recipe.bidirectional

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor
        y, state = self.net(x)
        match self.join:
            case "last":
                return y[:, -1]
            case "mean":
                return y.mean(dim=1)
            case _:
                state = state[0] if isinstance(state, tuple) else state
                return torch.cat(tuple(state[-self.directions :]), dim=-1)


class Heads(nn.Module):
    """Attention by heads as written by hand, averaged over tokens."""

    def __init__(self, recipe: Attention) -> None:
        super().__init__()
        incoming, inner = len(recipe.features), recipe.head_count * recipe.head_dim
        self.q, self.k, self.v = (nn.Linear(incoming, inner) for _ in "qkv")
        self.out = nn.Linear(inner, recipe.width)
        self.head_dim, self.form = recipe.head_dim, recipe.form

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens = x.shape[:2]
        q, k, v = (
            read(x).view(batch, tokens, -1, self.head_dim).transpose(1, 2)
            for read in (self.q, self.k, self.v)
        )
        if self.form == "sdpa":
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            y = torch.softmax(q @ k.transpose(-2, -1) / self.head_dim**0.5, dim=-1) @ v
        return torch.mean(self.out(y.transpose(1, 2).reshape(batch, tokens, -1)), dim=1)


class Multihead(nn.Module):
    """A residual block around torch's own multi-head attention, averaged over tokens."""

    def __init__(self, recipe: Attention) -> None:
        super().__init__()
        inner = recipe.head_count * recipe.head_dim
        self.embed = nn.Linear(len(recipe.features), inner)
        self.attention = nn.MultiheadAttention(inner, recipe.head_count, batch_first=True)
        self.out = nn.Linear(inner, recipe.width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        return torch.mean(self.out(x + self.attention(x, x, x)[0]), dim=1)


def built_encoder(encoder: Encoder) -> nn.Module:
    """Build what reads one input, or several that share their layers."""
    match encoder:
        case Vector(features=features, layers=layers):
            return built_layers(layers, len(features))
        case Shared(features=features, layers=layers):
            return Many(built_layers(layers, len(features)))
        case Entities(features=features, layers=layers, join=join):
            return Rows(built_layers(layers, len(features)), join)
        case Image():
            return Convolved(encoder)
        case Recurrent():
            return Unrolled(encoder)
        case Attention(form="module"):
            return Multihead(encoder)
        case Attention():
            return Heads(encoder)
        case Lookup(categories=categories, width=width):
            return nn.Embedding(len(categories), width)


class Network(nn.Module):
    """Encoders laid end to end, a trunk, and a dict of heads."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        width = size(joined(recipe))
        top = size(after(recipe.trunk, joined(recipe)))
        self.reads = {part.name: inputs_of(part) for part in recipe.encoders}
        self.encoders = nn.ModuleDict({p.name: built_encoder(p) for p in recipe.encoders})
        self.trunk = built_layers(recipe.trunk, width)
        self.heads = nn.ModuleDict({head.name: self.head(head, top) for head in recipe.heads})

    def head(self, head: Head | TiedHead, width: int) -> nn.Module:
        """Build a head on `width` entries; a tied one scores by the rows of its table."""
        if isinstance(head, Head):
            return nn.Linear(width, len(head.outputs))
        table = self.encoders[head.table]
        assert isinstance(table, nn.Embedding)
        scores = nn.Linear(table.embedding_dim, table.num_embeddings)
        scores.weight = table.weight
        return nn.Sequential(nn.Linear(width, table.embedding_dim), scores)

    def forward(self, world: dict[str, Tensor]) -> dict[str, Tensor]:
        parts = [
            encoder(*(world[name] for name in self.reads[key]))
            for key, encoder in self.encoders.items()
        ]
        x = self.trunk(torch.cat(parts, dim=-1))
        return {name: head(x) for name, head in self.heads.items()}


def inputs_of(encoder: Encoder) -> tuple[str, ...]:
    """Name the inputs that an encoder reads."""
    return encoder.ports if isinstance(encoder, Shared) else (encoder.name,)


def generic_(model: nn.Module, seed: int) -> nn.Module:
    """Give a model weights of order one: matrices N(0, 1/fan_in), vectors N(0, 1).

    Running statistics are drawn too; other buffers stay.
    """
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            fan_in = weight[0].numel() if weight.dim() > 1 else 1
            weight.copy_(torch.randn(weight.shape, generator=stream) / fan_in**0.5)
        for name, buffer in model.named_buffers():
            drawn = torch.randn(buffer.shape, generator=stream)
            if name.endswith(("running_mean", "running_var")):
                buffer.copy_(drawn.exp() if name.endswith("var") else drawn)
    return model


def build(recipe: Recipe, seed: int, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Build a recipe in evaluation mode, with generic weights."""
    return generic_(Network(recipe).to(dtype), seed).eval()
