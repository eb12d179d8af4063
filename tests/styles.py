"""Models as people write them in plain torch, each at any width.

Knows models, and what each is called with. Does not know what is right about them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Normal
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from suture import Subject

STYLES: dict[str, Callable[[int], Subject]] = {}


def style(build: Callable[[int], Subject]) -> Callable[[int], Subject]:
    STYLES[build.__name__] = build
    return build


def layer_init(layer: nn.Linear, std: float = 2**0.5) -> nn.Linear:
    nn.init.orthogonal_(layer.weight, std)
    nn.init.constant_(layer.bias, 0.0)
    return layer


class Agent(nn.Module):
    """CleanRL's agent, for either kind of action."""

    def __init__(self, width: int, actions: int, *, continuous: bool) -> None:
        super().__init__()
        self.continuous = continuous
        self.critic = self.tower(width, 1, 1.0)
        self.actor = self.tower(width, actions, 0.01)
        if continuous:
            self.actor_logstd = nn.Parameter(torch.zeros(1, actions))

    def tower(self, width: int, outputs: int, std: float) -> nn.Sequential:
        return nn.Sequential(
            layer_init(nn.Linear(5, width)),
            nn.Tanh(),
            layer_init(nn.Linear(width, width)),
            nn.Tanh(),
            layer_init(nn.Linear(width, outputs), std),
        )

    def get_action_and_value(self, x: Tensor, action: Tensor | None = None) -> Any:
        mean = self.actor(x)
        if self.continuous:
            normal = Normal(mean, self.actor_logstd.expand_as(mean).exp())
            action = normal.sample() if action is None else action
            found = normal.log_prob(action).sum(1), normal.entropy().sum(1)
        else:
            categorical = Categorical(logits=mean)
            action = categorical.sample() if action is None else action
            found = categorical.log_prob(action), categorical.entropy()
        return action, *found, self.critic(x)


def act(model: Agent, x: Tensor, action: Tensor) -> Any:
    return model.get_action_and_value(x, action)[1:]


@style
def ppo_discrete(width: int) -> Subject:
    agent = Agent(width, 4, continuous=False)
    return Subject(agent, (torch.randn(7, 5), torch.arange(7) % 4), call=act)


@style
def ppo_continuous(width: int) -> Subject:
    agent = Agent(width, 3, continuous=True)
    return Subject(agent, (torch.randn(7, 5), torch.randn(7, 3)), call=act)


@style
def ppo_that_samples(width: int) -> Subject:
    def call(model: Agent, x: Tensor) -> Any:
        return model.get_action_and_value(x)[0], model.critic(x)

    return Subject(Agent(width, 4, continuous=False), (torch.randn(7, 5),), call=call)


