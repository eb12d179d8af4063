"""Ramps: how much of something each step has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from laws import law
from suture import RecoveryError
from suture.recovery import Ramp

ramps = st.builds(Ramp, st.integers(0, 40), st.integers(0, 40))


@law(ramps, few=50)
def test_any_ramp(ramp: Ramp) -> None:
    """It is 0 while it holds, climbs in equal parts, and is 1 from its end on, exactly."""
    shares = [ramp.share(step) for step in range(ramp.end + 3)]
    climbing = [(k + 1) / (ramp.over + 1) for k in range(ramp.over)]
    assert shares == [0.0] * ramp.hold + climbing + [1.0] * 3
    assert all(0 < share < 1 for share in climbing)


def test_nothing_asked_for() -> None:
    """The first step has all of it."""
    assert (Ramp().end, Ramp().share(0)) == (0, 1.0)


@pytest.mark.parametrize(
    ("given", "facts"),
    [
        ({"hold": -1}, "  hold     -1"),
        ({"over": 2.5}, "  over     2.5"),
        ({"hold": True, "over": None}, "  hold     True\n  over     None"),
    ],
)
def test_steps_that_cannot_be_counted(given: dict[str, Any], facts: str) -> None:
    """All of them are named."""
    with pytest.raises(RecoveryError) as caught:
        Ramp(**given)
    assert str(caught.value) == (
        "A ramp is counted in whole optimizer steps, 0 or more.\n"
        f"{facts}\n\nhint: write Ramp(hold=1000, over=500)"
    )
