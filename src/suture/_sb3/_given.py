"""What a user gives of a run: the object, or the file that the library saved it to.

Knows that files are read without trust. Does not know what is done with it.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TypeVar

from suture._errors import TransferError, near_miss, unusable
from suture._files._paths import refuse_unreachable
from suture._unpickle import Admitted, load

Kind = TypeVar("Kind")


def given(source: object, kind: type[Kind], admitted: Admitted) -> Kind:
    """Give the object of a class, read from its file if that is what is given.

    Raises:
        FileError: there is no such file, or it cannot be read.
        TransferError: it is another.
        UnpickleError: the file asks for names that are not admitted, or is no whole pickle.
    """
    found = _loaded(Path(source), admitted) if isinstance(source, str | PathLike) else source
    if not isinstance(found, kind):
        raise TransferError(f"The source is no {kind.__name__} but {type(found).__name__}.")
    return found


def _loaded(path: Path, admitted: Admitted) -> object:
    refuse_unreachable(path, "read")
    try:
        return load(path, admitted)
    except OSError as error:
        raise unusable(path, "read", error, _near(path)) from None


def _near(path: Path) -> str | None:
    """Say which file was probably meant, if there is none of this name."""
    beside = sorted(str(other) for other in path.parent.glob(f"*{path.suffix}"))
    return None if path.exists() else near_miss(str(path), beside)
