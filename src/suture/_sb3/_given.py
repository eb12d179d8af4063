"""What a user gives of a run: the object, or the file that the library saved it to.

Knows that files are read without trust. Does not know what is done with it.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TypeVar

from suture._errors import TransferError
from suture._unpickle import Admitted, load

Kind = TypeVar("Kind")


def given(source: object, kind: type[Kind], admitted: Admitted) -> Kind:
    """Give the object of a class, read from its file if that is what is given.

    Raises:
        TransferError: it is another.
        UnpickleError: the file asks for names that are not admitted, or is no whole pickle.
    """
    found = load(Path(source), admitted) if isinstance(source, str | PathLike) else source
    if not isinstance(found, kind):
        raise TransferError(f"The source is no {kind.__name__} but {type(found).__name__}.")
    return found
