"""The rule table: op name -> axis spec and algebra.

Knows how a rule is registered and found. Does not know any op: the adapters fill the table, one
line per op.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, overload

from suture._algebra import Algebra, algebra
from suture._bind import Bound, Pick, Shape, Window, bind
from suture._errors import RuleError
from suture._spec import Operand, Spec, parse


@dataclass(frozen=True, slots=True, eq=False)
class TensorArgument:
    """A tensor among an op's arguments, as rules see it; `values` if it is a known constant."""

    shape: Shape
    dtype: str
    values: Any = None

    @property
    def ndim(self) -> int:
        """The number of dims."""
        return len(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of an op.

    Attributes:
        op: the op's full name, e.g. `"aten.mm.default"`.
        arguments: every argument by its name in the op's schema, defaults included; tensors stand
            as `TensorArgument`.
        operands: the op's tensor arguments in schema order, lists flattened; None where an optional
            one is absent, or a plain number stands for it.
        outputs: the results' shapes in entries.
    """

    op: str
    arguments: Mapping[str, Any]
    operands: tuple[TensorArgument | None, ...]
    outputs: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Described:
    """What a rule function says of a call: operands that are absent have no place in the spec.

    `algebra` replaces the rule's own where it depends on the arguments; `sizes`, `picks`
    and `windows` are those that the shapes do not tell.
    """

    spec: str
    algebra: str | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    picks: tuple[Pick, ...] = ()
    windows: tuple[Window, ...] = ()


RuleFunction = Callable[..., str | Described]
Function = TypeVar("Function", bound=RuleFunction)


@dataclass(frozen=True, slots=True)
class Rule:
    """How one op is described: a text, or a function of the call's arguments that gives one."""

    ops: tuple[str, ...]
    spec: str | RuleFunction
    algebra: str

    def describe(self, call: Call) -> tuple[Bound, tuple[Algebra, ...]]:
        """Bind the rule at a call.

        Returns:
            The bound spec, and the algebra of each operand that is present.

        Raises:
            SpecError: the spec does not fit the call.
        """
        if isinstance(self.spec, str):
            text, words = _present(self.spec, call.operands), _chosen(self.algebra, call.operands)
            said = Described(text, words)
        else:
            answer = self.spec(**call.arguments, out=call.outputs)
            said = Described(answer) if isinstance(answer, str) else answer
        shapes = [operand.shape for operand in call.operands if operand is not None]
        bound = bind(said.spec, shapes, call.outputs, said.sizes, said.picks, said.windows)
        words = self.algebra if said.algebra is None else said.algebra
        return bound, _spread(words, len(shapes))


def _present(spec: str, operands: Sequence[TensorArgument | None]) -> str:
    """Drop the operands of a spec that a call leaves out."""
    read = parse(spec)
    if len(operands) == len(read.inputs) and None not in operands:
        return spec
    pairs = zip(read.inputs, operands, strict=False)
    kept: tuple[Operand, ...] = tuple(op for op, tensor in pairs if tensor is not None)
    return str(Spec(kept, read.outputs))


def _chosen(words: str, operands: Sequence[TensorArgument | None]) -> str:
    """Keep the algebra of the operands that are present."""
    each = words.split(",")
    if len(each) == 1:
        return words
    return ",".join(w for w, operand in zip(each, operands, strict=False) if operand is not None)


def _spread(words: str, count: int) -> tuple[Algebra, ...]:
    """Read one algebra per operand; a single one stands for all, and meets nothing if alone."""
    each = words.split(",")
    if len(each) == 1:
        each *= count
    if len(each) != count:
        raise RuleError(f"The algebra {words!r} is for {len(each)} operands, the call has {count}.")
    if count == 1:
        return (replace(algebra(each[0]), meeting=None),)
    return tuple(map(algebra, each))


class RuleTable:
    """The rules known so far, by op (`aten.add.Tensor`) or packet (`aten.add`: every overload)."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}

    def __iter__(self) -> Any:
        return iter(self._rules)

    def add(self, rule: Rule) -> None:
        """Register a rule under each of its names.

        Raises:
            RuleError: a name that has a rule already.
        """
        taken = [op for op in rule.ops if op in self._rules]
        if taken:
            raise RuleError(
                f"{taken[0]} has a rule already.", [("rule", str(self._rules[taken[0]].spec))]
            )
        self._rules.update(dict.fromkeys(rule.ops, rule))

    def find(self, op: str) -> Rule | None:
        """Find the rule of an op: its own, or its packet's."""
        return self._rules.get(op) or self._rules.get(op.rpartition(".")[0])


TABLE = RuleTable()


@overload
def rule(ops: object, spec: str, algebra: str = "") -> None: ...


@overload
def rule(ops: object, *, algebra: str = "") -> Callable[[Function], Function]: ...


def rule(ops: object, spec: str | None = None, algebra: str = "") -> Any:
    """Register an axis rule for ops; without `spec`, decorate the function that gives it.

    Args:
        ops: op names separated by spaces, or an op object whose text is its name. `aten.add` stands
            for every overload of the packet; in-place and `out=` variants need no rule.
        spec: the axis spec; operands are the op's tensor arguments in schema order, and those that
            a call leaves out are dropped.
        algebra: words per operand, separated by commas; one group stands for all operands.

    Returns:
        None with `spec`; else a decorator. The function gets the op's arguments by name (tensors as
        `TensorArgument`) and `out`, the results' shapes, and returns a spec or a `Described`.

    Raises:
        RuleError: an op that has a rule already.
        SpecError: a spec that cannot be read.

    Example:
        >>> rule("mylib.scale.default", "... d, d -> ... d", "linear mul")
    """
    names = tuple(str(ops).split())

    def register(function: Function) -> Function:
        TABLE.add(Rule(names, function, algebra))
        return function

    if spec is None:
        return register
    parse(spec)
    TABLE.add(Rule(names, spec, algebra))
    return None
