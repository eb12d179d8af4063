"""Let a trained network see the heat as well, and double its width, without a fresh start."""

import torch
from torch import nn

import suture


def network(features: list[str], width: int) -> suture.Subject:
    layers = nn.Sequential(nn.Linear(len(features), width), nn.Tanh(), nn.Linear(width, 1))
    schema = suture.Schema(inputs={"input": features}, outputs={"output": ["power"]})
    return suture.Subject(layers, (torch.zeros(5, len(features)),), schema=schema)


def train(model: nn.Module, seen: torch.Tensor) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(seen), power).backward()
        optimizer.step()


torch.manual_seed(0)
sun, heat, clouds = torch.rand(3, 500, 1)
power = sun * (1 - 0.8 * clouds) * (1 - 0.3 * heat)  # of a solar roof
narrow, wide = torch.cat([sun, clouds], dim=1), torch.cat([sun, heat, clouds], dim=1)

old, new = network(["sun", "clouds"], width=8), network(["sun", "heat", "clouds"], width=16)
train(old.model, narrow)
plan = suture.transfer(old, new)
print(plan, suture.verify(plan, old, new), sep="\n\n")
print(f"\nerror of the old network  {nn.functional.mse_loss(old.model(narrow), power):.6f}")
print(f"right after the surgery   {nn.functional.mse_loss(new.model(wide), power):.6f}")
train(new.model, wide)
print(f"after more training       {nn.functional.mse_loss(new.model(wide), power):.6f}")
