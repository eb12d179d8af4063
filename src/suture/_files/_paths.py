"""Paths that no system can follow: names that are too long or hold a zero, links in a circle.

Knows what a system says of a path. Does not know what is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from suture._errors import FileError


def refuse_unreachable(path: Path, done: Literal["read", "written"]) -> None:
    r"""Refuse a path that cannot even be looked at; that nothing is there is no reason.

    Raises:
        FileError: with the system's reason.

    Example:
        >>> refuse_unreachable(Path("not", "there"), "read")
        >>> refuse_unreachable(Path("not\0there"), "read")
        Traceback (most recent call last):
            ...
        suture._errors.FileError: 'not\x00there' cannot be read.
          because  a name holds a zero
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        because = [("because", error.strerror or str(error))]
        raise FileError(f"{path} cannot be {done}.", because) from None
    except ValueError:
        because = [("because", "a name holds a zero")]
        raise FileError(f"{str(path)!r} cannot be {done}.", because) from None
