"""Pickles read without trust: a table says which names may stand in them, and what each does.

Knows the pickle machine's ways to call something: nothing outside the table is ever imported or
called, and what is called is a function of ours wherever the original one trusts its arguments.
Does not know which names a kind of file needs (`_numpy_pickles`, `_sb3`).

Python's own faster reader asks for names and nothing else: a file could set attributes of an
admitted class for the whole process, or call it with arguments that nobody checked. So this one
steps through the machine that Python is written in, where those steps can be taken over.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from suture._errors import UnpickleError

BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
)
"""What Python and the classes that are filled raise on a file that is no whole pickle."""

Name = tuple[str, str]
"""A module and a name in it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A name that may be called.

    Attributes:
        function: is called in its place, and checks its arguments.
        filled: the types of bare objects that it gives -> what puts a state into them.
    """

    function: Callable[..., Any]
    filled: Mapping[type, Callable[[Any, Any], None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fill:
    """A class of which bare objects may be made, and then filled as the class itself does it."""


@dataclass(frozen=True, slots=True)
class Word:
    """A name that may be given to a call, and nothing else."""

    name: str


Admitted = Mapping[Name, Call | Fill | Word]
"""What may stand in a pickle, name by name; never a whole module."""


@dataclass(slots=True)
class _Refused:
    """What stands for a name that is not admitted until all of them are known."""

    def __call__(self, *args: object) -> _Refused:
        """Do nothing; a file that asked for it is refused as a whole."""
        return self

    append = extend = __setitem__ = __call__


def load(file: bytes | Path | BinaryIO, admitted: Admitted) -> Any:
    r"""Read a pickle in which nothing but admitted names may stand.

    Args:
        file: the pickle's bytes, its path, or a file open for reading bytes.
        admitted: the names, and what each does.

    Returns:
        What was pickled.

    Raises:
        UnpickleError: listing the names that are not admitted, or saying why it is no whole pickle.
            None of those names was imported.

    Example:
        >>> load(pickle.dumps({"count": 3}), {})
        {'count': 3}
        >>> load(b"cposix\nsystem\n.", {})
        Traceback (most recent call last):
        suture._errors.UnpickleError: A pickle asks for a name that is not admitted.
          refused  posix.system
          admitted none
        <BLANKLINE>
        hint: if you trust the file, read it yourself and give the object
    """
    if isinstance(file, Path):
        with file.open("rb") as opened:
            return _read(opened, str(file), admitted)
    return _read(BytesIO(file) if isinstance(file, bytes) else file, "A pickle", admitted)


def _read(file: BinaryIO, what: str, admitted: Admitted) -> Any:
    machine = _Machine(file, admitted)
    try:
        found = machine.load()
    except BROKEN as error:
        if machine.refused:
            raise _refusal(what, machine.refused, admitted) from None
        told = [(type(error).__name__, str(error) or "no reason given")]
        raise UnpickleError(f"{what} is no whole pickle of the kind expected.", told) from error
    if machine.refused:
        raise _refusal(what, machine.refused, admitted)
    return found


def _refusal(what: str, refused: Sequence[Name], admitted: Admitted) -> UnpickleError:
    names = [("refused", ".".join(name)) for name in dict.fromkeys(refused)]
    known = ", ".join(sorted(".".join(name) for name in admitted)) or "none"
    several = "a name that is" if len(names) == 1 else f"{len(names)} names that are"
    return UnpickleError(
        f"{what} asks for {several} not admitted.",
        [*names, ("admitted", known)],
        "if you trust the file, read it yourself and give the object",
    )


@dataclass(frozen=True, slots=True)
class _Class:
    """A class on the machine's stack, not to be called, nor to be given attributes."""

    kind: type[Any]


class _Machine(pickle._Unpickler):
    """Python's machine, with the steps that call or set something taken over."""

    stack: list[Any]  # its type is not told

    def __init__(self, file: BinaryIO, admitted: Admitted) -> None:
        super().__init__(file)
        self.admitted = admitted
        self.fills: dict[type, Callable[[Any, Any], None]] = {}
        self.refused: list[Name] = []

    def find_class(self, module: str, name: str) -> Any:
        """Give what stands for a name; a name with dots is one that nothing is called."""
        match self.admitted.get((module, name)):
            case None:
                self.refused.append((module, name))
                return _Refused()
            case Fill():
                kind = getattr(import_module(module), name)
                self.fills[kind] = _fill
                return _Class(kind)
            case Call() as call:
                self.fills |= call.filled
                return call
            case Word() as word:
                return word

    def load_reduce(self) -> None:
        """Call what may be called."""
        args = self.stack.pop()
        match self.stack[-1]:
            case Call(function):
                self.stack[-1] = function(*args)
            case _Refused():
                pass
            case other:
                raise pickle.UnpicklingError(f"{_shown(other)} may not be called")

    def load_newobj(self) -> None:
        """Make a bare object of a class that may be filled."""
        args = self.stack.pop()
        match self.stack[-1]:
            case _Class(kind) if args == ():
                self.stack[-1] = object.__new__(kind)
            case _Refused():
                pass
            case other:
                raise pickle.UnpicklingError(f"{_shown(other)} may not be made from {args!r}")

    def load_build(self) -> None:
        """Fill a bare object of a type that may be filled: never a class or a function."""
        state = self.stack.pop()
        bare = self.stack[-1]
        if isinstance(bare, _Refused):
            return
        if type(bare) not in self.fills:
            raise pickle.UnpicklingError(f"{_shown(bare)} may not be given a state")
        self.fills[type(bare)](bare, state)

    def load_other(self) -> None:
        """Refuse the older and the rarer ways to call a class."""
        raise pickle.UnpicklingError("it calls a class in a way that no admitted one is pickled")

    # Python's table is of functions of any unpickler's stack.
    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        pickle.REDUCE[0]: load_reduce,
        pickle.NEWOBJ[0]: load_newobj,
        pickle.BUILD[0]: load_build,
        pickle.NEWOBJ_EX[0]: load_other,
        pickle.OBJ[0]: load_other,
        pickle.INST[0]: load_other,
    }


def _shown(value: object) -> str:
    return value.kind.__name__ if isinstance(value, _Class) else type(value).__name__


def _fill(bare: Any, state: Any) -> None:
    """Put a state into an object as Python does, but for slots, which no admitted class has."""
    own = getattr(bare, "__setstate__", None)
    if own is not None:
        own(state)
    elif isinstance(state, dict) and all(isinstance(name, str) for name in state):
        vars(bare).update(state)
    else:
        raise pickle.UnpicklingError(f"the state of a {type(bare).__name__} is no dict of names")
