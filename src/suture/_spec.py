"""Axis specs: one line of text that says which entries of an op's operands meet.

Knows how a spec is read and printed (DESIGN: the notation). Does not know shapes (`_bind`), nor any
op (`_rule` and the adapters).

    spec    = operand {"," operand} "->" operand {"," operand}
    operand = {dim} [":" axis]
    dim     = part {"+" part} | "..." ["!"] | "1"
    part    = axis ["!"] | "(" {axis ["!"]} ")"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from suture._errors import SpecError

_TOKEN = re.compile(r"\s*(\.\.\.|[A-Za-z_][A-Za-z_0-9]*|1(?!\w)|[!()+:])")
_WORD = re.compile(r"\w+|.")


@dataclass(frozen=True, slots=True)
class Axis:
    """A named index space, `a`; with `mixed`, `a!`: every entry reads every entry."""

    name: str
    mixed: bool = False

    def __str__(self) -> str:
        return self.name + "!" * self.mixed


@dataclass(frozen=True, slots=True)
class Product:
    """One dim that factors in C order, `(a b)`."""

    factors: tuple[Axis, ...]

    def __str__(self) -> str:
        return f"({' '.join(map(str, self.factors))})"


@dataclass(frozen=True, slots=True)
class Sum:
    """Parts laid end to end along one dim, `a+b`."""

    parts: tuple[Axis | Product, ...]

    def __str__(self) -> str:
        return "+".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class Dots:
    """Any leading dims, shared from the right as in broadcasting, `...`."""

    mixed: bool = False

    def __str__(self) -> str:
        return "..." + "!" * self.mixed


@dataclass(frozen=True, slots=True)
class One:
    """A dim of size one that broadcasts, `1`: no axis at all."""

    def __str__(self) -> str:
        return "1"


Dim = Axis | Product | Sum | Dots | One


@dataclass(frozen=True, slots=True)
class Operand:
    """The dims of one tensor; `values` is the axis that its integer entries index."""

    dims: tuple[Dim, ...]
    values: str | None = None

    def __str__(self) -> str:
        text = " ".join(map(str, self.dims))
        return text if self.values is None else f"{text}:{self.values}"


@dataclass(frozen=True, slots=True)
class Spec:
    """The operands and results of one op.

    Example:
        >>> print(parse("m k , k n->m n"))
        m k, k n -> m n
    """

    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]

    def __str__(self) -> str:
        sides = (", ".join(map(str, side)) for side in (self.inputs, self.outputs))
        return " -> ".join(sides)


@cache
def parse(text: str) -> Spec:
    """Read a spec.

    Args:
        text: a spec in the notation, e.g. `"... d!, d, d -> ... d"`.

    Returns:
        The spec; printing it gives a text that reads as the same spec.

    Raises:
        SpecError: the text does not follow the grammar.

    Example:
        >>> parse("n (a b) -> n a b").inputs[0].dims[1]
        Product(factors=(Axis(name='a', mixed=False), Axis(name='b', mixed=False)))
    """
    sides = text.split("->")
    if len(sides) != 2:
        raise SpecError("A spec has one '->'.", [("spec", text)], "write operands -> results")
    inputs, outputs = (
        tuple(_Reader(operand, text).operand() for operand in side.split(",")) for side in sides
    )
    return Spec(inputs, outputs)


class _Reader:
    """A cursor over the tokens of one operand."""

    def __init__(self, operand: str, text: str) -> None:
        self.text = text
        self.tokens = self._tokens(operand)
        self.at = 0

    def _tokens(self, operand: str) -> list[str]:
        rest, tokens = operand.rstrip(), []
        while rest:
            match = _TOKEN.match(rest)
            if match is None:
                word = _WORD.findall(rest.strip())[0]
                raise self._refuse(f"{word!r} is not part of the notation.")
            tokens.append(match[1])
            rest = rest[match.end() :]
        return tokens

    def _refuse(self, sentence: str) -> SpecError:
        return SpecError(sentence, [("spec", self.text)], "see docs/adding_an_op.md")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, token: str) -> bool:
        found = self.peek() == token
        self.at += found
        return found

    def operand(self) -> Operand:
        dims: list[Dim] = []
        while self.peek() not in ("", ":"):
            dims.append(self.dim())
        values = self.values() if self.take(":") else None
        if self.peek():
            raise self._refuse(f"{self.peek()!r} stands after the axis of values.")
        if sum(isinstance(dim, Dots) for dim in dims) > 1:
            raise self._refuse("An operand has at most one '...'.")
        return Operand(tuple(dims), values)

    def values(self) -> str:
        axis = self.axis()
        if axis.mixed:
            raise self._refuse(f"The axis of values is not mixed: '{axis}'.")
        return axis.name

    def dim(self) -> Dim:
        if self.take("..."):
            return Dots(self.take("!"))
        if self.take("1"):
            return One()
        parts = [self.part()]
        while self.take("+"):
            parts.append(self.part())
        return parts[0] if len(parts) == 1 else Sum(tuple(parts))

    def part(self) -> Axis | Product:
        if not self.take("("):
            return self.axis()
        factors: list[Axis] = []
        while not self.take(")"):
            factors.append(self.axis())
        return Product(tuple(factors))

    def axis(self) -> Axis:
        name = self.peek()
        if not name.isidentifier():
            found = repr(name) if name else "the end"
            raise self._refuse(f"Expected an axis, found {found}.")
        self.at += 1
        return Axis(name, self.take("!"))
