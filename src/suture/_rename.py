"""Renaming: what source tensors are called in the target, by rules that a user gives.

Knows regular expressions over keypaths. Does not know tensors.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping

from suture._errors import MatchError, near_miss

Rules = Mapping[str, str]
"""Regular expression -> what stands in the place of each of its matches, `\\1` for a group."""


def renamed(names: Collection[str], rules: Rules, known: Collection[str]) -> dict[str, str]:
    r"""Give the source's names as rules change them, every rule in order.

    Args:
        names: the source's tensors.
        rules: regular expressions and replacements, as `re.sub` takes them.
        known: the target's tensors.

    Returns:
        Name -> new name.

    Raises:
        MatchError: a rule that is no regular expression, that changes no name, or that leads to no
            tensor of the target; or two names that become one.

    Example:
        >>> renamed(["h.0.w", "h.1.w"], {r"^h\.": "blocks."}, ["blocks.0.w", "blocks.1.w"])
        {'h.0.w': 'blocks.0.w', 'h.1.w': 'blocks.1.w'}
    """
    new = {name: name for name in names}
    facts: list[tuple[str, str]] = []
    hints: list[str | None] = []
    for pattern, replacement in rules.items():
        try:
            changed = {name: re.sub(pattern, replacement, now) for name, now in new.items()}
        except re.error as error:
            facts.append((pattern, f"is no rule: {error}"))
            continue
        touched = [name for name in new if changed[name] != new[name]]
        if not touched:
            facts.append((pattern, "changes no name of the source"))
            hints.append(near_miss(pattern.strip("^$").replace("\\", ""), [*new.values()]))
        elif known and not any(changed[name] in known for name in touched) and len(rules) == 1:
            facts.append(
                (pattern, f"{touched[0]} becomes {changed[touched[0]]}, not in the target")
            )
            hints.append(near_miss(changed[touched[0]], [*known]))
        new = changed
    facts += _twice(new)
    if facts:
        raise MatchError("A rule of `rename` does not fit.", facts, next(filter(None, hints), None))
    return new


def _twice(new: Mapping[str, str]) -> list[tuple[str, str]]:
    olds: dict[str, list[str]] = defaultdict(list)
    for old, name in new.items():
        olds[name].append(old)
    return [(name, f"comes from {' and '.join(o)}") for name, o in olds.items() if len(o) > 1]
