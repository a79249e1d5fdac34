"""When a status that is stored now was decided at the earliest.

A request takes a while, and an operator may be frozen meanwhile. The API server accepts it all the
same if nobody else has changed the run. The times in such a status are from before it was frozen.
The NodeRecords of a decision are created before its status, one after the other.
"""

from collections.abc import Sequence
from typing import Final

from tests.simulation.scenario.plan import Scenario
from tests.support.harness import Operator
from tests.support.virtual import PROCESS

_STORED_LATE: Final = 12.0  # how much later than it was decided a status may be stored
_PROMPT: Final = 1.0  # in scenarios without troubles
_OLDEST: Final = 21.0  # ten seconds until it is sent, and ten seconds until it is given up


class Decisions:
    """The operators of one run."""

    def __init__(self, scenario: Scenario) -> None:
        self._has_troubles = bool(scenario.troubles)
        self._request = 2 * scenario.latency  # how long one takes at most
        self._records = 0  # NodeRecords that existed when a status was stored last

    def earliest(self, now: float, records: int) -> float:
        """When the request was decided at the earliest whose change is stored now.

        Args:
            now: The present moment.
            records: How many NodeRecords were ever created.
        """
        writer = PROCESS.get()
        frozen = writer.frozen if isinstance(writer, Operator) else ()
        late = _PROMPT + self._request * (records - self._records)
        self._records = records
        if self._has_troubles:
            late = _STORED_LATE
        return max(awake_before(now, late, frozen), now - _OLDEST)


def awake_before(now: float, seconds: float, frozen: Sequence[tuple[float, float]]) -> float:
    """The moment since which a process was awake for so many seconds.

    Args:
        now: The present moment.
        seconds: How long it was awake.
        frozen: From when to when it was frozen, in order.
    """
    left = seconds
    for start, end in reversed(frozen):
        awake = now - end
        if awake >= left:
            break
        left, now = left - awake, start
    return now - left
