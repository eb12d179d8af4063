"""The screen: where data goes and where the rest, and what stands out where there are colours.

Knows the two streams. Does not know any command.
"""

from __future__ import annotations

from rich.console import Console
from rich.highlighter import RegexHighlighter
from rich.theme import Theme


class _Signs(RegexHighlighter):
    """What stands out on a screen where there are colours."""

    base_style = "screen."
    highlights = (
        r"(?m)^(?P<new>  \+ \S+)",
        r"(?m)^(?P<changed>  ~ \S+)",
        r"(?m)^(?P<removed>  - \S+)",
        r"(?m)^(?P<title>(inputs|outputs|parameters|buffers|removed|notes|features|groups)\b.*)$",
        r"(?m)^(?P<title>(dim \d+|values|[a-z]\d*)   .*)$",
        r"(?m)^(?P<good>(Exact|Equal)\b.*)",
        r"(?m)^(?P<bad>(Not exact|Apart)\b.*|  inexact)",
    )


_THEME = Theme(
    {
        "screen.new": "green",
        "screen.changed": "yellow",
        "screen.removed": "red",
        "screen.title": "bold",
        "screen.good": "bold green",
        "screen.bad": "bold red",
    }
)
OUT = Console(theme=_THEME, highlighter=_Signs(), soft_wrap=True, markup=False, emoji=False)
ERR = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