class Recommender(nn.Module):
    """Tables of categories, and the products of every two of them (DLRM)."""

    def __init__(self, width: int, rows: tuple[int, ...] = (11, 13, 17, 19)) -> None:
        super().__init__()
        bags = [nn.EmbeddingBag(count, width, mode="sum") for count in rows]
        self.tables = nn.ModuleList([*bags, nn.Embedding(23, width)])
        self.bottom = nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, width))
        pairs = (len(rows) + 2) * (len(rows) + 1) // 2
        self.top = nn.Sequential(nn.Linear(width + pairs, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, dense: Tensor, bags: list[Tensor], offsets: Tensor, one: Tensor) -> Tensor:
        x = self.bottom(dense)
        *several, single = self.tables
        found = [table(bag, offsets) for table, bag in zip(several, bags, strict=True)]
        stacked = torch.stack([x, *found, single(one)], dim=1)
        products = torch.bmm(stacked, stacked.transpose(1, 2))
        rows, columns = torch.tril_indices(stacked.shape[1], stacked.shape[1], offset=-1)
        chosen = self.top(torch.cat([x, products[:, rows, columns]], dim=1))
        return torch.sigmoid(chosen)


@style
def dlrm(width: int) -> Subject:
    bags = [torch.arange(12) % 11 for _ in range(4)]
    offsets, one = torch.tensor([0, 2, 5, 9]), torch.arange(4)
    return Subject(Recommender(width), (torch.randn(4, 5), bags, offsets, one))


class Block(nn.Module):
    """A basic block of a ResNet."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.downsample: nn.Module | None = None
        if stride != 1 or inner != outer:
            skip = nn.Conv2d(inner, outer, 1, stride, bias=False)
            self.downsample = nn.Sequential(skip, nn.BatchNorm2d(outer))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        out += x if self.downsample is None else self.downsample(x)
        return F.relu(out)


@style
def resnet(width: int) -> Subject:
    stem = (nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
    blocks = (Block(width, width, 1), Block(width, width + 3, 2), nn.AdaptiveAvgPool2d(1))
    head = (nn.Flatten(), nn.Linear(width + 3, 5))
    return Subject(
        nn.Sequential(*stem, nn.MaxPool2d(2), *blocks, *head), (torch.randn(2, 3, 16, 16),)
    )


class UNet(nn.Module):
    """Two levels down and up, with what was seen on the way down laid beside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down1, self.down2 = self.convs(3, width), self.convs(width, 2 * width)
        self.middle = self.convs(2 * width, 3 * width)
        self.up2 = nn.ConvTranspose2d(3 * width, 2 * width, 2, 2)
        self.conv2 = self.convs(4 * width, 2 * width)
        self.conv1 = self.convs(3 * width, width)
        self.out = nn.Conv2d(width, 2, 1)

    def convs(self, inner: int, outer: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inner, outer, 3, padding=1), nn.BatchNorm2d(outer), nn.ReLU(inplace=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(F.max_pool2d(first, 2))
        y = self.up2(self.middle(F.max_pool2d(second, 2)))
        y = self.conv2(torch.cat([second, y], dim=1))
        y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        found: Tensor = self.out(self.conv1(torch.cat([first, y], dim=1)))
        return found


@style
def unet(width: int) -> Subject:
    return Subject(UNet(width), (torch.randn(2, 3, 8, 12),))


class Graph(nn.Module):
    """Messages along edges, added up where they arrive; degrees, attention by scatter."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.node, self.edge = nn.Linear(5, width), nn.Linear(3, width)
        self.message, self.update = nn.Linear(2 * width, width), nn.GRUCell(width, width)
        self.score, self.out = nn.Linear(width, 1), nn.Linear(width, 2)

    def forward(self, x: Tensor, edge_index: Tensor, edges: Tensor) -> Tensor:
        h, (row, column) = self.node(x), edge_index
        for _ in range(2):
            sent = F.relu(self.message(torch.cat([h[row], self.edge(edges)], -1)))
            weight = self.score(sent).exp()
            whole = torch.zeros(len(x), 1).scatter_add_(0, column[:, None], weight)
            sent = sent * weight / whole[column]
            arrived = torch.zeros_like(h).index_add_(0, column, sent)
            h = self.update(arrived, h)
        found: Tensor = self.out(h)
        return found


@style
def graph(width: int) -> Subject:
    edge_index = torch.tensor([[0, 1, 2, 3, 4, 5, 1, 3], [1, 2, 3, 4, 5, 0, 4, 0]])
    return Subject(Graph(width), (torch.randn(6, 5), edge_index, torch.randn(8, 3)))


class Experts(nn.Module):
    """The two best experts for each token, by a dense mask over all."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(5, 4, bias=False)
        expert = [
            nn.Sequential(nn.Linear(5, width), nn.GELU(), nn.Linear(width, 5)) for _ in "1234"
        ]
        self.experts = nn.ModuleList(expert)

    def forward(self, x: Tensor) -> Tensor:
        best, chosen = self.gate(x).topk(2, dim=-1)
        weights = torch.zeros(*x.shape[:-1], 4).scatter(-1, chosen, best.softmax(-1))
        every = torch.stack([expert(x) for expert in self.experts], dim=-1)
        return (every * weights[..., None, :]).sum(-1)


@style
def mixture(width: int) -> Subject:
    return Subject(Experts(width), (torch.randn(2, 7, 5),))


class StateSpace(nn.Module):
    """A diagonal state-space layer, as a loop over time and as a convolution."""

    def __init__(self, width: int, states: int) -> None:
        super().__init__()
        self.inner = nn.Linear(3, width)
        self.log_a = nn.Parameter(torch.rand(width, states))
        self.b, self.c = nn.Linear(width, states), nn.Linear(width, states)
        self.dt, self.d = nn.Parameter(torch.rand(width)), nn.Parameter(torch.ones(width))
        self.kernel = nn.Conv1d(width, width, 3, padding=2, groups=width)
        self.outer = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        u = self.inner(x)
        u = F.silu(self.kernel(u.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        step = F.softplus(self.dt)
        decay = torch.exp(-step[:, None] * self.log_a.exp())
        driven = torch.einsum("btd,btn,d->btdn", u, self.b(u), step)
        state, seen = torch.zeros(x.shape[0], *self.log_a.shape), []
        for time in range(x.shape[1]):
            state = decay * state + driven[:, time]
            seen.append(state)
        y = torch.einsum("btdn,btn->btd", torch.stack(seen, 1), self.c(u)) + u * self.d
        averaged = y.cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None]
        found: Tensor = self.outer(averaged)
        return found


@style
def state_space(width: int) -> Subject:
    return Subject(StateSpace(width, 3), (torch.randn(2, 5, 3),))


@style
def weight_norm(width: int) -> Subject:
    first, second = nn.Linear(3, width), nn.Conv1d(width, 2, 3, padding=1)
    normed = parametrizations.weight_norm(first), parametrizations.weight_norm(second, dim=1)
    return Subject(
        nn.ModuleList(normed),
        (torch.randn(2, 5, 3),),
        call=lambda m, x: m[1](m[0](x).relu().transpose(1, 2)),
    )


@style
def spectral_norm(width: int) -> Subject:
    first = parametrizations.spectral_norm(nn.Linear(3, width))
    return Subject(nn.Sequential(first, nn.Tanh(), nn.Linear(width, 2)), (torch.randn(7, 3),))


class Lists(nn.Module):
    """Parameters in lists and dicts."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = [3, width, width, 2]
        self.weights = nn.ParameterList(
            [nn.Parameter(torch.randn(i, o)) for i, o in pairwise(sizes)]
        )
        self.terms = nn.ParameterDict(
            {str(at): nn.Parameter(torch.randn(n)) for at, n in enumerate(sizes[1:])}
        )

    def forward(self, x: Tensor) -> Tensor:
        for at, weight in enumerate(self.weights):
            x = torch.tanh(x @ weight + self.terms[str(at)])
        return x


@style
def lists(width: int) -> Subject:
    return Subject(Lists(width), (torch.randn(7, 3),))


@style
def lazy(width: int) -> Subject:
    layers = (
        nn.LazyConv1d(width, 3),
        nn.LazyBatchNorm1d(),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(2),
    )
    model, x = nn.Sequential(*layers), torch.randn(2, 3, 7)
    model(x)
    return Subject(model, (x,))


class Shared(nn.Module):
    """One layer for every step, one encoder for two inputs, and a tied head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(11, width)
        self.step = nn.Linear(width, width)
        self.head = nn.Linear(width, 11, bias=False)
        self.head.weight = self.table.weight

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        x = self.table(left) * self.table(right)
        for _ in range(3):
            x = x + torch.tanh(self.step(x))
        found: Tensor = self.head(x)
        return found


@style
def shared(width: int) -> Subject:
    return Subject(Shared(width), (torch.arange(6).view(2, 3), torch.arange(6).view(2, 3)))


class Flowing(nn.Module):
    """Control flow that depends on shapes, on the config and on small integers."""

    def __init__(self, width: int, *, deep: bool = True) -> None:
        super().__init__()
        self.deep, self.width = deep, width
        self.inner, self.outer = nn.Linear(3, width), nn.Linear(width, 2)
        self.extra = nn.ModuleDict({"a": nn.Linear(width, width), "b": nn.Linear(width, width)})

    def forward(self, x: Tensor, lengths: Tensor, mask: Tensor) -> Any:
        y = self.inner(x)
        if x.shape[1] > 2 and self.deep:
            y = torch.relu(self.extra["a"](y))
        for _ in range(int(lengths.max())):
            y = y + self.extra["b"](y)
        if not mask.all():
            y = y.masked_fill(~mask[..., None], 0.0)
        packed = nn.utils.rnn.pad_sequence(
            [row[:end] for row, end in zip(y, lengths.tolist(), strict=True)], batch_first=True
        )
        return self.outer(packed[:, : lengths.min().item()]), y[mask]


@style
def flowing(width: int) -> Subject:
    mask = torch.arange(5) < torch.tensor([2, 3, 4])[:, None]
    return Subject(Flowing(width), (torch.randn(3, 5, 3), torch.tensor([2, 3, 4]), mask))


class Round(torch.autograd.Function):
    """A step with the gradient of a line."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.scale = scale
        return torch.round(x * scale) / scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return gradients[0], None


class Scaled(torch.autograd.Function):
    """A product whose context is set up apart."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor) -> Tensor:
        return x @ weight

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)


rounded: Callable[..., Tensor] = Round.apply
scaled: Callable[..., Tensor] = Scaled.apply


class Custom(nn.Module):
    """Functions of its own, a plain tensor, buffers of every kind, constants on the way."""

    hidden: Tensor
    kept: Tensor
    order: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(3, width), nn.Parameter(torch.randn(width, 2))
        self.plain = torch.linspace(0.5, 1.5, 5)
        self.register_buffer("kept", torch.ones(width))
        self.register_buffer("hidden", torch.arange(5.0), persistent=False)
        self.register_buffer("order", torch.tensor([4, 0, 3, 1, 2]))

    def forward(self, x: Tensor) -> Tensor:
        y = rounded(self.inner(x), 4.0) * self.kept
        y = y[:, self.order] * (self.plain + self.hidden)[:, None]
        y = y + torch.full((1,), 0.1) * torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])[:, None]
        return scaled(y, self.outer)


@style
def custom(width: int) -> Subject:
    return Subject(Custom(width), (torch.randn(2, 5, 3),))
