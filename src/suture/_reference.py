"""References: `path/to/file.py:function` or `package.module:function`, written on a command line.

Knows how such a text finds a function, and that the function returns a `Subject`. Does not know
what the subject is for. What the code that it runs raises passes through.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from suture._errors import SutureError, near_miss
from suture._files._paths import refuse_unreachable
from suture._schema import Schema
from suture._subject import Subject

Kind = TypeVar("Kind")
FORM = "write path/to/file.py:function or package.module:function"


class LoadError(SutureError):
    """A reference that leads to no subject."""


def load(reference: str) -> Subject:
    """Call the function that a reference names.

    Args:
        reference: `path/to/file.py:function`, or `package.module:function` as the current folder
            sees it.

    Returns:
        The subject that the function returned.

    Raises:
        LoadError: there is no such file, module or function, or it does not return a `Subject`.

    Example:
        >>> load("old.py")
        Traceback (most recent call last):
            ...
        suture._reference.LoadError: 'old.py' does not say which function to call.
        <BLANKLINE>
        hint: write path/to/file.py:function or package.module:function
    """
    return _returned(reference, Subject, "return suture.Subject(model, args)")


def load_schema(reference: str) -> Schema:
    """Call the function that a reference names, for the names of inputs and outputs.

    Raises:
        LoadError: as `load`, where it does not return a `Schema`.
    """
    return _returned(reference, Schema, "return suture.Schema(inputs={...}, outputs={...})")


def _returned(reference: str, kind: type[Kind], hint: str) -> Kind:
    """Call the function that a reference names, for what it should return."""
    found = _called(reference)
    if not isinstance(found, kind):
        sentence = f"{reference!r} returned {type(found).__name__}, not {kind.__name__}."
        raise LoadError(sentence, hint=hint)
    return found


def files_of(*references: str | None) -> list[Path]:
    """List the files that references name; those of modules are not looked for.

    Example:
        >>> files_of("models:build", None)
        []
    """
    places = [Path(reference.rpartition(":")[0]) for reference in references if reference]
    return [place for place in places if place.is_file()]


def _called(reference: str) -> object:
    """Call the function that a reference names."""
    place, colon, name = reference.rpartition(":")
    if not (colon and place and name):
        raise LoadError(f"{reference!r} does not say which function to call.", hint=FORM)
    is_file = place.endswith(".py") or "/" in place
    if is_file:
        refuse_unreachable(Path(place), "read")
    with _imports_from(Path(place).resolve().parent if is_file else Path.cwd()):
        try:
            module = _file(Path(place)) if is_file else _module(place)
            return _function(module, name, place)()
        except SystemExit:
            # Let through, it would end the command in silence, and as if all were well.
            hint = 'keep what a script does behind `if __name__ == "__main__":`'
            raise LoadError(f"{reference!r} ended the program.", hint=hint) from None


@contextmanager
def _imports_from(folder: Path) -> Iterator[None]:
    """Import from a folder first, and forget afterwards what came from there.

    Source and target are often two versions of one file, each with its own `layers.py` beside it.
    """
    known, before = set(sys.modules), list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = before
        fresh = [name for name in sys.modules if name not in known]
        for name in [name for name in fresh if _is_from(name, folder)]:
            del sys.modules[name]


def _is_from(name: str, folder: Path) -> bool:
    """Whether a module's outermost package lies in a folder itself, not in an environment below."""
    top = sys.modules.get(name.partition(".")[0])
    here = PathFinder.find_spec(name.partition(".")[0], [str(folder)])
    origin = None if top is None or top.__spec__ is None else top.__spec__.origin
    return here is not None and origin is not None and here.origin == origin


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        beside = sorted(str(other) for other in path.parent.glob("*.py"))
        raise LoadError(f"There is no file {str(path)!r}.", hint=near_miss(str(path), beside))
    spec = spec_from_file_location(path.stem, path.resolve())
    if spec is None or spec.loader is None:
        raise LoadError(f"{str(path)!r} is not a Python file.", hint=FORM)
    module = module_from_spec(spec)
    # Dataclasses and pickles look their module up by name.
    taken = sys.modules.get(path.stem)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    finally:
        if taken is not None:
            sys.modules[path.stem] = taken
    return module


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        # What the module itself imports in vain is its own error.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise LoadError(f"There is no module {name!r}.", hint=_module_hint(name)) from None


def _module_hint(name: str) -> str | None:
    path = Path(*name.split(".")).with_suffix(".py")
    modules = [other.stem for other in Path.cwd().glob("*.py")]
    return f"did you mean {str(path)!r}?" if path.is_file() else near_miss(name, modules)


def _function(module: ModuleType, name: str, place: str) -> Callable[[], Any]:
    found = vars(module).get(name)
    if inspect.isroutine(found):
        _refuse_parameters(found, f"{place}:{name}")
        return found
    if name in vars(module):
        what = f"{name!r} in {place!r} is of type {type(found).__name__}, not a function."
        raise LoadError(what, hint="name a function that returns a Subject")
    public = [item for item in vars(module) if not item.startswith("_")]
    own = [item for item in public if inspect.isfunction(vars(module)[item])]
    raise LoadError(
        f"{place!r} has no function {name!r}.",
        [("has", ", ".join(own) or "no function")],
        near_miss(name, own),
    )


def _refuse_parameters(function: Callable[..., Any], reference: str) -> None:
    needed = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        raise LoadError(
            f"{reference!r} is called without arguments.",
            [("needs", ", ".join(needed))],
            "give them defaults, or name a function that fills them in",
        )
