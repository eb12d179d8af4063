"""Arrays of objects in pickles: as many as their shape says, or none."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from suture import UnpickleError
from suture._numpy_pickles import NUMPY
from suture._unpickle import load


@pytest.mark.parametrize("size", [2, 5, 4000])
def test_fewer_objects_than_a_shape_says(size: int) -> None:
    """Numpy would read past the end of the list."""

    class Short:
        def __reduce__(self) -> tuple[Any, ...]:
            make: Any = np.empty(0).__reduce__()[0]
            return make, (np.ndarray, (0,), b"b"), (1, (size,), np.dtype("O"), False, [1])

    with pytest.raises(UnpickleError, match="not as many as its shape says"):
        load(pickle.dumps(Short(), 4), NUMPY)
