"""JSON documents as text: read so that they can be written, and written line by line.

Knows where lines end. Does not know what a document says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def parsed(text: str, **how: Any) -> Any:
    r"""Read JSON whose texts are whole: JSON can spell half a character, which no file can hold.

    Args:
        text: the document.
        how: as `json.loads` takes it.

    Raises:
        ValueError: it is not JSON, or such a half stands alone in it.
        RecursionError: it is nested too deeply.

    Example:
        >>> parsed('{"name": "\\ud83d\\ude00"}')
        {'name': '😀'}
        >>> parsed('{"name": "\\ud83d"}')
        Traceback (most recent call last):
            ...
        ValueError: '\ud83d' stands in it, which is half a character
    """
    found = json.loads(text, **how)
    if "\\u" in text or not is_whole(text):
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = error.object[error.start]
            raise ValueError(f"{half!r} stands in it, which is half a character") from None
    return found


def is_whole(text: str) -> bool:
    r"""Say whether a text holds no half of a character, of which UTF-8 has none.

    Example:
        >>> is_whole("😀"), is_whole("\ud83d")
        (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
