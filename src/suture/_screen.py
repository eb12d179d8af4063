"""Lines of a screen: widths, wrapping, and the legend of the symbols that it uses.

Knows text. Does not know what is shown (`_render`, `_phi_render`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

WIDTH = 100
NAMES, TYPES = 44, 36
"""Columns up to which names and types are aligned; a longer one pushes what follows it."""


def wrapped(lead: str, text: str, hang: int | None = None) -> list[str]:
    """Write text behind a lead, its further lines `hang` columns in: below its own beginning.

    Example:
        >>> wrapped("  dim 1   ", "moved " * 3)
        ['  dim 1   moved moved moved']
    """
    # Names are anybody's: what is not printable could move the cursor.
    line = "".join(char if char.isprintable() else "?" for char in lead + text.rstrip())
    indent = " " * min(len(lead) if hang is None else hang, WIDTH // 2)
    return wrap(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False) or [""]


def legend(body: Sequence[str], symbols: Mapping[str, str]) -> list[str]:
    """Explain the symbols that a screen uses, and no others.

    Args:
        body: the lines of the screen.
        symbols: what a symbol looks like, as a regular expression -> its explanation.

    Example:
        >>> legend(["  + new.weight"], {r"^  - ": "- removed", r"^  [+] ": "+ new"})
        ['  + new', '']
    """
    used = [
        text for symbol, text in symbols.items() if any(re.search(symbol, line) for line in body)
    ]
    lines: list[str] = []
    line = ""
    for text in used:
        if line and len(line) + len(text) + 5 > WIDTH:
            lines, line = [*lines, line], ""
        line = f"{line}   {text}" if line else f"  {text}"
    return [*lines, line, ""] if line else []


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], sides: str) -> Iterator[str]:
    """Lay rows out in columns below their heads.

    Args:
        heads: the first is the title; the last column has none and may be of any length.
        rows: a cell per head, and one for the last column; long cells push what follows them.
        sides: `<` or `>` per head, the side of its column that cells go to.

    Example:
        >>> rows = [("0.weight", "12", "[:, 3]"), ("0.bias", "4", "")]
        >>> for line in table(("parameters", "entries"), rows, "<>"):
        ...     print(line)
        parameters   entries
          0.weight        12   [:, 3]
          0.bias           4
    """
    cells = [(*heads, ""), *(("  " + row[0], *row[1:]) for row in rows)]
    sizes = [[len(cell) for cell in column] for column in zip(*cells, strict=True)]
    widths = [max(size for size in column if size <= NAMES) for column in sizes[:-1]]
    for number, (*line, last) in enumerate(cells):
        # The title stands at the margin even where the cells below it do not.
        aligned = zip(line, sides if number else "<" + sides[1:], widths, strict=True)
        lead = "   ".join(f"{cell:{side}{width}}" for cell, side, width in aligned)
        yield from wrapped(lead + "   ", last)
