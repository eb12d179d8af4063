"""A plan as JSON: the fields of its dataclasses are the format, read strictly.

Knows how data is written and read back, with the place of every problem. Does not know what the
words of a plan demand of each other (`_plan_check`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, Union, cast, get_args, get_origin, get_type_hints

from suture._errors import PlanError, near_miss
from suture._json_text import laid_out, parsed
from suture._partition import Problem
from suture._plan import Own, Plan, Sum, Value
from suture._plan_check import broken, problems

FORMAT = "suture-plan"
VERSION = 1
FILLS: dict[str, type] = {"own": Own, "value": Value, "sum": Sum}
WORDS = {fill: word for word, fill in FILLS.items()}
INFINITIES = {"inf": float("inf"), "-inf": float("-inf")}


def to_json(plan: Plan) -> str:
    """Write a plan as versioned JSON text, one tensor a line.

    Args:
        plan: a whole plan.

    Returns:
        Text that `from_json` reads back as an equal plan; equal plans make equal text.

    Example:
        >>> print(to_json(Plan("a1", "b2", ())))
        {
        "format": "suture-plan",
        "version": 1,
        "source": "a1",
        "target": "b2",
        "tensors": []
        }
    """
    document = {"format": FORMAT, "version": VERSION, **_written(plan)}
    return laid_out(document)


def _written(value: Any) -> Any:
    """Turn data into what JSON knows; a field that holds its default is left out."""
    if is_dataclass(value):
        tag = {"fill": WORDS[type(value)]} if type(value) in WORDS else {}
        items = ((field, getattr(value, field.name)) for field in fields(value))
        return tag | {field.name: _written(item) for field, item in items if item != field.default}
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    if isinstance(value, float) and value in INFINITIES.values():
        return str(value)
    return value


def from_json(text: str) -> Plan:
    """Read a plan from JSON text, strictly.

    Args:
        text: what `to_json` wrote.

    Returns:
        A plan equal to the one written.

    Raises:
        PlanError: with every problem and its place, if the text is not a whole plan.

    Example:
        >>> from_json('{"format": "suture-plan", "version": 1, "source": "a1", "target": 3}')
        Traceback (most recent call last):
            ...
        suture._errors.PlanError: The plan has 2 problems.
          tensors   is missing
          target    is 3, not a text
    """
    document = _document(text)
    found: list[Problem] = []
    plan = _read(Plan, document, "", found)
    if not found:
        found += problems(cast(Plan, plan))
    if found:
        raise broken(found)
    return cast(Plan, plan)


def _document(text: str) -> dict[str, Any]:
    """Parse the text and take its header off."""
    try:
        document = parsed(text, object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise PlanError(
            "The text is not a plan: it is not JSON.", [("because", str(error))]
        ) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PlanError(
            f'The JSON is not a plan: it does not say "format": "{FORMAT}".',
            hint="give what plan.to_json() wrote",
        )
    version = document.get("version")
    if version != VERSION or type(version) is not int:
        raise PlanError(
            f"The plan has version {_shown(version)}; this program reads version {VERSION}.",
            hint="make the plan again with this version of suture",
        )
    return {key: value for key, value in document.items() if key not in ("format", "version")}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) != len(dict(pairs)):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} stands twice")
    return dict(pairs)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _shown(value: Any) -> str:
    """Show a value of a document in a few characters."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            text = json.dumps(value)
            return text if len(text) <= 40 else f"{text[:37]}..."


def _read(kind: Any, value: Any, place: str, found: list[Problem]) -> Any:
    """Read a value as a type that a plan's fields have; note what is wrong, with its place."""
    origin = get_origin(kind)
    if origin is UnionType or origin is Union:
        return _read_union(get_args(kind), value, place, found)
    if origin is Literal:
        return _expect(value in get_args(kind), value, f"one of {get_args(kind)}", place, found)
    if origin is tuple:
        return _read_tuple(get_args(kind), value, place, found)
    if kind is float:
        return _read_float(value, place, found)
    if is_dataclass(kind):
        return _read_fields(cast(type, kind), value, place, found)
    words = {str: "a text", int: "an integer", bool: "true or false"}
    # `isinstance` would take true for the integer 1.
    return _expect(type(value) is kind, value, words[kind], place, found)


def _expect(fits: bool, value: Any, wanted: str, place: str, found: list[Problem]) -> Any:
    if not fits:
        found.append((place, f"is {_shown(value)}, not {wanted}"))
    return value


def _read_union(kinds: tuple[Any, ...], value: Any, place: str, found: list[Problem]) -> Any:
    """Read an optional value, or one of the fills by its word."""
    if NoneType in kinds:
        (kind,) = (kind for kind in kinds if kind is not NoneType)
        return None if value is None else _read(kind, value, place, found)
    if not isinstance(value, dict):
        return _expect(False, value, "an object", place, found)
    word = value.get("fill")
    if not isinstance(word, str) or word not in FILLS:
        return _expect(False, word, f"one of {tuple(FILLS)}", f"{place}.fill", found)
    rest = {key: item for key, item in value.items() if key != "fill"}
    return _read_fields(FILLS[word], rest, place, found)


def _read_tuple(kinds: tuple[Any, ...], value: Any, place: str, found: list[Problem]) -> Any:
    if not isinstance(value, list):
        return _expect(False, value, "a list", place, found)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(value) != len(kinds):
        found.append((place, f"has {len(value)} items, not {len(kinds)}"))
        return ()
    pairs = enumerate(zip(kinds, value, strict=True))
    return tuple(_read(kind, item, f"{place}[{i}]", found) for i, (kind, item) in pairs)


def _read_float(value: Any, place: str, found: list[Problem]) -> float:
    if isinstance(value, str) and value in INFINITIES:
        return INFINITIES[value]
    # A float beyond its range would come as an infinity that nobody wrote, an integer not at all.
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
        _expect(False, value, "a number", place, found)
        return 0.0
    return float(value)


@cache
def _kinds(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _read_fields(kind: type, value: Any, place: str, found: list[Problem]) -> Any:
    """Read an object as a dataclass: no key unknown, none missing but those with a default."""
    if not isinstance(value, dict):
        return _expect(False, value, "an object", place, found)
    kinds = _kinds(kind)
    needed = [field.name for field in fields(kind) if field.default is MISSING]
    before = len(found)
    found += _unknown(value, list(kinds), place)
    found += [(_below(place, key), "is missing") for key in needed if key not in value]
    given = {
        key: _read(kinds[key], item, _below(place, key), found)
        for key, item in value.items()
        if key in kinds
    }
    return kind(**given) if len(found) == before else None


def _unknown(value: Mapping[str, Any], known: list[str], place: str) -> Iterator[Problem]:
    for key in value:
        if key not in known:
            hint = near_miss(key, known)
            yield _below(place, key), "is unknown" + (f"; {hint}" if hint else "")


def _below(place: str, key: str) -> str:
    """Name a key's place; one that could be mistaken for a path is quoted."""
    key = key if key.isidentifier() and key.isascii() else json.dumps(key)
    return f"{place}.{key}" if place else key
