"""Wrappers: what frameworks that train, shard or compile a model put before its tensors' names.

Knows their words. Does not know modules: whoever has the model sees through it himself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

RESERVED = frozenset({"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
"""Steps of a name that no model has of itself: `torch.compile`, FSDP, activation checkpoints."""

OUTER = ("module.", "model.", "_forward_module.")
"""What may stand before all names: data parallel training, Lightning and Fabric."""


COUNTERS = frozenset({"n_averaged"})
"""Tensors that wrappers hold for themselves, by the last step of their names: counts."""


def counters(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Find the tensors that wrappers hold for themselves: name -> what it is.

    Example:
        >>> counters(["n_averaged", "module.weight"], ["weight"])
        {'n_averaged': 'n_averaged'}
    """
    steps = {name: name.rpartition(".")[2] for name in names}
    return {name: step for name, step in steps.items() if step in COUNTERS and name not in known}


def plain_names(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Say what each name is without wrappers, where that is a name that is known.

    Args:
        names: of the tensors in one state dict.
        known: the names that tensors have on the other side.

    Returns:
        Each name -> what it is called without wrappers, in their order.

    Example:
        >>> plain_names(["module._orig_mod.fc.weight", "module._orig_mod.fc.bias"], ["fc.weight"])
        {'module._orig_mod.fc.weight': 'fc.weight', 'module._orig_mod.fc.bias': 'fc.bias'}
    """
    given = list(names)
    found = [".".join(step for step in name.split(".") if step not in RESERVED) for name in given]
    outer = next((p for p in _prefixes(found) if _any(found, p, known)), "")
    plain = [_inner(short.removeprefix(outer), known) for short in found]
    # One tensor may be there twice, wrapped and not: then nothing is seen through.
    return dict(zip(given, plain if len({*plain}) == len(given) else given, strict=True))


def wrapper(plain: Mapping[str, str]) -> str:
    """Find what stands before all names, to put it before new ones: name -> the same without.

    Example:
        >>> wrapper({"module.fc.weight": "fc.weight", "module.fc.bias": "fc.bias"})
        'module.'
    """
    name, inner = next(iter(plain.items()), ("", ""))
    before = name.removesuffix(inner)
    return before if all(name == before + inner for name, inner in plain.items()) else ""


def _inner(name: str, known: Collection[str]) -> str:
    """Leave `module` out within a name, where that gives one that is known."""
    within = ".".join(step for step in name.split(".") if step != "module")
    return within if within in known and name not in known else name


def _prefixes(names: Collection[str]) -> Iterator[str]:
    """List what wrappers may have put before all names, the shortest first."""
    prefix: str | None = ""
    while names and prefix is not None:
        yield prefix
        longer = (prefix + outer for outer in OUTER)
        prefix = next((p for p in longer if all(name.startswith(p) for name in names)), None)


def _any(names: Iterable[str], prefix: str, known: Collection[str]) -> bool:
    return any(name.removeprefix(prefix) in known for name in names)
