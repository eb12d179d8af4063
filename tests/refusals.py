"""Errors as a person reads them: class and text, with lines of code as `HERE`."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from suture import SutureError


def refused(action: Callable[[], object]) -> str:
    """Give the class and text of the error that an action raises, with lines of code as `HERE`."""
    with pytest.raises(SutureError) as raised:
        action()
    text = re.sub(r"\S*test_\w+\.py:\d+", "HERE", str(raised.value))
    return f"{type(raised.value).__name__}: {text}"


def error(text: str) -> str:
    """Take the indentation from an expected text."""
    lines = text.strip("\n").splitlines()
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[indent:] for line in lines).rstrip()
