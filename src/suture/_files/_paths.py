"""Paths that lead to no file: names that no system can follow, and devices, pipes and sockets.

Knows what a system says of a path. Does not know what a file holds.
"""

from __future__ import annotations

from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Literal

from suture._errors import FileError, unusable


def refuse_unreachable(path: Path, done: Literal["read", "written"]) -> None:
    r"""Refuse a path that cannot even be looked at, or leads to neither a file nor a folder.

    That nothing is there is no reason.

    Raises:
        FileError: with the reason.

    Example:
        >>> refuse_unreachable(Path("not", "there"), "read")
        >>> refuse_unreachable(Path("not\0there"), "read")
        Traceback (most recent call last):
            ...
        suture._errors.FileError: 'not\x00there' cannot be read.
          because  a name holds a zero
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise unusable(path, done, error) from None
    except ValueError:
        because = [("because", "a name holds a zero")]
        raise FileError(f"{str(path)!r} cannot be {done}.", because) from None
    # To open a pipe waits for its other end, and a rename would take a device away.
    if not (S_ISREG(mode) or S_ISDIR(mode)):
        because = [("because", "it is neither a file nor a folder")]
        raise FileError(f"{path} cannot be {done}.", because)
