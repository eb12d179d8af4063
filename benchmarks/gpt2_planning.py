"""How long a plan takes on a GPT-2 of 124M parameters, and how much memory.

The models live on the meta device: there is no weight to read. Run with `make bench`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

import suture
from measuring.clock import peak, timed

ROUNDS = 5
T = TypeVar("T")


@dataclass(frozen=True)
class Config:
    """Sizes of a GPT-2."""

    width: int = 768
    heads: int = 12
    layers: int = 12
    vocabulary: int = 50257
    positions: int = 1024

    @property
    def inner(self) -> int:
        """Width of the hidden layer of each MLP."""
        return 4 * self.width


class Attention(nn.Module):
    """Causal self-attention with one fused projection, as GPT-2 has it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.c_attn = nn.Linear(config.width, 3 * config.width)
        self.c_proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = (
            part.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for part in self.c_attn(x).split(width, dim=2)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Attention and MLP, each behind a LayerNorm, added to the stream."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.width)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.width)
        self.c_fc = nn.Linear(config.width, config.inner)
        self.c_proj = nn.Linear(config.inner, config.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.c_proj(functional.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class GPT2(nn.Module):
    """The decoder, its head tied to the token table."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocabulary, config.width)
        self.wpe = nn.Embedding(config.positions, config.width)
        self.h = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.ln_f = nn.LayerNorm(config.width)
        self.lm_head = nn.Linear(config.width, config.vocabulary, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1], device=ids.device))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


def subject(config: Config) -> suture.Subject:
    """Make a GPT-2 on the meta device, with a batch of two short texts."""
    with torch.device("meta"):
        model = GPT2(config)
    return suture.Subject(model, (torch.zeros(2, 7, dtype=torch.long),))


def best(step: Callable[[], T]) -> tuple[float, T]:
    """Time the fastest of several rounds in seconds, and give its result."""
    seconds, result = timed(step, ROUNDS)
    return min(seconds), result


def main() -> None:
    """Time every step on the old and the new model and print a table."""
    torch.set_num_threads(1)
    old, new = Config(), Config(width=896, heads=14, vocabulary=50304)
    graphs, rows = [], []
    for side, config in (("old", old), ("new", new)):
        model = subject(config)
        size = sum(parameter.numel() for parameter in model.model.parameters())
        seconds, graph = best(lambda model=model: suture.trace(model))
        rows.append(
            (f"trace {side} ({size / 1e6:.0f}M parameters, {len(graph.nodes)} ops)", seconds)
        )
        seconds, _ = best(lambda graph=graph: suture.couple(graph))
        rows.append((f"couple {side}", seconds))
        graphs.append(graph)
    units = [suture.couple(graph) for graph in graphs]
    rows.append(("match", best(lambda: suture.match(*units))[0]))
    rows.append(("plan (couple both, match, fill, promise)", best(lambda: suture.plan(*graphs))[0]))
    show(rows)


def show(rows: list[tuple[str, float]]) -> None:
    """Print the table and the peak memory of this process."""
    table = Table("step", "seconds", title=f"GPT-2, best of {ROUNDS}")
    for name, seconds in rows:
        table.add_row(name, f"{seconds:.3f}")
    Console().print(table, f"peak memory of the process, torch included: {peak() / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
