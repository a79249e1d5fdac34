"""Containers that the kubelet starts again, because others have changed a pod's restartPolicy."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from waypost.ports.cluster import Obj

from tests.fakes.agenda import Agenda
from tests.fakes.nodes import podstatus

_BACK_OFF: Final = 10.0  # seconds before the second time; it doubles


class Repeats:
    """Counts the restarts of each pod, and says when the next one is."""

    def __init__(
        self,
        agenda: Agenda,
        update: Callable[[str, Any], None],
        again: Callable[[str, Obj], None],
    ) -> None:
        self._agenda = agenda
        self._update = update
        self._again = again
        self._counts: Counter[str] = Counter()

    def begin(self, uid: str, last: Obj) -> None:
        """A container has ended as `last` says: it is started at once the first time, else later.

        Its status shows the end before that only once it runs again or waits.
        """
        count = self._counts[uid]
        self._counts[uid] += 1
        if count == 0:
            self._again(uid, last)
            return
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting"}}
        self._update(uid, partial(podstatus.started_again, end=last, count=count, state=state))
        self._agenda.after(_BACK_OFF * 2 ** (count - 1), partial(self._again, uid, last))

    def started(self, uid: str, last: Obj, started: str) -> Any:
        """The change of the status when it runs again."""
        state = {"running": {"startedAt": started}}
        count = self._counts[uid]
        return partial(podstatus.started_again, end=last, count=count, state=state)
