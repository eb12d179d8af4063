"""The one error family: a sentence, the facts with their places, and one thing to do.

Knows how an error reads. Does not know when one is due: every module raises its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class SutureError(Exception):
    """Report what went wrong as a sentence, then facts, then a hint.

    Attributes:
        sentence: one sentence with both values and which side holds which.
        facts: `(label, text)` pairs, printed one a line in order; a label may repeat.
        hint: one action that helps, or None.

    Example:
        >>> print(SutureError("Nothing to carry.", [("source", "f32[2,3]")], "name a source"))
        Nothing to carry.
          source   f32[2,3]
        <BLANKLINE>
        hint: name a source
    """

    def __init__(
        self, sentence: str, facts: Iterable[tuple[str, str]] = (), hint: str | None = None
    ) -> None:
        self.sentence = sentence
        self.facts = tuple(facts)
        self.hint = hint
        super().__init__(sentence)

    def __str__(self) -> str:
        lines = [self.sentence, *(f"  {label:<8} {text}" for label, text in self.facts)]
        return "\n".join(lines if self.hint is None else [*lines, "", f"hint: {self.hint}"])


class SpecError(SutureError):
    """An axis spec that cannot be read, or does not fit the shapes it is bound to."""


class RuleError(SutureError):
    """A rule that contradicts itself or one that is already registered."""


class UnknownOpError(SutureError):
    """An op that no rule describes and that does not decompose."""


class TraceError(SutureError):
    """A model that cannot be run on shapes alone."""


class SchemaError(SutureError):
    """A schema that does not fit the model's inputs or outputs."""


class CoupleError(SutureError):
    """Axes that the network ties together in ways that disagree."""


class MatchError(SutureError):
    """Units of which nobody can say where they come from."""


class PlanError(SutureError):
    """A plan that cannot be read, or does not fit the arrays it is applied to."""


class OptimizerError(SutureError):
    """An optimizer's state that does not fit its parameters, or cannot follow them."""


class UnpickleError(SutureError):
    """A pickle that asks for what is not admitted, or that is no whole pickle."""


class TransferError(SutureError):
    """Training state that does not fit the plan, or the objects that it should go into."""


class RecoveryError(SutureError):
    """A part of recovery that does not fit the plan, the model or the optimizer."""


class VerifyError(SutureError):
    """A measured difference that contradicts what the plan promised."""


class FileError(SutureError):
    """A file that cannot be read or written."""


def demand(value: object, kind: type, error: SutureError) -> None:
    """Refuse an argument of another type than the one meant, before it fails somewhere deep."""
    if not isinstance(value, kind):
        raise error


def no_optimizer(value: object) -> OptimizerError:
    """Say that something is neither an optimizer nor a state dict of one."""
    sentence = f"{type(value).__name__} is no optimizer, and no state dict of one."
    return OptimizerError(sentence, [("known", "torch.optim.Optimizer")])


def unusable(path: object, done: str, error: OSError, hint: str | None = None) -> FileError:
    """Say that a file cannot be read or written, with the system's reason."""
    because = [("because", error.strerror or str(error))]
    return FileError(f"{path} cannot be {done}.", because, hint)


def near_miss(name: str, known: Sequence[str]) -> str | None:
    """Say which known name was probably meant, as a hint."""
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else None
