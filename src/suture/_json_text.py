"""JSON documents as text that can be compared line by line.

Knows where lines end. Does not know what a document says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def laid_out(document: Mapping[str, Any]) -> str:
    """Write a document with one key a line, and one item of a list: one change, one line.

    Example:
        >>> print(laid_out({"version": 1, "names": ["x", "v"]}))
        {
        "version": 1,
        "names": [
        "x",
        "v"
        ]
        }
    """
    return (
        "{\n" + ",\n".join(f'"{key}": {_lines(value)}' for key, value in document.items()) + "\n}"
    )


def _lines(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(json.dumps(item, allow_nan=False) for item in value) + "\n]"
    return json.dumps(value, allow_nan=False)
