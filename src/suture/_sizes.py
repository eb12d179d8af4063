"""Sizes: which size every axis had, where only the sizes of some tensors' dims are known.

Knows axis classes, of which one is the sum or the product of others, and that inputs are as large
as they were where that contradicts nothing. A tensor's dim is never taken apart as before because
its size is as before: one of 32 entries may be 4 heads of 8, or 8 of 4. Does not know where sizes
come from, nor what is done with them (`_derive`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isqrt, prod

from suture._axes import Axes, Class, Makeup

MOST = 9
"""So many answers are looked for; more are as good as infinitely many."""

STEPS = 20_000
"""So many steps are taken to find them."""

Sizes = dict[Class, int]


class ContradictionError(Exception):
    """Sizes that cannot all be: of the class that `whole` stands for, or of one of its parts."""

    def __init__(self, whole: Class) -> None:
        self.whole = whole
        super().__init__(whole)


@dataclass(frozen=True, slots=True)
class Equation:
    """One class is made of others: their sum or their product has its size."""

    whole: Class
    makeup: Makeup

    def holds(self, sizes: Mapping[Class, int]) -> bool:
        """Whether all sizes are known, and fit."""
        parts = [sizes[part] for part in self.makeup.parts]
        return sizes[self.whole] == (sum(parts) if self.makeup.kind == "sum" else prod(parts))

    def unknown(self, sizes: Mapping[Class, int]) -> Counter[Class]:
        """Count the parts whose sizes are not known."""
        return Counter(part for part in self.makeup.parts if part not in sizes)


@dataclass(frozen=True, slots=True)
class Choice:
    """Classes whose sizes have several answers, each complete; `all` says that these are all."""

    wholes: tuple[Class, ...]
    answers: tuple[Sizes, ...]
    all: bool


@dataclass(frozen=True, slots=True)
class Follows:
    """Where a window moves, or an index chooses: the same source, the same results."""

    source: Class
    results: tuple[Class, ...]


def solve(
    axes: Axes, known: Mapping[Class, int], inputs: Collection[Class], moves: Collection[Follows]
) -> Sizes | list[Choice]:
    """Find the sizes that all classes have, given some.

    Args:
        axes: classes with the sizes that they have now, not refined: what falls together at these
            sizes may not at others.
        known: class -> the size that it has instead.
        inputs: the classes along inputs.
        moves: what windows and indices make of which class.

    Returns:
        Sizes that fit each other, or the choices where several do. What is not known and no part
        of what is known is as it is now.

    Raises:
        ContradictionError: no sizes fit.
    """
    equations = [
        Equation(whole, makeup) for whole in axes.makeups for makeup in axes.made_of(whole)
    ]
    now = {member: axes.sizes[member] for member in {*map(axes.find, range(len(axes.sizes)))}}
    of = by_member(equations)
    held = frozenset(_within(known, of))
    return _Solving(equations, now, dict(known), moves, held, of).run(_within(inputs, of))


def _within(members: Iterable[Class], of: Mapping[Class, Sequence[Equation]]) -> set[Class]:
    """List classes and all that they are made of."""
    waiting = [*members]
    seen = {*waiting}
    while waiting:
        current = waiting.pop()
        below = {p for e in of.get(current, ()) if e.whole == current for p in e.makeup.parts}
        waiting += below - seen
        seen |= below
    return seen


@dataclass(slots=True, eq=False)
class _Solving:
    """What is known so far; `of` lists the equations in which a class stands.

    `held` are the classes along tensors, with all that they are made of.
    """

    equations: Sequence[Equation]
    now: Sizes
    sizes: Sizes
    moves: Collection[Follows]
    held: frozenset[Class]
    of: Mapping[Class, Sequence[Equation]]

    def run(self, inputs: Collection[Class]) -> Sizes | list[Choice]:
        deduce(self.sizes, self.equations, self.of)
        asked = {part for group in self._wrong() for each in group for part in each.makeup.parts}
        wholes = {equation.whole for equation in self.equations}
        for member in sorted({*inputs} - asked - wholes):
            self._take(member)
        self._move()
        if choices := self._settle():
            return choices
        for member in sorted(self.now, key=lambda member: (member in wholes, member)):
            self._take(member)
        return self.sizes

    def _take(self, member: Class) -> None:
        """Take what is not known to be as it is now."""
        if member not in self.sizes:
            self.sizes[member] = self.now[member]
            deduce(self.sizes, self.of.get(member, ()), self.of)

    def _move(self) -> None:
        """Let what windows and indices give be as now, where all that they see is."""
        for move in self.moves:
            known = {move.source, *move.results} & self.sizes.keys()
            if move.source in known and all(self.sizes[m] == self.now[m] for m in known):
                for member in move.results:
                    self._take(member)

    def _settle(self) -> list[Choice]:
        """Answer what is open, as long as there is one answer."""
        before, choices = len(self.sizes), list[Choice]()
        for group in self._groups():
            search = _Search(group, self.now, by_member(group), STEPS)
            answers = list(islice(search.run(self.sizes), MOST + 1))
            wholes = tuple(equation.whole for equation in group if self._asks(equation))
            if not answers and search.steps > 0:
                raise ContradictionError(wholes[0])
            if len(answers) == 1 and search.steps > 0:
                self.sizes |= answers[0]
            else:
                every = len(answers) <= MOST and search.steps > 0
                answers.sort(key=self._changes)
                choices.append(Choice(wholes, tuple(answers[:MOST]), every))
        deduce(self.sizes, self.equations, self.of)
        more = len(self.sizes) > before and not choices
        return self._settle() if more else choices

    def _changes(self, answer: Sizes) -> int:
        """Count the sizes that would be others than now."""
        return sum(size != self.now[member] for member, size in answer.items())

    def _asks(self, equation: Equation) -> bool:
        """Whether a known class is made of what is not known, and not just as now."""
        if equation.whole not in self.sizes or not equation.unknown(self.sizes):
            return False
        as_now = equation.holds(self.now | self.sizes)
        if equation.whole not in self.held:
            return not as_now
        # The same length, cut by what does the same as now: the same cuts.
        others = (e for e in self.of[equation.whole] if e.whole == equation.whole and e != equation)
        alike = equation.makeup.kind == "sum" and any(not e.unknown(self.sizes) for e in others)
        return not (alike and as_now)

    def _wrong(self) -> list[list[Equation]]:
        """List the groups that cannot be as they are now."""
        assumed = self.now | self.sizes
        return [group for group in self._groups() if not all(e.holds(assumed) for e in group)]

    def _groups(self) -> list[list[Equation]]:
        """Group the equations that leave parts of something known open by what they share."""
        owners: dict[Class, int] = {}
        groups: list[dict[Equation, None]] = []
        for equation in filter(self._asks, self.equations):
            group = dict.fromkeys(self._below(equation))
            shared = {part for each in group for part in each.unknown(self.sizes)}
            for number in {owners[part] for part in shared if part in owners}:
                group |= groups[number]
                groups[number] = {}
            groups.append(group)
            for each in group:
                owners |= dict.fromkeys(each.unknown(self.sizes), len(groups) - 1)
        return [[*group] for group in groups if group]

    def _below(self, equation: Equation) -> Iterator[Equation]:
        """List an equation, and those of its parts that are made of others and not known."""
        waiting, seen = [equation], {equation}
        while waiting:
            current = waiting.pop()
            yield current
            for part in current.unknown(self.sizes):
                below = [e for e in self.of[part] if e.whole == part and e not in seen]
                seen.update(below)
                waiting += below


def by_member(equations: Iterable[Equation]) -> Mapping[Class, Sequence[Equation]]:
    """List for each class the equations in which it stands."""
    found: dict[Class, list[Equation]] = defaultdict(list)
    for equation in equations:
        for member in {equation.whole, *equation.makeup.parts}:
            found[member].append(equation)
    return found


def deduce(
    sizes: Sizes, equations: Iterable[Equation], of: Mapping[Class, Sequence[Equation]]
) -> None:
    """Find every size that follows from one equation alone, again and again.

    Raises:
        ContradictionError: an equation that no size fits.
    """
    waiting = [*equations]
    while waiting:
        found = _found(waiting.pop(), sizes)
        if found is not None:
            member, size = found
            sizes[member] = size
            waiting += of[member]


def _found(equation: Equation, sizes: Sizes) -> tuple[Class, int] | None:
    """Find the one size that an equation leaves open, if it is one."""
    open_parts = equation.unknown(sizes)
    if len(open_parts) > 1 or (open_parts and equation.whole not in sizes):
        return None
    known = [sizes[part] for part in equation.makeup.parts if part in sizes]
    added = equation.makeup.kind == "sum"
    whole = sum(known) if added else prod(known)
    if equation.whole not in sizes:
        return equation.whole, whole
    if not open_parts:
        if not equation.holds(sizes):
            raise ContradictionError(equation.whole)
        return None
    [(part, times)] = open_parts.items()
    size = _share(sizes[equation.whole], whole, times, added)
    if size < 1:
        raise ContradictionError(equation.whole)
    return part, size


def _share(whole: int, known: int, times: int, added: bool) -> int:
    """Find the size that a part has which stands several times; 0 where there is none."""
    rest, remainder = (whole - known, 0) if added else divmod(whole, known) if known else (0, 1)
    if remainder or rest < 1:
        return 0
    size = rest // times if added else round(rest ** (1 / times))
    return size if rest == (size * times if added else size**times) else 0


@dataclass(slots=True, eq=False)
class _Search:
    """All answers to some equations, those first that change the least; `steps` may run out."""

    equations: Sequence[Equation]
    now: Mapping[Class, int]
    of: Mapping[Class, Sequence[Equation]]
    steps: int

    def run(self, sizes: Sizes) -> Iterator[Sizes]:
        sizes = dict(sizes)
        try:
            deduce(sizes, self.equations, self.of)
        except ContradictionError:
            return
        open_ones = [e for e in self.equations if e.whole in sizes and e.unknown(sizes)]
        if not open_ones:
            yield sizes
            return
        equation = min(open_ones, key=lambda each: len(each.unknown(sizes)))
        part = next(iter(equation.unknown(sizes)))
        for size in self._possible(equation, part, sizes):
            self.steps -= 1
            if self.steps <= 0:
                return
            yield from self.run({**sizes, part: size})

    def _possible(self, equation: Equation, part: Class, sizes: Sizes) -> list[int]:
        """List the sizes that a part may have, the present one first."""
        unknown = equation.unknown(sizes)
        known = [sizes[other] for other in equation.makeup.parts if other in sizes]
        if equation.makeup.kind == "sum":
            most = sizes[equation.whole] - sum(known) - unknown.total() + 1
            found: Collection[int] = range(1, most + 1)
        else:
            rest, remainder = divmod(sizes[equation.whole], prod(known))
            found = [] if remainder else _divisors(rest)
        return sorted(found, key=lambda size: (size != self.now[part], size))


def _divisors(number: int) -> set[int]:
    small = [size for size in range(1, isqrt(number) + 1) if number % size == 0]
    return {*small, *(number // size for size in small)}
