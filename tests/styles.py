"""Models as people write them in plain torch, each at any width.

Knows models, and what each is called with. Does not know what is right about them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Normal
from torch.nn import functional as F

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


class Columns(nn.Module):
    """A table for each column of one tensor of categories."""

    def __init__(self, width: int, rows: tuple[int, ...] = (11, 13, 11)) -> None:
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(count, width) for count in rows])
        self.out = nn.Sequential(nn.Linear(len(rows) * width, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, ids: Tensor) -> Tensor:
        found = [table(ids[:, at]) for at, table in enumerate(self.tables)]
        chance: Tensor = self.out(torch.cat(found, dim=-1))
        return chance


@style
def columns(width: int) -> Subject:
    return Subject(Columns(width), (torch.arange(12).view(4, 3) % 11,))


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


class Spectral(nn.Module):
    """A long convolution by Fourier transform, and a rotation by complex numbers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(3, 2 * width), nn.Linear(2 * width, 2)
        self.kernel = nn.Parameter(torch.randn(5, 2 * width))

    def forward(self, x: Tensor) -> Tensor:
        u, steps = self.inner(x), 2 * x.shape[1]
        spectrum = torch.fft.rfft(u, steps, dim=1) * torch.fft.rfft(self.kernel, steps, dim=0)
        y = torch.fft.irfft(spectrum, steps, dim=1)[:, : x.shape[1]].contiguous()
        angles = torch.outer(torch.arange(x.shape[1]), torch.ones(y.shape[-1] // 2))
        turns = torch.polar(torch.ones_like(angles), angles)
        turned = torch.view_as_complex(y.reshape(*y.shape[:-1], -1, 2)) * turns
        found: Tensor = self.outer(torch.view_as_real(turned).flatten(-2))
        return found


@style
def spectral(width: int) -> Subject:
    return Subject(Spectral(width), (torch.randn(2, 5, 3),))
