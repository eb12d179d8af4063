"""What files cannot hold: dtypes and names that only a plan has.

Knows the words of each format. Does not know where a plan comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from suture._dtypes import DTYPES
from suture._errors import FileError
from suture._files._checkpoint import Format
from suture._files._headers import METADATA
from suture._files._made import Made
from suture._files._npz import LONGEST_NAME
from suture._json_text import is_whole


def refuse_unheld(path: Path, kind: Format, made: Sequence[Made]) -> None:
    """Refuse tensors that no file of a format can hold.

    Raises:
        FileError: naming them.
    """
    facts = [("tensor", text) for each in made for text in (*_dtype(each), *_names(kind, each))]
    if facts:
        sentence = f"{path} cannot be written: it would hold what no {kind} file can."
        raise FileError(sentence, facts[:20])


def _dtype(made: Made) -> Iterator[str]:
    if made.tensor.dtype not in DTYPES:
        yield f"{made.tensor.name[:80]!r} is {made.tensor.type}"


def _names(kind: Format, made: Made) -> Iterator[str]:
    for name in made.names:
        shown = repr(name[:80])
        if not is_whole(name):
            yield f"{shown} holds half a character"
        elif kind == "npz" and "\0" in name:  # where archives end a name
            yield f"{shown} holds a zero"
        elif kind == "npz" and len(name.encode()) > LONGEST_NAME:
            yield f"{shown}... is a name of {len(name.encode())} bytes, of which {LONGEST_NAME} fit"
        elif "safetensors" in kind and name == METADATA:
            yield f"{shown} is what a header calls its texts"
