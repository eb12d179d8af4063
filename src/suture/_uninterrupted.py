"""Work that the collector of cycles does not interrupt.

Knows the collector. What tracing and planning make is almost all kept, and so many objects are made
that the collector, which counts them, looks again and again through all that the process holds:
with torch and a library of models in it, each look takes longer than to trace a layer.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off the search for cycles, if there is one, until the work is done.

    Example:
        >>> with uninterrupted():
        ...     gc.isenabled()
        False
        >>> gc.isenabled()
        True
    """
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()
