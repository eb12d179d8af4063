"""How long it takes to widen every layer of a checkpoint, beside copying as many bytes.

The command `suture apply`, once Python has started, beside a script written by hand for this one
change, which loads, assigns and saves with torch; and beside mergekit, which goes from file to file
but changes no shape, passing as many bytes through as they are. All end when the new file is on the
disk. Run with `make bench`: it prints the table, and writes it to `benchmarks/results/` and into
`docs/files.md`. `--megabytes N` makes it smaller, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import suture
from measuring.clock import apart
from measuring.page import table, write
from measuring.private import watched
from suture._cli import app
from suture._plan import Plan

WIDTH, WIDER, MEGABYTES, RUNS = 4096, 4608, 2000, 5
"""Units of a layer before and after, the size of the checkpoint, and how often each is timed."""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds, and bytes of private memory beyond what the process held before."""

    seconds: float
    private: int


def network(width: int, layers: int) -> nn.Module:
    """Make a plain network of equal layers; its ends stay as they are."""
    inner = [nn.Linear(width, width, bias=True) for _ in range(layers)]
    return nn.Sequential(nn.Linear(24, width), *inner, nn.Linear(width, 8))


def planned(layers: int) -> Plan:
    """Plan the change without weights."""
    with torch.device("meta"):
        old, new = (
            suture.trace(suture.Subject(network(width, layers), (torch.zeros(5, 24),)))
            for width in (WIDTH, WIDER)
        )
    return suture.plan(old, new)


def make(path: Path, width: int, layers: int) -> None:
    """Write a checkpoint of a network."""
    rng = np.random.default_rng(width)
    with torch.device("meta"):
        shapes = {name: t.shape for name, t in network(width, layers).state_dict().items()}
    some = torch.from_numpy(rng.standard_normal(WIDER * WIDER, np.float32))
    save_file({n: some[: s.numel()].reshape(s).clone() for n, s in shapes.items()}, path)


def ours(plan: Path, old: Path, fresh: Path, new: Path) -> Took:
    """Run the command, which hashes the source and looks for NaN meanwhile."""
    words = "apply", str(plan), str(old), "-o", str(new), "--fresh", str(fresh)
    recycled(new, fresh.stat().st_size)
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()), watched() as held:
        start = time.perf_counter()
        app(words, standalone_mode=False)
        seconds = time.perf_counter() - start
    return Took(seconds, held.more)


def by_hand(old: Path, fresh: Path, new: Path) -> Took:
    """Load, assign and save, as a script for this one change would."""
    recycled(new, 2 * fresh.stat().st_size)  # it holds all of it besides
    with watched() as held:
        start = time.perf_counter()
        trained, state = load_file(old), load_file(fresh)
        for name, weight in state.items():
            if name in trained:
                before = trained[name]
                if weight.dim() == 2:
                    weight[: before.shape[0], before.shape[1] :] = 0
                weight[tuple(slice(0, size) for size in before.shape)] = before
        save_file(state, new)
        to_disk(new)
        seconds = time.perf_counter() - start
    return Took(seconds, held.more)


def merged(old: Path, new: Path) -> Took:
    """Merge a checkpoint with nothing, which writes what it reads, tensor by tensor."""
    from mergekit.scripts.merge_raw_pytorch import main as mergekit

    recycled(new, old.stat().st_size)
    with TemporaryDirectory(dir=new.parent) as folder:
        said, into = Path(folder, "passed.yaml"), Path(folder, "into")
        said.write_text(
            json.dumps({"merge_method": "passthrough", "models": [{"model": str(old)}]})
        )
        words = str(said), str(into), "--quiet", "--out-shard-size", "100B"
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), watched() as held:
            start = time.perf_counter()
            mergekit(words, standalone_mode=False)
            to_disk(into / "model.safetensors")
            seconds = time.perf_counter() - start
        (into / "model.safetensors").rename(new)
    return Took(seconds, held.more)


def copied(old: Path, new: Path) -> Took:
    """Copy as many bytes as the new checkpoint has."""
    recycled(new, old.stat().st_size)
    with watched() as held:
        start = time.perf_counter()
        shutil.copyfile(old, new)
        to_disk(new)
        seconds = time.perf_counter() - start
    return Took(seconds, held.more)


def recycled(new: Path, size: int) -> None:
    """Have as much memory at hand as a new file takes in the page cache.

    A virtual machine's memory is its host's until somebody touches it, which takes longer than to
    write the file: whoever came first would pay for all. So he would for what the disk has yet to
    write of a step before.
    """
    room = bytes(16 << 20)
    with new.open("wb", buffering=0) as file:
        for _ in range(size // len(room) + 2):
            file.write(room)
    new.unlink()
    os.sync()


def to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def measure(folder: Path, megabytes: int) -> dict[str, list[Took]]:
    """Run each several times, one after the other, on warm caches."""
    layers = max(1, megabytes * 10**6 // (4 * WIDTH * WIDTH))
    old, fresh, plan = folder / "old", folder / "fresh", folder / "plan.json"
    make(old, WIDTH, layers)
    make(fresh, WIDER, layers)
    plan.write_text(planned(layers).to_json())
    model = folder / "model.safetensors"  # mergekit goes by the name
    steps: dict[str, Callable[[Path], Took]] = {
        "suture apply": partial(apart, ours, plan, old, fresh),
        "a copy of its bytes": partial(apart, copied, model),
        "a script with torch": partial(apart, by_hand, old, fresh),
        "mergekit, changing nothing": partial(apart, merged, model),
    }
    steps["suture apply"](model)  # what is copied, and what lets the disk settle
    took: dict[str, list[Took]] = {name: [] for name in steps}
    for _ in range(RUNS):
        for name, step in steps.items():
            took[name].append(step(folder / "new"))
            (folder / "new").unlink()
    return took


def rows(took: dict[str, list[Took]]) -> Iterator[tuple[str, ...]]:
    """Say what each took, and how that compares with the copy of the same run."""
    copies = took["a copy of its bytes"]
    for name, runs in took.items():
        ratios = [run.seconds / copy.seconds for run, copy in zip(runs, copies, strict=True)]
        seconds, private = median(r.seconds for r in runs), max(r.private for r in runs)
        yield name, f"{seconds:.2f}", f"{median(ratios):.2f}", f"{private / 1e6:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    parser.add_argument("--folder", type=Path, help="where to write; a disk, not memory")
    asked = parser.parse_args()
    with TemporaryDirectory(dir=asked.folder) as folder:
        took = measure(Path(folder), asked.megabytes)
    lines = [*table(("program", "s", "times a copy", "private MB"), rows(took))]
    if asked.megabytes != MEGABYTES:
        print("\n".join(lines))
    else:
        figures = {name: [asdict(run) for run in runs] for name, runs in took.items()}
        write("files", lines, figures)


if __name__ == "__main__":
    main()
