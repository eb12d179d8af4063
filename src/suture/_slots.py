"""Slots: what optimizers keep beside a parameter, and how each follows it.

Knows names and words, as one table. Does not know arrays, nor how a state is read or written.

word               what a slot holds                        where a weight is scaled by s
gradient           gradients, added up or averaged          1/s
gradient size      sizes of gradients, e.g. the largest     1/|s|
gradient squared   squares of gradients                     1/s²
update             gradients over their size                the sign of s
step size          lengths of steps                         |s|
step squared       squares of steps                         s²
weight             weights                                  s, and what is added to the weight
counter            one number for the whole parameter       1
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from suture._errors import OptimizerError, near_miss

Word = Literal[
    "gradient",
    "gradient size",
    "gradient squared",
    "update",
    "step size",
    "step squared",
    "weight",
    "counter",
]

POWERS: Mapping[str, tuple[int, int]] = {
    "gradient": (-1, -1),
    "gradient size": (-1, 0),
    "gradient squared": (-2, 0),
    "update": (0, 1),
    "step size": (1, 0),
    "step squared": (2, 0),
}
"""Word -> the power of |s|, and whether the sign of s counts."""


@dataclass(frozen=True, slots=True)
class Slot:
    """How a slot follows its parameter.

    Attributes:
        name: what the optimizer calls it.
        follows: what it holds.
        begins: the option of a parameter group that says how fresh entries begin; None for what
            the word asks for: 0 for gradients and updates, the mean of what is carried for sizes.
        over: the dim of the parameter that the slot is a mean over, from the last, as -1.
        optimizer: the class it belongs to; empty for any.
    """

    name: str
    follows: Word
    begins: str | None = None
    over: int | None = None
    optimizer: str = ""

    @property
    def is_mean(self) -> bool:
        """Whether fresh entries begin as the mean of carried ones, unless told otherwise."""
        return self.begins is None and self.follows not in ("gradient", "update", "weight")


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of optimizers whose slots are known.

    Attributes:
        name: the class.
        options: what its parameter groups have and those of no class above it do.
        slots: what it cannot step without once it has begun.
        asked: option -> a slot that it needs where the option is set.
        may: slots that it makes where they are missing.
        together: option -> a slot that all parameters of a group must have once one of them has,
            where the option is set.
    """

    name: str
    options: frozenset[str]
    slots: tuple[str, ...]
    asked: Mapping[str, str]
    may: tuple[str, ...] = ()
    together: Mapping[str, str] = field(default_factory=dict)

    def under(self, group: Mapping[str, object]) -> tuple[str, ...]:
        """List the slots that the options of a group ask for."""
        return tuple(slot for option, slot in self.asked.items() if group.get(option))

    def keeps(self, group: Mapping[str, object]) -> tuple[str, ...]:
        """List the slots that it uses under the options of a group."""
        return (*self.slots, *self.under(group), *self.may)


_KINDS: dict[str, Kind] = {}
_SLOTS: dict[tuple[str, str], Slot] = {}
REFUSED = {"LBFGS": "its history mixes all parameters, and there is none of the changed network"}


def slot(
    name: str,
    follows: Word,
    *,
    begins: str | None = None,
    over: int | None = None,
    optimizer: str = "",
) -> Slot:
    """Say how a slot of an optimizer follows its parameter.

    Args:
        name: what the optimizer calls it in its state, e.g. `"exp_avg"`.
        follows: what it holds: `"gradient"` (scaled by 1/s where the weight is scaled by s),
            `"gradient size"` (1/|s|), `"gradient squared"` (1/s²), `"update"` (a gradient over its
            size: the sign of s), `"step size"` (|s|), `"step squared"` (s²), `"weight"` (as the
            weight itself) or `"counter"` (one number, taken as it is).
        begins: an option of the parameter groups, such as `"lr"`: what fresh entries begin as.
        over: the dim that the slot is a mean over, counted from the last, as Adafactor's rows.
        optimizer: the class that means this by the name; any if empty.

    Returns:
        What was registered; it replaces what was said of the name before.

    Raises:
        OptimizerError: `follows` is none of these words.

    Example:
        >>> slot("exp_avg_slow", "gradient", optimizer="AdEMAMix").follows
        'gradient'
    """
    if follows not in (words := get_args(Word)):
        hint = near_miss(str(follows), words)
        facts = [("known", ", ".join(words))]
        raise OptimizerError(f"A slot cannot follow {follows!r}.", facts, hint)
    made = Slot(name, follows, begins, over, optimizer)
    _SLOTS[optimizer, name] = made
    return made


