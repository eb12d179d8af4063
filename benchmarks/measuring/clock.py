"""Seconds and bytes of a step, in a process of its own.

Knows how a step is run and measured. Does not know what it does.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

T = TypeVar("T")


def timed(
    step: Callable[[], T], runs: int, clock: Callable[[], float] = time.perf_counter
) -> tuple[tuple[float, ...], T]:
    """Time a step several times, in seconds, after a first one that does not count.

    `time.process_time` as the clock counts what this process computes: on one thread it is what the
    step would take on a machine that does nothing else.
    """
    seconds, result = [], step()
    for _ in range(runs):
        start = clock()
        result = step()
        seconds.append(clock() - start)
    return tuple(seconds), result


def peak() -> int:
    """Give the largest memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def apart(step: Callable[..., T], *arguments: object, limit: float | None = None) -> T:
    """Run a step in a fresh process.

    Raises:
        TimeoutError: it does not end within the limit, in seconds.
        RuntimeError: it ends without a result; why stands on stderr.
    """
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_send, args=(theirs, step, arguments))
    process.start()
    theirs.close()
    try:
        if not ours.poll(limit):
            raise TimeoutError(f"{step.__name__} does not end within {limit:g} s")
        result: T = ours.recv()
    except EOFError:
        raise RuntimeError(f"{step.__name__} ended without a result") from None
    finally:
        process.kill()
        process.join()
    return result


def _send(to: Connection, step: Callable[..., T], arguments: tuple[object, ...]) -> None:
    to.send(step(*arguments))
