"""Seeded bugs of queues: each breaks the operator on purpose and must be caught."""

from typing import Any, Final

import pytest
from waypost.engine.queues import taken
from waypost.engine.queues import waiting as queues
from waypost.engine.scheduling import deadlines
from waypost.kube import timestamps
from waypost.kube.manifests import attempt_job
from waypost.kube.manifests import queue as queue_of_jobs
from waypost.runtime.writes.stops import Stops

from tests.simulation.focused.hunting import Bugs
from tests.simulation.queues.plan import Plan, plan
from tests.simulation.queues.play import play

bug: Final = Bugs("queues", plan, play, limit=60)
BUGS: Final = bug.all


def _any(planned: Plan) -> bool:
    return True


def _calm(planned: Plan) -> bool:
    return planned.delivery == "immediate" and planned.kinds <= {"preempt"}


def _untroubled(planned: Plan) -> bool:
    """Other plays with a Job that cannot be stopped try to stop it for two virtual hours."""
    return planned.delivery == "immediate" and not planned.troubles


@bug("VP1", focus=_any)
def _jobs_are_not_created_suspended(patch: pytest.MonkeyPatch) -> None:
    add = queue_of_jobs.add_queue

    def running(job: Any, queue: str) -> None:
        add(job, queue)
        job["spec"].pop("suspend", None)

    patch.setattr(attempt_job, "add_queue", running)


@bug("T11", focus=_any)
def _queue_timeout_runs_in_the_queue(patch: pytest.MonkeyPatch) -> None:
    def holds(*_: Any) -> bool:
        return False

    patch.setattr(queues, "holds", holds)


@bug("T11", focus=_calm)
def _queue_timeout_counts_from_the_launch(patch: pytest.MonkeyPatch) -> None:
    def of_start(observed: Any, path: str, attempt: Any) -> Any:
        return right(observed, path, attempt) - _waited(attempt)

    def _waited(attempt: Any) -> Any:
        launched = timestamps.parse_timestamp(attempt.launched_at)
        assert launched is not None
        return (timestamps.parse_timestamp(attempt.queued_until) or launched) - launched

    right = deadlines.of_start
    patch.setattr(deadlines, "of_start", of_start)


@bug("VP1", "I2", "VP3", focus=_any)
def _a_preempted_attempt_is_closed_at_once(patch: pytest.MonkeyPatch) -> None:
    def were_deleted(*_: Any) -> bool:
        return False

    patch.setattr(taken, "_were_deleted", were_deleted)


@bug("VP1", "I2", "VP3", focus=_untroubled)
def _a_stopped_job_may_be_resumed(patch: pytest.MonkeyPatch) -> None:
    stop = Stops.stop

    class Lenient:
        def __init__(self, cluster: Any) -> None:
            self._cluster = cluster

        def __getattr__(self, name: str) -> Any:
            return getattr(self._cluster, name)

        async def patch(self, kind: Any, *, body: Any, **how: Any) -> Any:
            body = {"spec": {"suspend": True}}
            return await self._cluster.patch(kind, body=body, **how)

    async def lenient(self: Stops, key: Any, action: Any) -> None:
        if not isinstance(self._cluster, Lenient):
            patch.setattr(self, "_cluster", Lenient(self._cluster))
        await stop(self, key, action)

    patch.setattr(Stops, "stop", lenient)


@bug("T11", focus=_calm)
def _preemption_is_a_disruption(patch: pytest.MonkeyPatch) -> None:
    def preempted(*_: Any) -> bool:
        return False

    patch.setattr(taken, "_is_preempted", preempted)
