"""Plan files that nobody wrote: whatever is in them, a command ends with a clear error."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from commands import Suture
from suture._reference import load

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 3, 2**70, 0.5, "", "0.weight", "own", [], [[]], [0, 3], {}, {"name": "x"}]
) | st.sampled_from(
    [10**30, [0, 10**30], [0, 2**62, 2**62], "f128", "c32", "u9999999999", "\ud800", "x\0y"]
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """List the places of all values in a document."""
    yield at
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(each, (*at, key))


def changed(document: Any, at: tuple[Any, ...], junk: Any, gone: bool) -> Any:
    """Put something in the place of a value, or take it out."""
    if not at:
        return junk
    *above, last = at
    whole = document
    for key in above:
        document = document[key]
    if gone:
        del document[last]
    else:
        document[last] = junk
    return whole


@pytest.fixture
def planned(run: Suture) -> Suture:
    """Run commands where a plan and both models' weights lie."""
    run("plan", "models.py:old", "models.py:new", "-o", "plan.json")
    save_file(load("models.py:old").model.state_dict(), "old.safetensors")
    save_file(load("models.py:new").model.state_dict(), "new.safetensors")
    return run


@pytest.mark.parametrize("few", [60, pytest.param(800, marks=pytest.mark.slow)])
def test_plans_with_something_else_in_them(planned: Suture, few: int) -> None:
    """Each is a plan still, or refused as one; no output is ever half there."""
    text = Path("plan.json").read_text()
    every = list(places(json.loads(text)))

    @settings(
        max_examples=few,
        derandomize=True,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.sampled_from(every), JUNK, st.booleans())
    def check(at: tuple[Any, ...], junk: Any, gone: bool) -> None:
        odd = changed(json.loads(text), at, junk, gone)
        Path("odd.json").write_text(json.dumps(odd))
        answers(planned)

    check()


def test_plans_that_are_cut_or_not_text(planned: Suture) -> None:
    """A file that ends early, or holds other bytes, is refused."""
    whole = Path("plan.json").read_bytes()
    drawn = random.Random(5)
    for _ in range(30):
        cut = bytearray(whole[: drawn.randrange(len(whole))])
        if cut and drawn.random() < 0.5:
            cut[drawn.randrange(len(cut))] = drawn.randrange(256)
        Path("odd.json").write_bytes(bytes(cut))
        assert answers(planned) == 2


def answers(run: Suture) -> int:
    """Show and apply a plan; no traceback is an answer."""
    shown = run("show", "odd.json")
    carried = run(
        *("apply", "odd.json", "old.safetensors", "--fresh", "new.safetensors"),
        *("-o", "out.safetensors", "--force"),
    )
    for result in (shown, carried):
        assert result.exit_code in (0, 2)
        assert "Traceback" not in result.stderr
        assert result.exception is None or isinstance(result.exception, SystemExit)
    assert shown.exit_code == 0 or carried.exit_code == 2
    left = {path.name for path in Path().iterdir()}
    assert left <= {
        *("models.py", "plan.json", "odd.json", "__pycache__"),
        *("old.safetensors", "new.safetensors", "out.safetensors"),
    }
    return shown.exit_code
