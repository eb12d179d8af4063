"""Training goes on after surgery: is anything lost, does the optimizer's state help, does recovery?

Two networks change in the middle of their training: a classifier of digits begins to see further
rows of pixels, an agent that balances a pole gets sensors and stronger motors; both get wider. What
is new stands behind what is old, so that copying leading slices by hand puts everything into its
right place. All heirs of one seed go on with the same data, or from the same starts:

    carried      weights by `suture.transfer`, moments by `suture.transfer_optimizer`
    reset        weights by `suture.transfer`, an optimizer that begins anew
    naive        old tensors into leading slices, the rest as initialised, an optimizer anew
    + recovery   all parts of `suture.recovery`; or one of them

Run with `make bench`: it prints the tables, and writes them and a picture to `benchmarks/results/`
and into `docs/continue_training.md`. The settings of recovery were chosen on other seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

from continuing import cartpole, digits
from continuing.picture import draw
from continuing.table import publish
from continuing.tasks import Curves, Result

SEEDS = (1, 2, 3, 4, 5)
TASKS = {"digits": digits.TASK, "cartpole": cartpole.TASK}


def curves_of(task: str, seed: int) -> Curves:
    """Train one seed of a task, in a process of one thread."""
    torch.set_num_threads(1)
    return TASKS[task].run(seed)


def run_all(seeds: Sequence[int]) -> dict[str, Result]:
    """Train everything, two at a time."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        # What takes longest comes first, so that no process waits for the other at the end.
        begun = {
            name: [pool.submit(curves_of, name, seed) for seed in seeds] for name in reversed(TASKS)
        }
        return {
            name: Result(TASKS[name], [each.result() for each in begun[name]]) for name in TASKS
        }


def main() -> None:
    """Train all seeds, and publish the picture and the tables."""
    results = run_all(SEEDS)
    draw(results)
    publish(results)


if __name__ == "__main__":
    main()