def slot_of(name: str, optimizers: Iterable[str]) -> Slot | None:
    """Find how a slot follows, for an optimizer whose classes are these, the nearest first."""
    keys = ((optimizer, name) for optimizer in (*optimizers, ""))
    return next((_SLOTS[key] for key in keys if key in _SLOTS), None)


def kind_of(optimizers: Iterable[str]) -> Kind | None:
    """Find what is known of a class, or of one that it derives from."""
    return next((_KINDS[name] for name in optimizers if name in _KINDS), None)


def kind_by_options(options: Iterable[str], slots: Iterable[str]) -> Kind | None:
    """Find the class of which parameter groups have these options; state dicts name none.

    Somebody's own may have the options of a known one: not where it keeps what none of these does.
    """
    given, kinds = {*options}, _KINDS.values()
    known = {slot for kind in kinds for slot in (*kind.slots, *kind.asked.values(), *kind.may)}
    if not known.issuperset(slots):
        return None
    return next((kind for kind in kinds if kind.options and kind.options <= given), None)


def _kind(
    name: str,
    options: str,
    slots: str,
    asked: Mapping[str, str] | None = None,
    may: str = "",
    together: Mapping[str, str] | None = None,
) -> None:
    marks, needed, made = frozenset(options.split()), tuple(slots.split()), tuple(may.split())
    _KINDS[name] = Kind(name, marks, needed, asked or {}, made, together or {})


RMS_ASKED = {"centered": "grad_avg", "momentum": "momentum_buffer"}
# The first whose options a state dict has is its class: those that others share come later.
_kind("NAdam", "momentum_decay", "step mu_product exp_avg exp_avg_sq")
_kind("Adam", "betas amsgrad", "step exp_avg exp_avg_sq", {"amsgrad": "max_exp_avg_sq"})
_kind("RAdam", "betas decoupled_weight_decay", "step exp_avg exp_avg_sq")
_kind("RMSprop", "centered", "step square_avg", RMS_ASKED)
_kind("Muon", "ns_steps", "momentum_buffer")
_kind("SGD", "dampening", "", may="momentum_buffer", together={"fused": "momentum_buffer"})
_kind("Adagrad", "lr_decay", "step sum")
_kind("Adadelta", "rho", "step square_avg acc_delta")
_kind("ASGD", "lambd", "step eta mu ax")
_kind("Rprop", "etas", "step prev step_size")
_kind("Adafactor", "beta2_decay", "step", may="row_var col_var variance")
_kind("LBFGS", "history_size", "")
_kind("Adamax", "", "step exp_avg exp_inf")
_kind("SparseAdam", "", "step exp_avg exp_avg_sq")
_kind("Lion", "", "exp_avg")

for _name in ("step", "mu_product", "eta", "mu", "RMS"):
    slot(_name, "counter")
for _name in ("momentum_buffer", "exp_avg", "grad_avg", "prev"):
    slot(_name, "gradient")
for _name in ("exp_avg_sq", "max_exp_avg_sq", "square_avg", "variance"):
    slot(_name, "gradient squared")
slot("exp_inf", "gradient size")
slot("acc_delta", "step squared")
slot("ax", "weight")
slot("sum", "gradient squared", begins="initial_accumulator_value", optimizer="Adagrad")
slot("step_size", "step size", begins="lr", optimizer="Rprop")
slot("momentum_buffer", "update", optimizer="RMSprop")
slot("row_var", "gradient squared", over=-1)
slot("col_var", "gradient squared", over=-2)
slot("exp_avg_sq_row", "gradient squared", over=-1, optimizer="Adafactor")  # of transformers
slot("exp_avg_sq_col", "gradient squared", over=-2, optimizer="Adafactor")
