"""Seeded bugs of times in a status."""

import pytest
from waypost.runtime.writes.actions import Prepared

from tests.simulation.seeded.hunting import both, bug, suffers


@bug("I9", "deadline", "T11", focus=both(suffers("freeze"), suffers("kill", "faults")))
def _an_old_decision_is_written(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Prepared, "stands", lambda self, age: True)
