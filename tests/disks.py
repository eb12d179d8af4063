"""Disks as a process may meet them: full too early, or with a mask for what is new.

Knows how the system is told. Does not know checkpoints.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: what a full disk says, another number says here."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def masked(mask: int) -> Iterator[None]:
    """Let new files have no such permissions."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
