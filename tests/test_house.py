"""The repository's own manners: sizes, names, and what the source never does."""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median, quantiles

import suture

ROOT = Path(__file__).parents[1]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
PYTHON = sorted(
    path
    for folder in ("src", "tests", "examples", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
VAGUE = {"util", "utils", "helper", "helpers", "common", "base", "manager", "misc"}
FRAMEWORKS = {"torch", "jax", "flax", "tensorflow"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path, node: ast.stmt | ast.expr | ast.excepthandler) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(paths: list[Path]) -> Iterator[tuple[Path, Function]]:
    for path in paths:
        for node in ast.walk(tree(path)):
            if isinstance(node, Function):
                yield path, node


def body_lines(function: Function) -> int:
    """Count the lines from behind the docstring to the end."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    last = body[-1].end_lineno if body else None
    return 0 if last is None else last - body[0].lineno + 1


def test_no_file_is_long() -> None:
    """No file has more than 400 lines."""
    assert [f"{path}: {lines(path)}" for path in PYTHON if lines(path) > 400] == []


def test_most_files_are_short() -> None:
    """The median source file has at most 150 lines."""
    assert median(map(lines, SOURCE)) <= 150


def test_no_function_is_long() -> None:
    """No function's body has more than 60 lines."""
    assert [place(path, node) for path, node in functions(PYTHON) if body_lines(node) > 60] == []


def test_most_functions_are_short() -> None:
    """The median body of the source has at most 6 lines, nine in ten at most 25."""
    sizes = [body_lines(node) for _, node in functions(SOURCE)]
    assert median(sizes) <= 6
    assert quantiles(sizes, n=10, method="inclusive")[-1] <= 25


def test_module_names_say_something() -> None:
    """No module or package is named for being useful."""
    named = [path.relative_to(ROOT).with_suffix("") for path in PYTHON]
    words = {name: {word for part in name.parts for word in part.split("_")} for name in named}
    assert [str(name) for name in named if words[name] & VAGUE] == []


def test_every_module_says_what_it_knows() -> None:
    """Every Python file opens with a docstring."""
    assert [str(path) for path in PYTHON if ast.get_docstring(tree(path)) is None] == []


def test_every_public_name_is_documented() -> None:
    """What `suture.__all__` names has a docstring."""
    public = [getattr(suture, name) for name in getattr(suture, "__all__", ())]
    spoken = [item for item in public if inspect.isclass(item) or inspect.isroutine(item)]
    assert [item.__name__ for item in spoken if not inspect.getdoc(item)] == []


def catches_everything(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {node.id for node in caught if isinstance(node, ast.Name)}
    return handler.type is None or bool(names & {"Exception", "BaseException"})


def test_no_error_is_swallowed() -> None:
    """No handler catches every exception."""
    caught = [
        place(path, node)
        for path in PYTHON
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
    ]
    assert caught == []


def test_the_source_asks_for_classes_not_attributes() -> None:
    """The source never calls `hasattr`."""
    asked = [
        place(path, node)
        for path in SOURCE
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr"
    ]
    assert asked == []


def imported(node: ast.AST) -> set[str]:
    """Name the top-level packages that a statement imports by absolute name."""
    match node:
        case ast.Import(names=names):
            return {alias.name.partition(".")[0] for alias in names}
        case ast.ImportFrom(module=str(module), level=0):
            return {module.partition(".")[0]}
        case _:
            return set()


def test_only_adapters_import_a_framework() -> None:
    """A framework is imported under `src/suture/_torch` alone, at any depth of a function."""
    adapter = ROOT / "src" / "suture" / "_torch"
    strays = [
        f"{path.relative_to(ROOT)}: {ast.unparse(node)}"
        for path in SOURCE
        if not path.is_relative_to(adapter)
        for node in ast.walk(tree(path))
        if imported(node) & FRAMEWORKS
    ]
    assert strays == []
