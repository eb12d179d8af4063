"""How a law is tested: on a few drawn examples every time, on many where there is time.

Knows Hypothesis. Does not know what is drawn, nor any law.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

Drawn = TypeVar("Drawn")
Check = Callable[[Drawn], None]


def law(strategy: st.SearchStrategy[Drawn], few: int = 15) -> Callable[[Check[Drawn]], Any]:
    """Make a test of a check that holds for all that a strategy draws: a few, or (slow) many.

    Shrinking a failure takes minutes, so only the slow one does.
    """
    examples = pytest.mark.parametrize("examples", [few, pytest.param(500, marks=pytest.mark.slow)])
    patient = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

    def test_of(check: Check[Drawn]) -> Any:
        def test(examples: int) -> None:
            profile = settings(
                max_examples=examples,
                derandomize=True,
                suppress_health_check=patient,
                phases=[Phase.generate] if examples == few else [Phase.generate, Phase.shrink],
            )
            profile(given(strategy)(check))()

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return examples(test)

    return test_of
