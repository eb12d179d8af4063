"""Digits: a classifier that sees five rows of pixels, and then all eight.

Knows scikit-learn's digits and how they are learned. Does not know what is made of the curves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

import suture
from continuing.arms import Learner, Parts, arms_of, cross, recover
from continuing.tasks import Task
from suture import recovery
from suture.recovery import Ramp

OLD_ROWS, NEW_ROWS, ACROSS = range(5), range(8), 8
OLD_WIDTH, NEW_WIDTH = 32, 48
BEFORE, AFTER, BATCH, RATE = 1000, 500, 64, 5e-3
TRAINED_ON = 1200
"""Of 1797 pictures; the others are what is measured on."""

MEASURED = (*range(30), *range(30, 100, 5), *range(100, AFTER + 1, 20))
WINDOW = 100

PARTS: Parts = {
    "warm-up": lambda plan, new: recovery.warm_up(
        plan, new.optimizer, new.subject, Ramp(hold=50, over=100)
    ),
    "pull": lambda plan, new: recovery.pull(plan, new.optimizer, new.subject, 10.0, Ramp(over=200)),
    "gate": lambda plan, new: recovery.new_features(
        plan, new.optimizer, "input", 0.0, Ramp(over=200)
    ).onto(new.subject.model),
}

Data = tuple[Tensor, Tensor]


def run(seed: int) -> dict[str, list[float]]:
    """Train a network, and go on with all of its heirs on the same batches."""
    old = learner(OLD_ROWS, OLD_WIDTH, seed)
    batches = torch.Generator().manual_seed(seed)
    curves = {"before": [*trained(old, OLD_ROWS, BEFORE, batches)]}
    begun = batches.get_state()
    for arm in arms_of(PARTS):
        new = learner(NEW_ROWS, NEW_WIDTH, 1000 + seed)
        plan = cross(arm, old, new)
        recover(arm, plan, new, PARTS)
        curves[arm.name] = [*trained(new, NEW_ROWS, AFTER, batches.set_state(begun))]
    curves["no surgery"] = [*trained(old, OLD_ROWS, AFTER, batches.set_state(begun))]
    return curves


def learner(rows: Sequence[int], width: int, seed: int) -> Learner:
    """Make an untrained network and its optimizer."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(ACROSS * len(rows), width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 10),
    )
    schema = suture.Schema(
        inputs={"input": [f"row {row}, {column}" for row in rows for column in range(ACROSS)]},
        outputs={"output": [str(digit) for digit in range(10)]},
    )
    subject = suture.Subject(model, (torch.zeros(7, ACROSS * len(rows)),), schema=schema)
    return Learner(subject, torch.optim.Adam(model.parameters(), lr=RATE))


def trained(
    ours: Learner, rows: Sequence[int], steps: int, batches: torch.Generator
) -> Iterator[float]:
    """Train, and give the test loss after each number of steps that is to be measured."""
    seen, labels = pictures(rows)
    measured = {*MEASURED, steps}
    for made in range(steps + 1):
        if made in measured:
            yield loss(ours, (seen[TRAINED_ON:], labels[TRAINED_ON:]))
        if made < steps:
            chosen = torch.randint(0, TRAINED_ON, (BATCH,), generator=batches)
            ours.optimizer.zero_grad()
            nn.functional.cross_entropy(ours.subject.model(seen[chosen]), labels[chosen]).backward()
            ours.optimizer.step()


@torch.no_grad()
def loss(ours: Learner, data: Data) -> float:
    return float(nn.functional.cross_entropy(ours.subject.model(data[0]), data[1]))


@cache
def shuffled() -> Data:
    """All pictures in one order for all seeds, as numbers from 0 to 1."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return torch.tensor(data.images[order] / 16).float(), torch.tensor(data.target[order])


def pictures(rows: Sequence[int]) -> Data:
    """Lay some rows of all pictures end to end."""
    images, labels = shuffled()
    return images[:, [*rows]].flatten(1), labels


TASK = Task(
    "Digits: 5 rows of pixels become 8, hidden layers 32 → 48 units",
    "test loss",
    "lower",
    MEASURED,
    WINDOW,
    run,
)
