"""How much is tried: a sample in the gate, as much as the profile says in `make nightly`."""

import os
from collections.abc import Callable
from typing import Any, Final

from hypothesis import HealthCheck, settings

_SAMPLE: Final = 15
_DEEP: Final = 300  # an object of a large CRD takes a tenth of a second

deep: Final = os.environ.get("HYPOTHESIS_PROFILE", "gate") != "gate"


def extent(test: Callable[..., Any]) -> Any:
    """The settings of a test with schemas: large schemas draw slowly, and often too much."""
    return settings(
        max_examples=_DEEP if deep else _SAMPLE,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )(test)
