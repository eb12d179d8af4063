"""An explanation as a screen.

Knows the layout. Does not know how anything is found (`_explain`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import assert_never

from suture._explanation import Dim, Done, Explanation, Joined, Made, One, Shared, Told, Word
from suture._fold import Row, fold
from suture._phi_render import counted
from suture._screen import legend, wrapped
from suture._words import listed, span

ENTRIES = ("entry", "entries")
LINES, PLACES = 6, 60
"""So many lines follow one word before the rest is counted; columns up to which places align."""

WORDS: dict[Word, str] = {
    "input": "given by input",
    "values": "chosen by values of",
    "written": "written by",
    "added": "added to by",
    "scaled": "scaled by",
    "met": "met by",
    "made": "made by",
    "tied": "tied by",
    "read": "read by",
    "tap": "a tap of",
    "chosen": "chosen in",
    "held": "held by",
    "mixed": "mixed by",
    "contracted": "contracted by",
    "reduced": "reduced by",
    "output": "given as output",
}
"""What is said of an axis, in the order in which it is told."""

DONE: dict[str, str] = {
    "written": "written",
    "added": "added",
    "scaled": "scales",
    "met": "meets data",
    "read": "read",
    "tap": "taps",
    "chosen": "chosen along",
}
"""What is done with a dim of the tensor itself."""

SYMBOLS = {
    r"\(\w+ \w+.*\)": "(a b) a x b entries, b runs faster",
    r"\w\)?\+\(?\w": "a+b laid end to end",
    r"[a-z]\d*\[\.\.\]": "a[..] some of a, or in another order",
    r"\bwritten\b": "written: an op's result has it",
    r"\bread\b": "read: summed over, with data",
    r"\bchosen\b": "chosen: integers choose among its entries",
    r"\btied\b": "tied: entry meets entry of data from elsewhere",
    r"\bmixed\b": "mixed: every entry sees every other",
    r"\bcontracted\b": "contracted: summed over, data with data",
}
"""What a symbol looks like on the screen, and its explanation."""


def render(explanation: Explanation) -> str:
    """Render an explanation as plain text of at most 100 columns.

    Returns:
        What the dims are made of and what is done with them, then every axis and who shares it.
        Tensors of which the same is said are folded into one line.
    """
    tensor = explanation.tensor
    body = [*_dims(explanation), *(line for axis in explanation.axes for line in _axis(axis))]
    head = wrapped("", f"{explanation.kind.capitalize()} {tensor.name} {tensor.type}")
    head += [line for name in explanation.tied for line in wrapped("  also called ", name)]
    return "\n".join([*head, "", *legend(body, SYMBOLS), *body]).rstrip()


def _dims(explanation: Explanation) -> Iterator[str]:
    if not explanation.reached:
        yield "No call reaches it: of its dims nothing but the sizes is known."
        return
    if explanation.mirror:
        yield f"No call reaches it: it is explained as its twin {explanation.mirror}."
        yield ""
    if not explanation.dims:
        yield "It is a single number."
    for number, dim in enumerate(explanation.dims):
        yield from _dim(f"dim {number}", dim)
    if explanation.values is not None:
        yield from wrapped("values   ", f"choose from {_sized(explanation.values)}")
    yield ""


def _dim(head: str, dim: Dim) -> Iterator[str]:
    yield from wrapped(f"{head}   ", _sized(dim.made))
    for done in dim.done:
        yield from wrapped(" " * 8, _done(done))
    if isinstance(dim.made, Joined) and dim.made.kind == "sum":
        rows = zip(_spans(dim.made), map(_inner, dim.made.parts), strict=True)
        texts = [f"{where:<12} {text}" for where, text in rows]
        for text in _few(texts):
            yield from wrapped(" " * 8, text)


def _sized(made: Made) -> str:
    return f"{made.size} = {spelled(made)}"


def _done(done: Done) -> str:
    return f"{DONE[done.role]} in {done.op}" + (f" of {done.module}" if done.module else "")


def _spans(made: Joined) -> list[str]:
    ends = list(accumulate(part.size for part in made.parts))
    return [span(end - part.size, end) for end, part in zip(ends, made.parts, strict=True)]


def _few(lines: Sequence[str]) -> list[str]:
    """Show the first lines, and count the rest."""
    if len(lines) <= LINES:
        return list(lines)
    return [*lines[: LINES - 1], f"... {len(lines) - LINES + 1} more"]


def spelled(made: Made) -> str:
    """Write what a dim is made of, in the notation of axis specs; what has no letter is a size.

    Example:
        >>> heads = Joined("product", (One(12, "b"), One(64, "c")), 768)
        >>> spelled(Joined("sum", (heads, heads, One(5)), 1541))
        '(b c)+(b c)+5'
    """
    match made:
        case One(size, letter, picked):
            return f"{letter}[..]" if picked else letter or str(size)
        case Joined(size=size) if not _lettered(made):
            return str(size)
        case Joined("product", parts):
            return f"({' '.join(map(_inner, parts))})"
        case Joined(_, parts):
            return "+".join(listed(map(_inner, parts)).split(", "))
        case _:
            assert_never(made)


def _lettered(made: Made) -> bool:
    return bool(made.letter) if isinstance(made, One) else any(map(_lettered, made.parts))


def _inner(made: Made) -> str:
    """Write a part: a sum within a product stands in parentheses."""
    is_sum = isinstance(made, Joined) and made.kind == "sum" and _lettered(made)
    return f"({spelled(made)})" if is_sum else spelled(made)


def _axis(axis: Shared) -> Iterator[str]:
    others = len({told.name for told in axis.told if not told.op})
    sharing = counted(others, "other tensor") if others else "no other tensor"
    yield from wrapped("", f"{axis.letter}   {counted(axis.size, *ENTRIES)}, shared by {sharing}")
    if axis.names:
        yield from wrapped(f"  {'named':<20} ", listed(axis.names))
    for word, title in WORDS.items():
        lead = f"  {title:<20} "
        for line in _few(_lines([told for told in axis.told if told.word == word])):
            yield from wrapped(lead, line)
            lead = " " * len(lead)
    yield ""


def _lines(told: Sequence[Told]) -> list[str]:
    """Say each thing in a line; what is the same of several names is said once."""
    rows = [Row((_place(each),), " ".join(map(spelled, each.dims))) for each in told]
    folded = [(row.names[0], row.said) for row in fold(rows)]
    width = max((len(name) for name, _ in folded if len(name) <= PLACES), default=0)
    return [f"{name:<{width}}   {dims}".rstrip() for name, dims in folded]


def _place(told: Told) -> str:
    if not told.op:
        return told.name
    return f"{told.op} of {told.name}" if told.name else told.op
